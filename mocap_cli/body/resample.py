"""Poses at other times than they were seen at: steady clocks, missing frames, other rates."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import matrix_from_quaternion, quaternion_from_matrix, slerp, unit

Float64 = NDArray[np.float64]

STEADY = 0.05  # of a period: times that stray no further from an even beat are on it
ROUNDED = 0.6e-3  # seconds: some containers keep whole milliseconds, which is no uneven beat
BRIDGED = 3.0  # periods: across longer gaps nothing is known of speeds, and lines are straight


def steady_clock(times: Float64, fps: float | None) -> tuple[Float64, float]:
    """Times at a constant rate over the same span, and the seconds between them.

    Times that have an even beat are kept, all of them, unless `fps` asks for another one.
    """
    if fps is not None:
        period = 1 / fps
    else:
        count = np.arange(len(times)) - (len(times) - 1) / 2
        period = float(count @ times / (count @ count))  # of the line nearest to the times
        beat = times.mean() + period * count
        if np.abs(times - beat).max() <= max(STEADY * period, ROUNDED):
            return times, period
        gaps = np.diff(times)
        usual = np.median(gaps)
        period = float(gaps[np.abs(gaps - usual) <= 0.2 * usual].mean())
    steps = int((times[-1] - times[0]) / period + 1e-6)
    return times[0] + period * np.arange(steps + 1), period


def resample(
    rotations: Float64, root: Float64, times: Float64, at: Float64
) -> tuple[Float64, Float64]:
    """(T, N, 3, 3) rotations and (T, 3) root, known at `times`, at other times.

    Between frames they move as smoothly as cubics do, across gaps at a constant rate, and before
    the first and after the last frame they stand still.
    """
    if len(times) == 1:
        return np.repeat(rotations, len(at), axis=0), np.repeat(root, len(at), axis=0)
    first = np.clip(np.searchsorted(times, at, side="right") - 1, 0, len(times) - 2)
    gaps = np.diff(times)
    way = np.clip((at - times[first]) / gaps[first], 0, 1)
    near = gaps[first] <= BRIDGED * np.median(gaps)
    four = aligned(quaternion_from_matrix(rotations))
    turns = matrix_from_quaternion(unit(_cubic(four, times, first, way)))
    straight = slerp(rotations[first[~near]], rotations[first[~near] + 1], way[~near, None])
    turns[~near] = straight
    path = _cubic(root, times, first, way)
    line = root[first] + way[:, None] * (root[first + 1] - root[first])
    return turns, np.where(near[:, None], path, line)


def aligned(four: Float64) -> Float64:
    """The same turns with the signs of quaternions, which are free, going on over time."""
    flips = np.sum(four[1:] * four[:-1], axis=-1) < 0
    odd = np.concatenate((np.zeros_like(four[:1, ..., 0], bool), np.cumsum(flips, axis=0) % 2 == 1))
    return np.where(odd[..., None], -four, four)


def _cubic(values: Float64, times: Float64, first: NDArray[np.intp], way: Float64) -> Float64:
    """Part of the way from frame `first` to the next, with speeds from three frames each."""
    flat = values.reshape(len(values), -1)
    speed = np.gradient(flat, times, axis=0, edge_order=2 if len(times) > 2 else 1)
    gap, w = (times[first + 1] - times[first])[:, None], way[:, None]
    start, end = flat[first], flat[first + 1]
    eased = start + w**2 * (3 - 2 * w) * (end - start)
    bent = w * (1 - w) * gap * ((1 - w) * speed[first] - w * speed[first + 1])
    return np.asarray(eased + bent).reshape(len(way), *values.shape[1:])
