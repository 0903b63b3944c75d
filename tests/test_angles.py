"""Joint angles of people who are posed by hand."""

import numpy as np
import pytest
from poses import dance, motion_of, posed

from mocap_cli.body.joint_angles import _ANGLES, joint_angles
from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.export.edits import _mirror

TIMES = np.arange(12) / 30
ARMS_DOWN = {"left_shoulder": (0, 0, -np.pi / 2), "right_shoulder": (0, 0, np.pi / 2)}


def angles_of(turns: dict[str, tuple[float, float, float]], tip=(0, 0, 0)) -> dict[str, float]:
    """The angles of somebody who holds these turns (degrees) with hanging arms, in the middle."""
    turns = {name: np.radians(turn) for name, turn in turns.items()}
    moves = {name: np.tile(turn, (12, 1)) for name, turn in {**ARMS_DOWN, **turns}.items()}
    moves["pelvis"] = np.tile(np.radians(tip), (12, 1))
    joints = posed(moves, np.zeros((12, 3)))
    return {name: angle[6] for name, angle in joint_angles(motion_of(joints, TIMES)).items()}


def test_whoever_stands_straight_with_hanging_arms_has_no_angles():
    found = angles_of({})
    assert tuple(found) == _ANGLES
    for name, angle in found.items():
        if name == "neck_left_turn":  # nobody knows where the face is
            assert np.isnan(angle)
        elif "plane" not in name:  # a hanging arm is raised in no plane
            assert angle == pytest.approx(0, abs=6 if name.endswith("dorsiflexion") else 1e-3), name


POSES = [  # turns about X left, Y up, Z front of the part above, and the angles they make
    ({"left_knee": (90, 0, 0)}, {"left_knee_flexion": 90, "left_hip_flexion": 0}),
    ({"right_knee": (140, 0, 0)}, {"right_knee_flexion": 140, "left_knee_flexion": 0}),
    ({"left_knee": (-6, 0, 0)}, {"left_knee_flexion": -6}),
    ({"left_hip": (-100, 0, 0)}, {"left_hip_flexion": 100, "left_hip_abduction": 0}),
    ({"left_hip": (-190, 0, 0)}, {"left_hip_flexion": 190}),  # a fold that a tracker may see
    ({"right_hip": (20, 0, 0)}, {"right_hip_flexion": -20}),
    ({"left_hip": (0, 0, 40)}, {"left_hip_abduction": 40, "left_hip_flexion": 0}),
    ({"right_hip": (0, 0, -40)}, {"right_hip_abduction": 40}),
    (
        {"left_hip": (0, -30, 0), "left_knee": (60, 0, 0)},
        {"left_hip_internal_rotation": 30, "left_knee_flexion": 60, "left_hip_flexion": 0},
    ),
    (
        {"right_hip": (0, 30, 0), "right_knee": (60, 0, 0)},
        {"right_hip_internal_rotation": 30, "right_knee_flexion": 60},
    ),
    ({"left_elbow": (0, -70, 0)}, {"left_elbow_flexion": 70}),
    ({"right_elbow": (0, 110, 0)}, {"right_elbow_flexion": 110}),
    ({"left_shoulder": (0, 0, 0)}, {"left_shoulder_elevation": 90, "left_shoulder_plane": 0}),
    ({"right_shoulder": (0, 0, 0)}, {"right_shoulder_elevation": 90, "right_shoulder_plane": 0}),
    ({"left_shoulder": (0, -90, 0)}, {"left_shoulder_elevation": 90, "left_shoulder_plane": 90}),
    ({"right_shoulder": (0, 90, 0)}, {"right_shoulder_elevation": 90, "right_shoulder_plane": 90}),
    ({"left_shoulder": (0, 0, 85)}, {"left_shoulder_elevation": 175}),
    ({"spine": (35, 0, 0)}, {"trunk_flexion": 35, "trunk_left_bend": 0}),
    ({"spine": (0, 0, -20)}, {"trunk_left_bend": 20, "trunk_flexion": 0}),
    ({"spine": (0, 25, 0)}, {"trunk_left_turn": 25, "trunk_flexion": 0}),
    ({"neck": (30, 0, 0)}, {"neck_flexion": 30, "trunk_flexion": 0}),
]


@pytest.mark.parametrize(("turns", "wanted"), POSES)
@pytest.mark.parametrize("tip", [(0, 0, 0), (180, 0, 0), (40, 100, -70)])
def test_a_pose_made_by_hand_has_the_angles_it_was_made_of(turns, wanted, tip):
    found = angles_of(turns, tip)
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=0.1)


def test_toes_pulled_up_are_dorsiflexed_and_stretched_ones_the_opposite():
    still = angles_of({})["left_ankle_dorsiflexion"]
    for pulled in (20, -50):
        found = angles_of({"left_ankle": (-pulled, 0, 0)})["left_ankle_dorsiflexion"]
        assert found - still == pytest.approx(pulled, abs=0.1)


@pytest.mark.parametrize(
    ("tip", "wanted"), [((0, 77, 0), 0), ((90, 0, 0), 90), ((0, 0, -30), 30), ((180, 0, 0), 180)]
)
def test_the_trunk_is_inclined_as_far_as_it_leans_from_the_vertical(tip, wanted):
    assert angles_of({}, tip)["trunk_inclination"] == pytest.approx(wanted, abs=0.01)


def test_bends_do_not_depend_on_where_the_body_is_or_faces():
    joints = dance(TIMES)
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0.0]])
    here, there = (joint_angles(motion_of(j, TIMES)) for j in (joints, joints @ turn.T + (3, 1, 2)))
    for name in _ANGLES:
        np.testing.assert_allclose(here[name], there[name], atol=0.01, err_msg=name)


def test_in_a_mirror_left_and_right_change_places():
    motion = motion_of(dance(TIMES), TIMES)
    found, other = joint_angles(motion), joint_angles(_mirror(motion))
    for name, swapped in zip(
        _ANGLES, np.array(_ANGLES)[list(mirror_indices(_ANGLES))], strict=True
    ):
        sign = -1 if name.startswith(("trunk_left", "neck_left")) else 1
        np.testing.assert_allclose(found[name], sign * other[swapped], atol=0.01, err_msg=name)


def test_knees_and_elbows_bend_by_the_angle_between_their_bones():
    motion = motion_of(dance(TIMES), TIMES)
    found = joint_angles(motion)
    for angle, names in {
        "left_knee_flexion": ("left_hip", "left_knee", "left_ankle"),
        "right_elbow_flexion": ("right_shoulder", "right_elbow", "right_wrist"),
    }.items():
        a, b, c = (motion.joints[:, BODY.index(name)] for name in names)
        cosine = np.sum((b - a) * (c - b), -1)
        cosine /= np.linalg.norm(b - a, axis=-1) * np.linalg.norm(c - b, axis=-1)
        bent = np.degrees(np.arccos(cosine))
        np.testing.assert_allclose(found[angle][bent > 30], bent[bent > 30], atol=2)


def test_frames_without_a_person_have_no_angles_and_disturb_no_others():
    joints = dance(TIMES)
    whole = joint_angles(motion_of(joints, TIMES))
    joints[3:5] = np.nan
    parted = joint_angles(motion_of(joints, TIMES))
    for name in set(_ANGLES) - {"neck_left_turn"}:  # without a face it is unknown everywhere
        assert np.isnan(parted[name]).tolist() == [t in (3, 4) for t in range(12)]
        assert np.nanmax(np.abs(parted[name] - whole[name])) < 2


def test_nobody_has_no_angles():
    found = joint_angles(motion_of(np.full((12, 19, 3), np.nan), TIMES))
    assert all(np.isnan(angle).all() for angle in found.values())
