"""Animation: a Motion as one rig that turns at a steady rate, which BVH and glTF both write."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.kinematics import solve
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import STILL, resample, steady_clock
from mocap_cli.body.rig import Rig, fit_rig
from mocap_cli.errors import MocapError

Float64 = NDArray[np.float64]

FASTEST = 1000.0


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
    if fps is not None and not 0 < fps <= FASTEST:
        raise MocapError(
            f"cannot write {fps:g} frames per second", f"give a rate above 0, up to {FASTEST:g}"
        )
    tracked = motion.tracked
    if not tracked.any():
        raise MocapError(
            f"{motion.source.file} shows nobody to animate",
            "look at what was tracked (-o .html), or track it again with --subject",
        )
    joints, times = motion.joints[tracked].astype(np.float64), motion.times[tracked]
    rig = fit_rig(joints)
    rotations, root = solve(rig, joints, times, motion.sigma[tracked].astype(np.float64))
    if fps is None and len(motion.times) == 1:
        fps = motion.source.fps if motion.source.fps > 0 else STILL
    clock, period = steady_clock(motion.times, fps)
    rotations, root = resample(rotations, root, times, clock)
    return Animation(rig, rotations, root, period)
