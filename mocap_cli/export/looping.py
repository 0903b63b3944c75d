"""Loop: a motion whose end goes on as its beginning, for animations that run round and round.

What the last frame and the first differ by, in place and in speed, is shared out between the two
ends and fades within the blend. The way along the ground stays: a walk goes on, from further along.
"""

from dataclasses import replace

import numpy as np

from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import inverse, matrix_from_vector, vector_from_matrix
from mocap_cli.errors import MocapError
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.smoothing import trunk_rotations
from mocap_cli.types import Float64

_BLEND = 0.5  # seconds at each end, or half of a shorter clip
_MIN_FRAMES = 4  # frames that make a motion of which speeds are known
_VERTICAL = np.array((0.0, 1.0, 0.0))  # comes back; the way along the ground need not
_MAX_HEADING_CHANGE = 90.0  # degrees by which the ends may face apart before a loop is a leap


def make_loop(motion: Motion) -> Motion:
    """The tracked span so changed that its first frame may follow its last one."""
    inside = np.flatnonzero(motion.tracked)
    if len(inside) < _MIN_FRAMES:
        raise MocapError(f"{motion.source.file} is too short to loop", "leave out --loop")
    motion = motion.frames(slice(int(inside[0]), int(inside[-1]) + 1))
    known = motion.tracked
    joints, times = motion.joints[known].astype(np.float64), motion.times[known]
    pose = joints - joints[:, :1]
    turns = trunk_rotations(pose)
    local = _closed(pose @ turns, times, 1.0)
    turns = _closed_rotations(turns, times, motion.source.file)
    lengths = bone_lengths(pose, motion.sigma[known].astype(np.float64))
    pose = with_bone_lengths(local @ inverse(turns), lengths)
    root = _closed(joints[:, 0], times, _VERTICAL)
    made = np.full(motion.joints.shape, np.nan, np.float32)
    made[known] = root[:, None] + pose
    source = replace(motion.source, frames=len(motion.times))
    return replace(motion, joints=made, source=source)


def _closed(values: Float64, times: Float64, back: Float64 | float) -> Float64:
    """(T, ...) values that end where and as they begin; only the speed where `back` is 0."""
    speed = np.gradient(values, times, axis=0)
    period = float(np.median(np.diff(times)))
    step = (values[-1] - values[0] + period * (speed[0] + speed[-1]) / 2) * back
    return values + _distributed(step, speed[-1] - speed[0], times, period)


def _closed_rotations(turns: Float64, times: Float64, file: str) -> Float64:
    """(T, 3, 3) turns that end where and as they begin."""
    period = float(np.median(np.diff(times)))
    speed = vector_from_matrix(turns[1:] @ inverse(turns[:-1])) / np.diff(times)[:, None]
    after = matrix_from_vector(period * (speed[0] + speed[-1]) / 2) @ turns[-1]
    step = vector_from_matrix(after @ inverse(turns[0]))
    apart = np.degrees(np.linalg.norm(step))
    if apart > _MAX_HEADING_CHANGE:
        raise MocapError(
            f"{file} ends turned away by {apart:.0f} degrees from how it begins, which is no loop",
            "choose other ends with --start and --end",
        )
    return matrix_from_vector(_distributed(step, speed[-1] - speed[0], times, period)) @ turns


def _distributed(step: Float64, change: Float64, times: Float64, period: float) -> Float64:
    """(T, ...) half of a step and of a change of speed at each end, fading inwards smoothly."""
    blend = min(_BLEND, float(times[-1] - times[0] + period) / 2)
    shape = (-1, *(1 for _ in range(np.ndim(step))))
    # The seam lies in the middle between the last frame and the first.
    begin = ((times - times[0] + period / 2) / blend).reshape(shape)
    end = ((times[-1] - times + period / 2) / blend).reshape(shape)
    made = np.zeros((len(times), *np.shape(step)))
    for way, sign in ((begin, 1.0), (end, -1.0)):
        w = np.clip(way, 0, 1)
        made += sign * step / 2 * (1 - w) ** 2 * (1 + 2 * w)
        made += change / 2 * blend * w * (1 - w) ** 2
    return made
