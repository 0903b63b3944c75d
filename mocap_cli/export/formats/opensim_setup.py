"""Set-up files of OpenSim's tools: markers of the model, scaling, and inverse kinematics."""

import math
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from mocap_cli.export.formats.opensim_model import HELD, MARKERS, MEASURES, Measure, ModelMarker
from mocap_cli.io.origin import MARK

_MODEL = "LaiUhlrich2022.osim"


def marker_set() -> str:
    """The MarkerSet of the model."""
    markers = "".join(_marker(marker) for marker in MARKERS)
    return _document(f'<MarkerSet name="mocap"><objects>\n{markers}</objects></MarkerSet>\n')


def scale_setup(name: str, span: tuple[float, float]) -> str:
    """The ScaleTool: bodies by distances between markers, on average over the motion."""
    measures = "".join(_measure(measure) for measure in MEASURES)
    return _document(
        f"<ScaleTool name={quoteattr(name)}>\n"
        f"<GenericModelMaker><model_file>{_MODEL}</model_file>"
        f"<marker_set_file>{escape(name)}_markers.xml</marker_set_file></GenericModelMaker>\n"
        "<ModelScaler><apply>true</apply><scaling_order>measurements</scaling_order>\n"
        f"<MeasurementSet><objects>\n{measures}</objects></MeasurementSet>\n"
        f"<marker_file>{escape(name)}_markers.trc</marker_file>{_range(span)}"
        "<preserve_mass_distribution>true</preserve_mass_distribution>"
        f"<output_model_file>{escape(name)}_scaled.osim</output_model_file></ModelScaler>\n"
        "<MarkerPlacer><apply>false</apply></MarkerPlacer>\n</ScaleTool>\n"
    )


def inverse_kinematics_setup(name: str, span: tuple[float, float]) -> str:
    """The InverseKinematicsTool: weights of markers, and the coordinates that none shows."""
    tasks = "".join((*(_marker_task(marker) for marker in MARKERS), *_held_tasks()))
    return _document(
        f"<InverseKinematicsTool name={quoteattr(name)}>\n"
        f"<model_file>{escape(name)}_scaled.osim</model_file>"
        f"<marker_file>{escape(name)}_markers.trc</marker_file>{_range(span)}"
        "<accuracy>1e-05</accuracy><results_directory>.</results_directory>"
        f"<output_motion_file>{escape(name)}_ik.mot</output_motion_file>\n"
        f"<IKTaskSet><objects>\n{tasks}</objects></IKTaskSet>\n</InverseKinematicsTool>\n"
    )


def _document(content: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<OpenSimDocument Version="40000">\n<!-- {MARK} -->\n{content}</OpenSimDocument>\n'
    )


def _range(span: tuple[float, float]) -> str:
    return f"<time_range>{span[0]:.6f} {span[1]:.6f}</time_range>"


def _marker(marker: ModelMarker) -> str:
    place = " ".join(f"{v:.6g}" for v in marker.place)
    return (
        f'<Marker name="{marker.name}"><socket_parent_frame>/bodyset/{marker.body}'
        f"</socket_parent_frame><location>{place}</location><fixed>true</fixed></Marker>\n"
    )


def _measure(measure: Measure) -> str:
    bodies = "".join(
        f'<BodyScale name="{body}"><axes>{measure.axes}</axes></BodyScale>'
        for body in measure.bodies
    )
    return (
        f'<Measurement name="{measure.name}"><apply>true</apply><MarkerPairSet><objects>'
        f"<MarkerPair><markers>{' '.join(measure.markers)}</markers></MarkerPair></objects>"
        f"</MarkerPairSet><BodyScaleSet><objects>{bodies}</objects></BodyScaleSet></Measurement>\n"
    )


def _marker_task(marker: ModelMarker) -> str:
    return (
        f'<IKMarkerTask name="{marker.name}"><apply>true</apply>'
        f"<weight>{marker.weight:g}</weight></IKMarkerTask>\n"
    )


def _held_tasks() -> Iterator[str]:
    for name, degrees in HELD.items():
        for side in "rl":
            yield (
                f'<IKCoordinateTask name="{name}_{side}"><apply>true</apply><weight>1</weight>'
                "<value_type>manual_value</value_type>"
                f"<value>{math.radians(degrees):.6f}</value></IKCoordinateTask>\n"
            )
