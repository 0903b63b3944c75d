"""Anatomy: mass distribution of the body, and standing height from bone lengths.

Masses and centres are those of Clauser, McConville and Young, "Weight, Volume, and Center of
Mass of Segments of the Human Body" (1969), measured along the line between a segment's ends.
"""

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float64

_SEGMENTS: tuple[tuple[str, str, float, float], ...] = (
    # from, to, share of the body's mass, position of its centre (0 from, 1 to)
    ("head", "neck", 0.073, 0.466),
    ("thorax", "pelvis", 0.507, 0.380),
    ("left_shoulder", "left_elbow", 0.026, 0.513),
    ("right_shoulder", "right_elbow", 0.026, 0.513),
    ("left_elbow", "left_wrist", 0.023, 0.626),  # with the hand, which has no joint of its own
    ("right_elbow", "right_wrist", 0.023, 0.626),
    ("left_hip", "left_knee", 0.103, 0.372),
    ("right_hip", "right_knee", 0.103, 0.372),
    ("left_knee", "left_ankle", 0.043, 0.371),
    ("right_knee", "right_ankle", 0.043, 0.371),
    # 0.449 of heel to toe tip, which is half way between the foot's two joints here
    ("left_ankle", "left_toe", 0.015, 0.5),
    ("right_ankle", "right_toe", 0.015, 0.5),
)

_UPRIGHT = ("head", "neck", "thorax", "spine", "pelvis")
_BONES_OF_HEIGHT = 0.963
"""Crown to ankle along the bones, as a share of the standing height (mean of anny's bodies)."""

ANKLE_HEIGHT = 0.043
BALL_HEIGHT = 0.016
"""Heights of a flat foot's ankle and ball above the ground, as shares of the height."""


def _mass_of_joints() -> Float64:
    share = np.zeros(len(BODY))
    for start, end, mass, position in _SEGMENTS:
        share[BODY.index(start)] += mass * (1 - position)
        share[BODY.index(end)] += mass * position
    return share / share.sum()  # the published shares add up to 0.999 by rounding


JOINT_MASSES = _mass_of_joints()
"""(J,) weights whose mean of the joints is the centre of mass; they add up to 1."""


def centre_of_mass(joints: ArrayLike) -> Float64:
    """Centre of mass of joints: (..., J, 3) to (..., 3)."""
    return np.asarray(JOINT_MASSES @ np.asarray(joints, np.float64), np.float64)


def standing_height(lengths: ArrayLike) -> float:
    """Height, crown to sole, of a person with these lengths (J,) of each joint's bone."""
    lengths = np.asarray(lengths, np.float64)  # (J,) from the joint to its parent
    trunk = sum(lengths[BODY.index(name)] for name in _UPRIGHT[:-1])
    legs = [lengths[BODY.index(f"{s}_{n}")] for s in ("left", "right") for n in ("knee", "ankle")]
    return float((trunk + sum(legs) / 2) / _BONES_OF_HEIGHT)
