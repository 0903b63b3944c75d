"""Looping: a motion whose last frame leads to its first, for animations that repeat.

The differences between the two ends in position, rotation and speed are distributed over both ends.
The path along the ground stays: a walk continues from where it got to.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import inverse, matrix_from_vector, unit, vector_from_matrix
from mocap_cli.errors import MocapError
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.smoothing import trunk_rotations
from mocap_cli.types import Float64

_BLEND = 0.5  # seconds at each end, or half of a shorter clip
_MIN_FRAMES = 4  # frames needed to know speeds at both ends
_VERTICAL = np.array((0.0, 1.0, 0.0))  # returns; the position on the ground need not
_MAX_HEADING_CHANGE = 90.0  # degrees between the headings of both ends


def make_loop(motion: Motion) -> Motion:
    """The tracked span, changed so that its first frame follows its last."""
    inside = np.flatnonzero(motion.tracked)
    if len(inside) < _MIN_FRAMES:
        raise MocapError(f"{motion.source.file} is too short to loop", "leave out --loop")
    motion = motion.frames(slice(int(inside[0]), int(inside[-1]) + 1))
    tracked = motion.tracked
    joints, times = motion.joints[tracked].astype(np.float64), motion.times[tracked]
    pose = joints - joints[:, :1]
    rotations = trunk_rotations(pose)
    points = np.concatenate((pose, _faces(motion)[tracked, None]), axis=1)
    local = _closed(points @ rotations, times, 1.0)
    rotations = _closed_rotations(rotations, times, motion.source.file)
    lengths = bone_lengths(pose, motion.sigma[tracked].astype(np.float64))
    points = local @ inverse(rotations)
    pose = with_bone_lengths(points[:, :-1], lengths)
    root = _closed(joints[:, 0], times, _VERTICAL)
    made = np.full(motion.joints.shape, np.nan, np.float32)
    made[tracked] = root[:, None] + pose
    facing = motion.facing
    if facing is not None:
        direction = facing.direction.copy()
        direction[tracked] = unit(points[:, -1])
        facing = replace(facing, direction=direction)
    source = replace(motion.source, frames=len(motion.times))
    return replace(motion, joints=made, facing=facing, source=source)


def _faces(motion: Motion) -> Float64:
    """(T, 3) where the head faces; zero if unknown."""
    if motion.facing is None:
        return np.zeros((len(motion.times), 3))
    return motion.facing.direction.astype(np.float64)


def _closed(values: Float64, times: Float64, back: Float64 | float) -> Float64:
    """(T, ...) values with equal ends: value (times `back`) and speed."""
    speed = np.gradient(values, times, axis=0)
    period = float(np.median(np.diff(times)))
    step = (values[-1] - values[0] + period * (speed[0] + speed[-1]) / 2) * back
    return values + _distributed(step, speed[-1] - speed[0], times, period)


def _closed_rotations(rotations: Float64, times: Float64, file: str) -> Float64:
    """(T, 3, 3) rotations with equal ends: orientation and angular velocity."""
    period = float(np.median(np.diff(times)))
    speed = vector_from_matrix(rotations[1:] @ inverse(rotations[:-1])) / np.diff(times)[:, None]
    after = matrix_from_vector(period * (speed[0] + speed[-1]) / 2) @ rotations[-1]
    step = vector_from_matrix(after @ inverse(rotations[0]))
    angle = np.degrees(np.linalg.norm(step))
    if angle > _MAX_HEADING_CHANGE:
        raise MocapError(
            f"{file} cannot loop: its last heading is {angle:.0f} degrees from its first",
            "choose other ends with --start and --end",
        )
    return matrix_from_vector(_distributed(step, speed[-1] - speed[0], times, period)) @ rotations


def _distributed(step: Float64, change: Float64, times: Float64, period: float) -> Float64:
    """(T, ...) half of a step and of a change of speed at each end, fading inwards smoothly."""
    blend = min(_BLEND, float(times[-1] - times[0] + period) / 2)
    shape = (-1, *(1 for _ in range(np.ndim(step))))
    # The seam is halfway between the last frame and the first.
    begin = ((times - times[0] + period / 2) / blend).reshape(shape)
    end = ((times[-1] - times + period / 2) / blend).reshape(shape)
    made = np.zeros((len(times), *np.shape(step)))
    for fraction, sign in ((begin, 1.0), (end, -1.0)):
        w = np.clip(fraction, 0, 1)
        made += sign * step / 2 * (1 - w) ** 2 * (1 + 2 * w)
        made += change / 2 * blend * w * (1 - w) ** 2
    return made
