"""Animation: a Motion as rotations of one rig at a constant rate, for BVH, GLB, USD and FBX."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from mocap_cli.body.kinematics import inverse_kinematics
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import SINGLE_FRAME_FPS, resample_rotations, uniform_times
from mocap_cli.body.rig import Rig, fit_rig
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.camera_track import CameraTrack, camera_track
from mocap_cli.types import Float64

RigNames = Literal["default", "mixamo", "rokoko"]

_MAX_FPS = 1000.0
_PREFIX = {"default": "", "mixamo": "mixamorig:", "rokoko": ""}
_PART_NAMES = {  # of the parts whose name differs from ours; the side comes before it
    "default": {},
    "mixamo": {"HeadEnd": "HeadTop_End", "HandEnd": "HandMiddle4", "ToeBaseEnd": "Toe_End"},
    "rokoko": {
        # Newton has four spine joints: ours in the middle of the chest is where its third is.
        "Spine": "Spine1",
        "Spine1": "Spine3",
        "UpLeg": "Thigh",
        "Leg": "Shin",
        "ToeBase": "Toe",
        "ToeBaseEnd": "ToeTip",
    },
}


@dataclass(frozen=True, slots=True)
class Animation:
    """A rig and its rotations at a constant frame rate."""

    name: str  # of the video, without its suffix
    rig: Rig
    rotations: Float64  # (T, N, 3, 3) from the parent
    root: Float64  # (T, 3) metres
    period: float  # seconds from frame to frame
    camera: CameraTrack | None = None


def animate(motion: Motion, fps: float | None = None) -> Animation:
    """Fit a rig of constant bones by inverse kinematics, at the motion's own rate or at `fps`.

    Frames without a person are interpolated; uneven times are resampled.
    """
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise MocapError(
            f"cannot write {fps:g} frames per second", f"give a rate above 0, up to {_MAX_FPS:g}"
        )
    tracked = motion.tracked
    if not tracked.any():
        raise MocapError(
            f"{motion.source.file}: no frame has a person to animate",
            "check what was tracked with -o .html, or track it again with --subject",
        )
    joints, times = motion.joints[tracked].astype(np.float64), motion.times[tracked]
    rig = fit_rig(joints)
    rotations, root = inverse_kinematics(
        rig, joints, times, motion.sigma[tracked].astype(np.float64)
    )
    if fps is None and len(motion.times) == 1:
        fps = motion.source.fps if motion.source.fps > 0 else SINGLE_FRAME_FPS
    uniform, period = uniform_times(motion.times, fps)
    rotations, root = resample_rotations(rotations, root, times, uniform)
    camera = camera_track(motion, uniform)
    return Animation(Path(motion.source.file).stem, rig, rotations, root, period, camera)


def with_joint_names(rig: Rig, names: RigNames) -> Rig:
    """The rig with the joint names of Mixamo's or Rokoko's characters, for retargeting."""
    return replace(rig, names=tuple(_joint_name(name, names) for name in rig.names))


def _joint_name(ours: str, names: RigNames) -> str:
    side = next((side for side in ("Left", "Right") if ours.startswith(side)), "")
    part = ours.removeprefix(side)
    return _PREFIX[names] + side + _PART_NAMES[names].get(part, part)
