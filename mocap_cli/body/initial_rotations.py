"""How bones are turned when only their joints are known: a first answer, bone by bone.

Hips and chest are turned by their joints to the sides, upper limbs by the way they bend, and every
other bone by the smallest turn from the bone it hangs on.
"""

import numpy as np

from mocap_cli.body.hinge_axes import hinge_axes, hinge_rotations
from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import frame_from_axes, inverse, rotation_between, unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

HINGE_AXES = {
    # Positive turns bring the forearm of the T-pose forwards and the shank backwards.
    "LeftArm": np.array([0.0, -1.0, 0.0]),
    "RightArm": np.array([0.0, 1.0, 0.0]),
    "LeftUpLeg": np.array([1.0, 0.0, 0.0]),
    "RightUpLeg": np.array([1.0, 0.0, 0.0]),
}


def initial_rotations(rig: Rig, joints: Float64, times: Float64) -> Float64:
    """(T, N, 3, 3) how each bone of the rig is turned in the world, from (T, J, 3) joints."""
    turns = np.empty((len(joints), len(rig), 3, 3))
    trunk = _trunk_turns(rig, joints)
    for joint, name in enumerate(rig.names):
        above = turns[:, rig.parents[joint]]
        end = next((child for child in rig.children(joint) if rig.body_joints[child]), None)
        if name in trunk:
            turns[:, joint] = trunk[name]
        elif end is None:
            turns[:, joint] = above
        else:
            bone, rest = _bone(rig, joints, joint, end), unit(rig.offsets[end])
            if name in HINGE_AXES:
                limb = _limb(rig, joints, joint)
                turns[:, joint] = _hinged_turns(above, limb, rest, HINGE_AXES[name], times)
            else:
                turns[:, joint] = rotation_between(above @ rest, bone) @ above
    return turns


def _at(joints: Float64, name: str) -> Float64:
    return joints[:, BODY.index(name)]


def _bone(rig: Rig, joints: Float64, start: int, end: int) -> Float64:
    return unit(_at(joints, rig.body_joints[end]) - _at(joints, rig.body_joints[start]))


def _trunk_turns(rig: Rig, joints: Float64) -> dict[str, Float64]:
    """Hips, Spine and Spine1: both ends by what sticks out of them, the middle in between."""
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
    """Turns whose Y is exactly `up` and whose X is as near to `side` as it can be."""
    turned = frame_from_axes(up, side)  # its X is up and its Y the side
    return np.stack((turned[..., 1], turned[..., 0], -turned[..., 2]), axis=-1)


def _limb(rig: Rig, joints: Float64, joint: int) -> list[Float64]:
    """The directions of the bones from a joint outwards, as far as they are known."""
    bones: list[Float64] = []
    while (below := rig.children(joint)) and rig.body_joints[below[0]]:
        bones.append(_bone(rig, joints, joint, below[0]))
        joint = below[0]
    return bones


def _hinged_turns(
    above: Float64, limb: list[Float64], rest: Float64, hinge: Float64, times: Float64
) -> Float64:
    """Turns of an upper arm or thigh, with the roll that its elbow or knee asks for."""
    upper, lower, *foot = (_turned(inverse(above), bone) for bone in limb)  # as the trunk sees it
    hint = np.cross(foot[0], lower) if foot else np.zeros_like(lower)
    axes = hinge_axes(upper, lower, hint, rest, hinge, times)
    return hinge_rotations(limb[0], _turned(above, axes), rest, hinge)


def _turned(turns: Float64, vectors: Float64) -> Float64:
    return (turns @ vectors[..., None])[..., 0]
