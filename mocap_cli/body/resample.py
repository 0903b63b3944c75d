"""Resampling: poses at a constant or another frame rate, across missing frames."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.facing import Facing
from mocap_cli.body.motion import Motion
from mocap_cli.body.rotation import matrix_from_quaternion, quaternion_from_matrix, slerp, unit
from mocap_cli.errors import MocapError
from mocap_cli.types import Float64

_STEADY = 0.05  # of a period: times that differ less from a constant rate have one
_ROUNDED = 0.6e-3  # seconds: some containers round to milliseconds
_LONGEST_GAP = 3.0  # periods: longer gaps are interpolated linearly, since speeds are unknown
SINGLE_FRAME_FPS = 30.0  # frames per second of a single frame, when its source has no rate
_HAIR = 1e-6  # of a gap: a time that close to a frame is that frame's
_MOST_TIMES, _ALWAYS = 50, 36_000  # times as many frames, and frames that any clip may become


def uniform_times(times: Float64, fps: float | None) -> tuple[Float64, float]:
    """Times at a constant rate over the same span, and the seconds between them.

    Times that have a constant rate are returned as they are, unless `fps` gives another one.
    """
    period, uniform = _period(times, fps)
    if uniform:
        return times, period
    steps = _steps(times, period)
    if steps > _MOST_TIMES * len(times) + _ALWAYS:
        raise MocapError(
            f"{len(times)} frames over {times[-1] - times[0]:.0f} s would become {steps} at a"
            f" constant {1 / period:g} frames per second: there is a gap in their times",
            "give a span without the gap with --start and --end, or a lower --fps",
        )
    return times[0] + period * np.arange(steps + 1), period


def is_uniform(times: Float64) -> bool:
    """Whether a constant rate keeps the number of frames."""
    if len(times) < 3:
        return True
    period, uniform = _period(times, None)
    return uniform or _steps(times, period) + 1 == len(times)


def _period(times: Float64, fps: float | None) -> tuple[float, bool]:
    """Seconds between frames at a constant rate, and whether the times have that rate already."""
    if fps is not None:
        return 1 / fps, False
    count = np.arange(len(times)) - (len(times) - 1) / 2
    period = float(count @ times / (count @ count))  # of the line nearest to the times
    line = times.mean() + period * count
    if np.abs(times - line).max() <= max(_STEADY * period, _ROUNDED):
        return period, True
    gaps = np.diff(times)
    usual = np.median(gaps)
    near = gaps[np.abs(gaps - usual) <= 0.2 * usual]  # none where two gaps differ much
    return float(near.mean() if len(near) else usual), False


def _steps(times: Float64, period: float) -> int:
    return int((times[-1] - times[0]) / period + 1e-6)


def resample_motion(motion: Motion, fps: float) -> Motion:
    """The motion at a constant rate: cubic interpolation for joints, linear for the rest.

    Joints are interpolated only between two frames that have some.
    """
    old = motion.times
    times, _ = uniform_times(old, fps)
    nearest = np.searchsorted((old[1:] + old[:-1]) / 2, times)

    def straight(values: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = values.reshape(len(old), -1)
        each = [np.interp(times, old, column) for column in flat.T]
        return np.stack(each, 1).reshape(len(times), *values.shape[1:]).astype(values.dtype)

    facing = motion.facing
    return replace(
        motion,
        source=replace(motion.source, fps=fps),
        times=times,
        joints=_joints_at(motion, times),
        sigma=straight(motion.sigma),
        detected=motion.detected[nearest],
        contacts=straight(motion.contacts),
        xy=straight(motion.xy),
        score=straight(motion.score),
        facing=facing
        and Facing(
            direction=unit(straight(facing.direction)).astype(np.float32),
            sigma=straight(facing.sigma),
        ),
        camera=replace(motion.camera, world_from_camera=motion.camera.world_from_camera[nearest]),
    )


def uniform_motion(motion: Motion) -> tuple[Motion, float]:
    """The motion at a constant rate, which many formats need, and its frames per second."""
    if len(motion.times) == 1:
        return motion, motion.source.fps if motion.source.fps > 0 else SINGLE_FRAME_FPS
    clock, period = uniform_times(motion.times, None)
    return (motion if clock is motion.times else resample_motion(motion, 1 / period)), 1 / period


def _joints_at(motion: Motion, times: Float64) -> NDArray[np.float32]:
    """(T', J, 3) interpolated joints, NaN where they are not known on both sides."""
    made = np.full((len(times), *motion.joints.shape[1:]), np.nan, np.float32)
    old, tracked = motion.times, motion.tracked
    if len(old) == 1 or not tracked.any():
        made[:] = motion.joints[:1]
        return made
    first, share, near = _between(old, times)
    known = (tracked[first] & tracked[first + 1] & near) | (tracked[first] & (share < _HAIR))
    known |= tracked[first + 1] & (share > 1 - _HAIR)
    known_times, joints = old[tracked], motion.joints[tracked].astype(np.float64)
    if len(known_times) == 1:
        made[known] = joints
    else:
        first, share, _ = _between(known_times, times[known])
        made[known] = _cubic(joints, known_times, first, share)
    return made


def _between(times: Float64, at: Float64) -> tuple[NDArray[np.intp], Float64, NDArray[np.bool_]]:
    """The frame before each time, the share of the way to the next one, and if that is near."""
    first = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    gaps = np.diff(times)
    share = np.clip((at - times[first]) / gaps[first], 0, 1)
    return first, share, gaps[first] <= _LONGEST_GAP * np.median(gaps)


def resample_rotations(
    rotations: Float64, root: Float64, times: Float64, at: Float64
) -> tuple[Float64, Float64]:
    """(T, N, 3, 3) rotations and (T, 3) root, known at `times`, at other times.

    Interpolation is cubic between frames and linear across gaps; before the first and after the
    last frame the pose is constant.
    """
    if len(times) == 1:
        return np.repeat(rotations, len(at), axis=0), np.repeat(root, len(at), axis=0)
    first, share, near = _between(times, at)
    four = continuous_quaternions(quaternion_from_matrix(rotations))
    between = matrix_from_quaternion(unit(_cubic(four, times, first, share)))
    straight = slerp(rotations[first[~near]], rotations[first[~near] + 1], share[~near, None])
    between[~near] = straight
    path = _cubic(root, times, first, share)
    line = root[first] + share[:, None] * (root[first + 1] - root[first])
    return between, np.where(near[:, None], path, line)


def continuous_quaternions(four: Float64) -> Float64:
    """The same rotations with the signs of quaternions chosen without jumps over time."""
    flips = np.sum(four[1:] * four[:-1], axis=-1) < 0
    odd = np.concatenate((np.zeros_like(four[:1, ..., 0], bool), np.cumsum(flips, axis=0) % 2 == 1))
    return np.where(odd[..., None], -four, four)


def _cubic(values: Float64, times: Float64, first: NDArray[np.intp], share: Float64) -> Float64:
    """Hermite interpolation from frame `first` to the next, with slopes from three frames each."""
    flat = values.reshape(len(values), -1)
    speed = np.gradient(flat, times, axis=0, edge_order=2 if len(times) > 2 else 1)
    gap, w = (times[first + 1] - times[first])[:, None], share[:, None]
    start, end = flat[first], flat[first + 1]
    eased = start + w**2 * (3 - 2 * w) * (end - start)
    bent = w * (1 - w) * gap * ((1 - w) * speed[first] - w * speed[first + 1])
    return np.asarray(eased + bent).reshape(len(share), *values.shape[1:])
