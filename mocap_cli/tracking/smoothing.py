"""Smoothing that keeps fast spins: the trunk's rotation and the limbs are smoothed separately.

A pose is split into the rotation of the trunk and the joints in the trunk's axes. Both are
smoothed without delay by penalised least squares,
    minimise  integral of  weight * |smooth - measured|^2  +  (2 pi cutoff)^-6 * |smooth'''|^2,
whose gain at frequency f is 1 / (1 + (f / cutoff)^6), a low-pass filter that is flat below the
cutoff. The rotation is smoothed as a quaternion in 4D and normalised again: a steady spin is a
circle there, of which the filter only changes the radius.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from mocap_cli.body.resample import continuous_quaternions
from mocap_cli.body.rotation import (
    frame_from_axes,
    matrix_from_quaternion,
    nearest_rotation,
    quaternion_from_matrix,
    unit,
)
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.frame_runs import frame_durations, unbroken_runs
from mocap_cli.types import Float64

_SPIKE = 0.15  # metres, or of a quaternion: nothing moves so far out and back in three frames
_ORDER = 3  # of the derivative that is penalised; a third-order filter is flat where people move
_MOST_STIFFNESS = 1e13
"""Of the penalty to the data: beyond it, at 400 frames in a period of the cutoff, double precision
is lost, so that denser frames are smoothed less."""
_TRUNK = tuple(
    BODY.index(name)
    for name in ("right_hip", "left_hip", "spine", "thorax", "right_shoulder", "left_shoulder")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothingCutoffs:
    """Cutoffs in hertz: slower is motion, faster is jitter."""

    turn: float = 8.0  # of the trunk's rotation; 3 turns a second are 1.5 in quaternions
    still: float = 4.5  # of a joint at rest
    speed: float = 1.5  # added for each metre a second of the joint's speed, so that kicks are kept
    most: float = 16.0


_DEFAULT = SmoothingCutoffs()


def smooth_pose(
    pose: Float64,
    sigma: Float64,
    times: Float64,
    cut: NDArray[np.bool_] | None = None,
    how: SmoothingCutoffs = _DEFAULT,
) -> Float64:
    """(T, J, 3) joints about the pelvis without jitter, by sigma (T, J).

    Runs separated by NaN, or by a `cut` (T,) before a frame, are smoothed independently.
    """
    smooth = np.array(pose, np.float64)
    tracked = np.isfinite(smooth).all(axis=(1, 2))
    for piece in unbroken_runs(tracked, times, cut):
        smooth[piece] = _smooth_piece(smooth[piece], sigma[piece], times[piece], how)
    return smooth


def _smooth_piece(pose: Float64, sigma: Float64, times: Float64, how: SmoothingCutoffs) -> Float64:
    rotations = trunk_rotations(pose)  # (T, 3, 3)
    smooth_trunk = _smooth_rotations(rotations, times, how.turn)
    local = pose @ rotations  # the transpose rotates each row back
    trust = _trust(sigma)
    for joint in range(1, pose.shape[1]):
        local[:, joint] = _smooth_joint(local[:, joint], trust[:, joint], times, how)
    return np.asarray(local @ smooth_trunk.transpose(0, 2, 1))


def _trust(sigma: Float64) -> Float64:
    """Weights by sigma, 1 for a joint's median; an invalid sigma counts as the median."""
    usual = np.nanmedian(np.where(sigma > 0, sigma, np.nan), axis=0, keepdims=True)
    ratio = usual / np.where(sigma > 0, sigma, usual)
    return np.clip(np.nan_to_num(ratio, nan=1.0), 0.1, 3.0) ** 2


def _smooth_joint(path: Float64, trust: Float64, times: Float64, how: SmoothingCutoffs) -> Float64:
    """One joint in the trunk's axes, (T, 3), without spikes; the cutoff rises with its speed."""
    trust = trust * _unbroken(path, low_pass(path, times, trust, how.most))
    rough = low_pass(path, times, trust, (how.still + how.most) / 2)
    speed = np.linalg.norm(_rates(rough, times), axis=1)
    cutoff = np.minimum(how.still + how.speed * _widened(speed, times), how.most)
    return low_pass(path, times, trust, cutoff)


def _unbroken(path: Float64, smooth: Float64) -> Float64:
    """(T,) weights, near 1 for frames in line with their neighbours, near 0 for spikes."""
    size = np.linalg.norm(path - smooth, axis=1)
    usual = 1.4826 * np.median(size) + 1e-3
    weight = 1 / (1 + (size / (4 * usual)) ** 4)
    if len(path) > 2:  # at low frame rates a spike is a single frame
        sides = np.linalg.norm(path[2:] - path[:-2], axis=1)
        out = np.linalg.norm(path[1:-1] - (path[2:] + path[:-2]) / 2, axis=1)
        weight[1:-1][out > _SPIKE + 3 * sides] = 1e-3
    return np.asarray(weight)


def _rates(path: Float64, times: Float64) -> Float64:
    return np.gradient(path, times, axis=0) if len(times) > 1 else np.zeros_like(path)


def _widened(speed: Float64, times: Float64, reach: float = 0.1) -> Float64:
    """The largest speed within `reach` seconds, so that the start of a kick is kept as well."""
    first = np.searchsorted(times, times - reach)
    last = np.searchsorted(times, times + reach, side="right")
    if len(speed) * int((last - first).max()) > 50_000_000:
        return speed
    return np.array([speed[a:b].max() for a, b in zip(first, last, strict=True)])


def trunk_rotations(pose: Float64) -> Float64:
    """(T, 3, 3) rotation of the trunk: columns are its left, its up and its front.

    It is the one that best maps the clip's median trunk onto each frame's.
    """
    left = (pose[:, _TRUNK[1]] - pose[:, _TRUNK[0]]) + (pose[:, _TRUNK[5]] - pose[:, _TRUNK[4]])
    up = pose[:, _TRUNK[3]] - pose[:, 0]
    axes = frame_from_axes(up, left)  # columns: up, left, and their normal
    first = axes[..., [1, 0, 2]] * (1, 1, -1)
    usual = np.median(pose[:, _TRUNK] @ first, axis=0)  # (6, 3) in the trunk's own frame
    return nearest_rotation(np.einsum("tki,kj->tij", pose[:, _TRUNK], usual))


def _smooth_rotations(rotations: Float64, times: Float64, cutoff: float) -> Float64:
    """(T, 3, 3) rotations without jitter; a smooth_trunk spin does not change."""
    four = continuous_quaternions(quaternion_from_matrix(rotations))
    even = np.ones(len(times))
    sound = _unbroken(four, low_pass(four, times, even, 2 * cutoff))
    smooth = low_pass(four, times, sound, cutoff)
    return matrix_from_quaternion(unit(smooth))


def low_pass(values: Float64, times: Float64, weights: Float64, cutoff: Float64 | float) -> Float64:
    """(T, D) values below `cutoff` hertz (one for all, or one a frame)."""
    T = len(times)
    order = min(_ORDER, T - 1)
    if order < 1:
        return values.copy()
    stiff = (2 * math.pi * np.broadcast_to(cutoff, (T,))) ** (-2.0 * order)
    bands = np.zeros((order + 1, T))  # lower form: bands[k, i] is the matrix at (i + k, i)
    bands[0] = weights * frame_durations(times)
    right = bands[0][:, None] * values
    knots = np.stack([times[k : T - order + k] for k in range(order + 1)])  # (order + 1, rows)
    slopes = difference_coefficients(knots)
    middle = np.stack([stiff[k : T - order + k] for k in range(order + 1)]).mean(axis=0)
    rough = middle * (knots[-1] - knots[0]) / order
    most = _MOST_STIFFNESS * bands[0].mean() / np.square(slopes).max(axis=0)
    rough = np.minimum(rough, most)
    for a in range(order + 1):
        for b in range(a, order + 1):
            bands[b - a, a : T - order + a] += rough * slopes[a] * slopes[b]
    return np.asarray(solveh_banded(bands, right, lower=True))


def difference_coefficients(knots: Float64) -> Float64:
    """Finite-difference weights (k, rows) of the highest derivative at uneven knots (k, rows)."""
    gaps = knots[:, None] - knots[None]  # (k, m, rows)
    gaps[np.arange(len(knots)), np.arange(len(knots))] = 1
    return np.asarray(math.factorial(len(knots) - 1) / gaps.prod(axis=1))
