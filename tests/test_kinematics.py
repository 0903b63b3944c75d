"""From joints to a rig's rotations and back: synthetic people whose joints are known."""

import itertools

import numpy as np
import pytest
from poses import dance, handstand, posed, somersault, t_pose, wobbling

from mocap_cli.body.kinematics import forward_kinematics, inverse_kinematics, world_rotations
from mocap_cli.body.rig import Rig, bone_lengths, fit_rig
from mocap_cli.body.rotation import continuous_zxy, matrix_from_vector, unit, vector_from_matrix
from mocap_cli.body.skeleton import BODY, mirror_indices

TIMES = np.arange(120) / 60
X = np.array([1.0, 0, 0])


def carried(rig: Rig, rotations: np.ndarray, root: np.ndarray) -> np.ndarray:
    """(T, 19, 3) the body's joints as the rig has them."""
    return forward_kinematics(rig, rotations, root)[:, [rig.index_of(name) for name in BODY.names]]


def miss(joints: np.ndarray, times: np.ndarray = TIMES, **options: np.ndarray) -> np.ndarray:
    """(T, 19) metres between joints and what a rig makes of them."""
    rig = fit_rig(joints)
    return np.linalg.norm(
        carried(rig, *inverse_kinematics(rig, joints, times, **options)) - joints, axis=-1
    )


def angle(rotations: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vector_from_matrix(rotations), axis=-1)


def roll_steps(rig: Rig, rotations: np.ndarray, name: str) -> np.ndarray:
    """Radians from frame to frame that a bone turns."""
    own = rotations[:, rig.index(name)]
    return angle(np.swapaxes(own[:-1], -1, -2) @ own[1:])


@pytest.mark.parametrize("seed", range(4))
def test_any_posture_of_constant_bones_is_met_within_a_millimetre(seed):
    assert miss(dance(TIMES, seed)).max() < 1e-3


@pytest.mark.parametrize("act", [somersault, handstand])
def test_upside_down_people_are_met_within_a_millimetre(act):
    assert miss(act(TIMES)).max() < 1e-3


def test_a_spine_that_bends_sideways_on_the_pelvis_is_met_within_a_millimetre():
    bend = 0.45 * np.sin(5 * TIMES)[:, None] * np.array([0, 0, 1.0])
    joints = posed({}, np.tile((0, 1.0, 0), (120, 1)))
    lean = posed({"pelvis": bend}, joints[:, 0])
    for name in ("spine", "thorax", "neck", "head"):
        joints[:, BODY.index(name)] = lean[:, BODY.index(name)]
    for name in ("shoulder", "elbow", "wrist"):
        for side in ("left", "right"):
            j = BODY.index(f"{side}_{name}")
            joints[:, j] = lean[:, j]
    assert miss(joints).max() < 1e-3


def test_wobbling_bones_are_met_together_not_one_by_one():
    joints = wobbling(dance(TIMES, 5), size=0.015)
    error = miss(joints)
    assert np.median(error) < 0.015
    ends = [BODY.index(name) for name in ("left_wrist", "right_wrist", "left_toe", "head")]
    assert np.median(error[:, ends]) < 0.025  # errors do not add up along a limb


def test_the_rig_is_nearer_to_the_truth_than_the_wobbling_joints_are():
    truth = dance(TIMES, 6)
    joints = wobbling(truth, size=0.015)
    rig = fit_rig(joints)
    fitted = carried(rig, *inverse_kinematics(rig, joints, TIMES))
    assert np.mean((fitted - truth) ** 2) < 0.8 * np.mean((joints - truth) ** 2)


def test_sure_joints_are_followed_more_closely_than_vague_ones():
    joints = wobbling(dance(TIMES, 7), size=0.015)
    sigma = np.full(joints.shape[:2], 0.03)
    wrist = BODY.index("left_wrist")
    sigma[:, wrist] = 0.01
    assert np.median(miss(joints, sigma=sigma)[:, wrist]) < 0.6 * np.median(miss(joints)[:, wrist])
    sigma[:, wrist] = np.nan  # unknown is usual
    np.testing.assert_allclose(
        miss(joints, sigma=sigma), miss(joints, sigma=np.full_like(sigma, 0.03)), atol=1e-9
    )


def test_lengths_are_the_persons_and_alike_on_both_sides():
    joints = wobbling(dance(np.arange(600) / 60, 8), size=0.01)
    lengths, truth = bone_lengths(joints), bone_lengths(dance(TIMES, 8))
    np.testing.assert_allclose(lengths, truth, atol=0.004)
    np.testing.assert_array_equal(lengths, lengths[list(mirror_indices(BODY.names))])
    rig = fit_rig(joints)
    for name in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase"):
        left, right = (rig.offsets[rig.index(side + name)] for side in ("Left", "Right"))
        np.testing.assert_array_equal(left, right * (-1, 1, 1))


def test_a_t_pose_is_no_rotation_at_all_and_stands_on_the_ground():
    joints = t_pose()
    rig = fit_rig(joints)
    rotations, root = inverse_kinematics(rig, joints, TIMES[:5])
    assert angle(rotations).max() < 0.02  # the feet of this body are a degree flatter
    ground = (
        joints[0, BODY.index("left_toe"), 1]
        - forward_kinematics(rig, rotations, root)[0, :, 1].min()
    )
    assert 0.01 < ground < 0.05  # the tips of the toes are below their base
    np.testing.assert_allclose(rig.root_height, joints[0, 0, 1], atol=0.02)
    assert (np.linalg.norm(rig.offsets[1:], axis=-1) > 1e-3).all()


def test_turning_the_world_turns_the_hips_alone():
    joints = dance(TIMES, 9)
    turn = matrix_from_vector([0.4, 2.0, -1.1])
    rig = fit_rig(joints)
    rotations, root = inverse_kinematics(rig, joints, TIMES)
    turned, moved = inverse_kinematics(rig, joints @ turn.T + 3, TIMES)
    np.testing.assert_allclose(moved, root @ turn.T + 3, atol=1e-4)
    np.testing.assert_allclose(turned[:, 0], turn @ rotations[:, 0], atol=1e-3)
    np.testing.assert_allclose(turned[:, 1:], rotations[:, 1:], atol=1e-3)


def test_a_mirrored_person_has_mirrored_rotations():
    joints = dance(TIMES, 10)
    flip = np.array([-1.0, 1, 1])
    other = joints[:, list(mirror_indices(BODY.names))] * flip
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, joints, TIMES)
    mirror, _ = inverse_kinematics(rig, other, TIMES)
    swap = {"Left": "Right", "Right": "Left"}
    for name in rig.names:
        side = next((s for s in swap if name.startswith(s)), "")
        twin = rig.index(swap[side] + name[len(side) :]) if side else rig.index(name)
        wanted = flip[:, None] * rotations[:, twin] * flip
        np.testing.assert_allclose(mirror[:, rig.index(name)], wanted, atol=1e-3)


def test_knees_and_elbows_bend_about_one_axis_and_the_right_way():
    bend = (0.1 + 1.2 * np.sin(3 * TIMES) ** 2)[:, None]
    y = np.array([0, 1.0, 0])
    joints = posed(
        {
            "left_hip": -0.6 * bend * X + 0.3 * y,
            "left_knee": bend * X,
            "right_knee": 1.8 * bend * X,
            "left_elbow": -bend * y,
            "right_elbow": bend * y,
        },
        np.tile((0, 0.88, 0), (120, 1)),
    )
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, joints, TIMES)
    z, x, y_turn = np.moveaxis(continuous_zxy(rotations), -1, 0)
    for name, wanted in (("LeftLeg", bend), ("RightLeg", 1.8 * bend)):
        np.testing.assert_allclose(x[:, rig.index(name)], wanted[:, 0], atol=0.02)
    for name, wanted in (("LeftForeArm", -bend), ("RightForeArm", bend)):
        np.testing.assert_allclose(y_turn[:, rig.index(name)], wanted[:, 0], atol=0.02)
    for name in ("LeftLeg", "RightLeg", "LeftForeArm", "RightForeArm"):
        assert np.abs(z[:, rig.index(name)]).max() < 0.02
    own = vector_from_matrix(rotations[:, rig.index("LeftUpLeg")])
    np.testing.assert_allclose(own, -0.6 * bend * X + 0.3 * y, atol=0.03)  # the roll as well


def test_the_roll_of_a_straight_limb_waits_for_its_next_bend():
    straight = np.abs(TIMES - 1) < 0.5  # bent at the ends of the clip, straight in between
    bend = np.where(straight, 0, np.minimum(1, 4 * np.abs(np.abs(TIMES - 1) - 0.5)))[:, None]
    joints = posed(
        {"left_shoulder": np.full((120, 1), 0.8) * X, "left_elbow": -bend * np.array([0, 1.0, 0])},
        np.tile((0, 0.88, 0), (120, 1)),
    )
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, wobbling(joints, size=0.003), TIMES)
    roll = vector_from_matrix(rotations[:, rig.index("LeftArm")])[:, 0]
    assert np.abs(roll - 0.8).max() < 0.5
    assert roll_steps(rig, rotations, "LeftArm").max() < 0.25


def test_an_overstretched_knee_is_no_knee_turned_about():
    joints = posed({"left_knee": np.full((120, 1), -0.12) * X}, np.tile((0, 0.88, 0), (120, 1)))
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, wobbling(joints, size=0.002), TIMES)
    front = world_rotations(rig, rotations)[:, rig.index("LeftUpLeg"), :, 2]
    assert (front @ [0, 0, 1] > 0.9).all()


def test_straight_legs_turned_out_have_knees_that_point_where_the_feet_do():
    out = np.tile((0, 1.0, 0), (120, 1))
    joints = posed({"left_hip": out, "right_hip": -out}, np.tile((0, 0.88, 0), (120, 1)))
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, joints, TIMES)
    for name, sign in (("LeftUpLeg", 1), ("RightUpLeg", -1)):
        own = vector_from_matrix(rotations[:, rig.index(name)])
        np.testing.assert_allclose(own, sign * out, atol=0.1)


def test_an_axis_that_turns_over_while_straight_turns_over_evenly():
    bend = (0.9 * np.abs(np.cos(np.pi * TIMES / 2)) ** 0.5)[:, None]  # straight at one second
    over = np.where(TIMES < 1, 0, np.pi)[:, None] * X
    joints = posed(
        {"left_shoulder": over, "left_elbow": -bend * np.array([0, 1.0, 0])},
        np.tile((0, 0.88, 0), (120, 1)),
    )
    rig = fit_rig(joints)
    rotations, _ = inverse_kinematics(rig, joints, TIMES)
    assert roll_steps(rig, rotations, "LeftArm").max() < 1.0  # of a turn by pi
    assert miss(joints).max() < 1e-3


def test_one_frame_alone_can_be_solved():
    joints = dance(TIMES, 11)[:1]
    assert miss(joints, TIMES[:1]).max() < 1e-3


def test_coinciding_joints_give_finite_numbers():
    rig = fit_rig(np.zeros((4, len(BODY), 3)))
    rotations, root = inverse_kinematics(rig, np.zeros((4, len(BODY), 3)), TIMES[:4])
    assert np.isfinite(rotations).all()
    assert np.isfinite(root).all()


def test_a_rig_lists_parents_first():
    with pytest.raises(ValueError, match="parents first"):
        Rig(("a", "b"), (-1, 1), ("", ""), np.zeros((2, 3)), ("", ""), np.zeros((2, 3, 3)))
    with pytest.raises(ValueError, match="finite"):
        Rig(("a", "b"), (-1, 0), ("", ""), np.full((2, 3), np.nan), ("", ""), np.zeros((2, 3, 3)))


def test_forward_agrees_with_adding_up_bones_by_hand():
    rig = fit_rig(t_pose())
    rng = np.random.default_rng(12)
    rotations = matrix_from_vector(rng.normal(size=(3, len(rig), 3)))
    places = forward_kinematics(rig, rotations, np.zeros((3, 3)))
    hand = rig.index("LeftHand")
    chain = [hand]
    while rig.parents[chain[0]] >= 0:
        chain.insert(0, rig.parents[chain[0]])
    turn, place = np.eye(3), np.zeros(3)
    for above, joint in itertools.pairwise(chain):
        turn = turn @ rotations[1, above]
        place = place + turn @ rig.offsets[joint]
    np.testing.assert_allclose(places[1, hand], place, atol=1e-12)
    assert unit(place) @ unit(place) == pytest.approx(1)
