"""Capsules: a body for a rig, one capsule for each bone, rigidly bound to one joint.

The person's left is orange, the right blue, as in the overlay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rig import Rig
from mocap_cli.body.rotation import rotation_between, unit
from mocap_cli.errors import MocapError
from mocap_cli.export.views.canvas import Colour
from mocap_cli.export.views.figure import SIDE_COLOURS, Side
from mocap_cli.types import Float64

_MIN_LENGTH = 0.02  # metres; shorter bones only offset joints
_RESOLUTION = (10, 12)  # rings and segments of a capsule
_RADIUS = {  # of the bone that ends in this joint, as a share of the body's height
    "Spine1": 0.068, "Neck": 0.062, "Head": 0.030, "HeadEnd": 0.050,
    "Arm": 0.034, "ForeArm": 0.026, "Hand": 0.021, "HandEnd": 0.019,
    "UpLeg": 0.050, "Leg": 0.044, "Foot": 0.031, "ToeBase": 0.023, "ToeBaseEnd": 0.018,
}  # fmt: skip
_DEFAULT_RADIUS = 0.02
_NOSE = (0.4, 0.065, 0.011)
"""Place of the nose along the head's bone; its length and radius as shares of the height."""


@dataclass(frozen=True, slots=True)
class _Capsule:
    """The mesh of one bone in the rest pose."""

    joint: int  # index in the rig of the joint that moves it
    side: Side
    points: Float64  # (V, 3) metres, the rig's root at the origin
    normals: Float64  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)


@dataclass(frozen=True, slots=True)
class CapsuleMesh:
    """All capsules of one colour in the rest pose, standing on the ground."""

    points: Float64  # (V, 3) metres
    normals: Float64  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3)
    joints: NDArray[np.int64]  # (V,) index in the rig of the joint that moves each point
    colour: tuple[float, float, float]  # linear RGB, 0 to 1


def capsule_meshes(rig: Rig) -> dict[Side, CapsuleMesh]:
    """The body in three parts by colour; a part without a bone that is long enough is left out."""
    capsules = _capsules(rig)
    if not capsules:
        raise MocapError(
            "the person has no bone that is long enough for a body", "track the video again"
        )
    parts = {side: [c for c in capsules if c.side == side] for side in SIDE_COLOURS}
    return {
        side: _merged(part, rig.root_height, SIDE_COLOURS[side])
        for side, part in parts.items()
        if part
    }


def _merged(capsules: list[_Capsule], root_height: float, colour: Colour) -> CapsuleMesh:
    sizes = [len(c.points) for c in capsules]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    red, green, blue = ((np.array(colour) / 255) ** 2.2).round(4).tolist()
    return CapsuleMesh(
        points=np.concatenate([c.points for c in capsules]) + np.array((0.0, root_height, 0.0)),
        normals=np.concatenate([c.normals for c in capsules]),
        faces=np.concatenate([c.faces + s for c, s in zip(capsules, starts, strict=True)]),
        joints=np.repeat([c.joint for c in capsules], sizes),
        colour=(red, green, blue),
    )


def _capsules(rig: Rig) -> list[_Capsule]:
    """A capsule for each bone that is long enough."""
    height = float(np.ptp(rig.rest_positions[:, 1]))
    long = np.linalg.norm(rig.offsets, axis=-1) >= _MIN_LENGTH
    chosen = [i for i, part in enumerate(rig.parts) if long[i] and _has_capsule(part)]
    noses = [_nose(rig, joint, height) for joint in chosen if rig.parts[joint] == "HeadEnd"]
    return [_capsule(rig, joint, height) for joint in chosen] + noses


def _has_capsule(part: str) -> bool:
    """Not above the hips; both shoulders start at the neck, which has a capsule already."""
    return part not in ("", "Hips") and not part.endswith("Shoulder")


def _capsule(rig: Rig, joint: int, height: float) -> _Capsule:
    side, part = _side(rig.parts[joint])
    start, bone = rig.rest_positions[rig.parents[joint]], rig.offsets[joint]
    length = float(np.linalg.norm(bone))
    radius = min(_RADIUS.get(part, _DEFAULT_RADIUS) * height, length)
    if not rig.children(joint):  # at the crown and the tips the capsule ends, not its axis
        length = max(length - radius, _MIN_LENGTH / 2)
    return _between(start, unit(bone) * length, radius, rig.parents[joint], side)


def _nose(rig: Rig, crown: int, height: float) -> _Capsule:
    """What shows where the head faces."""
    along, length, radius = _NOSE
    start = rig.rest_positions[rig.parents[crown]] + along * rig.offsets[crown]
    ahead = np.array((0.0, 0.0, length * height))
    return _between(start, ahead, radius * height, rig.parents[crown], "middle")


def _between(start: Float64, bone: Float64, radius: float, joint: int, side: Side) -> _Capsule:
    import trimesh  # 0.3 s: only the formats with a body wait for it

    length = float(np.linalg.norm(bone))
    capsule = trimesh.creation.capsule(height=length, radius=radius, count=list(_RESOLUTION))
    rotation = rotation_between((0.0, 0.0, 1.0), unit(bone))
    middle = start + bone / 2
    return _Capsule(
        joint,
        side,
        capsule.vertices @ rotation.T + middle,
        unit(capsule.vertex_normals @ rotation.T),
        capsule.faces,
    )


def _side(name: str) -> tuple[Side, str]:
    if name.startswith("Left"):
        return "left", name.removeprefix("Left")
    if name.startswith("Right"):
        return "right", name.removeprefix("Right")
    return "middle", name
