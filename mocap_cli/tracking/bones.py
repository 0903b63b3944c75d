"""Bones that keep their lengths in every frame."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY

Float64 = NDArray[np.float64]

PARENTS = np.array(BODY.parents)
ROUNDS = 30  # of pulling bones to length; what is left after them is below a millimetre
LEFT_HIP, RIGHT_HIP = BODY.index("left_hip"), BODY.index("right_hip")


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
