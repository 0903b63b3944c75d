"""The full-body model of OpenSim: where markers are on its bodies, and the axes of its joints.

Rajagopal et al. 2016 and LaiUhlrich2022 share these bodies. Positions are metres in a body's own
frame, X forwards, Y up, Z to the right, in the unscaled model; in its pose of zero all frames are
parallel. Positions on the left are those on the right with Z negated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.types import Float64

_Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ModelMarker:
    """A marker on a body of the model."""

    name: str
    body: str
    place: _Vector
    weight: float  # in OpenSim's inverse kinematics


@dataclass(frozen=True, slots=True)
class Measure:
    """Bodies that are scaled by the distance between two markers."""

    name: str
    markers: tuple[str, str]
    bodies: tuple[str, ...]
    axes: str = "X Y Z"


HIP = (-0.0707, -0.0661, 0.0835)  # in the pelvis
LUMBAR = (-0.1007, 0.0815, 0.0)  # the joint of torso and pelvis, in the pelvis
THORAX = (-0.009, 0.436, 0.0)  # in the torso
SPINE = (-0.0902, 0.2255, 0.0)  # in the pelvis while both rotations are zero
"""Thorax and spine: those of the average of anny's bodies at rest, from shoulders and hips."""

KNEE = (0.0, -0.404, 0.0)  # in the femur, between the epicondyles
_ANKLE = (-0.01, -0.4, 0.0)  # in the tibia
SHANK = (-0.0064, -0.402, 0.0)  # from knee to ankle while the knee is straight
TOE_FROM_ANKLE = (0.13, -0.044, 0.009)
_TOE = (0.1788, -0.002, 0.0011)  # in the calcaneus: the joint of the toes
ELBOW = (0.0131, -0.2863, -0.0096)  # in the humerus
_WRIST = (-0.0088, -0.2358, 0.0136)  # in the radius
WRIST_FROM_ELBOW = (-0.006, -0.2493, 0.0211)  # in the ulna, with the thumb forwards

KNEE_NORMAL = (-0.05, 0.0, 0.99875)
"""The normal of the plane in which the bending knee moves the ankle, in the femur."""
KNEE_BENDS = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0)
SHANK_TURNS = (0.0, 2.7, 4.8, 6.4, 7.8, 8.5, 8.2, 7.4)
"""Degrees by which the bending knee turns the shank inwards about its own length."""
ANKLE_AXIS = (-0.10501355, -0.17402245, 0.97912632)  # in the tibia; positive is dorsiflexion
ELBOW_AXIS = (0.22599, 0.02229, 0.97387)  # in the humerus and the ulna; positive is flexion

_SHOULDER = (0.0032, 0.3715, 0.17)  # in the torso

NEUTRAL_FOREARM = 90.0  # degrees of pro_sup with the thumb forwards

KNEE_TO_SIDE = (0.0, 0.0, 0.1)
ELBOW_TO_SIDE = (0.0226, 0.0022, 0.0974)  # along its axis
"""From knee and elbow to the markers beside them, which show the rotation of straight limbs."""


def mirrored(vector: ArrayLike, side: str) -> Float64:
    """A position or a direction of the right side for "left" or "right": Z negated or not."""
    return np.asarray(vector, np.float64) * ((1, 1, -1) if side == "left" else (1, 1, 1))


def mirrored_axis(axis: ArrayLike, side: str) -> Float64:
    """The same for an axis, so that positive rotations keep their meaning in X and Y."""
    return np.asarray(axis, np.float64) * ((-1, -1, 1) if side == "left" else (1, 1, 1))


def _markers() -> tuple[ModelMarker, ...]:
    middle = (HIP[0], HIP[1], 0.0)
    rows = [("pelvis", "pelvis", middle, 1.0), ("lumbar", "pelvis", LUMBAR, 5.0),
            ("thorax", "torso", THORAX, 2.0)]  # fmt: skip
    for side in ("right", "left"):
        s = side[0]
        rows += [
            (f"{side}_{name}", f"{body}{s}" if body.endswith("_") else body, at, weight)
            for name, body, right, weight in (
                ("hip", "pelvis", HIP, 5.0),
                ("knee", "femur_", KNEE, 5.0),
                ("knee_side", "femur_", tuple(np.add(KNEE, KNEE_TO_SIDE)), 10.0),
                ("ankle", "tibia_", _ANKLE, 1.0),
                ("toe", "calcn_", _TOE, 0.5),
                ("shoulder", "torso", _SHOULDER, 0.5),
                ("elbow", "humerus_", ELBOW, 1.0),
                ("elbow_side", "humerus_", tuple(np.add(ELBOW, ELBOW_TO_SIDE)), 1.0),
                ("wrist", "radius_", _WRIST, 1.0),
            )
            for at in (tuple(mirrored(right, side).tolist()),)
        ]
    return tuple(ModelMarker(*row) for row in rows)


MARKERS = _markers()
"""Joint centres, and beside knees and elbows a marker that shows their axis."""


def _measures() -> tuple[Measure, ...]:
    made = [
        Measure("pelvis height", ("pelvis", "lumbar"), ("pelvis",), "X Y"),
        Measure("pelvis width", ("right_hip", "left_hip"), ("pelvis",), "Z"),
        Measure("torso height", ("lumbar", "thorax"), ("torso",), "X Y"),
        Measure("torso width", ("right_shoulder", "left_shoulder"), ("torso",), "Z"),
    ]
    for side in ("right", "left"):
        s = side[0]
        made += [
            Measure(f"{side} {name}", (f"{side}_{start}", f"{side}_{end}"), bodies)
            for name, start, end, bodies in (
                ("thigh", "hip", "knee", (f"femur_{s}", f"patella_{s}")),
                ("shank", "knee", "ankle", (f"tibia_{s}",)),
                ("foot", "ankle", "toe", (f"talus_{s}", f"calcn_{s}", f"toes_{s}")),
                ("upper arm", "shoulder", "elbow", (f"humerus_{s}",)),
                ("forearm", "elbow", "wrist", (f"ulna_{s}", f"radius_{s}", f"hand_{s}")),
            )
        ]
    return tuple(made)


MEASURES = _measures()
HELD = {"subtalar_angle": 0.0, "mtp_angle": 0.0, "pro_sup": NEUTRAL_FOREARM}
"""Degrees of the coordinates of each side that no marker shows."""
