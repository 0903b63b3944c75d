"""Bones that keep their lengths: measured over a clip, then held in every frame."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY, mirrored

Float64 = NDArray[np.float64]

PARENTS = np.array(BODY.parents)
OTHER_SIDE = np.array(mirrored(BODY.names))
ROUNDS = 30  # of pulling bones to length; what is left after them is below a millimetre
LEFT_HIP, RIGHT_HIP = BODY.index("left_hip"), BODY.index("right_hip")


def usual_lengths(pose: Float64, sigma: Float64) -> Float64:
    """(J,) metres from each joint to its parent: the clip's median over frames, both sides alike.

    Frames count by the errors that are expected of them; NaN frames do not count.
    """
    length = np.linalg.norm(pose - pose[:, PARENTS], axis=-1)  # (T, J); the root's is 0
    variance = sigma**2 + sigma[:, PARENTS] ** 2
    weight = np.where(np.isfinite(length), 1 / np.maximum(variance, 1e-6), 0.0)
    weight = np.where(np.isfinite(weight), weight, 0.0)
    measured = np.array([_weighted_median(v, w) for v, w in zip(length.T, weight.T, strict=True)])
    return np.asarray((measured + measured[OTHER_SIDE]) / 2)


def _weighted_median(values: Float64, weights: Float64) -> float:
    chosen = weights > 0
    if not chosen.any():
        return float("nan")
    values, weights = values[chosen], weights[chosen]
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2)])


def with_lengths(pose: Float64, lengths: Float64) -> Float64:
    """(T, J, 3) joints about the pelvis, moved as little as bones of those lengths allow."""
    moved = np.array(pose, np.float64)
    for _ in range(ROUNDS):
        _set_hips(moved, lengths)
        _pull(moved, lengths)
    _set_hips(moved, lengths)
    for joint, parent in enumerate(PARENTS):  # exactly, from the pelvis outwards
        if parent > 0:
            along = moved[:, joint] - moved[:, parent]
            moved[:, joint] = moved[:, parent] + lengths[joint] * unit(along)
        elif parent == 0 and joint not in (LEFT_HIP, RIGHT_HIP):
            moved[:, joint] = lengths[joint] * unit(moved[:, joint])
    return moved


def _set_hips(pose: Float64, lengths: Float64) -> None:
    """The pelvis is the middle of the hips, and stays where it is."""
    across = unit(pose[:, LEFT_HIP] - pose[:, RIGHT_HIP])
    pose[:, 0] = 0
    pose[:, LEFT_HIP] = lengths[LEFT_HIP] * across
    pose[:, RIGHT_HIP] = -lengths[RIGHT_HIP] * across


def _pull(pose: Float64, lengths: Float64) -> None:
    """Move both ends of every bone half of what it is too long or too short."""
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        along = pose[:, joint] - pose[:, parent]
        size = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
        excess = along * (1 - lengths[joint] / size)
        if parent == 0:  # the pelvis is the origin
            pose[:, joint] -= excess
        else:
            pose[:, joint] -= excess / 2
            pose[:, parent] += excess / 2
