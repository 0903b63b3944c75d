"""Coordinates of OpenSim's full-body model, and markers for its inverse kinematics, of a Motion.

Each body of the model is aligned with our joints: exactly with the line of its bone, as near as
possible with a second direction (hip to hip, shoulder to shoulder, the hinge of knee or elbow).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.body.initial_rotations import HINGE_AXES, initial_rotations
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import uniform_motion
from mocap_cli.body.rig import fit_rig
from mocap_cli.body.rotation import (
    continuous_zxy,
    frame_from_axes,
    inverse,
    matrix_from_vector,
    unit,
)
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.export.formats import opensim_model as model
from mocap_cli.types import Float64

_RIGHT = (0.0, 0.0, 1.0)
_BENT = math.radians(25)
"""An elbow bent less takes its axis from the frames around, in which it was bent as much."""

_Points = Mapping[str, Float64]
_Limb = tuple[dict[str, Float64], dict[str, Float64]]


@dataclass(frozen=True, slots=True)
class OpenSimMotion:
    """A motion in OpenSim's ground frame: Y up, the person faces X on average."""

    times: Float64  # (T,) seconds
    rate: float  # frames per second
    coordinates: dict[str, Float64]  # (T,) degrees; metres of pelvis_tx, ty, tz
    markers: dict[str, Float64]  # (T, 3) metres, NaN in frames without a person


def opensim_motion(motion: Motion) -> OpenSimMotion:
    """Coordinates and markers at a constant rate; coordinates are interpolated across gaps."""
    motion, rate = uniform_motion(motion)
    tracked = motion.tracked
    if not tracked.any():
        raise MocapError(
            f"{motion.source.file}: no frame has a person to animate",
            "check what was tracked with -o .html, or track it again with --subject",
        )
    times = motion.times[tracked]
    joints = _facing_forwards(motion.joints[tracked].astype(np.float64))
    points = {name: joints[:, i] for i, name in enumerate(BODY.names)}
    hinges = _hinges(joints, times)
    bodies, points = _trunk(points)
    coordinates = _trunk_coordinates(bodies, points)
    for side in ("right", "left"):
        for limb, joint, above in ((_leg, "knee", "pelvis"), (_arm, "elbow", "torso")):
            angles, beside = limb(points, hinges[f"{side}_{joint}"], bodies[above], side)
            coordinates |= angles
            points |= beside
    clock = motion.times[0] + np.arange(len(motion.times)) / rate
    filled = {name: np.interp(motion.times, times, value) for name, value in coordinates.items()}
    return OpenSimMotion(clock, rate, filled, _with_gaps(points, tracked))


def _with_gaps(points: _Points, tracked: np.ndarray) -> dict[str, Float64]:
    made = {}
    for name, place in points.items():
        made[name] = np.full((len(tracked), 3), np.nan)
        made[name][tracked] = place
    return made


def _facing_forwards(joints: Float64) -> Float64:
    """The joints turned about the vertical so that the person faces X on average.

    OpenSim's tilt and list of the pelvis are about axes of the ground: they are forwards and
    sideways only in a person who faces X.
    """
    at = {
        name: joints[:, BODY.index(name)] for name in ("left_hip", "right_hip", "pelvis", "spine")
    }
    ahead = np.cross(at["spine"] - at["pelvis"], at["right_hip"] - at["left_hip"])
    x, z = unit(ahead).mean(axis=0)[[0, 2]]
    size = np.hypot(x, z)
    cosine, sine = (x / size, z / size) if size > 0 else (1.0, 0.0)
    turn = np.array(((cosine, 0, sine), (0, 1, 0), (-sine, 0, cosine)))
    return joints @ turn.T


def _hinges(joints: Float64, times: Float64) -> dict[str, Float64]:
    """(T, 3) axes of elbows and knees, to the person's right while arms and legs hang."""
    rig = fit_rig(joints)
    world = initial_rotations(rig, joints, times)
    made = {}
    for side in ("Left", "Right"):
        for part, joint, sign in (("Arm", "elbow", 1), ("UpLeg", "knee", -1)):
            axis = sign * HINGE_AXES[f"{side}{part}"]
            made[f"{side.lower()}_{joint}"] = world[:, rig.index(f"{side}{part}")] @ axis
    return made


def _aligned(
    first: Float64, second: Float64, model_first: ArrayLike, model_second: ArrayLike
) -> Float64:
    """(T, 3, 3) rotations of a body that has these directions in the model: the first exactly."""
    own = frame_from_axes(*np.broadcast_arrays(model_first, model_second))
    return frame_from_axes(first, second) @ inverse(own)


def _trunk(points: _Points) -> tuple[dict[str, Float64], dict[str, Float64]]:
    """Rotations of pelvis and torso, and the points with the joint between them."""
    across = points["right_hip"] - points["left_hip"]
    up = points["spine"] - points["pelvis"]
    middle = np.array(model.HIP) * (1, 1, 0)
    to_spine, to_lumbar = np.array(model.SPINE) - middle, np.array(model.LUMBAR) - middle
    pelvis = _aligned(across, up, _RIGHT, to_spine)
    size = _size(up, to_spine)
    lumbar = points["pelvis"] + size * pelvis @ to_lumbar
    origin = points["pelvis"] - size * pelvis @ middle
    shoulders = points["right_shoulder"] - points["left_shoulder"]
    torso = _aligned(points["thorax"] - lumbar, shoulders, model.THORAX, _RIGHT)
    bodies = {"pelvis": pelvis, "torso": torso}
    return bodies, {**points, "lumbar": lumbar, "pelvis_origin": origin}


def _size(bone: Float64, of_model: ArrayLike) -> float:
    """The factor by which a body of the model is scaled to the person's."""
    return float(np.median(np.linalg.norm(bone, axis=-1)) / np.linalg.norm(of_model))


def _trunk_coordinates(bodies: _Points, points: dict[str, Float64]) -> dict[str, Float64]:
    tilt, list_, rotation = _euler(bodies["pelvis"])
    extension, bending, turn = _euler(inverse(bodies["pelvis"]) @ bodies["torso"])
    tx, ty, tz = points.pop("pelvis_origin").T
    return {
        "pelvis_tilt": tilt, "pelvis_list": list_, "pelvis_rotation": rotation,
        "pelvis_tx": tx, "pelvis_ty": ty, "pelvis_tz": tz,
        "lumbar_extension": extension, "lumbar_bending": bending, "lumbar_rotation": turn,
    }  # fmt: skip


def _euler(rotations: Float64) -> Float64:
    """(3, T) degrees about Z, X and Y, in the order of all ball joints of the model.

    Without jumps; of the two sets of angles that describe the track the one nearer to zero.
    """
    one = np.degrees(continuous_zxy(rotations))
    other = one * (1, -1, 1) + 180
    sets = (track - 360 * np.round(track.mean(axis=0) / 360) for track in (one, other))
    return min(sets, key=lambda track: float(np.abs(track).mean())).T


def _leg(points: _Points, hinge: Float64, pelvis: Float64, side: str) -> _Limb:
    """The coordinates of a leg, and the marker beside its knee."""
    hip, knee, ankle, toe = (points[f"{side}_{name}"] for name in ("hip", "knee", "ankle", "toe"))
    normal = model.mirrored_axis(model.KNEE_NORMAL, side)
    femur = _aligned(knee - hip, hinge, model.KNEE, normal)
    straight = _angle_about(np.array(_RIGHT), np.array(model.KNEE), np.array(model.SHANK))
    bend = np.degrees(straight - _angle_about(hinge, knee - hip, ankle - knee))
    tibia = _aligned(ankle - knee, hinge, model.SHANK, normal) @ _shank_turn(bend, side)
    flexion, adduction, rotation = _ball_joint(pelvis, femur, side)
    sole = model.mirrored(model.TOE_FROM_ANKLE, side)
    axis = model.mirrored_axis(model.ANKLE_AXIS, side)
    s = side[0]
    coordinates = {
        f"hip_flexion_{s}": flexion,
        f"hip_adduction_{s}": adduction,
        f"hip_rotation_{s}": rotation,
        f"knee_angle_{s}": bend,
        f"ankle_angle_{s}": np.degrees(_angle_about(axis, sole, _within(tibia, toe - ankle))),
    }
    place = _size(knee - hip, model.KNEE) * model.mirrored(model.KNEE_TO_SIDE, side)
    return coordinates, {f"{side}_knee_side": knee + femur @ place}


def _shank_turn(bend: Float64, side: str) -> Float64:
    """Rotations about Y by which the model's knee turns the shank inwards as it bends."""
    turn = np.radians(np.interp(bend, model.KNEE_BENDS, model.SHANK_TURNS))
    sign = 1 if side == "right" else -1
    return matrix_from_vector(sign * turn[:, None] * np.array((0, 1, 0)))


def _arm(points: _Points, hinge: Float64, torso: Float64, side: str) -> _Limb:
    """The coordinates of an arm, and the marker beside its elbow."""
    shoulder, elbow, wrist = (points[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    axis = unit(model.mirrored_axis(model.ELBOW_AXIS, side))
    upper, fore = (model.mirrored(v, side) for v in (model.ELBOW, model.WRIST_FROM_ELBOW))
    bend = _angle_about(hinge, elbow - shoulder, wrist - elbow) - _angle_about(axis, upper, fore)
    bent = matrix_from_vector(np.maximum(bend, _BENT)[:, None] * axis) @ fore
    humerus = _aligned(elbow - shoulder, hinge, upper, np.cross(upper, bent))
    forearm = _within(humerus, wrist - elbow)
    flexion, adduction, rotation = _ball_joint(torso, humerus, side)
    s = side[0]
    coordinates = {
        f"arm_flex_{s}": flexion,
        f"arm_add_{s}": adduction,
        f"arm_rot_{s}": rotation,
        f"elbow_flex_{s}": np.degrees(_angle_about(axis, fore, forearm)),
        f"pro_sup_{s}": np.full(len(flexion), model.NEUTRAL_FOREARM),
    }
    place = _size(elbow - shoulder, model.ELBOW) * model.mirrored(model.ELBOW_TO_SIDE, side)
    return coordinates, {f"{side}_elbow_side": elbow + humerus @ place}


def _ball_joint(parent: Float64, child: Float64, side: str) -> Float64:
    """(3, T) degrees of flexion, adduction and rotation, inwards on both sides."""
    sign = 1 if side == "right" else -1
    return _euler(inverse(parent) @ child) * np.array(((1,), (sign,), (sign,)))


def _within(body: Float64, directions: Float64) -> Float64:
    """Directions (T, 3) of the ground in the axes of a body."""
    return (inverse(body) @ directions[..., None])[..., 0]


def _angle_about(axis: Float64, start: Float64, end: Float64) -> Float64:
    """Radians from one direction to another about an axis."""
    axis = unit(axis)
    across = np.cross(axis, start)
    return np.arctan2(np.sum(across * end, -1), np.sum(np.cross(across, axis) * end, -1))
