"""TRC: the joints as marker trajectories in millimetres, for OpenSim and Visual3D."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import uniform_motion
from mocap_cli.io.atomic import write_atomically
from mocap_cli.types import Float64

_MM = 1000.0


def write_trc(motion: Motion, path: Path) -> None:
    """Write each joint as a marker at a constant rate; frames without a person are empty."""
    motion, rate = uniform_motion(motion)
    joints = motion.joints.astype(np.float64)
    markers = {name: joints[:, i] for i, name in enumerate(motion.skeleton.names)}
    write_markers(path, markers, float(motion.times[0]), rate)


def write_markers(path: Path, markers: Mapping[str, Float64], start: float, rate: float) -> None:
    """Write markers (T, 3) in metres from a time in seconds; those that are NaN are empty."""
    with write_atomically(path) as aside:
        aside.write_text(
            "".join(_lines(markers, start, rate, _printable(path.name))),
            encoding="utf-8",
            newline="\r\n",
        )


def _lines(markers: Mapping[str, Float64], start: float, rate: float, name: str) -> Iterator[str]:
    positions = _MM * np.concatenate(tuple(markers.values()), axis=-1)
    T, names = len(positions), tuple(markers)
    axes = (f"{axis}{i}" for i in range(1, len(names) + 1) for axis in "XYZ")
    yield f"PathFileType\t4\t(X/Y/Z)\t{name}\n"
    yield "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits"
    yield "\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
    yield f"{rate:.6f}\t{rate:.6f}\t{T}\t{len(names)}\tmm\t{rate:.6f}\t1\t{T}\n"
    yield "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t\n"
    yield "\t\t" + "\t".join(axes) + "\n\n"
    for i, row in enumerate(positions.tolist()):
        cells = "\t".join("" if v != v else f"{v:.4f}" for v in row)
        yield f"{i + 1}\t{start + i / rate:.6f}\t{cells}\n"


def _printable(name: str) -> str:
    """A file name as one cell of the table: no tabs, and no bytes that are not UTF-8."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)
