"""Placing: people of formulas, seen through cameras that are known, come back where they were."""

from dataclasses import replace

import numpy as np
import pytest
from people import (
    HEIGHT,
    SIDE,
    Person,
    clock,
    film,
    hand_walker,
    in_true_world,
    look,
    placed,
    stander,
    tilt_degrees,
    walker,
)

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.tracking.bone_lengths import _PARENTS
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.place import Placement, place_in_world

FRONT = ((1.5, 2.0, 9.0), (0.0, 0.8, 1.0))  # the walk comes towards the camera
TOES = [BODY.index("left_toe"), BODY.index("right_toe")]
HIPS = [KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]
ANKLES = [BODY.index("left_ankle"), BODY.index("right_ankle")]


def size(vectors):
    return np.linalg.norm(vectors, axis=-1)


def slide(result: Placement, planted: np.ndarray) -> float:
    """The furthest any toe moves along the ground while it is planted, metres."""
    moves = [
        np.ptp(result.joints[run, TOES[side]], axis=0)[[0, 2]].max()
        for side in range(2)
        for run in true_runs(planted[:, side] & (result.contacts[:, side] > 0.5))
    ]
    return float(max(moves))


@pytest.mark.parametrize(("eye", "target"), [SIDE, FRONT])
def test_a_clean_walk_comes_back_where_it_was(eye, target):
    person = walker(clock(4, 30))
    shot = film(person, eye, target, roll=0.03)
    result = placed(shot)
    assert result.space == "world"
    assert result.warnings == ()
    assert size(in_true_world(result, shot) - person.joints).mean() < 0.05
    assert tilt_degrees(result, shot) < 1.5


@pytest.mark.parametrize("fps", [12, 30, 60])
@pytest.mark.parametrize(("eye", "target"), [SIDE, FRONT])
def test_a_noisy_walk_stays_on_its_path(eye, target, fps):
    person = walker(clock(4, fps))
    shot = film(person, eye, target, noise=0.03, seed=fps)
    result = placed(shot)
    off = in_true_world(result, shot)[:, 0] - person.joints[:, 0]
    assert size(off).mean() < 0.04 * 8  # of the distance
    assert size(off - off.mean(axis=0)).mean() < 0.02 * 1.2 * 4 + 0.03
    assert tilt_degrees(result, shot) < 5


def test_planted_feet_stand_still_on_the_ground():
    person = walker(clock(4, 30))
    result = placed(film(person, *SIDE, noise=0.03))
    inner = np.stack([_shrunk(side) for side in person.planted.T], axis=1)
    assert slide(result, inner) < 0.005
    heights = result.joints[:, TOES, 1][inner]
    assert np.abs(heights - 0.016 * HEIGHT).max() < 0.005
    assert result.joints[..., 1].min() > 0


def _shrunk(yes: np.ndarray, by: int = 3) -> np.ndarray:
    inner = np.zeros_like(yes)
    for run in true_runs(yes):
        inner[run.start + by : run.stop - by] = True
    return inner


def test_contacts_that_the_lifter_missed_are_found_by_what_feet_do():
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, noise=0.01)
    unsure = replace(shot, contacts=np.full((120, 2), 0.5))
    found = placed(unsure).contacts > 0.5
    assert (found == person.planted).mean() > 0.9


def test_a_foot_that_moves_fast_is_not_planted_whatever_the_lifter_says():
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, noise=0.01)
    found = placed(replace(shot, contacts=np.full((120, 2), 0.8))).contacts > 0.5
    swinging = np.stack([_shrunk(~side, 4) for side in person.planted.T], axis=1)
    assert not found[swinging].any()


def test_bones_keep_their_lengths_through_all_of_it():
    result = placed(film(walker(clock(3, 30)), *SIDE, noise=0.04))
    lengths = size(result.joints - result.joints[:, _PARENTS])
    assert np.ptp(lengths[:, 1:], axis=0).max() < 1e-9


def test_the_person_is_as_tall_as_told_whatever_size_the_pose_has():
    shot = film(walker(clock(3, 30)), *SIDE)
    usual, small = placed(shot), placed(replace(shot, pose=0.6 * shot.pose, sigma=0.6 * shot.sigma))
    np.testing.assert_allclose(small.joints, usual.joints, atol=1e-6)
    np.testing.assert_allclose(small.sigma, usual.sigma, atol=1e-9)
    child = placed(shot, height=HEIGHT / 2)
    ratio = size(child.joints[0, 1:] - child.joints[0, :1]) / size(
        usual.joints[0, 1:] - usual.joints[0, :1]
    )
    assert ratio.mean() == pytest.approx(0.5, abs=0.01)


def test_a_person_on_one_spot_tells_up_by_standing():
    shot = film(stander(clock(3, 30)), (2.0, 2.5, 4.0), (0.0, 0.9, 0.0), roll=-0.1, noise=0.02)
    result = placed(shot)
    assert result.space == "world"
    assert tilt_degrees(result, shot) < 5
    assert slide(result, np.ones((90, 2), np.bool_)) < 0.001


def test_a_steep_camera_is_believed_when_the_feet_say_so():
    person = walker(clock(4, 30))
    shot = film(person, (4.0, 5.5, 1.0), (0.0, 0.8, 2.0))  # looks down by 45 degrees
    assert tilt_degrees(placed(shot), shot) < 3


def test_world_begins_under_the_first_position_and_the_camera_looks_ahead():
    result = placed(film(walker(clock(2, 30)), *FRONT))
    np.testing.assert_allclose(result.joints[0, 0, [0, 2]], 0, atol=1e-9)
    ahead = result.world_from_camera[0, :, :3] @ (0, 0, -1)
    assert ahead[2] < 0
    assert ahead[0] == pytest.approx(0, abs=1e-9)
    turn = result.world_from_camera[0, :, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert result.world_from_camera[0, 1, 3] == pytest.approx(FRONT[0][1], abs=0.1)


def test_joints_in_the_world_fall_on_their_pixels():
    person = walker(clock(3, 30))
    shot = film(person, *SIDE)
    result = placed(shot)
    pose = result.world_from_camera[0]
    pixels = shot.camera.project((result.joints - pose[:, 3]) @ pose[:, :3])
    truth = shot.camera.project((person.joints - shot.eye) @ shot.camera_from_world.T)
    assert size(pixels - truth).mean() < 6  # of about 500 that the person is tall


def test_a_camera_that_follows_gives_the_same_walk():
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, follow=True, noise=0.02)
    result = placed(shot)
    path = in_true_world(result, shot)[:, 0]
    assert size(path - person.joints[:, 0]).mean() < 0.2
    for t in (0, 60, 119):
        pose = result.world_from_camera[t]
        pixel = shot.camera.project((result.joints[t, 0] - pose[:, 3]) @ pose[:, :3])
        assert size(pixel - (960, 540)) < 25  # it is aimed at the pelvis


@pytest.mark.parametrize("walk", [(0.0, 0.0, 1.2), (0.4, 0.0, -0.6), (0.0, -0.3, 0.8)])
def test_a_camera_that_walks_gives_the_path_of_the_steps(walk):
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, walk=walk, noise=0.01)
    result = placed(shot)
    assert result.space == "world"
    assert any("estimated from the steps" in warning for warning in result.warnings)
    way, truth = (
        joints[:, 0] - joints[0, 0] for joints in (in_true_world(result, shot), person.joints)
    )
    assert size(way - truth).max() < 0.12 * size(truth).max()
    assert np.abs(result.joints[:, 0, 1] - person.joints[:, 0, 1]).max() < 0.1
    for t in (0, 60, 119):
        pose = result.world_from_camera[t]
        pixel = shot.camera.project((result.joints[t, 0] - pose[:, 3]) @ pose[:, :3])
        assert size(pixel - shot.xy[t, HIPS].mean(axis=0)) < 40


def test_the_world_is_unknown_where_the_camera_walks_and_nobody_steps():
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, walk=(0.0, 0.0, 1.2), noise=0.01)
    result = placed(replace(shot, contacts=np.full((120, 2), 0.01)))
    assert result.space == "camera"
    assert any("the world is unknown" in warning for warning in result.warnings)
    eyes = shot.eye + person.times[:, None] * (0.0, 0.0, 1.2)
    truth = (person.joints - eyes[:, None]) @ shot.camera_from_world.T
    assert size(result.joints - truth).mean() < 0.2


def test_a_person_on_their_hands_stands_on_the_ground_with_hands_that_do_not_slide():
    person = hand_walker(clock(4, 30))
    shot = film(person, *SIDE, noise=0.015)
    result = placed(shot)
    assert result.space == "world"
    wrists = [BODY.index("left_wrist"), BODY.index("right_wrist")]
    truth, found = person.joints[:, wrists], result.joints[:, wrists]
    still = np.linalg.norm(np.gradient(truth, axis=0), axis=-1) < 1e-4
    inner = np.stack([_shrunk(side) for side in still.T], axis=1)
    assert np.abs(found[..., 1] - truth[..., 1])[inner].max() < 0.03
    slides = [
        np.ptp(found[run, side], axis=0).max()
        for side in range(2)
        for run in true_runs(inner[:, side])
    ]
    assert np.median(slides) < 0.005
    off = in_true_world(result, shot) - person.joints
    assert size(off - off[:, :1]).mean() < 0.1


def test_hands_that_hang_are_not_planted():
    person = stander(clock(3, 30))
    shot = film(person, *SIDE, noise=0.01)
    result = placed(shot)
    way = in_true_world(result, shot) - person.joints
    assert size(way - way.mean(axis=(0, 1))).mean() < 0.05


def test_without_feet_or_falls_the_joints_stay_before_the_camera():
    person = stander(clock(2, 30))
    shot = film(person, *SIDE, noise=0.01)
    result = placed(replace(shot, contacts=np.full((60, 2), 0.01)))
    if result.space == "world":
        pytest.fail("nothing told which way is up")
    assert any("could not determine the vertical" in warning for warning in result.warnings)
    np.testing.assert_allclose(result.world_from_camera[7], np.eye(3, 4))
    truth = (person.joints - shot.eye) @ shot.camera_from_world.T
    assert size(result.joints - truth).mean() < 0.2


def test_frames_without_anybody_stay_empty_and_part_the_clip():
    person = walker(clock(4, 30))
    shot = film(person, *SIDE, noise=0.01)
    pose, contacts = shot.pose.copy(), shot.contacts.copy()
    pose[50:62], contacts[50:62] = np.nan, np.nan
    result = placed(replace(shot, pose=pose, contacts=contacts))
    assert np.isnan(result.joints[50:62]).all()
    assert np.isnan(result.contacts[50:62]).all()
    assert np.isfinite(np.delete(result.joints, np.s_[50:62], axis=0)).all()
    assert np.isfinite(result.world_from_camera).all()
    off = in_true_world(result, shot)[:, 0] - person.joints[:, 0]
    assert np.nanmean(size(off)) < 0.15


def test_nothing_moves_across_a_cut():
    person = walker(clock(3, 30))
    shot = film(person, *SIDE)
    other = film(person, (6.0, 1.4, 2.5), (0.0, 0.9, 2.5))
    cut = np.arange(90) == 45
    edited = {
        name: np.where(_after(cut, getattr(shot, name)), getattr(other, name), getattr(shot, name))
        for name in ("pose", "xy")
    }
    both = replace(shot, **edited)
    told = place_in_world(
        both.pose, both.sigma, both.contacts, both.xy, both.score, both.times, both.camera,
        HEIGHT, None, cut,
    )  # fmt: skip
    speed = size(np.diff(told.joints[:, 0], axis=0)) * 30
    assert speed[44] > 10  # the jump stays a jump
    assert np.delete(speed, 44).max() < 2.5


def _after(cut: np.ndarray, like: np.ndarray) -> np.ndarray:
    late = np.cumsum(cut) > 0
    return late.reshape(-1, *[1] * (like.ndim - 1))


def test_frames_at_uneven_times_give_the_same_walk():
    times = np.sort(np.random.default_rng(0).choice(clock(4, 60), 130, replace=False))
    person = walker(times)
    shot = film(person, *SIDE, noise=0.01)
    off = in_true_world(placed(shot), shot)[:, 0] - person.joints[:, 0]
    assert size(off).mean() < 0.15


@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_a_few_frames_are_enough(frames):
    person = walker(clock(frames / 30, 30))
    shot = film(person, *SIDE)
    result = placed(shot)
    assert np.isfinite(result.joints).all()
    truth = person.joints[:, 0]
    assert size(in_true_world(result, shot)[:, 0] - truth).max() < 0.3


def test_nobody_at_all_is_no_error():
    shot = film(walker(clock(1, 30)), *SIDE)
    nobody = replace(shot, pose=np.full_like(shot.pose, np.nan))
    result = placed(nobody)
    assert np.isnan(result.joints).all()
    assert result.space == "camera"
    assert result.warnings
    assert result.world_from_camera.shape == (30, 3, 4)


def test_keypoints_that_are_lost_or_wrong_do_not_carry_the_body_away():
    person = walker(clock(3, 30))
    shot = film(person, *SIDE, noise=0.01)
    rng = np.random.default_rng(1)
    xy, score = shot.xy.copy(), shot.score.copy()
    wrong = rng.random(score.shape) < 0.05
    xy[wrong] += 400 * rng.standard_normal((wrong.sum(), 2))
    score[20:25] = 0
    xy[20:25] = np.nan
    off = in_true_world(placed(replace(shot, xy=xy, score=score)), shot)[:, 0] - person.joints[:, 0]
    assert size(off).mean() < 0.15


def test_the_camera_of_the_tests_is_a_rotation():
    turn = look(np.array([1.0, 2, 3]), np.zeros(3), 0.3)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert isinstance(walker(clock(1, 30)), Person)


def test_who_steps_down_from_the_ground_keeps_the_legs_under_the_body():
    times = clock(4, 30)
    person = stander(times)
    down = np.clip((times - 1.8) / 0.4, 0, 1)
    joints = person.joints - np.stack((0 * down, 1.0 * down, 0 * down), axis=1)[:, None]
    shot = film(replace(person, joints=joints), (1.0, 0.8, 6.0), (0.0, 0.3, 0.0), noise=0.01)
    result = placed(shot)
    tall = (result.joints[:, 0] - result.joints[:, TOES].mean(axis=1))[:, 1]
    assert abs(tall[-1] - tall[0]) < 0.06
    assert result.joints[-1, 0, 1] - result.joints[0, 0, 1] == pytest.approx(-1, abs=0.1)
