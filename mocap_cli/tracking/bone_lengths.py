"""Constant bone lengths in every frame."""

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

_PARENTS = np.array(BODY.parents)
_ITERATIONS = 30  # the error left after them is below a millimetre
_LEFT_HIP, _RIGHT_HIP = BODY.index("left_hip"), BODY.index("right_hip")


def with_bone_lengths(pose: Float64, lengths: Float64) -> Float64:
    """(T, J, 3) joints about the pelvis, moved as little as constant bone lengths allow."""
    moved = np.array(pose, np.float64)
    for _ in range(_ITERATIONS):
        _set_hips(moved, lengths)
        _pull(moved, lengths)
    _set_hips(moved, lengths)
    for joint, parent in enumerate(_PARENTS):  # exactly, from the pelvis outwards
        if parent > 0:
            along = moved[:, joint] - moved[:, parent]
            moved[:, joint] = moved[:, parent] + lengths[joint] * unit(along)
        elif parent == 0 and joint not in (_LEFT_HIP, _RIGHT_HIP):
            moved[:, joint] = lengths[joint] * unit(moved[:, joint])
    return moved


def _set_hips(pose: Float64, lengths: Float64) -> None:
    """Put the hips at equal distances from the pelvis, which does not move."""
    across = unit(pose[:, _LEFT_HIP] - pose[:, _RIGHT_HIP])
    pose[:, 0] = 0
    pose[:, _LEFT_HIP] = lengths[_LEFT_HIP] * across
    pose[:, _RIGHT_HIP] = -lengths[_RIGHT_HIP] * across


def _pull(pose: Float64, lengths: Float64) -> None:
    """Move both ends of every bone by half of its error in length."""
    for joint, parent in enumerate(_PARENTS):
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
