"""The parts that placing is made of: equations, runs, legs, falls."""

import math
from dataclasses import replace

import numpy as np
import pytest
from people import clock, diver, jumper, stander, walker

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.contact_locking import lock_contacts
from mocap_cli.tracking.equations import _FARTHEST, TrajectoryEquations
from mocap_cli.tracking.flight import _SIZE_SIGMA, find_flights, measured_gravity
from mocap_cli.tracking.frame_runs import (
    drop_short_runs,
    frame_durations,
    frames_in,
    hysteresis,
    true_runs,
    unbroken_runs,
)
from mocap_cli.tracking.ground import GRAVITY, Ground
from mocap_cli.tracking.joined_hands import join_hands
from mocap_cli.tracking.limbs import two_bone_ik
from mocap_cli.tracking.posed_body import PosedBody


def scene_of(person):
    joints = person.joints
    return PosedBody(
        pose=joints - centre_of_mass(joints)[:, None],
        times=person.times,
        segments=(slice(0, len(joints)),),
        first_from_camera=np.tile(np.eye(3), (len(joints), 1, 1)),
        height=person.height,
    )


def test_the_banded_solution_is_the_dense_one():
    rng = np.random.default_rng(0)
    T, S = 7, 4
    banded = TrajectoryEquations(T, S)
    dense, right = np.eye(3 * T + S) / _FARTHEST**2, np.zeros(3 * T + S)
    for reach in (1, 2, 3):
        first = np.arange(T - reach + 1)
        factors = rng.standard_normal((len(first), reach))
        root = rng.standard_normal((len(first), 3, 3))
        offset = rng.standard_normal((len(first), 3))
        border = rng.standard_normal((len(first), 3, S))
        weight = root.transpose(0, 2, 1) @ root
        banded.add(first, factors, weight, offset, border)
        for i in first:
            row = np.zeros((3, 3 * T + S))
            for k in range(reach):
                row[:, 3 * (i + k) : 3 * (i + k) + 3] = factors[i, k] * np.eye(3)
            row[:, 3 * T :] = border[i]
            dense += row.T @ weight[i] @ row
            right -= row.T @ weight[i] @ offset[i]
    points, shared, covariance = banded.solve()
    expected = np.linalg.solve(dense, right)
    np.testing.assert_allclose(np.append(points, shared), expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(covariance, np.linalg.inv(dense)[3 * T :, 3 * T :], rtol=1e-6)


def test_runs_and_frames_in_runs_undo_each_other():
    yes = np.array([1, 1, 0, 0, 1, 0, 1], bool)
    assert true_runs(yes) == [slice(0, 2), slice(4, 5), slice(6, 7)]
    np.testing.assert_array_equal(frames_in(true_runs(yes), len(yes)), yes)
    assert true_runs(np.zeros(3, bool)) == []


def test_pieces_part_at_gaps_of_frames_of_time_and_of_shots():
    times = np.array([0, 1, 2, 3, 4, 40, 41, 42]) / 30
    seen = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)
    assert unbroken_runs(seen, times) == [slice(0, 2), slice(3, 5), slice(5, 8)]
    cut = np.arange(8) == 7
    assert unbroken_runs(seen, times, cut)[-2:] == [slice(5, 7), slice(7, 8)]


def test_durations_add_up_to_the_clip():
    times = np.sort(np.random.default_rng(0).random(50))
    assert frame_durations(np.linspace(0, 1, 31)).sum() == pytest.approx(1 + 1 / 30)
    assert (frame_durations(times) > 0).all()
    assert frame_durations(times[:1]).shape == (1,)


def test_a_latch_holds_until_it_is_clearly_let_go():
    value = np.array([0.5, 0.7, 0.5, 0.45, 0.3, 0.5, 0.5])
    np.testing.assert_array_equal(hysteresis(value, 0.6, 0.4), [1, 1, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(hysteresis(value[::-1], 0.6, 0.4), [0, 0, 0, 1, 1, 1, 1])


def test_blips_are_judged_in_seconds_not_frames():
    times = clock(1, 100)
    yes = (times < 0.3) | (times > 0.34)
    yes[80:83] = False
    yes[0:10] = False
    mended = drop_short_runs(yes, times, shortest=0.05, gap=0.1)
    assert mended[10:].all()
    assert not mended[:10].any()
    assert drop_short_runs(yes, times, 0.05, 0.02)[30:34].sum() == 0


def test_a_bent_leg_reaches_its_target_and_keeps_its_bones():
    joints = walker(clock(1, 30)).joints
    hip, knee, ankle = joints[:, 1], joints[:, 2], joints[:, 3]
    target = ankle + np.array([0.03, 0.05, -0.04])
    ahead = np.tile([0, 0, 1.0], (30, 1))
    new_ankle, new_knee = two_bone_ik(hip, knee, ankle, target, ahead)
    np.testing.assert_allclose(new_ankle, target, atol=1e-9)
    for a, b, c, d in ((hip, knee, hip, new_knee), (knee, ankle, new_knee, new_ankle)):
        before, after = (np.linalg.norm(y - x, axis=1) for x, y in ((a, b), (c, d)))
        np.testing.assert_allclose(after, before, atol=1e-9)
    still_ankle, still_knee = two_bone_ik(hip, knee, ankle, ankle, ahead)
    np.testing.assert_allclose(still_knee, knee, atol=1e-6)
    np.testing.assert_allclose(still_ankle, ankle, atol=1e-9)


def test_a_leg_stretches_towards_what_is_out_of_reach():
    hip, knee, ankle = (np.array([[0, y, z]]) for y, z in ((1.0, 0.0), (0.6, 0.05), (0.2, 0.0)))
    target = np.array([[0.0, -1.0, 0.0]])
    reached, bent = two_bone_ik(hip, knee, ankle, target, np.array([[0, 0, 1.0]]))
    length = 2 * math.hypot(0.4, 0.05)
    assert np.linalg.norm(reached - hip) == pytest.approx(length, abs=1e-3)
    assert reached[0, 1] == pytest.approx(1 - length, abs=1e-3)
    assert np.isfinite(bent).all()


def test_toes_that_are_off_do_not_bend_the_knees_of_people_who_stand():
    person = stander(clock(2.0, 30.0))
    knees = [BODY.index(f"{side}_knee") for side in ("left", "right")]
    joints = person.joints.copy()
    joints[:, [BODY.index("left_toe"), BODY.index("right_toe")], 1] += 0.03
    held = lock_contacts(joints, scene_of(person), person.planted.astype(float), ())
    about = [points[:, knees] - points[:, :1] for points in (person.joints, held)]
    np.testing.assert_allclose(about[1], about[0], atol=0.01)


def test_a_fall_is_found_though_nobody_told_where_it_begins():
    person = jumper(clock(2.4, 60))
    path = centre_of_mass(person.joints)
    up = np.array([0, 1.0, 0])
    found = find_flights(scene_of(person), path, up, person.planted)
    assert len(found) == 1
    aloft = np.flatnonzero(~person.planted.any(axis=1))
    assert frames_in(found, len(path))[aloft[4:-4]].all()


def test_hanging_or_gliding_is_no_fall():
    times = clock(1, 60)
    nothing = np.zeros((60, 2), bool)
    up = np.array([0, 1.0, 0])
    for path in (np.outer(times, (1, 0.5, 0)), np.outer(np.sin(3 * times), (0, 0.3, 0))):
        assert find_flights(scene_of(diver(times)), path, up, nothing) == []


def test_the_measured_fall_is_free_of_what_was_believed():
    true, doubt = 12.0, 0.5
    belief = (_SIZE_SIGMA * GRAVITY) ** -2
    weight = doubt**-2 + belief
    ground = Ground(
        np.array([0, 1.0, 0]),
        0.0,
        gravity=(true * doubt**-2 + GRAVITY * belief) / weight,
        gravity_sigma=weight**-0.5,
    )
    assert measured_gravity(ground) == pytest.approx((true, doubt))
    assert measured_gravity(Ground(np.array([0, 1.0, 0]), 0.0, gravity_sigma=belief**-0.5)) is None


def swinger(times: np.ndarray, apart_in_depth: float) -> np.ndarray:
    """Somebody who swings a club across the view, hands 6 cm apart and wrongly so in depth."""
    joints = stander(times).joints
    middle = np.stack((0.35 * np.sin(4 * times), 1.0 + 0 * times, 0.3 + 0 * times), axis=1)
    for side, sign in (("left", 1), ("right", -1)):
        wrist = middle + sign * np.array((0.03, 0.0, apart_in_depth / 2))
        joints[:, BODY.index(f"{side}_wrist")] = wrist
        shoulder = joints[:, BODY.index(f"{side}_shoulder")]
        joints[:, BODY.index(f"{side}_elbow")] = (shoulder + wrist) / 2 + (sign * 0.15, 0, 0)
    return joints


def wrist_distance(joints: np.ndarray) -> np.ndarray:
    left, right = (joints[:, BODY.index(f"{side}_wrist")] for side in ("left", "right"))
    return np.linalg.norm(left - right, axis=1)


def test_hands_on_one_club_have_one_depth_and_hanging_hands_stay_apart():
    times = clock(2, 30)
    far = np.tile((0.0, 0.0, -6.0), (len(times), 1))
    for apart, expected in ((0.25, 0.1), (0.6, None)):
        joints = swinger(times, apart)
        path = far + centre_of_mass(joints)
        body = replace(scene_of(stander(times)), pose=joints - centre_of_mass(joints)[:, None])
        found = wrist_distance(join_hands(body, path).pose)
        before = wrist_distance(joints)
        if expected is None:
            np.testing.assert_allclose(found, before)
        else:
            assert np.median(found) < expected
            assert np.median(before) > 0.24


def test_bent_arms_from_the_side_are_not_joined():
    times = clock(2, 30)
    joints = stander(times).joints @ np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]).T
    ahead = unit(np.cross(joints[0, BODY.index("left_hip")] - joints[0, 0], (0, 1, 0)))
    for side in ("left", "right"):  # both hands ahead of the chest, one behind the other
        shoulder = joints[:, BODY.index(f"{side}_shoulder")]
        joints[:, BODY.index(f"{side}_elbow")] = shoulder - (0, 0.28, 0)
        joints[:, BODY.index(f"{side}_wrist")] = shoulder + 0.26 * ahead - (0, 0.28, 0)
        joints[:, BODY.index(f"{side}_wrist"), 2] *= 0.6
    body = replace(scene_of(stander(times)), pose=joints - centre_of_mass(joints)[:, None])
    path = np.tile((0.0, 0.0, -6.0), (len(times), 1)) + centre_of_mass(joints)
    assert np.median(wrist_distance(joints)) < 0.35
    np.testing.assert_allclose(wrist_distance(join_hands(body, path).pose), wrist_distance(joints))
