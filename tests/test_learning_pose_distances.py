"""Pose distance against time distance: known motions, and the distance that they suggest."""

from dataclasses import replace

import numpy as np
import pytest
from witnesses import seen_dancing

from mocap_cli.learning.loop.pose_distances import PoseDistances
from mocap_cli.tracking.estimate import Estimate


def moving(shift) -> Estimate:
    """Every joint away from where it was by `shift` metres of the time."""
    found, _ = seen_dancing()
    joints = np.zeros_like(found.pose.joints)
    joints[..., 0] = shift(found.times)[:, None]
    return replace(found, pose=replace(found.pose, joints=joints))


def test_a_steady_change_is_as_far_apart_as_the_time():
    found = PoseDistances.measure([moving(lambda times: times)])
    assert found is not None
    # of 25 frames a second: no two are exactly 0.1 s apart
    assert found.distances == pytest.approx([1000 * lag for lag in found.lags], abs=21)
    assert found.lags[-1] == 2.0  # the clip has no thirty pairs of frames three seconds apart


def test_d_is_where_poses_are_70_percent_of_the_largest_distance_apart():
    found = PoseDistances((0.5, 1.0, 2.0, 3.0), (50.0, 90.0, 100.0, 99.0))
    assert found.suggested == pytest.approx(0.75)  # 70 mm
    assert "--dsl-distance 0.75, at 70 % of the largest" in found.lines()[1]
    assert "90 at 1 s" in found.lines()[0]
    assert PoseDistances((0.1, 0.2), (70.0, 71.0)).suggested == 0.1


def test_frames_in_which_the_tracker_is_not_reliable_tell_nothing():
    found = moving(lambda times: times)
    found.pose.sigma[:] = 0.3
    assert PoseDistances.measure([found]) is None
