"""Rotations as matrices (..., 3, 3) that act on columns, and their other forms.

Every function takes any leading axes. Quaternions are (w, x, y, z) and unit; rotation vectors point
along the axis and are as long as the angle.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mocap_cli.types import Float64

_TINY = 1e-12
_GIMBAL = 1e-7
"""Cosine of the middle Euler angle below which the outer two rotate about the same axis."""


def unit(vectors: ArrayLike) -> Float64:
    """Unit vectors along the last axis; zero vectors stay zero."""
    vectors = np.asarray(vectors, np.float64)
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(size, _TINY))


def _perpendicular(vectors: ArrayLike, directions: ArrayLike) -> Float64:
    """The components of vectors perpendicular to unit directions."""
    vectors, directions = np.asarray(vectors, np.float64), np.asarray(directions, np.float64)
    along = np.sum(vectors * directions, axis=-1, keepdims=True)
    return np.asarray(vectors - along * directions)


def cross_matrix(vectors: ArrayLike) -> Float64:
    """(..., 3) to (..., 3, 3): times a column it gives the cross product."""
    x, y, z = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    zero = np.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def inverse(matrices: Float64) -> Float64:
    """The inverse rotations: transposes."""
    return np.swapaxes(matrices, -1, -2)


def nearest_rotation(matrices: ArrayLike) -> Float64:
    """The rotation nearest to each matrix by the sum of squares; never a reflection."""
    u, _, vh = np.linalg.svd(np.asarray(matrices, np.float64))
    u[..., :, 2] *= np.where(np.linalg.det(u @ vh) < 0, -1.0, 1.0)[..., None]
    return np.asarray(u @ vh)


def frame_from_axes(x: ArrayLike, y: ArrayLike) -> Float64:
    """The axes as columns: X along `x`, Y as near to `y` as it can be."""
    first = unit(x)
    second = unit(_perpendicular(y, first))
    return np.stack((first, second, np.cross(first, second)), axis=-1)


def rotation_between(start: ArrayLike, end: ArrayLike) -> Float64:
    """The smallest rotation from one unit direction to another."""
    start, end = np.broadcast_arrays(np.asarray(start, np.float64), np.asarray(end, np.float64))
    k = cross_matrix(np.cross(start, end))
    nearness = 1 + np.sum(start * end, axis=-1)[..., None, None]
    turn = np.eye(3) + k + k @ k / np.maximum(nearness, _TINY)
    return np.where(nearness > 1e-9, turn, _half_turn(start))


def _half_turn(directions: Float64) -> Float64:
    """Half a turn about an axis perpendicular to each unit direction."""
    least = np.eye(3)[np.argmin(np.abs(directions), axis=-1)]
    axis = unit(_perpendicular(least, directions))
    return 2 * axis[..., :, None] * axis[..., None, :] - np.eye(3)


def matrix_from_vector(vectors: ArrayLike) -> Float64:
    """The exponential: rotation vectors (..., 3) to matrices."""
    vectors = np.asarray(vectors, np.float64)
    half = np.linalg.norm(vectors, axis=-1, keepdims=True) / 2
    four = np.concatenate((np.cos(half), vectors * np.sinc(half / math.pi) / 2), axis=-1)
    return matrix_from_quaternion(four)


def vector_from_matrix(matrices: ArrayLike) -> Float64:
    """The logarithm: the shortest rotation vectors, at most pi long."""
    four = quaternion_from_matrix(matrices)
    sine = np.linalg.norm(four[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, four[..., :1])
    stretch = np.where(sine > _TINY, angle / np.maximum(sine, _TINY), 2.0)
    return np.asarray(four[..., 1:] * stretch)


def matrix_from_quaternion(four: ArrayLike) -> Float64:
    """(..., 4) unit quaternions to matrices."""
    w, x, y, z = np.moveaxis(np.asarray(four, np.float64), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def quaternion_from_matrix(matrices: ArrayLike) -> Float64:
    """Matrices to unit quaternions with w >= 0."""
    m = np.asarray(matrices, np.float64)
    trace = np.trace(m, axis1=-2, axis2=-1)
    outer = np.empty((*m.shape[:-2], 4, 4))  # 4 q q^T, of which the longest row is the safest
    outer[..., 0, 0] = 1 + trace
    outer[..., 1:, 1:] = m + inverse(m) + (1 - trace)[..., None, None] * np.eye(3)
    odd = (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1])
    outer[..., 0, 1:] = outer[..., 1:, 0] = np.stack(odd, axis=-1)
    best = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)[..., None, None]
    four = unit(np.take_along_axis(outer, best, axis=-2)[..., 0, :])
    return np.asarray(np.where(four[..., :1] < 0, -four, four))


def slerp(start: Float64, end: Float64, share: ArrayLike) -> Float64:
    """Spherical linear interpolation: part of the way (0 start, 1 end) by the shortest rotation."""
    turn = vector_from_matrix(inverse(start) @ end)
    return np.asarray(start @ matrix_from_vector(np.asarray(share)[..., None] * turn))


def _zxy_from_matrix(matrices: ArrayLike) -> Float64:
    """Matrices to (z, x, y) in radians with x within a quarter turn; y is 0 in gimbal lock."""
    m = np.asarray(matrices, np.float64)
    cosine = np.hypot(m[..., 2, 0], m[..., 2, 2])
    locked = cosine < _GIMBAL
    x = np.arctan2(m[..., 2, 1], cosine)
    y = np.where(locked, 0.0, np.arctan2(-m[..., 2, 0], m[..., 2, 2]))
    z = np.where(
        locked,
        np.arctan2(m[..., 1, 0], m[..., 0, 0]),
        np.arctan2(-m[..., 0, 1], m[..., 1, 1]),
    )
    return np.stack((z, x, y), axis=-1)


def continuous_zxy(matrices: ArrayLike) -> Float64:
    """Rotations over time, (T, ..., 3, 3), to Euler angles (z, x, y) without jumps.

    Each rotation has two sets of angles, plus full turns; every frame gets the set nearest to its
    predecessor's. In gimbal lock y is interpolated.
    """
    m = np.asarray(matrices, np.float64)
    tracks = m.reshape(len(m), -1, 3, 3)
    angles = np.stack([_steady_track(tracks[:, i]) for i in range(tracks.shape[1])], axis=1)
    return angles.reshape(*m.shape[:-2], 3)


def continuous_xyz(matrices: ArrayLike) -> Float64:
    """Rotations Rz Ry Rx over time, (T, ..., 3, 3), to Euler angles (x, y, z) without jumps."""
    # Mirrored by swapping the axes x and y, the matrices are those of -z, -y, -x in order ZXY.
    swapped = np.asarray(matrices, np.float64)[..., [1, 0, 2], :][..., [1, 0, 2]]
    return -continuous_zxy(swapped)[..., ::-1]


def _steady_track(track: Float64) -> Float64:
    angles = _zxy_from_matrix(track)  # (T, 3)
    free = np.flatnonzero(np.hypot(track[:, 2, 0], track[:, 2, 2]) >= _GIMBAL)
    if len(free) == 0:
        return np.unwrap(angles, axis=0)
    angles[free] = _nearest_branch(angles[free])
    locked = np.setdiff1d(np.arange(len(track)), free)
    return _fill_locked(angles, free, locked) if len(locked) else angles


def _nearest_branch(angles: Float64) -> Float64:
    other = angles * (1, -1, 1) + math.pi
    # Swapping the sets of both neighbours keeps their distance, so each step is independent.
    stay = np.linalg.norm(wrap_angles(angles[1:] - angles[:-1]), axis=-1)
    leave = np.linalg.norm(wrap_angles(other[1:] - angles[:-1]), axis=-1)
    swapped = np.concatenate(([0], np.cumsum(leave < stay))) % 2 == 1
    return np.unwrap(np.where(swapped[:, None], other, angles), axis=0)


def _fill_locked(angles: Float64, free: NDArray[np.intp], locked: NDArray[np.intp]) -> Float64:
    """With x at a quarter turn only z + y (or z - y) is known: y is interpolated."""
    guess = np.stack([np.interp(locked, free, angles[free, i]) for i in range(3)], axis=-1)
    side = np.sign(angles[locked, 1])  # +1: Rz Ry = turn by z + y, -1: by z - y
    x = guess[:, 1] + wrap_angles(side * math.pi / 2 - guess[:, 1])
    z = guess[:, 0] + wrap_angles(angles[locked, 0] - side * guess[:, 2] - guess[:, 0])
    filled = angles.copy()
    filled[locked] = np.stack((z, x, guess[:, 2]), axis=-1)
    return filled


def wrap_angles(angles: ArrayLike) -> Float64:
    """The same angles between -pi and pi."""
    return np.asarray((np.asarray(angles) + math.pi) % (2 * math.pi) - math.pi)
