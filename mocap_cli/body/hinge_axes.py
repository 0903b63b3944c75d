"""The axes that elbows and knees bend about, also while the limb is straight and shows none.

A bent limb shows its axis, the better the more it is bent. The axis of a straight leg is taken
from its foot, and of any straight limb from the frames before and after and, in the long run, from
how the limb hangs on the body in the T-pose. It is a unit complex number z(t) in a basis across the
upper bone, that of the T-pose being 1, where all this is least squares:
    integral of  SEEN sin^2(bend) |z - seen|^2 + HINT |z - foot|^2 + HABIT |z - 1|^2
                 + STEADY |dz/dt|^2.
"""

import math
from typing import Any

import numpy as np
from scipy.linalg import solveh_banded

from mocap_cli.body.rotation import rotation_between, wrap_angles
from mocap_cli.types import Complex, Float64

_OBSERVED = 2000.0  # per second: a limb bent by 45 degrees follows what it shows in 10 milliseconds
_HINT = 10.0  # per second: of the axis that the foot tells, as much as a bend of 4 degrees
_PRIOR = 0.5  # per second: of the axis in the T-pose, felt after half a second of a straight limb
_SMOOTHNESS = 0.1  # seconds: a straight limb's axis turns by about 1 radian in 0.1 s at most
_BEND_RANGE = (math.sin(math.radians(12)), math.sin(math.radians(25)))
"""Bends that may be noise or overstretching, and such that surely tell the way the limb bends."""


def hinge_axes(
    upper: Float64, lower: Float64, hint: Float64, rest: Float64, hinge: Float64, times: Float64
) -> Float64:
    """(T, 3) unit axes across `upper` about which a positive turn bends the limb.

    `upper` and `lower` are the bones' directions, (T, 3), as the part that the limb hangs on sees
    them; `hint` is about where the axis might be, shorter than 1 where that is vague; `rest` and
    `hinge` are the upper bone's direction and the axis in the T-pose.
    """
    first = rotation_between(rest, upper) @ hinge
    second = np.cross(upper, first)
    bend, foot = (_complex(v, first, second) for v in (np.cross(upper, lower), hint))
    habit = _PRIOR * (1 + upper @ rest) / 2  # opposite to its rest direction a limb has no habit
    gaps, spans = _gaps_and_spans(times)
    expected = spans * (habit + _HINT * np.abs(foot) * foot)  # its size is its weight
    carry = _carry(upper, first, second)
    trust = np.clip((np.abs(bend) - _BEND_RANGE[0]) / (_BEND_RANGE[1] - _BEND_RANGE[0]), 0, 1)
    shown = spans * _OBSERVED * np.abs(bend) * bend
    rough = _path(_settle(shown * trust, expected, carry, _SMOOTHNESS / gaps), carry)
    angle = _refine(rough, trust, shown, expected, carry, _SMOOTHNESS / gaps)
    return np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second


def _complex(vectors: Float64, first: Float64, second: Float64) -> Complex:
    along, aside = np.sum(vectors * first, axis=-1), np.sum(vectors * second, axis=-1)
    return np.asarray(along + 1j * aside)


def _carry(upper: Float64, first: Float64, second: Float64) -> Float64:
    """(T - 1,) by what angle each frame's basis sees the one before, moved along with the bone."""
    moved = (rotation_between(upper[:-1], upper[1:]) @ first[:-1, :, None])[..., 0]
    return np.angle(_complex(moved, first[1:], second[1:]))


def _gaps_and_spans(times: Float64) -> tuple[Float64, Float64]:
    """Seconds between frames, and seconds that each frame stands for."""
    gaps = np.diff(times)
    if len(gaps) == 0:
        return gaps, np.ones(1)
    return gaps, np.concatenate((gaps[:1], gaps[1:] + gaps[:-1], gaps[-1:])) / 2


def _settle(shown: Complex, expected: Complex, carry: Float64, steady: Float64) -> Complex:
    """The axis as a complex number a frame, short where what is known of it disagrees."""
    bands = np.zeros((2, len(shown)), np.complex128)  # lower form of a Hermitian matrix
    bands[0] = _diagonal(np.abs(shown) + np.abs(expected), steady)
    bands[1, :-1] = -steady * np.exp(1j * carry)
    return np.asarray(_solved(bands, shown + expected))


def _path(axis: Complex, carry: Float64) -> Float64:
    """The axis as an angle that goes on from frame to frame."""
    angle = np.angle(axis)
    steps = carry + wrap_angles(np.diff(angle) - carry)
    return np.concatenate((angle[:1], angle[0] + np.cumsum(steps)))


def _refine(
    rough: Float64,
    trust: Float64,
    shown: Complex,
    expected: Complex,
    carry: Float64,
    steady: Float64,
) -> Float64:
    """The same least squares on the angle itself, now with small bends of either sign.

    A small bend against the way the limb bends is overstretching about the same axis. As an angle
    the axis turns evenly, where the mean of two opposite complex numbers would turn at once.
    """
    off = wrap_angles(np.angle(shown) - rough)
    against = (np.abs(off) > math.pi / 2) & (trust < 1)
    off = np.where(against, wrap_angles(off + math.pi), off)
    data = np.abs(shown) * np.where(trust < 1, np.cos(off) ** 2, 1.0)
    guess = np.abs(expected)
    bands = np.zeros((2, len(rough)))
    bands[0] = _diagonal(data + guess, steady)
    bands[1, :-1] = -steady
    right = data * (rough + off) + guess * (rough + wrap_angles(np.angle(expected) - rough))
    right[1:] += steady * carry
    right[:-1] -= steady * carry
    return np.asarray(_solved(bands, right))


def _diagonal(weights: Float64, steady: Float64) -> Float64:
    diagonal = weights + 1e-9
    diagonal[1:] += steady
    diagonal[:-1] += steady
    return diagonal


def _solved(bands: Any, right: Any) -> Any:
    """The solution of a tridiagonal system; scipy's wants more than one row."""
    return solveh_banded(bands, right, lower=True) if len(right) > 1 else right / bands[0]


def hinge_rotations(bone: Float64, axis: Float64, rest: Float64, hinge: Float64) -> Float64:
    """(T, 3, 3) that carry a bone and its hinge from the T-pose to these unit directions."""
    now = np.stack((bone, axis, np.cross(bone, axis)), axis=-1)
    then = np.stack((rest, hinge, np.cross(rest, hinge)), axis=-1)
    return np.asarray(now @ then.T)
