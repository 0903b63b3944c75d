"""Poses at other times than they were seen at."""

import math

import numpy as np
import pytest
from poses import dance, motion_of

from mocap_cli.body.resample import (
    resample_motion,
    resample_rotations,
    uniform_motion,
    uniform_times,
)
from mocap_cli.body.rotation import matrix_from_vector, vector_from_matrix
from mocap_cli.errors import MocapError


def tumble(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 2, 3, 3) rotations, one even and one not, and (T, 3) a thrown body's path."""
    even = np.stack((0 * times, 9 * times, 0 * times), axis=-1)
    uneven = np.stack((np.sin(6 * times), np.cos(4 * times), 0 * times), axis=-1)
    path = np.stack((times, 1 + 5 * times - 4.9 * times**2, 0 * times), axis=-1)
    return np.stack((matrix_from_vector(even), matrix_from_vector(uneven)), axis=1), path


def off(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(vector_from_matrix(np.swapaxes(a, -1, -2) @ b), axis=-1).max())


@pytest.mark.parametrize("fps", [23.976, 25.0, 29.97, 59.94, 240.0])
def test_an_even_beat_is_kept_frame_for_frame(fps):
    times = 0.5 + np.arange(100) / fps
    for seen in (times, np.round(times, 3)):  # some containers keep whole milliseconds
        clock, period = uniform_times(seen, None)
        np.testing.assert_array_equal(clock, seen)
        assert period == pytest.approx(1 / fps, rel=2e-3 if seen is not times else 1e-9)


def test_a_dropped_frame_keeps_the_camera_rate():
    times = np.delete(np.arange(100) / 30, [20, 21, 60])
    clock, period = uniform_times(times, None)
    assert period == pytest.approx(1 / 30, rel=1e-6)
    np.testing.assert_allclose(clock, np.arange(100) / 30, atol=1e-6)


def test_another_rate_covers_the_same_span():
    times = np.arange(61) / 30
    for fps, frames in ((60.0, 121), (24.0, 49), (7.0, 15)):
        clock, period = uniform_times(times, fps)
        assert (len(clock), period) == (frames, 1 / fps)
        assert times[-1] - period < clock[-1] <= times[-1] + 1e-9


def test_frames_that_are_there_stay_as_they_are():
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.05, 50))
    rotations, root = tumble(times)
    turned, moved = resample_rotations(rotations, root, times, times)
    assert off(turned, rotations) < 1e-6
    np.testing.assert_allclose(moved, root, atol=1e-12)


def test_between_uneven_frames_a_tumbling_throw_is_followed():
    rng = np.random.default_rng(1)
    times = np.sort(np.arange(60) / 60 + rng.uniform(-0.004, 0.004, 60))
    at = np.arange(1, 58) / 60
    rotations, root = tumble(times)
    turned, moved = resample_rotations(rotations, root, times, at)
    wanted, path = tumble(at)
    assert off(turned, wanted) < 0.002
    np.testing.assert_allclose(moved, path, atol=1e-6)


def test_long_gaps_are_crossed_straight_the_short_way_and_ends_hold_still():
    times = np.array([0.0, 0.1, 0.2, 1.2, 1.3])
    rotations = matrix_from_vector(np.array([0, 0, 1, 1 + math.pi - 0.2, 4])[:, None] * [0, 0, 1.0])
    root = np.array([0.0, 1, 2, 4, 5])[:, None] * [1.0, 0, 0]
    at = np.array([-1.0, 0.7, 2.0])
    turned, moved = resample_rotations(rotations[:, None], root, times, at)
    half = matrix_from_vector([0, 0, 1 + (math.pi - 0.2) / 2])
    assert off(turned[:, 0], np.stack((rotations[0], half, rotations[-1]))) < 1e-6
    np.testing.assert_allclose(moved[:, 0], [0, 3, 5], atol=1e-9)


def test_a_single_frame_holds_for_all_time():
    rotations, root = tumble(np.array([0.3]))
    turned, moved = resample_rotations(rotations, root, np.array([0.3]), np.arange(4) / 30)
    assert off(turned, np.repeat(rotations, 4, axis=0)) < 1e-6
    np.testing.assert_array_equal(moved, np.repeat(root, 4, axis=0))


def test_a_motion_at_a_finer_rate_is_the_same_dance():
    times = np.arange(60) / 60
    finer = resample_motion(motion_of(dance(times[::2]), times[::2]), 60.0)
    wanted = dance(times)[: len(finer.times)]  # its sines are drawn for given times
    miss = np.linalg.norm(finer.joints - wanted, axis=-1)
    assert np.median(miss) < 1e-3
    assert miss.max() < 0.02
    np.testing.assert_allclose(finer.joints[::2], dance(times[::2]), atol=1e-6)


def test_what_is_missing_stays_missing_at_another_rate():
    times = np.arange(30) / 30
    joints = dance(times)
    joints[10:13] = joints[20] = np.nan
    finer = resample_motion(motion_of(joints, times), 120.0)
    lost = ((finer.times > 9.01 / 30) & (finer.times < 12.99 / 30)) | (
        np.abs(finer.times - 20 / 30) < 0.99 / 30
    )
    np.testing.assert_array_equal(finer.tracked, ~lost)


def test_nothing_is_made_up_where_the_clock_jumps():
    times = np.concatenate((np.arange(10), 40 + np.arange(10))) / 30
    even, rate = uniform_motion(motion_of(dance(times), times))
    assert rate == pytest.approx(30)
    np.testing.assert_array_equal(even.tracked, (even.times < 0.301) | (even.times > 1.332))


@pytest.mark.parametrize("seen", [0, 1])
def test_hardly_anybody_at_another_rate_is_hardly_anybody(seen):
    times = np.arange(5) / 30
    joints = dance(times)
    joints[seen:] = np.nan
    assert resample_motion(motion_of(joints, times), 60.0).tracked.sum() == seen


def test_a_gap_of_hours_is_refused_instead_of_filled_with_frames():
    times = np.append(np.arange(12) / 30, 3600 * 12.0)
    with pytest.raises(MocapError, match="gap in their times"):
        uniform_times(times, 30)
    with pytest.raises(MocapError, match="gap in their times"):
        uniform_times(times, None)
    assert len(uniform_times(np.arange(240) / 24, 1000)[0]) == 9959


def test_gaps_that_all_differ_have_a_rate_too():
    times, period = uniform_times(np.array([0.0, 0.1, 0.5]), None)
    assert period == pytest.approx(0.25)
    assert np.isfinite(times).all()
    assert len(times) > 1
