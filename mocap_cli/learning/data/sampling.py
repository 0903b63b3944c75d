"""Sampling: which frames make up a batch, in seconds, as a pure function of seed and step."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.learning.model.methods import Slot
from mocap_cli.types import Float64, Int64

_Random = np.random.Generator

_TRIES = 12  # for four frames equally spaced that are all in a clip
_UNEVEN = 0.25  # of the spacing by which a frame may miss its time
MIN_FRAMES = 4
"""Frames that an item is made of; a clip must have as many."""
_SAME_INSTANT = 0.05  # seconds; cameras of one take do not open their shutters together


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """How far apart in time the frames of an item lie, seconds."""

    near: float = 0.2  # a near frame is at most this far: ten frames of fifty a second
    far: float = 4.0  # a far frame is at least this far, where a clip is long enough
    fall: tuple[float, float] = (0.1, 0.25)  # between the four frames of the gravity stage

    def __post_init__(self) -> None:
        if not 0 < self.near < self.far:
            raise ValueError("near must be less than far, and both above 0")


@dataclass(frozen=True, slots=True, eq=False)
class UsableFrames:
    """The frames of one clip that may be drawn."""

    clip: int  # its number
    take: int  # what is equal for several cameras' clips of one moment
    view: int  # which camera
    times: Float64  # (N,) seconds, ascending
    frames: Int64  # (N,) their numbers in the clip

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True, eq=False)
class BatchIndices:
    """The frames of a batch."""

    clips: Int64  # (B, S)
    frames: Int64  # (B, S) numbers in the clip
    times: Float64  # (B, S) seconds
    views: Int64  # (B, S)

    def select(self, items: slice | Int64) -> "BatchIndices":
        """Some of the items."""
        return BatchIndices(
            self.clips[items], self.frames[items], self.times[items], self.views[items]
        )


def sample_batch(
    reels: Sequence[UsableFrames],
    slots: Sequence[Slot],
    gaps: Gaps,
    batch: int,
    seed: Sequence[int],
) -> BatchIndices:
    """`batch` items; every frame is as likely as any other to be a reference."""
    rng = np.random.default_rng(seed)
    fit = _fit(reels, slots)
    share = np.array([len(reel) for reel in fit], np.float64)
    chosen = rng.choice(len(fit), batch, p=share / share.sum())
    items = [_item(fit[i], fit, slots, gaps, rng) for i in chosen]
    clips, frames, times, views = (np.array(column) for column in zip(*items, strict=True))
    return BatchIndices(clips, frames, times, views)


def _fit(reels: Sequence[UsableFrames], slots: Sequence[Slot]) -> list[UsableFrames]:
    """The reels with enough frames and, where the slots ask for it, another view."""
    fit = [reel for reel in reels if len(reel) >= MIN_FRAMES]
    if "view" in slots:
        paired = [r for r in fit if any(_is_other_view(o, r) for o in fit)]
        if not paired:
            raise MocapError(
                "this method learns from several cameras, and no clip has a second one",
                "name the files of one moment TAKE.cam1.mp4, TAKE.cam2.mp4, ...",
            )
        fit = [r for r in (_shared(reel, paired) for reel in paired) if len(r) >= MIN_FRAMES]
        if not fit:
            raise MocapError(
                "the cameras of a take never show the same moment",
                "cut the clips of one take so that they begin together",
            )
    if not fit:
        raise MocapError(
            "no clip has frames enough to learn from", "give longer clips with somebody in them"
        )
    return fit


def _is_other_view(other: UsableFrames, reel: UsableFrames) -> bool:
    return other.take == reel.take and other.view != reel.view


def _shared(reel: UsableFrames, reels: Sequence[UsableFrames]) -> UsableFrames:
    """Only the frames that another camera of the take shows as well."""
    shown = np.zeros(len(reel), np.bool_)
    for other in reels:
        if _is_other_view(other, reel):
            shown |= _near_in(other.times, reel.times)
    return replace(reel, times=reel.times[shown], frames=reel.frames[shown])


def _near_in(times: Float64, moments: Float64) -> NDArray[np.bool_]:
    """Which moments have a time within an instant of theirs."""
    after = np.searchsorted(times, moments)
    left, right = np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)
    off = np.minimum(np.abs(times[left] - moments), np.abs(times[right] - moments))
    return np.asarray(off <= _SAME_INSTANT)


_Item = tuple[list[int], list[int], list[float], list[int]]


def _item(
    reel: UsableFrames,
    reels: Sequence[UsableFrames],
    slots: Sequence[Slot],
    gaps: Gaps,
    rng: _Random,
) -> _Item:
    if slots[0] == "equal":
        places = [(reel, i) for i in _equally_spaced(reel.times, len(slots), gaps.fall, rng)]
    else:
        at = int(rng.integers(len(reel)))
        places = [_place(slot, reel, at, reels, gaps, rng) for slot in slots]
    return (
        [r.clip for r, _ in places],
        [int(r.frames[i]) for r, i in places],
        [float(r.times[i]) for r, i in places],
        [r.view for r, _ in places],
    )


def _place(
    slot: Slot, reel: UsableFrames, at: int, reels: Sequence[UsableFrames], gaps: Gaps, rng: _Random
) -> tuple[UsableFrames, int]:
    if slot == "reference":
        return reel, at
    if slot == "view":
        return _other_view(reel, at, reels, rng)
    low, high = {
        "near": (0.0, gaps.near),
        "middle": (gaps.near, gaps.far),
        "far": (gaps.far, math.inf),
    }[slot]
    return reel, _apart(reel.times, at, low, high, rng)


def _apart(times: Float64, at: int, low: float, high: float, rng: _Random) -> int:
    """Any other frame from `low` to `high` seconds away; the nearest to that where there is none.

    Times ascend, so what is allowed before and after are two runs of indices.
    """
    t = float(times[at])
    left = np.searchsorted(times, t - high, "left"), np.searchsorted(times, t - low, "right")
    right = np.searchsorted(times, t + low, "left"), np.searchsorted(times, t + high, "right")
    before = range(int(left[0]), min(int(left[1]), at))
    after = range(max(int(right[0]), at + 1), int(right[1]))
    if len(before) + len(after):
        pick = int(rng.integers(len(before) + len(after)))
        return before[pick] if pick < len(before) else after[pick - len(before)]
    away = np.abs(times - t)
    miss = np.maximum(low - away, 0) + np.maximum(away - high, 0)
    miss[at] = math.inf
    return int(np.argmin(miss))


def _other_view(
    reel: UsableFrames, at: int, reels: Sequence[UsableFrames], rng: _Random
) -> tuple[UsableFrames, int]:
    """The frame of another camera nearest to the same instant."""
    moment = reel.times[at : at + 1]
    others = [r for r in reels if _is_other_view(r, reel) and _near_in(r.times, moment)[0]]
    other = others[int(rng.integers(len(others)))]
    return other, _nearest(other.times, float(reel.times[at]))


def _equally_spaced(
    times: Float64, count: int, gap: tuple[float, float], rng: _Random
) -> list[int]:
    """Frames at equal steps in time; the steps shrink where a clip is too short or has holes."""
    length = times[-1] - times[0]
    for attempt in range(_TRIES):
        step = min(rng.uniform(*gap), length / (count - 1)) * (1 - attempt / (2 * _TRIES))
        start = times[0] + rng.uniform(0, max(length - (count - 1) * step, 0))
        found = [_nearest(times, start + i * step) for i in range(count)]
        even = np.abs(np.diff(times[found]) - step).max() <= _UNEVEN * step
        if even and len(set(found)) == count:
            return found
    first = int(rng.integers(len(times) - count + 1))
    return list(range(first, first + count))


def _nearest(times: Float64, moment: float) -> int:
    right = min(int(np.searchsorted(times, moment)), len(times) - 1)
    left = max(right - 1, 0)
    return right if abs(times[right] - moment) < abs(times[left] - moment) else left
