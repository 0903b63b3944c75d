"""Joined hands: two hands on one object stay together in depth as they do in the image.

The lifter knows little of the depth of a hand, so that the hands on a club or a bat drift apart
along the view.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.frame_runs import drop_short_runs, true_runs
from mocap_cli.tracking.ground import HANDS
from mocap_cli.tracking.limbs import move_arm
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Bool, Float64

_ACROSS = 0.09  # of the height: wrists nearer than this in the image may be on one object,
_APART = 0.24  # if the lifter has them no further apart: arms that hang at both sides are
_SHORTEST, _GAP = 0.5, 0.15  # seconds
_FROM_THE_SIDE = 0.85  # of the line between the shoulders lies along the view
_STRAIGHT = 0.5  # cosine of the bend of elbows that reach for one object
_ARMS = [
    [BODY.index(f"{side}_{joint}") for side in ("left", "right")]
    for joint in ("shoulder", "elbow", "wrist")
]


def join_hands(body: PosedBody, path: Float64) -> PosedBody:
    """The body at `path` (T, 3) with equal depths of hands that stay together in the image."""
    joints = body.joints_at(path)
    left, right = (joints[:, wrist] for wrist in HANDS)
    view = unit((left + right) / 2)
    apart = left - right
    along = np.sum(apart * view, axis=1)[:, None] * view
    near = np.linalg.norm(apart - along, axis=1) < _ACROSS * body.height
    near &= np.linalg.norm(apart, axis=1) < _APART * body.height
    together = drop_short_runs(near, body.times, _SHORTEST, _GAP)
    together &= ~_fists_from_the_side(joints, view, together)
    if not together.any():
        return body
    for side, (wrist, share) in enumerate(zip(HANDS, (-0.5, 0.5), strict=True)):
        places = np.where(together[:, None], joints[:, wrist] + share * along, np.nan)
        move_arm(joints, places, body, side)
    pose = joints - joints[:, :1]
    return replace(body, pose=pose - centre_of_mass(pose)[:, None])


def _fists_from_the_side(joints: Float64, view: Float64, together: Bool) -> Bool:
    """(T,) runs of `together` in which bent arms hide each other: their hands only look near."""
    shoulders, elbows, wrists = (joints[:, pair] for pair in _ARMS)  # (T, 2, 3)
    along = np.abs(np.sum(unit(shoulders[:, 0] - shoulders[:, 1]) * view, axis=1))
    straight = np.sum(unit(elbows - shoulders) * unit(wrists - elbows), axis=-1).mean(axis=1)
    fists = np.zeros(len(joints), np.bool_)
    for run in true_runs(together):
        aside = np.median(along[run]) > _FROM_THE_SIDE
        fists[run] = aside and np.median(straight[run]) < _STRAIGHT
    return fists
