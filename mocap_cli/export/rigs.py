"""Rigs by the names that other programs give their joints, so that they find each one by itself."""

from dataclasses import replace
from typing import Literal

from mocap_cli.body.rig import Rig

RigNames = Literal["default", "mixamo", "rokoko"]

_PREFIX = {"default": "", "mixamo": "mixamorig:", "rokoko": ""}
_NAMES = {  # what is not called as ours; sides stay in front
    "default": {},
    "mixamo": {"HeadEnd": "HeadTop_End", "HandEnd": "HandMiddle4", "ToeBaseEnd": "Toe_End"},
    "rokoko": {
        # Newton has four: the chest turns half way up, where its third one is.
        "Spine": "Spine1",
        "Spine1": "Spine3",
        "UpLeg": "Thigh",
        "Leg": "Shin",
        "ToeBase": "Toe",
        "ToeBaseEnd": "ToeTip",
    },
}


def with_joint_names(rig: Rig, names: RigNames) -> Rig:
    """The same rig with the joint names of Mixamo's or of Rokoko's characters."""
    return replace(rig, names=tuple(_name(name, names) for name in rig.names))


def _name(ours: str, names: RigNames) -> str:
    side = next((side for side in ("Left", "Right") if ours.startswith(side)), "")
    part = ours.removeprefix(side)
    return _PREFIX[names] + side + _NAMES[names].get(part, part)
