"""Contacts: when each foot is planted, by what the lifter guessed and what the foot then did."""

import numpy as np

from mocap_cli.tracking.frame_runs import drop_short_runs, hysteresis
from mocap_cli.tracking.ground import CLEARANCE, FEET, Ground, apparent_speeds
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

_SLOW = 0.5  # metres a second at which a foot is as likely planted as not
_SLOPE = 0.25  # metres a second that change the odds by e
_LOW, _RISE = 0.12, 0.03  # metres over the floor, likewise
_SHORTEST, _GAP = 0.05, 0.08  # seconds


def refine_contacts(guess: Float64, scene: PosedBody, path: Float64, ground: Ground) -> Float64:
    """(T, 2) how likely the left and the right foot is planted; above 0.5 it is held still.

    `guess` is the lifter's opinion, `path` (T, 3) where the centre of mass seems to go.
    """
    odds = np.log(np.clip(guess, 0.02, 0.98) / (1 - np.clip(guess, 0.02, 0.98)))
    joints = scene.joints_at(path)
    for side, pair in enumerate(FEET):
        speed = [apparent_speeds(joints[:, joint], scene) for joint in pair]
        odds[:, side] += np.clip((_SLOW - np.minimum(*speed)) / _SLOPE, -4, 1)
        over = [
            ground.heights(joints[:, joint]) - share * scene.height
            for joint, share in zip(pair, CLEARANCE, strict=True)
        ]
        odds[:, side] += np.clip((_LOW - np.minimum(*over)) / _RISE, -4, 0.5)
    likely = 1 / (1 + np.exp(-odds))
    for piece in scene.segments:
        for side in range(2):
            likely[piece, side] = _decided(likely[piece, side], scene.times[piece])
    return np.asarray(likely)


def _decided(likely: Float64, times: Float64) -> Float64:
    """The same odds, on one side of a half for as long as a foot takes to change its mind."""
    on = drop_short_runs(hysteresis(likely, 0.6, 0.4), times, _SHORTEST, _GAP)
    return np.where(on, np.maximum(likely, 0.51), np.minimum(likely, 0.49))
