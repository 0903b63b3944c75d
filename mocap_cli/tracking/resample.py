"""A motion at another, constant frame rate."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from mocap_cli.body.motion import Motion
from mocap_cli.tracking.runs import pieces

Floats = NDArray[np.floating]


def resample(motion: Motion, fps: float) -> Motion:
    """Joints along splines through the old ones, the rest from straight lines between them."""
    old = motion.times
    times = np.arange(old[0], old[-1] + 1e-9, 1 / fps)
    nearest = np.searchsorted((old[1:] + old[:-1]) / 2, times)

    def straight(values: Floats) -> Floats:
        flat = values.reshape(len(old), -1)
        each = [np.interp(times, old, column) for column in flat.T]
        return np.stack(each, 1).reshape(len(times), *values.shape[1:]).astype(values.dtype)

    joints = np.full((len(times), *motion.joints.shape[1:]), np.nan, np.float32)
    for run in pieces(motion.tracked, old):
        inside = (times >= old[run][0] - 1e-9) & (times <= old[run][-1] + 1e-9)
        if len(old[run]) == 1:
            joints[inside] = motion.joints[run]
        elif inside.any():
            degree = min(3, len(old[run]) - 1)
            joints[inside] = make_interp_spline(old[run], motion.joints[run], degree)(times[inside])
    return replace(
        motion,
        source=replace(motion.source, fps=fps),
        times=times,
        joints=joints,
        sigma=straight(motion.sigma),
        seen=motion.seen[nearest],
        contacts=straight(motion.contacts),
        xy=straight(motion.xy),
        score=straight(motion.score),
        camera=replace(motion.camera, world_from_camera=motion.camera.world_from_camera[nearest]),
    )
