"""Steps: the path of a person from the feet that stand, where the camera gives none."""

import numpy as np

from mocap_cli.tracking.ground import FEET
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Bool, Float64

_PLANTED = 0.5  # contact probability


def path_from_steps(body: PosedBody, seen: Float64, contacts: Float64, walks: Bool) -> Float64:
    """(T, 3) the centre of mass as the planted feet push it; along `seen` where no camera walks.

    Between two contacts the velocity is interpolated.
    """
    shift = np.zeros_like(seen)
    for segment in body.segments:
        times = body.times[segment]
        if not walks[segment].any() or len(times) < 2:
            continue
        speed = _pushed(body, contacts, segment) - np.gradient(seen[segment], times, axis=0)
        speed[~walks[segment]] = 0.0
        steps = (speed[1:] + speed[:-1]) / 2 * np.diff(times)[:, None]
        shift[segment][1:] = np.cumsum(steps, axis=0)
    return seen + shift


def _pushed(body: PosedBody, contacts: Float64, segment: slice) -> Float64:
    """(n, 3) metres per second at which the planted feet move the centre of mass."""
    times, weight = body.times[segment], np.where(contacts > _PLANTED, contacts, 0.0)[segment]
    feet = np.stack([body.pose[segment][:, pair].mean(axis=1) for pair in FEET], axis=1)
    speed = -np.gradient(feet, times, axis=0)  # (n, 2, 3)
    total = weight.sum(axis=1)
    known = total > 0
    if not known.any():
        return np.zeros((len(times), 3))
    mean = np.einsum("tf,tfi->ti", weight, speed)[known] / total[known, None]
    return np.stack([np.interp(times, times[known], axis) for axis in mean.T], axis=1)
