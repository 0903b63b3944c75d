"""Initial rotations of bones from joint positions, bone by bone.

Hips and chest are rotated by their joints to the sides, upper limbs by their hinge axes, and every
other bone by the smallest rotation from its parent.
"""

import numpy as np

from mocap_cli.body.hinge_axes import hinge_axes, hinge_rotations
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import frame_from_axes, inverse, rotation_between, unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

HINGE_AXES = {
    # Positive angles bring the forearm of the T-pose forwards and the shank backwards.
    "LeftArm": np.array([0.0, -1.0, 0.0]),
    "RightArm": np.array([0.0, 1.0, 0.0]),
    "LeftUpLeg": np.array([1.0, 0.0, 0.0]),
    "RightUpLeg": np.array([1.0, 0.0, 0.0]),
}


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
    axes = hinge_axes(upper, lower, hint, rest, hinge, times)
    return hinge_rotations(limb[0], _rotated(above, axes), rest, hinge)


def _rotated(rotations: Float64, vectors: Float64) -> Float64:
    return (rotations @ vectors[..., None])[..., 0]
