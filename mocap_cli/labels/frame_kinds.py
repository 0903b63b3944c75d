"""Kinds of frames: in which the default tracker is sure, unsure, or silent."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Bool, Float32, Float64

FRAME_KINDS = ("sure", "unsure", "silent")
_MIN_SCORE = 0.5  # mean score of the keypoints: such frames are nearly always right
_MAX_SIGMA = 0.16  # metres, mean sigma of the joints


def frame_kinds(
    detected: Bool, score: Float32 | Float64, sigma: Float32 | Float64
) -> NDArray[np.str_]:
    """(T,) names of FRAME_KINDS, from keypoint scores (T, K) and the sigma of joints (T, J)."""
    known = np.isfinite(sigma).all(axis=1)
    spread = np.where(known, np.nan_to_num(sigma).mean(axis=1), np.inf)
    sure = (np.nan_to_num(score).mean(axis=1) > _MIN_SCORE) & (spread < _MAX_SIGMA)
    seen = detected & known
    return np.where(seen & sure, "sure", np.where(seen, "unsure", "silent"))


def with_nearest_poses(joints: Float64) -> Float64:
    """(T, J, 3) with the pose of the nearest frame where there is none; no pose at all: zeros."""
    known = np.flatnonzero(np.isfinite(joints).all(axis=(1, 2)))
    if not len(known):
        return np.zeros_like(joints)
    after = np.searchsorted(known, np.arange(len(joints))).clip(0, len(known) - 1)
    before = (after - 1).clip(0)
    frames = np.arange(len(joints))
    nearer = np.abs(frames - known[before]) <= np.abs(frames - known[after])
    return np.asarray(joints[np.where(nearer, known[before], known[after])])
