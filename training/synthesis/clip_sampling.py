"""Resampling of clips, and interpolation between poses."""

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from training.synthesis.mocap_clip import PART_PARENTS, MocapClip

Floats = NDArray[np.floating]


def sample_clip(clip: MocapClip, times: ArrayLike, fps: float) -> MocapClip:
    """The clip at these times in seconds; outside of it the first or last pose is held."""
    place = np.clip(np.asarray(times, np.float64) * clip.fps, 0, len(clip.root) - 1)
    first = np.minimum(place.astype(int), len(clip.root) - 2)
    share = place - first
    rotations = interpolate_rotations(
        clip.rotations[first], clip.rotations[first + 1], share[:, None]
    )
    path = clip.root[first] + share[:, None] * (clip.root[first + 1] - clip.root[first])
    return replace(clip, fps=fps, rotations=rotations, root=path.astype(np.float32))


def interpolate_rotations(first: Floats, second: Floats, share: ArrayLike) -> NDArray[np.float32]:
    """Rotations (..., 3, 3) interpolated along the shortest path; share 0..1 (...)."""
    start = Rotation.from_matrix(np.reshape(first, (-1, 3, 3)))
    step = (start.inv() * Rotation.from_matrix(np.reshape(second, (-1, 3, 3)))).as_rotvec()
    shape = np.broadcast_shapes(np.shape(first), np.shape(second))
    part = np.broadcast_to(np.asarray(share, np.float64), shape[:-2]).reshape(-1, 1)
    turned = start * Rotation.from_rotvec(step * part)
    return turned.as_matrix().reshape(shape).astype(np.float32)


def local_rotations(rotations: Floats) -> NDArray[np.float32]:
    """World rotations (T, P, 3, 3) to rotations relative to the parent; identity for the pelvis."""
    result = np.empty(rotations.shape, np.float32)
    for part, parent in enumerate(PART_PARENTS):
        above = rotations[:, parent] if parent >= 0 else rotations[:, part]
        result[:, part] = above.transpose(0, 2, 1) @ rotations[:, part]
    return result


def accumulate_rotations(bends: Floats) -> NDArray[np.float32]:
    """Rotations relative to the parent, as of `local_rotations`, to rotations from the pelvis."""
    result = np.array(bends, np.float32)
    for part, parent in enumerate(PART_PARENTS):
        if parent >= 0:
            result[:, part] = result[:, parent] @ bends[:, part]
    return result
