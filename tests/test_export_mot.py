"""Coordinates for OpenSim, and the files beside them that its own tools read."""

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import trc
from poses import dance, motion_of, posed
from scipy.spatial.transform import Rotation

from mocap_cli.errors import MocapError
from mocap_cli.export.formats.mot import BESIDE, write_mot
from mocap_cli.export.formats.opensim_coordinates import opensim_motion
from mocap_cli.export.registry import check_output, with_companions

TIMES = np.arange(12) / 30
HANGING = {"left_shoulder": (0, 0, -90), "right_shoulder": (0, 0, 90)}


def raised(side: str, degrees: float) -> tuple[float, ...]:
    """The turn from the T-pose of an arm that was lifted forwards from hanging."""
    hanging = Rotation.from_rotvec(HANGING[f"{side}_shoulder"], degrees=True)
    ahead = Rotation.from_rotvec((-degrees, 0, 0), degrees=True) * hanging
    return tuple(ahead.as_rotvec(degrees=True))


def motion_with(turns: dict[str, tuple[float, ...]], heading: float = 0.0):
    """Somebody who holds these turns (degrees) with hanging arms."""
    turns = {name: np.radians(turn) for name, turn in (HANGING | turns).items()}
    moves = {name: np.tile(turn, (12, 1)) for name, turn in turns.items()}
    yaw = Rotation.from_euler("y", heading, degrees=True)
    return motion_of(yaw.apply(posed(moves, np.tile((1, 0.9, 2), (12, 1))).reshape(-1, 3))
                     .reshape(12, -1, 3), TIMES)  # fmt: skip


def coordinates(turns: dict[str, tuple[float, ...]], heading: float = 0.0) -> dict[str, float]:
    found = opensim_motion(motion_with(turns, heading)).coordinates
    return {name: float(values[6]) for name, values in found.items()}


POSES = [  # turns about X left, Y up, Z front; coordinates by their definition in the model
    ({"left_hip": (-30, 0, 0)}, {"hip_flexion_l": 30}),
    ({"right_hip": (20, 0, 0)}, {"hip_flexion_r": -20}),
    ({"left_hip": (0, 0, 20)}, {"hip_adduction_l": -20}),
    ({"right_hip": (0, 0, 15)}, {"hip_adduction_r": 15}),
    ({"right_knee": (70, 0, 0)}, {"knee_angle_r": 70, "hip_flexion_r": 0}),
    ({"left_hip": (0, -25, 0), "left_knee": (60, 0, 0)}, {"hip_rotation_l": 25}),
    ({"right_hip": (0, 25, 0), "right_knee": (60, 0, 0)}, {"hip_rotation_r": 25}),
    ({"left_ankle": (-20, 0, 0)}, {"ankle_angle_l": 20}),
    ({"right_ankle": (30, 0, 0)}, {"ankle_angle_r": -30}),
    ({"pelvis": (20, 0, 0)}, {"pelvis_tilt": -20, "hip_flexion_l": 0, "lumbar_extension": 0}),
    ({"pelvis": (0, 0, 10)}, {"pelvis_list": 10, "pelvis_tilt": 0}),
    ({"left_shoulder": (0, 0, -60)}, {"arm_add_l": -30, "arm_flex_l": 0}),
    ({"right_shoulder": (0, 0, 60)}, {"arm_add_r": -30}),
    ({"left_shoulder": raised("left", 60)}, {"arm_flex_l": 60}),
    ({"right_shoulder": raised("right", -40)}, {"arm_flex_r": -40}),
    ({"left_elbow": (0, -70, 0)}, {"elbow_flex_l": 70}),
    ({"right_elbow": (0, 110, 0)}, {"elbow_flex_r": 110}),
]


@pytest.mark.parametrize(("turns", "wanted"), POSES)
@pytest.mark.parametrize("heading", [0, 100, -170])
def test_a_pose_changes_the_coordinates_as_the_model_defines_them(turns, wanted, heading):
    still, found = coordinates({}, heading), coordinates(turns, heading)
    for name, change in wanted.items():
        # the model's elbow is bent to the side, and a straight arm shows little of its rotation
        close = 4 if name.startswith("arm") else 1.5
        assert found[name] - still[name] == pytest.approx(change, abs=close), name


def test_whoever_stands_straight_is_near_the_pose_of_zero():
    for name, value in coordinates({}).items():
        if name[:9] not in ("pelvis_tx", "pelvis_ty", "pelvis_tz", "pro_sup_r", "pro_sup_l"):
            assert abs(value) < 10, name


@pytest.mark.parametrize(
    ("turn", "name", "sign"),
    [
        ((35, 0, 0), "lumbar_extension", -1),
        ((0, 0, 20), "lumbar_bending", 1),
        ((0, 25, 0), "lumbar_rotation", 1),
    ],
)
def test_the_torso_turns_against_the_pelvis_by_the_signs_of_the_model(turn, name, sign):
    change = coordinates({"spine": turn})[name] - coordinates({})[name]
    assert 10 < sign * change < max(turn) + 1


def test_a_turn_to_the_left_is_a_positive_rotation_of_the_pelvis():
    yaw = np.linspace(-30, 30, 12)
    moves = {"pelvis": np.radians(yaw)[:, None] * (0, 1, 0)}
    found = opensim_motion(motion_of(posed(moves, np.zeros((12, 3))), TIMES)).coordinates
    np.testing.assert_allclose(found["pelvis_rotation"], yaw, atol=0.1)


def table(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    head, body = path.read_text().split("endheader\n")
    names, *rows = body.splitlines()
    return head.splitlines(), names.split("\t"), np.array([r.split("\t") for r in rows], float)


def test_the_file_has_the_header_of_opensim_and_a_number_in_every_frame(tmp_path):
    joints = dance(TIMES)
    joints[3:5] = np.nan
    write_mot(motion_of(joints, TIMES), tmp_path / "a.mot")
    head, names, rows = table(tmp_path / "a.mot")
    assert {"inDegrees=yes", "nRows=12", f"nColumns={len(names)}", "version=1"} < set(head)
    assert np.isfinite(rows).all()
    np.testing.assert_allclose(rows[:, 0], TIMES, atol=1e-6)


def test_the_files_beside_it_name_one_set_of_markers(tmp_path):
    joints = dance(TIMES)
    joints[3:5] = np.nan
    write_mot(motion_of(joints, TIMES), tmp_path / "a&b.mot")
    data = trc.TRCData()
    data.load(str(tmp_path / "a&b_markers.trc"))
    markers, scale, solve = (
        ET.parse(tmp_path / f"a&b_{n}.xml") for n in ("markers", "scale", "ik")
    )
    placed = {marker.get("name") for marker in markers.iter("Marker")}
    assert {task.get("name") for task in solve.iter("IKMarkerTask")} == placed
    used = {name for pair in scale.iter("markers") for name in pair.text.split()}
    assert used < placed < set(data["Markers"])
    for tool in (scale, solve):
        assert tool.find(".//marker_file").text == "a&b_markers.trc"
        assert tool.find(".//time_range").text == f"{TIMES[0]:.6f} {TIMES[-1]:.6f}"
    assert solve.find(".//model_file").text == scale.find(".//output_model_file").text
    assert np.isnan(np.array(data["lumbar"])[3:5]).all()


def test_the_files_beside_it_are_guarded_as_it_is(tmp_path):
    files = with_companions(tmp_path / "a.mot")
    assert [file.name for file in files[1:]] == [f"a{ending}" for ending in BESIDE]
    (tmp_path / "a_ik.xml").write_text("mine")
    with pytest.raises(MocapError, match="would overwrite the input"):
        check_output(tmp_path / "a.mot", {"motion": tmp_path / "a_ik.xml"}, 12)


def test_a_motion_without_a_person_is_refused(tmp_path):
    with pytest.raises(MocapError, match="no frame has a person"):
        write_mot(motion_of(np.full((12, 19, 3), np.nan), TIMES), tmp_path / "a.mot")
    assert not list(tmp_path.iterdir())
