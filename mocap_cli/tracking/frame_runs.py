"""Frame runs: stretches of consecutive frames for which something holds."""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.types import Bool, Float64

_LONGEST_STEP = 0.5
"""Seconds between two frames beyond which they are no longer neighbours."""


def true_runs(mask: ArrayLike) -> list[slice]:
    """The runs of frames for which the mask is true, in order."""
    edges = np.diff(np.concatenate(([False], np.asarray(mask, np.bool_), [False])).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def frames_in(runs: Iterable[slice], T: int) -> Bool:
    """(T,) mask of the frames that lie in any of the runs: the inverse of `true_runs`."""
    inside = np.zeros(T, np.bool_)
    for run in runs:
        inside[run] = True
    return inside


def unbroken_runs(mask: ArrayLike, times: Float64, cut: Bool | None = None) -> list[slice]:
    """The runs of a mask, split where the time jumps or a new shot begins."""
    step = max(_LONGEST_STEP, 4 * float(np.median(np.diff(times)))) if len(times) > 1 else 0.0
    jumps = np.diff(times, prepend=times[:1]) > step
    breaks = np.flatnonzero(jumps if cut is None else jumps | cut)
    parts: list[slice] = []
    for run in true_runs(mask):
        inside = [int(b) for b in breaks if run.start < b < run.stop]
        ends = [run.start, *inside, run.stop]
        parts += [slice(a, b) for a, b in itertools.pairwise(ends)]
    return parts


def frame_durations(times: Float64) -> Float64:
    """(T,) seconds that each frame stands for; a single frame stands for a thirtieth."""
    if len(times) < 2:
        return np.full(len(times), 1 / 30)
    return np.asarray(np.gradient(times))


def hysteresis(value: Float64, high: float, low: float) -> Bool:
    """(T,) runs that stay above `low` and pass `high` somewhere.

    Unlike a switch, it gives the same in both directions of time.
    """
    on = np.zeros(len(value), np.bool_)
    for run in true_runs(value > low):
        on[run] = bool(value[run].max() > high)
    return on


def drop_short_runs(mask: Bool, times: Float64, shortest: float, gap: float) -> Bool:
    """Fill gaps shorter than `gap` seconds, then drop runs shorter than `shortest`."""
    duration = frame_durations(times)
    result = mask.copy()
    for run in true_runs(~mask):
        if run.start > 0 and run.stop < len(mask) and duration[run].sum() < gap:
            result[run] = True
    for run in true_runs(result):
        inner = run.start > 0 and run.stop < len(mask)
        if inner and duration[run].sum() < shortest:
            result[run] = False
    return result
