"""Runs: stretches of frames, found in a yes-or-no of time and mended by how long they last."""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from mocap_cli.types import Bool, Float64

_LONGEST_STEP = 0.5
"""Seconds between two frames beyond which they are no longer neighbours."""


def true_runs(yes: ArrayLike) -> list[slice]:
    """The stretches where `yes` holds, in order."""
    edges = np.diff(np.concatenate(([False], np.asarray(yes, np.bool_), [False])).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [slice(int(a), int(b)) for a, b in zip(starts, stops, strict=True)]


def frames_in(stretches: Iterable[slice], T: int) -> Bool:
    """(T,) the frames that lie in any of the stretches: `runs` backwards."""
    inside = np.zeros(T, np.bool_)
    for stretch in stretches:
        inside[stretch] = True
    return inside


def unbroken_runs(seen: ArrayLike, times: Float64, cut: Bool | None = None) -> list[slice]:
    """The runs of frames that are seen, parted where the clock jumps or another shot begins."""
    step = max(_LONGEST_STEP, 4 * float(np.median(np.diff(times)))) if len(times) > 1 else 0.0
    parted_at = np.diff(times, prepend=times[:1]) > step
    cuts = np.flatnonzero(parted_at if cut is None else parted_at | cut)
    parted: list[slice] = []
    for run in true_runs(seen):
        inside = [int(c) for c in cuts if run.start < c < run.stop]
        ends = [run.start, *inside, run.stop]
        parted += [slice(a, b) for a, b in itertools.pairwise(ends)]
    return parted


def frame_durations(times: Float64) -> Float64:
    """(T,) seconds that each frame stands for; a lone frame stands for a thirtieth."""
    if len(times) < 2:
        return np.full(len(times), 1 / 30)
    return np.asarray(np.gradient(times))


def hysteresis(value: Float64, high: float, low: float) -> Bool:
    """A switch that goes on above `high` and off below `low`, the same in both directions of time.

    Any stretch that stays above `low` and somewhere passes `high` is on.
    """
    on = np.zeros(len(value), np.bool_)
    for run in true_runs(value > low):
        on[run] = bool(value[run].max() > high)
    return on


def drop_short_runs(yes: Bool, times: Float64, shortest: float, gap: float) -> Bool:
    """Fill gaps shorter than `gap` seconds, then drop runs shorter than `shortest`."""
    lasting = frame_durations(times)
    mended = yes.copy()
    for run in true_runs(~yes):
        if run.start > 0 and run.stop < len(yes) and lasting[run].sum() < gap:
            mended[run] = True
    for run in true_runs(mended):
        inner = run.start > 0 and run.stop < len(yes)
        if inner and lasting[run].sum() < shortest:
            mended[run] = False
    return mended
