"""Initial rotations of bones from joint positions, bone by bone.

Hips and chest are rotated by their joints to the sides, upper limbs by their hinge axes, and every
other bone by the smallest rotation from its parent.

A bent limb determines its hinge axis, the better the more it is bent. The axis of a straight leg is
taken from its foot, that of any straight limb from the frames before and after and, in the long
run, from the T-pose. It is a unit complex number z(t) in a basis across the upper bone, with the
T-pose at 1, that minimises
    integral of  OBSERVED sin^2(bend) |z - observed|^2 + HINT |z - foot|^2 + PRIOR |z - 1|^2
                 + SMOOTHNESS |dz/dt|^2.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import frame_from_axes, inverse, rotation_between, unit, wrap_angles
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

HINGE_AXES = {
    # Positive angles bring the forearm of the T-pose forwards and the shank backwards.
    "LeftArm": np.array([0.0, -1.0, 0.0]),
    "RightArm": np.array([0.0, 1.0, 0.0]),
    "LeftUpLeg": np.array([1.0, 0.0, 0.0]),
    "RightUpLeg": np.array([1.0, 0.0, 0.0]),
}

_OBSERVED = 2000.0  # per second: at a bend of 45 degrees the axis is followed in 10 milliseconds
_HINT = 10.0  # per second: the axis by the foot counts as much as a bend of 4 degrees
_PRIOR = 0.5  # per second: the axis of the T-pose counts after half a second of a straight limb
_SMOOTHNESS = 0.1  # seconds: a straight limb's axis turns by about 1 radian in 0.1 s at most
_BEND_RANGE = (math.sin(math.radians(12)), math.sin(math.radians(25)))
"""Sines of bends: below, it may be noise or hyperextension; above, its sign is certain."""

_Complex = NDArray[np.complex128]


def initial_rotations(rig: Rig, joints: Float64, times: Float64) -> Float64:
    """(T, N, 3, 3) world rotations of the rig's bones from joints (T, J, 3)."""
    rotations = np.empty((len(joints), len(rig), 3, 3))
    trunk = _trunk_rotations(rig, joints)
    for joint, name in enumerate(rig.names):
        above = rotations[:, rig.parents[joint]]
        end = next((child for child in rig.children(joint) if rig.body_joints[child]), None)
        if name in trunk:
            rotations[:, joint] = trunk[name]
        elif end is None:
            rotations[:, joint] = above
        else:
            bone, rest = _bone(rig, joints, joint, end), unit(rig.offsets[end])
            if name in HINGE_AXES:
                limb = _limb(rig, joints, joint)
                rotations[:, joint] = _hinged_rotations(above, limb, rest, HINGE_AXES[name], times)
            else:
                rotations[:, joint] = rotation_between(above @ rest, bone) @ above
    return rotations


def _at(joints: Float64, name: str) -> Float64:
    return joints[:, BODY.index(name)]


def _bone(rig: Rig, joints: Float64, start: int, end: int) -> Float64:
    return unit(_at(joints, rig.body_joints[end]) - _at(joints, rig.body_joints[start]))


def _trunk_rotations(rig: Rig, joints: Float64) -> dict[str, Float64]:
    """Hips, Spine and Spine1: by hips and shoulders at the ends, and their mean in between."""
    wide = {
        part: unit(_at(joints, f"left_{part}") - _at(joints, f"right_{part}"))
        for part in ("hip", "shoulder")
    }
    pelvis, spine, thorax = (_at(joints, name) for name in ("pelvis", "spine", "thorax"))
    hips = frame_from_axes(wide["hip"], spine - pelvis)
    lower = unit(spine - (pelvis + hips @ rig.offsets[rig.index("Spine")]))
    upper = unit(thorax - spine)
    return {
        "Hips": hips,
        "Spine": _upright(lower, wide["hip"] + wide["shoulder"]),
        "Spine1": _upright(upper, wide["shoulder"]),
    }


def _upright(up: Float64, side: Float64) -> Float64:
    """Rotations whose Y is exactly `up` and whose X is as near to `side` as possible."""
    turned = frame_from_axes(up, side)  # its X is up and its Y the side
    return np.stack((turned[..., 1], turned[..., 0], -turned[..., 2]), axis=-1)


def _limb(rig: Rig, joints: Float64, joint: int) -> list[Float64]:
    """The directions of the bones from a joint outwards that have joints of BODY."""
    bones: list[Float64] = []
    while (below := rig.children(joint)) and rig.body_joints[below[0]]:
        bones.append(_bone(rig, joints, joint, below[0]))
        joint = below[0]
    return bones


def _hinged_rotations(
    above: Float64, limb: list[Float64], rest: Float64, hinge: Float64, times: Float64
) -> Float64:
    """Rotations of an upper arm or thigh, with the roll by the hinge of its elbow or knee."""
    upper, lower, *foot = (_rotated(inverse(above), bone) for bone in limb)  # in the parent's axes
    hint = np.cross(foot[0], lower) if foot else np.zeros_like(lower)
    axes = _hinge_axes(upper, lower, hint, rest, hinge, times)
    return _hinge_rotations(limb[0], _rotated(above, axes), rest, hinge)


def _rotated(rotations: Float64, vectors: Float64) -> Float64:
    return (rotations @ vectors[..., None])[..., 0]


def _hinge_axes(
    upper: Float64, lower: Float64, hint: Float64, rest: Float64, hinge: Float64, times: Float64
) -> Float64:
    """(T, 3) unit axes across `upper` about which a positive turn bends the limb.

    `upper` and `lower` are the bones' directions (T, 3) in the axes of the parent part; `hint`
    (T, 3) is a guess of the axis, its length the weight; `rest` and `hinge` are the upper bone's
    direction and the axis in the T-pose.
    """
    first = rotation_between(rest, upper) @ hinge
    second = np.cross(upper, first)
    bend, foot = (_complex(v, first, second) for v in (np.cross(upper, lower), hint))
    prior = _PRIOR * (1 + upper @ rest) / 2  # none opposite to the rest direction
    gaps, spans = _gaps_and_spans(times)
    expected = spans * (prior + _HINT * np.abs(foot) * foot)  # its size is its weight
    carry = _carry(upper, first, second)
    trust = np.clip((np.abs(bend) - _BEND_RANGE[0]) / (_BEND_RANGE[1] - _BEND_RANGE[0]), 0, 1)
    observed = spans * _OBSERVED * np.abs(bend) * bend
    rough = _path(_settle(observed * trust, expected, carry, _SMOOTHNESS / gaps), carry)
    angle = _refine(rough, trust, observed, expected, carry, _SMOOTHNESS / gaps)
    return np.cos(angle)[:, None] * first + np.sin(angle)[:, None] * second


def _complex(vectors: Float64, first: Float64, second: Float64) -> _Complex:
    along, aside = np.sum(vectors * first, axis=-1), np.sum(vectors * second, axis=-1)
    return np.asarray(along + 1j * aside)


def _carry(upper: Float64, first: Float64, second: Float64) -> Float64:
    """(T - 1,) angle of the previous frame's basis, moved along with the bone, in each frame's."""
    moved = (rotation_between(upper[:-1], upper[1:]) @ first[:-1, :, None])[..., 0]
    return np.angle(_complex(moved, first[1:], second[1:]))


def _gaps_and_spans(times: Float64) -> tuple[Float64, Float64]:
    """Seconds between frames, and seconds that each frame stands for."""
    gaps = np.diff(times)
    if len(gaps) == 0:
        return gaps, np.ones(1)
    return gaps, np.concatenate((gaps[:1], gaps[1:] + gaps[:-1], gaps[-1:])) / 2


def _settle(observed: _Complex, expected: _Complex, carry: Float64, steady: Float64) -> _Complex:
    """The axis as a complex number a frame; short where observations disagree."""
    bands = np.zeros((2, len(observed)), np.complex128)  # lower form of a Hermitian matrix
    bands[0] = _diagonal(np.abs(observed) + np.abs(expected), steady)
    bands[1, :-1] = -steady * np.exp(1j * carry)
    return np.asarray(_solved(bands, observed + expected))


def _path(axis: _Complex, carry: Float64) -> Float64:
    """The axis as an angle without jumps."""
    angle = np.angle(axis)
    steps = carry + wrap_angles(np.diff(angle) - carry)
    return np.concatenate((angle[:1], angle[0] + np.cumsum(steps)))


def _refine(
    rough: Float64,
    trust: Float64,
    observed: _Complex,
    expected: _Complex,
    carry: Float64,
    steady: Float64,
) -> Float64:
    """The same least squares on the angle itself, now with small bends of either sign.

    A small bend to the other side is hyperextension about the same axis. As an angle the axis
    rotates evenly, where the mean of two opposite complex numbers would jump.
    """
    off = wrap_angles(np.angle(observed) - rough)
    against = (np.abs(off) > math.pi / 2) & (trust < 1)
    off = np.where(against, wrap_angles(off + math.pi), off)
    data = np.abs(observed) * np.where(trust < 1, np.cos(off) ** 2, 1.0)
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
    """The solution of a tridiagonal system; scipy needs more than one row."""
    return solveh_banded(bands, right, lower=True) if len(right) > 1 else right / bands[0]


def _hinge_rotations(bone: Float64, axis: Float64, rest: Float64, hinge: Float64) -> Float64:
    """(T, 3, 3) rotations of a bone and its hinge from the T-pose to these unit directions."""
    now = np.stack((bone, axis, np.cross(bone, axis)), axis=-1)
    then = np.stack((rest, hinge, np.cross(rest, hinge)), axis=-1)
    return np.asarray(now @ then.T)
