"""Joint angles by anatomical convention: flexion of limbs and trunk over time, in degrees.

All are zero in a person who stands straight with hanging arms. Limbs are measured against their
parent part, by the rotations of `initial_rotations`: a knee bends about the axis shown
by knee and foot, so that hyperextension is negative and not a bend the other way.
"""

import math

import numpy as np

from mocap_cli.body.facing import facing_rotations
from mocap_cli.body.initial_rotations import HINGE_AXES, initial_rotations
from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import Rig, fit_rig
from mocap_cli.body.rotation import frame_from_axes, inverse, unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float32, Float64

_ANGLES = (
    "trunk_inclination", "trunk_flexion", "trunk_left_bend", "trunk_left_turn", "neck_flexion",
    "neck_left_turn",
    *(
        f"{side}_{angle}"
        for side in ("left", "right")
        for angle in (
            "shoulder_elevation", "shoulder_plane", "elbow_flexion", "hip_flexion",
            "hip_abduction", "hip_internal_rotation", "knee_flexion", "ankle_dorsiflexion",
        )
    ),
)  # fmt: skip
"""Their names in order; docs/formats.md defines each one."""

_LARGEST_EXTENSION = math.radians(-120)
"""Hyperextension of hip, knee or elbow ends before: beyond is a flexion above 180 degrees."""

_TRUNK = ("pelvis", "thorax", "right_hip", "left_hip")
_X, _Y = np.array((1.0, 0.0, 0.0)), np.array((0.0, 1.0, 0.0))


def joint_angles(motion: Motion) -> dict[str, Float64]:
    """(T,) degrees of each of ANGLES; NaN in frames without a person."""
    made = {name: np.full(len(motion.times), np.nan) for name in _ANGLES}
    tracked = motion.tracked
    if tracked.any():
        joints = motion.joints[tracked].astype(np.float64)
        facing = motion.facing
        direction = (
            np.full((len(joints), 3), np.nan) if facing is None else facing.direction[tracked]
        )
        for name, angle in _measured(joints, direction, motion.times[tracked]).items():
            made[name][tracked] = np.degrees(angle)
    return made


def _measured(joints: Float64, facing: Float32 | Float64, times: Float64) -> dict[str, Float64]:
    """Radians of every angle, from (T, J, 3) joints without NaN and directions (T, 3) of faces."""
    rig = fit_rig(joints)
    rotations = initial_rotations(rig, joints, times)
    world = {name: rotations[:, rig.index(name)] for name in rig.names}
    pelvis, thorax, right, left = (joints[:, BODY.index(name)] for name in _TRUNK)
    trunk = frame_from_axes(left - right, thorax - pelvis)
    flexion, right_bend, left_turn = _xzy_angles(inverse(world["Hips"]) @ world["Spine1"])
    head = facing_rotations(world["Head"], facing)
    head_turn = _xzy_angles(inverse(world["Spine1"]) @ head)[2]
    made = {
        "trunk_inclination": np.arccos(np.clip(unit(thorax - pelvis)[:, 1], -1, 1)),
        "trunk_flexion": flexion,
        "trunk_left_bend": -right_bend,
        "trunk_left_turn": left_turn,
        "neck_flexion": _bend(world["Spine1"], world["Head"], _Y, _X),
        "neck_left_turn": np.where(np.isfinite(facing[:, 0]), head_turn, np.nan),
    }
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        limbs = {**_arm(world, side, sign), **_leg(world, trunk, rig, side, sign)}
        made |= {f"{side.lower()}_{name}": angle for name, angle in limbs.items()}
    return made


def _arm(world: dict[str, Float64], side: str, sign: float) -> dict[str, Float64]:
    upper, out = world[f"{side}Arm"], sign * _X  # along the arm in the T-pose
    outwards, up, ahead = np.moveaxis(inverse(world["Spine1"]) @ upper @ out, -1, 0)
    return {
        "shoulder_elevation": np.arccos(np.clip(-up, -1, 1)),
        "shoulder_plane": np.arctan2(ahead, sign * outwards),
        "elbow_flexion": _wrapped_flexion(
            _bend(upper, world[f"{side}ForeArm"], out, HINGE_AXES[f"{side}Arm"])
        ),
    }


def _leg(
    world: dict[str, Float64], trunk: Float64, rig: Rig, side: str, sign: float
) -> dict[str, Float64]:
    """One leg; the hip against the whole `trunk`, since no joint shows the tilt of the pelvis."""
    thigh, shank = world[f"{side}UpLeg"], world[f"{side}Leg"]
    back, left, inwards = _xzy_angles(inverse(trunk) @ thigh)
    sole = unit(rig.offsets[rig.index(f"{side}ToeBase")])
    return {
        "hip_flexion": _wrapped_flexion(-back),
        "hip_abduction": sign * left,
        "hip_internal_rotation": -sign * inwards,
        "knee_flexion": _wrapped_flexion(_bend(thigh, shank, -_Y, HINGE_AXES[f"{side}UpLeg"])),
        "ankle_dorsiflexion": _bend(shank, world[f"{side}Foot"], sole, -_X),
    }


def _xzy_angles(rotations: Float64) -> tuple[Float64, Float64, Float64]:
    """Euler angles (x, z, y) of Rx @ Rz @ Ry: flexion, sideways bend, and twist.

    That order is Grood and Suntay's: flexion about an axis of the pelvis, rotation about the thigh.
    """
    x = np.arctan2(rotations[:, 2, 1], rotations[:, 1, 1])
    z = np.arcsin(np.clip(-rotations[:, 0, 1], -1, 1))
    y = np.arctan2(rotations[:, 0, 2], rotations[:, 0, 0])
    return x, z, y


def _bend(above: Float64, below: Float64, bone: Float64, axis: Float64) -> Float64:
    """Angle about an axis between the bone in `below` and its direction in the T-pose."""
    now = inverse(above) @ below @ bone
    return np.arctan2(now @ np.cross(axis, bone), now @ bone)


def _wrapped_flexion(angle: Float64) -> Float64:
    return np.where(angle < _LARGEST_EXTENSION, angle + 2 * math.pi, angle)
