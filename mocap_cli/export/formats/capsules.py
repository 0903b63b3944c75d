"""Capsules: a body for a rig, one rounded limb for every bone, each moved by one joint.

The person's left is orange, the right blue, as in the overlay.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import trimesh
from numpy.typing import NDArray

from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import rotation_between, unit
from mocap_cli.export.views.figure import LEFT, MIDDLE, RIGHT, Colour
from mocap_cli.types import Float64

Side = Literal["left", "right", "middle"]

_COLOURS: dict[Side, Colour] = {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
_MIN_LENGTH = 0.02  # metres; the rig's small steps are no limbs
_RESOLUTION = (10, 12)  # rings and spokes of a capsule: round enough, and light
_RADIUS = {  # of the limb that ends in that joint of the rig, as a share of the body's height
    "Spine1": 0.068, "Neck": 0.062, "Head": 0.030, "HeadEnd": 0.050,
    "Arm": 0.034, "ForeArm": 0.026, "Hand": 0.021, "HandEnd": 0.019,
    "UpLeg": 0.050, "Leg": 0.044, "Foot": 0.031, "ToeBase": 0.023, "ToeBaseEnd": 0.018,
}  # fmt: skip
_DEFAULT_RADIUS = 0.02


@dataclass(frozen=True, slots=True)
class _Capsule:
    """The skin of one bone in the T-pose."""

    joint: int  # of the rig, that moves it
    side: Side
    points: Float64  # (V, 3) metres, the rig's root at the origin
    normals: Float64  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)


@dataclass(frozen=True, slots=True)
class CapsuleMesh:
    """All limbs of one colour in the T-pose, standing on the ground."""

    points: Float64  # (V, 3) metres
    normals: Float64  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)
    joints: NDArray[np.int64]  # (V,) of the rig, that move them
    colour: tuple[float, float, float]  # linear light, 0 to 1, as glTF and USD want it


def capsule_meshes(rig: Rig) -> dict[Side, CapsuleMesh]:
    """The body in three parts by their colours."""
    limbs = _capsules(rig)
    return {
        side: _joined([limb for limb in limbs if limb.side == side], rig.root_height, colour)
        for side, colour in _COLOURS.items()
    }


def _joined(limbs: list[_Capsule], standing: float, colour: Colour) -> CapsuleMesh:
    sizes = [len(limb.points) for limb in limbs]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    red, green, blue = ((np.array(colour) / 255) ** 2.2).round(4).tolist()
    return CapsuleMesh(
        points=np.concatenate([limb.points for limb in limbs]) + np.array((0.0, standing, 0.0)),
        normals=np.concatenate([limb.normals for limb in limbs]),
        faces=np.concatenate([limb.faces + s for limb, s in zip(limbs, starts, strict=True)]),
        joints=np.repeat([limb.joint for limb in limbs], sizes),
        colour=(red, green, blue),
    )


def _capsules(rig: Rig) -> list[_Capsule]:
    """A capsule from joint to joint wherever there is a bone to cover."""
    height = float(np.ptp(rig.rest_positions[:, 1]))
    long = np.linalg.norm(rig.offsets, axis=-1) >= _MIN_LENGTH
    # Both shoulders begin at the neck, which has a limb already.
    chosen = [i for i, name in enumerate(rig.names) if long[i] and not name.endswith("Shoulder")]
    return [_capsule(rig, joint, height) for joint in chosen]


def _capsule(rig: Rig, joint: int, height: float) -> _Capsule:
    side, part = _side(rig.names[joint])
    start, bone = rig.rest_positions[rig.parents[joint]], rig.offsets[joint]
    length = float(np.linalg.norm(bone))
    radius = min(_RADIUS.get(part, _DEFAULT_RADIUS) * height, length)
    if not rig.children(joint):  # the crown and the tips are where the skin ends
        length = max(length - radius, _MIN_LENGTH / 2)
    capsule = trimesh.creation.capsule(height=length, radius=radius, count=list(_RESOLUTION))
    turn = rotation_between((0.0, 0.0, 1.0), unit(bone))
    middle = start + unit(bone) * length / 2
    return _Capsule(
        rig.parents[joint],
        side,
        capsule.vertices @ turn.T + middle,
        unit(capsule.vertex_normals @ turn.T),
        capsule.faces,
    )


def _side(name: str) -> tuple[Side, str]:
    if name.startswith("Left"):
        return "left", name.removeprefix("Left")
    if name.startswith("Right"):
        return "right", name.removeprefix("Right")
    return "middle", name
