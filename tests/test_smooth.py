"""Smoothing in seconds keeps fast spins and takes jitter away."""

import numpy as np
import pytest
from people import clock, diver, stander, walker
from scipy.spatial.transform import Rotation

from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.bone_lengths import _PARENTS, with_bone_lengths
from mocap_cli.tracking.smoothing import _smooth_rotations, low_pass, smooth_pose

HEAD, WRIST = BODY.index("head"), BODY.index("left_wrist")


def about_pelvis(joints):
    return joints - joints[:, :1]


def sigma_of(pose):
    return np.full(pose.shape[:2], 0.03)


def size(vectors):
    return np.linalg.norm(vectors, axis=-1)


@pytest.mark.parametrize("fps", [30, 60, 120, 240])
def test_a_somersault_of_three_turns_a_second_keeps_its_swing(fps):
    person = diver(clock(1, fps), turns=3)
    pose = about_pelvis(person.joints)
    smooth = smooth_pose(pose, sigma_of(pose), person.times)
    swing, kept = np.ptp(pose[:, HEAD], axis=0), np.ptp(smooth[:, HEAD], axis=0)
    assert (kept[1:] > 0.97 * swing[1:]).all()
    turned = np.unwrap(np.arctan2(smooth[:, HEAD, 2], smooth[:, HEAD, 1]))
    assert abs(turned[-1] - turned[0]) > 0.97 * 2 * np.pi * 3 * (person.times[-1])
    assert size(smooth - pose).max() < 0.02


@pytest.mark.parametrize(("fps", "factor"), [(30, 1.4), (60, 2.0), (240, 3.5)])
def test_jitter_of_a_spinning_body_shrinks(fps, factor):
    rng = np.random.default_rng(1)
    person = diver(clock(1.2, fps), turns=3)
    pose = about_pelvis(person.joints)
    jitter = 0.01 * rng.standard_normal(pose.shape)
    jitter[:, 0] = 0
    smooth = smooth_pose(pose + jitter, sigma_of(pose), person.times)
    left = size(smooth - pose)[:, 1:]
    assert np.sqrt((size(jitter)[:, 1:] ** 2).mean() / (left**2).mean()) > factor


def test_jitter_of_a_standing_body_shrinks_fourfold_at_60_frames_a_second():
    rng = np.random.default_rng(1)
    pose = about_pelvis(stander(clock(3, 60)).joints)
    jitter = 0.01 * rng.standard_normal(pose.shape)
    jitter[:, 0] = 0
    smooth = smooth_pose(pose + jitter, sigma_of(pose), clock(3, 60))
    change = np.diff(smooth - pose, n=2, axis=0).std() / np.diff(jitter, n=2, axis=0).std()
    assert change < 0.1
    assert (smooth - pose)[:, 1:].std() < 0.01 / 2


def test_a_kick_keeps_its_reach():
    times = clock(2, 60)
    pose = about_pelvis(stander(times).joints)
    kick = 0.9 * np.exp(-(((times - 1) / 0.08) ** 2))  # out and back in a quarter of a second
    pose[:, BODY.index("left_ankle"), 2] += kick
    smooth = smooth_pose(pose, sigma_of(pose), times)
    assert np.ptp(smooth[:, BODY.index("left_ankle"), 2]) > 0.95 * 0.9


def test_a_spike_of_one_frame_is_ignored():
    times = clock(2, 30)
    pose = about_pelvis(stander(times).joints)
    broken = pose.copy()
    broken[30, WRIST] += (0.6, 0.2, -0.4)
    smooth = smooth_pose(broken, sigma_of(pose), times)
    assert size(smooth - pose).max() < 0.05


def test_frames_that_are_doubtful_are_trusted_less():
    times = clock(2, 30)
    pose = about_pelvis(stander(times).joints)
    shown, sigma = pose.copy(), sigma_of(pose)
    shown[28:33, WRIST] += (0.1, 0, 0)
    sigma[28:33, WRIST] = 0.3
    told = smooth_pose(shown, sigma, times)
    not_told = smooth_pose(shown, sigma_of(pose), times)
    assert size(told - pose)[30, WRIST] < 0.8 * size(not_told - pose)[30, WRIST]


def test_gaps_part_the_clip_and_stay_gaps():
    times = clock(2, 30)
    pose = about_pelvis(walker(times).joints)
    holed = pose.copy()
    holed[20:25] = np.nan
    smooth = smooth_pose(holed, sigma_of(pose), times)
    assert np.isnan(smooth[20:25]).all()
    alone = smooth_pose(pose[:20], sigma_of(pose)[:20], times[:20])
    np.testing.assert_allclose(smooth[:20], alone, atol=1e-12)


def test_uneven_frames_give_the_same_motion_as_even_ones():
    rng = np.random.default_rng(2)
    even = clock(2, 60)
    uneven = np.sort(rng.choice(even, 90, replace=False))
    pose = about_pelvis(walker(even).joints)
    some = about_pelvis(walker(uneven).joints)
    whole = smooth_pose(pose, sigma_of(pose), even)
    part = smooth_pose(some, sigma_of(some), uneven)
    at = np.searchsorted(even, uneven)
    assert size(part - whole[at]).mean() < 0.005


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4])
def test_hardly_any_frames_come_back_as_they_are_or_nearly(frames):
    times = clock(1, 30)[:frames]
    pose = about_pelvis(walker(clock(1, 30)).joints)[:frames]
    smooth = smooth_pose(pose, sigma_of(pose), times)
    assert smooth.shape == pose.shape
    assert frames == 0 or size(smooth - pose).max() < 0.03


@pytest.mark.parametrize("cutoff", [2.0, 6.0])
def test_the_filter_passes_what_is_slow_and_halves_what_is_at_the_cutoff(cutoff):
    times = clock(20, 100)
    middle = slice(800, 1200)
    for frequency, gain in ((cutoff / 3, 1.0), (cutoff, 0.5), (3 * cutoff, 0.0)):
        wave = np.sin(2 * np.pi * frequency * times)[:, None]
        out = low_pass(wave, times, np.ones(len(times)), cutoff)
        assert np.abs(out[middle]).max() == pytest.approx(gain, abs=0.02)
        if gain == 1:  # no delay
            np.testing.assert_allclose(out[middle], wave[middle], atol=0.01)


@pytest.mark.parametrize("frames", [6, 2000])
@pytest.mark.parametrize("fps", [240, 1000, 1e5])
def test_frames_far_denser_than_the_cutoff_are_smoothed_as_much_as_can_be_computed(fps, frames):
    times = np.arange(frames) / fps
    noise = 0.1 * np.random.default_rng(1).standard_normal((frames, 3))
    out = low_pass(3 + noise, times, np.ones(frames), 0.8)
    assert np.abs(out - 3).max() < (0.25 if frames == 6 else 0.1)
    assert out.std() < noise.std() or frames == 6


def test_smoothing_turns_does_not_depend_on_where_zero_is():
    rng = np.random.default_rng(3)
    times = clock(1, 60)
    turns = Rotation.from_rotvec(np.cumsum(0.2 * rng.standard_normal((60, 3)), axis=0))
    zero = Rotation.random(random_state=4)
    here = _smooth_rotations(turns.as_matrix(), times, 8.0)
    there = _smooth_rotations((zero * turns).as_matrix(), times, 8.0)
    np.testing.assert_allclose(zero.as_matrix() @ here, there, atol=1e-9)


def test_bones_get_their_lengths_and_the_pelvis_stays_between_the_hips():
    rng = np.random.default_rng(5)
    pose = about_pelvis(walker(clock(2, 30)).joints)
    noisy = pose + 0.02 * rng.standard_normal(pose.shape)
    lengths = bone_lengths(noisy, sigma_of(pose))
    held = with_bone_lengths(noisy, lengths)
    measured = size(held - held[:, _PARENTS])[:, 1:]
    np.testing.assert_allclose(measured, np.broadcast_to(lengths[1:], measured.shape), atol=1e-9)
    hips = held[:, [BODY.index("left_hip"), BODY.index("right_hip")]].mean(axis=1)
    np.testing.assert_allclose(hips, 0, atol=1e-12)
    assert size(held - pose).mean() < size(noisy - pose)[:, 1:].mean()


def test_a_body_whose_bones_fit_already_is_not_moved():
    pose = about_pelvis(walker(clock(1, 30)).joints)
    lengths = bone_lengths(pose, sigma_of(pose))
    np.testing.assert_allclose(with_bone_lengths(pose, lengths), pose, atol=1e-6)


def test_lengths_are_the_same_on_both_sides_and_deaf_to_broken_frames():
    pose = about_pelvis(walker(clock(2, 30)).joints)
    truth = size(pose[0] - pose[0, np.maximum(_PARENTS, 0)])  # the root has no bone
    pose[:10, WRIST] += 0.5
    pose[10] = np.nan
    lengths = bone_lengths(pose, sigma_of(pose))
    np.testing.assert_allclose(lengths, truth, atol=1e-9)
