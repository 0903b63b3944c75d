"""Clean-up on the way out: jitter, size, ground, feet and loops."""

import numpy as np
import pytest
from film import film
from person import standing
from poses import dance, motion_of, posed, somersault, t_pose, wobbling

from mocap_cli.body.anatomy import ANKLE_HEIGHT, centre_of_mass, standing_height
from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.edits import Edits, apply_edits
from mocap_cli.export.views.projection import project_joints
from mocap_cli.video.reader import probe

TIMES = np.arange(60) / 30
PLANTED = np.ones((60, 2), np.float32)
FEET = [BODY.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "toe")]


def errors(motion: Motion, truth: np.ndarray) -> np.ndarray:
    return np.linalg.norm(motion.joints - truth, axis=-1)


def spread(motion: Motion) -> float:
    """How much any bone changes its length, metres."""
    joints = motion.joints[motion.tracked].astype(float)
    parents = np.maximum(BODY.parents, 0)
    return float(np.ptp(np.linalg.norm(joints - joints[:, parents], axis=-1), axis=0).max())


def squats(sway: float = 0.0) -> np.ndarray:
    """Somebody who bends the knees with both feet on the ground, but for a slow sway of all."""
    bend = np.radians(30 - 30 * np.cos(3 * TIMES))[:, None] * np.array((1.0, 0, 0))
    turns = {}
    for side in ("left", "right"):
        turns |= {f"{side}_hip": -bend, f"{side}_knee": 2 * bend, f"{side}_ankle": -bend}
    joints = posed(turns, np.zeros((60, 3)))
    ankle = joints[:, FEET[:1]]
    joints += np.array((0.09, ANKLE_HEIGHT * height_of(joints), 0)) - ankle
    way = np.stack((np.sin(2 * TIMES), 0 * TIMES, np.cos(1.5 * TIMES) - 1), axis=-1)
    return joints + sway * way[:, None]


def height_of(joints: np.ndarray) -> float:
    return standing_height(bone_lengths(joints))


def test_smoothing_takes_jitter_out_and_leaves_the_dance():
    truth = dance(TIMES, size=0.3)
    rough = motion_of(wobbling(truth, size=0.02), TIMES)
    smooth = apply_edits(rough, Edits(smooth=4.0))
    assert np.median(errors(smooth, truth)) < 0.6 * np.median(errors(rough, truth))
    third = [np.abs(np.diff(m.joints, 3, axis=0)).mean() for m in (smooth, rough)]
    assert third[0] < 0.1 * third[1]
    assert spread(smooth) < 1e-5


def test_a_cutoff_that_the_frame_rate_is_too_high_for_is_refused():
    still = t_pose(60)
    for rate in (30, 1000):
        motion = motion_of(still, np.arange(60) / rate)
        with pytest.raises(MocapError, match="too low a cutoff"):
            apply_edits(motion, Edits(smooth=0.0005 * rate))
        apply_edits(motion, Edits(smooth=0.0011 * rate))


def test_smoothing_keeps_the_speed_of_a_somersault():
    truth = somersault(TIMES, 4.0)  # two turns a second
    smooth = apply_edits(motion_of(truth, TIMES), Edits(smooth=6.0))
    assert np.median(errors(smooth, truth)) < 0.01


def test_smoothing_leaves_gaps_and_nobody_as_they_are():
    truth = dance(TIMES)
    truth[20:24] = np.nan
    smooth = apply_edits(motion_of(truth, TIMES), Edits(smooth=4.0))
    assert np.flatnonzero(~smooth.tracked).tolist() == [20, 21, 22, 23]
    nobody = motion_of(np.full((60, 19, 3), np.nan), TIMES)
    for change in (Edits(smooth=4.0), Edits(height=2.0), Edits(floor=True, foot_lock=True)):
        assert not apply_edits(nobody, change).tracked.any()


def test_a_person_of_another_height_is_seen_at_the_same_pixels(tmp_path):
    motion = standing(probe(film(tmp_path / "v.mp4")), TIMES[:30])
    taller = apply_edits(motion, Edits(height=2.05))
    assert height_of(taller.joints.astype(float)) == pytest.approx(2.05, abs=1e-3)
    np.testing.assert_allclose(project_joints(taller), project_joints(motion), atol=1e-2)


@pytest.mark.parametrize("rise", [0.4, -0.15])
def test_the_floor_comes_to_planted_feet(tmp_path, rise):
    motion = standing(probe(film(tmp_path / "v.mp4")), TIMES)
    truth = squats()
    moved = motion_of(
        truth + np.array((0, rise, 0)),
        TIMES,
        contacts=np.ones((60, 2), np.float32),
        camera=motion.camera,
    )
    level = apply_edits(moved, Edits(floor=True))
    np.testing.assert_allclose(level.joints, truth, atol=5e-3)
    np.testing.assert_allclose(project_joints(level), project_joints(moved), atol=1.5)


def test_no_foot_stays_in_the_ground_and_legs_keep_their_lengths():
    truth = squats()
    sunk = truth.copy()
    sunk[20:40, :, 1] -= 0.08
    contacts = np.ones((60, 2), np.float32)
    contacts[20:40] = 0
    level = apply_edits(motion_of(sunk, TIMES, contacts=contacts), Edits(floor=True))
    assert level.joints[:, FEET, 1].min() > 0
    assert spread(level) < 1e-3
    head = BODY.index("head")
    np.testing.assert_allclose(level.joints[:, head], sunk[:, head], atol=0.01)


def test_whoever_never_stands_touches_the_ground_with_the_lowest_joint():
    level = apply_edits(motion_of(t_pose(height=3.0), TIMES[:5]), Edits(floor=True))
    assert 0 <= level.joints[..., 1].min() < 0.02


def test_locked_feet_do_not_move_while_they_are_planted():
    contacts = np.ones((60, 2), np.float32)
    sliding = motion_of(squats(sway=0.06), TIMES, contacts=contacts)
    locked = apply_edits(sliding, Edits(foot_lock=True))
    assert np.ptp(sliding.joints[:, FEET], axis=0).max() > 0.1
    assert np.ptp(locked.joints[:, FEET], axis=0).max() < 1e-3
    assert spread(locked) < 1e-3
    assert np.abs(locked.joints - sliding.joints).max() < 0.15


def test_feet_that_are_not_planted_go_where_they_went():
    moving = motion_of(squats(sway=0.06), TIMES)  # nothing is planted
    locked = apply_edits(moving, Edits(foot_lock=True))
    np.testing.assert_allclose(locked.joints, moving.joints, atol=2.5e-3)  # knees of straight legs


def test_a_foot_that_is_put_elsewhere_within_one_contact_gets_there_without_a_jump():
    joints = squats()
    joints[..., 0] += 0.3 * np.clip((TIMES - 0.9) / 0.2, 0, 1)[:, None]
    locked = apply_edits(motion_of(joints, TIMES, contacts=PLANTED), Edits(foot_lock=True)).joints
    calm = np.abs(TIMES - 1.0) > 0.25
    for rest in (calm & (TIMES < 1), calm & (TIMES > 1)):
        assert np.ptp(locked[rest][:, FEET], axis=0).max() < 1e-3
    steps = np.linalg.norm(np.diff(locked[:, FEET], axis=0), axis=-1)
    assert steps.max() < 0.12


@pytest.mark.parametrize("change", [Edits(floor=True), Edits(foot_lock=True)])
def test_without_a_ground_feet_cannot_be_put_on_it(change):
    with pytest.raises(MocapError, match=r"the ground in a\.mp4 could not be determined"):
        apply_edits(motion_of(t_pose(), TIMES[:5], space="camera"), change)


def walk(turn: float = 0.0) -> np.ndarray:
    """Swinging legs and arms, 1 m a second along Z, a wavy height; 1.7 strides in 2 s."""
    swing = 0.5 * np.sin(2 * np.pi * 0.85 * TIMES)[:, None] * np.array((1.0, 0, 0))
    turns = {"left_hip": swing, "right_hip": -swing, "left_shoulder": -swing}
    turns["pelvis"] = (turn * TIMES / TIMES[-1])[:, None] * np.array((0, 1.0, 0))
    root = np.stack((0 * TIMES, 0.9 + 0.03 * np.sin(7 * TIMES), TIMES), axis=-1)
    return posed(turns, root)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_loop_played_twice_shows_no_seam(in_place):
    motion = motion_of(walk(), TIMES)
    looped = apply_edits(motion, Edits(loop=True, in_place=in_place))
    way = centre_of_mass(looped.joints[-1]) - centre_of_mass(looped.joints[0])
    # On the ground the second round begins one step after the end of the first.
    step = (centre_of_mass(looped.joints[-1]) - centre_of_mass(looped.joints[-2])) * (1, 0, 1)
    ahead = (way * (1, 0, 1) + step) * (not in_place)
    twice = np.concatenate((looped.joints, looped.joints + ahead))
    bends = np.linalg.norm(np.diff(twice, 2, axis=0), axis=-1).max(axis=1)
    assert bends[58:60].max() < 1.5 * bends[5:55].max()
    first = np.concatenate((motion.joints, motion.joints + np.array((0, 0, 2.0))))
    assert np.linalg.norm(np.diff(first, 2, axis=0), axis=-1).max() > 5 * bends.max()
    assert spread(looped) < 1e-5


def test_in_the_middle_a_loop_is_what_it_was():
    motion = motion_of(walk(0.5), TIMES)
    looped = apply_edits(motion, Edits(loop=True))
    inside = np.abs(TIMES - TIMES[-1] / 2) < TIMES[-1] / 2 - 0.55
    np.testing.assert_allclose(looped.joints[inside], motion.joints[inside], atol=1e-4)
    assert np.abs(looped.joints - motion.joints).max() > 0.05


def test_a_loop_begins_and_ends_with_somebody_there():
    joints = walk()
    joints[:4] = joints[-2:] = np.nan
    looped = apply_edits(motion_of(joints, TIMES), Edits(loop=True))
    assert looped.tracked.all()
    assert len(looped.times) == looped.source.frames == 54


@pytest.mark.parametrize(
    ("joints", "said"), [(walk(2.0), "last heading is 11. degrees from"), (walk()[:3], "too short")]
)
def test_what_cannot_loop_is_said(joints, said):
    with pytest.raises(MocapError, match=said):
        apply_edits(motion_of(joints, TIMES[: len(joints)]), Edits(loop=True))
