"""Sampling: which frames make up a batch, as a pure function of seed and step.

Distances in time are in seconds, so that clips of any frame rate give the same kind of items.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.learning.model.methods import Slot
from mocap_cli.types import Bool, Float64, Int64

_TRIES = 12  # for four equally spaced frames that all exist
_UNEVEN = 0.25  # of the spacing by which a frame may miss its time
_SAME_MOMENT = 0.05  # seconds; the shutters of two cameras do not open together


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Distances in time between the frames of an item, seconds."""

    near: float = 0.2  # a near frame is at most this far: ten frames of fifty a second
    far: float = 4.0  # a far frame is at least this far, where a clip is long enough
    fall: tuple[float, float] = (0.1, 0.25)  # between the four frames of the free-fall stage

    def __post_init__(self) -> None:
        if not 0 < self.near < self.far:
            raise ValueError("near must be less than far, and both above 0")


@dataclass(frozen=True, slots=True, eq=False)
class UsableFrames:
    """The frames of one clip that may be sampled."""

    clip: int  # clip number
    take: int  # equal for the clips in which several cameras filmed one performance
    view: int  # camera number
    times: Float64  # (N,) seconds, ascending
    frames: Int64  # (N,) their numbers in the clip

    MIN_COUNT: ClassVar[int] = 4  # frames of an item; a clip with fewer gives none

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True, eq=False)
class BatchIndices:
    """The sampled frames of a batch."""

    clips: Int64  # (B, S)
    frames: Int64  # (B, S) numbers in the clip
    times: Float64  # (B, S) seconds
    views: Int64  # (B, S)

    def select(self, items: slice | Int64) -> "BatchIndices":
        """Some of the items."""
        return BatchIndices(
            self.clips[items], self.frames[items], self.times[items], self.views[items]
        )


_Views = Mapping[int, Sequence[UsableFrames]]  # by take
_Item = tuple[list[int], list[int], list[float], list[int]]


class BatchSampler:
    """Draws batches from the usable frames of all clips."""

    def __init__(self, clips: Sequence[UsableFrames], gaps: Gaps) -> None:
        self._clips = [clip for clip in clips if len(clip) >= UsableFrames.MIN_COUNT]
        self._gaps = gaps
        self._eligible: dict[bool, list[UsableFrames]] = {}

    def batch(self, slots: Sequence[Slot], size: int, seed: Sequence[int]) -> BatchIndices:
        """`size` items; every eligible frame is equally likely to be a reference."""
        rng = np.random.default_rng(seed)
        clips = self._eligible_clips(several_views="view" in slots)
        share = np.array([len(clip) for clip in clips], np.float64)
        chosen = rng.choice(len(clips), size, p=share / share.sum())
        views = _by_take(clips)
        items = [_item(clips[i], views, slots, self._gaps, rng) for i in chosen]
        columns = (np.array(column) for column in zip(*items, strict=True))
        return BatchIndices(*columns)

    def _eligible_clips(self, *, several_views: bool) -> list[UsableFrames]:
        if several_views not in self._eligible:
            clips = _with_other_views(self._clips) if several_views else self._clips
            if not clips:
                raise MocapError(
                    "no clip has enough frames to learn from",
                    "give longer clips with a person in them",
                )
            self._eligible[several_views] = clips
        return self._eligible[several_views]


def _with_other_views(clips: Sequence[UsableFrames]) -> list[UsableFrames]:
    """Of each clip the frames whose moment another camera filmed as well."""
    views = _by_take(clips)
    paired = [c for c in clips if any(other.view != c.view for other in views[c.take])]
    if not paired:
        raise MocapError(
            "this method learns from several cameras, and no clip has a second one",
            "name the files of one moment TAKE.cam1.mp4, TAKE.cam2.mp4, ...",
        )
    shared = [_shared_frames(clip, views[clip.take]) for clip in paired]
    eligible = [clip for clip in shared if len(clip) >= UsableFrames.MIN_COUNT]
    if not eligible:
        raise MocapError(
            "the cameras of a take never show the same moment",
            "cut the clips of one take so that they begin together",
        )
    return eligible


def _by_take(clips: Sequence[UsableFrames]) -> _Views:
    views: dict[int, list[UsableFrames]] = defaultdict(list)
    for clip in clips:
        views[clip.take].append(clip)
    return views


def _shared_frames(clip: UsableFrames, take: Sequence[UsableFrames]) -> UsableFrames:
    shared = np.zeros(len(clip), np.bool_)
    for other in take:
        if other.view != clip.view:
            shared |= _has_moment(other.times, clip.times)
    return replace(clip, times=clip.times[shared], frames=clip.frames[shared])


def _has_moment(times: Float64, moments: Float64) -> Bool:
    """For each moment, whether one of the times is the same moment."""
    after = np.searchsorted(times, moments)
    left, right = np.maximum(after - 1, 0), np.minimum(after, len(times) - 1)
    distance = np.minimum(np.abs(times[left] - moments), np.abs(times[right] - moments))
    return np.asarray(distance <= _SAME_MOMENT)


def _item(
    clip: UsableFrames,
    views: _Views,
    slots: Sequence[Slot],
    gaps: Gaps,
    rng: np.random.Generator,
) -> _Item:
    if slots[0] == "equal":
        frames = [(clip, i) for i in _equally_spaced(clip.times, len(slots), gaps.fall, rng)]
    else:
        reference = int(rng.integers(len(clip)))
        frames = [_slot_frame(slot, clip, reference, views, gaps, rng) for slot in slots]
    return (
        [c.clip for c, _ in frames],
        [int(c.frames[i]) for c, i in frames],
        [float(c.times[i]) for c, i in frames],
        [c.view for c, _ in frames],
    )


def _slot_frame(
    slot: Slot,
    clip: UsableFrames,
    reference: int,
    views: _Views,
    gaps: Gaps,
    rng: np.random.Generator,
) -> tuple[UsableFrames, int]:
    if slot == "reference":
        return clip, reference
    if slot == "view":
        return _other_view(clip, reference, views[clip.take], rng)
    low, high = {
        "near": (0.0, gaps.near),
        "middle": (gaps.near, gaps.far),
        "far": (gaps.far, math.inf),
    }[slot]
    return clip, _frame_between(clip.times, reference, low, high, rng)


def _frame_between(
    times: Float64, reference: int, low: float, high: float, rng: np.random.Generator
) -> int:
    """Any other frame `low` to `high` seconds away, else the one that misses that by least.

    Times ascend, so the allowed frames before and after the reference are two index ranges.
    """
    t = float(times[reference])
    left = np.searchsorted(times, t - high, "left"), np.searchsorted(times, t - low, "right")
    right = np.searchsorted(times, t + low, "left"), np.searchsorted(times, t + high, "right")
    before = range(int(left[0]), min(int(left[1]), reference))
    after = range(max(int(right[0]), reference + 1), int(right[1]))
    if len(before) + len(after):
        pick = int(rng.integers(len(before) + len(after)))
        return before[pick] if pick < len(before) else after[pick - len(before)]
    distance = np.abs(times - t)
    miss = np.maximum(low - distance, 0) + np.maximum(distance - high, 0)
    miss[reference] = math.inf
    return int(np.argmin(miss))


def _other_view(
    clip: UsableFrames,
    reference: int,
    take: Sequence[UsableFrames],
    rng: np.random.Generator,
) -> tuple[UsableFrames, int]:
    """The frame of another camera that shows the same moment."""
    moment = clip.times[reference : reference + 1]
    others = [c for c in take if c.view != clip.view and _has_moment(c.times, moment)[0]]
    other = others[int(rng.integers(len(others)))]
    return other, _nearest(other.times, float(moment[0]))


def _equally_spaced(
    times: Float64, count: int, gap: tuple[float, float], rng: np.random.Generator
) -> list[int]:
    """Frames at equal steps in time; the steps shrink where a clip is too short or has gaps."""
    length = times[-1] - times[0]
    for attempt in range(_TRIES):
        step = min(rng.uniform(*gap), length / (count - 1)) * (1 - attempt / (2 * _TRIES))
        start = times[0] + rng.uniform(0, max(length - (count - 1) * step, 0))
        frames = [_nearest(times, start + i * step) for i in range(count)]
        even = np.abs(np.diff(times[frames]) - step).max() <= _UNEVEN * step
        if even and len(set(frames)) == count:
            return frames
    first = int(rng.integers(len(times) - count + 1))
    return list(range(first, first + count))


def _nearest(times: Float64, moment: float) -> int:
    right = min(int(np.searchsorted(times, moment)), len(times) - 1)
    left = max(right - 1, 0)
    return right if abs(times[right] - moment) < abs(times[left] - moment) else left
