"""Left-right swaps are undone, and only they; cuts are noticed, and only they."""

import numpy as np
import pytest

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.keypoints.left_right import _GROUPS, cheapest_path, find_swaps
from mocap_cli.video.shots import CutDetector

FPS = 30
MIRROR = np.array(mirror_indices(KEYPOINTS))
ARMS, LEGS = _GROUPS[1], _GROUPS[2]


def turning(frames=90, turns=0.5):
    """Points of a body that turns about its height as seen from the front: (T, K, 2) torsos."""
    rng = np.random.default_rng(3)
    half = rng.uniform(0.15, 0.5, len(KEYPOINTS))
    left = np.array([name.startswith("left") for name in KEYPOINTS])
    x = np.where(left, half, -half[MIRROR])
    x[0] = 0
    y = np.linspace(-1, 1.5, len(KEYPOINTS))
    y = (y + y[MIRROR]) / 2
    angle = np.linspace(0, turns * 2 * np.pi, frames)[:, None]
    sway = 0.1 * np.sin(4 * angle + y)
    return np.stack((x * np.cos(angle) + sway, np.broadcast_to(y, (frames, len(y)))), -1)


def swapped(points, frames, group):
    """The same with one group's sides exchanged in some frames."""
    result = points.copy()
    result[frames, group] = points[frames][:, MIRROR[group]]
    return result


def found(first, second):
    rng = np.random.default_rng(4)
    noisy = [p + rng.normal(0, 0.03, p.shape) for p in (first, second)]
    sure = np.full(first.shape[:2], 0.7)
    return find_swaps(*noisy, sure, np.full(len(first) - 1, 1 / FPS))


def test_a_network_that_swaps_the_legs_for_some_frames_is_told_from_one_that_does_not():
    true = turning(turns=0.1)
    wrong = np.r_[20:24, 50:51]
    at = found(swapped(true, wrong, LEGS), true)
    expected = np.zeros(len(true), bool)
    expected[wrong] = True
    assert np.array_equal(at[0, :, LEGS].T.all(axis=0), expected) or np.array_equal(
        at[0, :, LEGS.start], expected
    )
    assert not at[0, :, ARMS].any()
    assert not at[1].any()


def test_when_both_networks_swap_the_arms_for_a_moment_time_tells():
    true = turning(turns=0.1)
    wrong = np.r_[30:34]
    at = found(*[swapped(true, wrong, ARMS)] * 2)
    assert np.array_equal(np.flatnonzero(at[0, :, ARMS.start]), wrong)
    assert np.array_equal(np.flatnonzero(at[1, :, ARMS.start]), wrong)
    assert not at[:, :, LEGS].any()


def test_a_body_that_really_turns_around_keeps_its_sides():
    true = turning(turns=2.0)
    assert not found(true, true).any()


def test_the_cheapest_way_is_the_one_that_trying_all_finds():
    rng = np.random.default_rng(5)
    price, change = rng.uniform(size=(6, 3)), rng.uniform(size=(5, 3, 3))
    ways = np.stack(np.meshgrid(*[np.arange(3)] * 6, indexing="ij"), -1).reshape(-1, 6)
    cost = price[np.arange(6), ways].sum(1)
    cost += change[np.arange(5), ways[:, :-1], ways[:, 1:]].sum(1)
    assert np.array_equal(cheapest_path(price, change), ways[cost.argmin()])


def place(seed, width=900, height=300):
    """A wide picture of some place, to pan over."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(30, 226, (6, 18, 3)).astype(np.uint8)
    picture = np.repeat(np.repeat(colours, height // 6, axis=0), width // 18, axis=1)
    return (picture * 0.7 + rng.integers(0, 60, picture.shape)).astype(np.uint8)


@pytest.mark.parametrize("speed", [0, 3, 25])
def test_a_cut_is_noticed_and_a_pan_is_none(speed):
    first, second = place(1), place(2)
    pictures = [p[:, i * speed : i * speed + 400] for p in (first, second) for i in range(20)]
    watch = CutDetector()
    assert [i for i, picture in enumerate(pictures) if watch.is_cut(picture)] == [20]


def test_a_flickering_lamp_is_no_cut():
    picture, watch = place(1), CutDetector()
    bright = [1 + 0.15 * np.sin(i) for i in range(30)]
    assert not any(watch.is_cut((picture * b).clip(0, 255).astype(np.uint8)) for b in bright)
