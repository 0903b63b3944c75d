"""Animation: a Motion as one rig that turns at a steady rate, which BVH and glTF both write."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.kinematics import inverse_kinematics
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import SINGLE_FRAME_FPS, resample_rotations, uniform_times
from mocap_cli.body.rig import Rig, fit_rig
from mocap_cli.errors import MocapError
from mocap_cli.types import Float64

_MAX_FPS = 1000.0


@dataclass(frozen=True, slots=True)
class Animation:
    """A rig and how it is turned in every frame."""

    rig: Rig
    rotations: Float64  # (T, N, 3, 3) from the parent
    root: Float64  # (T, 3) metres
    period: float  # seconds from frame to frame


def animate(motion: Motion, fps: float | None = None) -> Animation:
    """The person as a rig of constant bones, at the motion's own rate or at `fps`.

    Frames without a person are filled from their neighbours; uneven times are made even.
    """
    if fps is not None and not 0 < fps <= _MAX_FPS:
        raise MocapError(
            f"cannot write {fps:g} frames per second", f"give a rate above 0, up to {_MAX_FPS:g}"
        )
    tracked = motion.tracked
    if not tracked.any():
        raise MocapError(
            f"{motion.source.file} shows nobody to animate",
            "look at what was tracked (-o .html), or track it again with --subject",
        )
    joints, times = motion.joints[tracked].astype(np.float64), motion.times[tracked]
    rig = fit_rig(joints)
    rotations, root = inverse_kinematics(
        rig, joints, times, motion.sigma[tracked].astype(np.float64)
    )
    if fps is None and len(motion.times) == 1:
        fps = motion.source.fps if motion.source.fps > 0 else SINGLE_FRAME_FPS
    clock, period = uniform_times(motion.times, fps)
    rotations, root = resample_rotations(rotations, root, times, clock)
    return Animation(rig, rotations, root, period)
