"""Joined hands: two hands on one object stay together in depth as they do in the image.

The lifter knows little of the depth of a hand, so that the hands on a club or a bat drift apart
along the view.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.rotation import unit
from mocap_cli.tracking.frame_runs import drop_short_runs
from mocap_cli.tracking.ground import HANDS
from mocap_cli.tracking.limbs import move_arm
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

_ACROSS = 0.09  # of the height: wrists nearer than this in the image may be on one object,
_APART = 0.24  # if the lifter has them no further apart: arms that hang at both sides are
_SHORTEST, _GAP = 0.5, 0.15  # seconds


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
    if not together.any():
        return body
    for side, (wrist, share) in enumerate(zip(HANDS, (-0.5, 0.5), strict=True)):
        places = np.where(together[:, None], joints[:, wrist] + share * along, np.nan)
        move_arm(joints, places, body, side)
    pose = joints - joints[:, :1]
    return replace(body, pose=pose - centre_of_mass(pose)[:, None])
