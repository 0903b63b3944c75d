"""Foot contacts: the lifter's probabilities, refined by how the feet then move."""

import numpy as np

from mocap_cli.tracking.frame_runs import drop_short_runs, hysteresis
from mocap_cli.tracking.ground import CLEARANCE, FEET, Ground
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

_SLOW = 0.5  # metres a second at which a foot is as likely planted as not
_SLOPE = 0.25  # metres a second that change the odds by e
_LOW, _RISE = 0.12, 0.03  # metres over the floor, likewise
_SHORTEST, _GAP = 0.05, 0.08  # seconds


def refine_contacts(
    probability: Float64, body: PosedBody, path: Float64, ground: Ground
) -> Float64:
    """(T, 2) probability that the left and the right foot is planted; above 0.5 it is held still.

    `probability` is the lifter's, `path` (T, 3) the estimated path of the centre of mass.
    """
    odds = np.log(np.clip(probability, 0.02, 0.98) / (1 - np.clip(probability, 0.02, 0.98)))
    joints = body.joints_at(path)
    for side, pair in enumerate(FEET):
        speed = [body.apparent_speeds(joints[:, joint]) for joint in pair]
        odds[:, side] += np.clip((_SLOW - np.minimum(*speed)) / _SLOPE, -4, 1)
        over = [
            ground.heights(joints[:, joint]) - share * body.height
            for joint, share in zip(pair, CLEARANCE, strict=True)
        ]
        odds[:, side] += np.clip((_LOW - np.minimum(*over)) / _RISE, -4, 0.5)
    refined = 1 / (1 + np.exp(-odds))
    for segment in body.segments:
        for side in range(2):
            refined[segment, side] = _without_flicker(refined[segment, side], body.times[segment])
    return np.asarray(refined)


def _without_flicker(probability: Float64, times: Float64) -> Float64:
    """The same probabilities, kept on one side of 0.5 for as long as a contact lasts."""
    on = drop_short_runs(hysteresis(probability, 0.6, 0.4), times, _SHORTEST, _GAP)
    return np.where(on, np.maximum(probability, 0.51), np.minimum(probability, 0.49))
