"""Clips at other times than those they were recorded at, and poses between poses."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from training.synthesis.mocap_clip import PART_PARENTS, MocapClip

Floats = NDArray[np.floating]


def sample_clip(clip: MocapClip, times: ArrayLike, fps: float) -> MocapClip:
    """The clip as it is at those seconds from its start, held still before and after its ends."""
    place = np.clip(np.asarray(times, np.float64) * clip.fps, 0, len(clip.root) - 1)
    first = np.minimum(place.astype(int), len(clip.root) - 2)
    share = place - first
    turns = interpolate_rotations(clip.turns[first], clip.turns[first + 1], share[:, None])
    path = clip.root[first] + share[:, None] * (clip.root[first + 1] - clip.root[first])
    return replace(clip, fps=fps, turns=turns, root=path.astype(np.float32))


def interpolate_rotations(first: Floats, second: Floats, share: ArrayLike) -> NDArray[np.float32]:
    """Turns (..., 3, 3) on the shortest way from the first to the second; share 0..1 (...)."""
    start = Rotation.from_matrix(np.reshape(first, (-1, 3, 3)))
    step = (start.inv() * Rotation.from_matrix(np.reshape(second, (-1, 3, 3)))).as_rotvec()
    shape = np.broadcast_shapes(np.shape(first), np.shape(second))
    part = np.broadcast_to(np.asarray(share, np.float64), shape[:-2]).reshape(-1, 1)
    turned = start * Rotation.from_rotvec(step * part)
    return turned.as_matrix().reshape(shape).astype(np.float32)


def local_rotations(turns: Floats) -> NDArray[np.float32]:
    """World turns (T, P, 3, 3) to turns from each part's parent; the pelvis is left out: I."""
    result = np.empty(turns.shape, np.float32)
    for part, parent in enumerate(PART_PARENTS):
        above = turns[:, parent] if parent >= 0 else turns[:, part]
        result[:, part] = above.transpose(0, 2, 1) @ turns[:, part]
    return result


def accumulate_rotations(bends: Floats) -> NDArray[np.float32]:
    """What `from_parents` gave to turns as seen from the pelvis."""
    result = np.array(bends, np.float32)
    for part, parent in enumerate(PART_PARENTS):
        if parent >= 0:
            result[:, part] = result[:, parent] @ bends[:, part]
    return result
