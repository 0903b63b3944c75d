"""Hips of recordings that were solved with hips too low and too far back."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from training.synthesis.hip_correction import FURTHER_AHEAD, HIGHER, THIGH, with_hips_raised
from training.synthesis.mocap_clip import LEG_LENGTH, LIMBS, PART_NAMES, MocapClip

THIGH_LEFT, SHANK_LEFT = (PART_NAMES.index(f"left_{part}") for part in ("thigh", "shank"))


def standing(thighs: float, shanks: float) -> MocapClip:
    """Somebody whose thighs point that many degrees forward, and whose shanks point back."""
    rotations = np.tile(np.eye(3, dtype=np.float32), (5, len(PART_NAMES), 1, 1))
    rest = np.zeros((len(PART_NAMES), 3), np.float32)
    for part in LIMBS:
        rest[PART_NAMES.index(part)] = (0, -1, 0)
    for name, angle in (("thigh", -thighs), ("shank", shanks)):
        turn = Rotation.from_euler("x", angle, degrees=True).as_matrix()
        for side in ("left", "right"):
            rotations[:, PART_NAMES.index(f"{side}_{name}")] = turn
    return MocapClip("07_01", 60.0, rotations, rest, np.tile(np.float32([0, 0.8, 0]), (5, 1)))


def bend(clip: MocapClip) -> float:
    """Degrees of the left knee; below zero is the wrong way."""
    upper, lower = (clip.rotations[0, p] @ clip.rest[p] for p in (THIGH_LEFT, SHANK_LEFT))
    return float(np.degrees(np.arctan2(np.cross(upper, lower)[0], upper @ lower)))


def test_knees_are_straightened_and_shanks_stay_as_they_were():
    before = standing(20, 12)
    after = with_hips_raised(before)
    thigh = after.rotations[0, THIGH_LEFT] @ after.rest[THIGH_LEFT]
    knee = np.array([0, -np.cos(np.radians(20)), np.sin(np.radians(20))])
    expected = knee - (0, HIGHER, FURTHER_AHEAD)
    np.testing.assert_allclose(thigh, expected / np.linalg.norm(expected), atol=1e-6)
    assert bend(after) < bend(before) - 8
    np.testing.assert_array_equal(after.rotations[:, SHANK_LEFT], before.rotations[:, SHANK_LEFT])


def test_no_knee_is_bent_the_wrong_way():
    assert bend(with_hips_raised(standing(3, 0))) == pytest.approx(0, abs=1e-3)


def test_feet_stay_below_hips_that_were_raised():
    clip = standing(0, 0)
    after = with_hips_raised(clip)
    share = THIGH * HIGHER
    longer = 1 + THIGH * (np.hypot(1 + HIGHER, FURTHER_AHEAD) - 1)
    assert after.root[0, 1] == pytest.approx((0.8 + share * LEG_LENGTH) / longer, abs=1e-4)
