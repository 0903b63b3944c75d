"""Moves of sports that no recording shows, and what the default tracker says of frames."""

import numpy as np
import pytest
from test_synthesis_bodies import AVERAGE_PHENOTYPE

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.skeleton import BODY
from mocap_cli.labels.frame_kinds import frame_kinds, with_nearest_poses
from training.synthesis.body_model import make_body, transform_anchors
from training.synthesis.sport_moves import dive_moves, floor_moves, spin_moves

FPS = 50.0


@pytest.fixture(scope="module")
def body():
    return make_body(AVERAGE_PHENOTYPE, mesh=True)


@pytest.mark.parametrize("half_turns", [-3, 3])
def test_divers_fall_with_gravity_and_enter_head_first(body, half_turns):
    dive = dive_moves(body, 5.0, half_turns, 0.0, "tuck", FPS, np.random.default_rng(1))
    joints = transform_anchors(body.joints, dive.moves).astype(float)
    centre = JOINT_MASSES @ joints
    falling = centre[int(1.0 * FPS) : int(dive.enters * FPS) - 1, 1]
    assert np.diff(falling, 2) * FPS**2 == pytest.approx(-9.81, abs=0.1)
    entry = joints[int(dive.enters * FPS)]
    assert entry[BODY.index("head"), 1] < entry[0, 1] - 0.5
    assert entry[BODY.index("left_wrist"), 1] < entry[BODY.index("left_ankle"), 1] - 1.2


def test_skaters_turn_and_gymnasts_are_upside_down_while_both_touch_the_ground(body):
    spin = spin_moves(body, 3.0, 10.0, np.random.default_rng(1))
    floor = floor_moves(body, 12.0, 10.0, np.random.default_rng(2))
    for moves in (spin, floor):
        lowest = transform_anchors(body.vertices, moves)[..., 1].min(axis=1)
        np.testing.assert_allclose(lowest, 0, atol=1e-4)
    assert np.ptp(spin[:, 0, 0, 0]) > 1.5
    assert spin[:, 0, 1, 1].min() > -0.1
    assert floor[:, 0, 1, 1].min() < -0.8


def test_frames_are_sure_unsure_or_silent():
    detected = np.array([True, True, True, False])
    score, sigma = np.full((4, 21), 0.8), np.full((4, 19), 0.05)
    score[1], sigma[2] = 0.4, np.nan
    assert frame_kinds(detected, score, sigma).tolist() == ["sure", "unsure", "silent", "silent"]


def test_missing_poses_are_the_nearest_ones():
    joints = np.arange(5.0)[:, None, None] * np.ones((5, 2, 3))
    joints[[0, 2, 4]] = np.nan
    assert with_nearest_poses(joints)[:, 0, 0].tolist() == [1, 1, 1, 3, 3]
    assert not with_nearest_poses(np.full((3, 2, 3), np.nan)).any()
