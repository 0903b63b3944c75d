"""Crossing: who is who after two people have met, by path, appearance and size."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Generic, Protocol, TypeVar

import numpy as np

from mocap_cli.keypoints.appearance import Appearance, similarity
from mocap_cli.keypoints.detection import Detection, mean_appearance
from mocap_cli.types import Float64

_APART = 0.4  # sides of the smaller crop between two people who cannot be confused
_MET = 1.0  # sides within which somebody who vanishes may be behind the other
_WINDOW_SECONDS = 0.5  # before and after, from which speed and appearance are taken
_AFTER_SECONDS = 0.3  # apart again, before it is decided
_LONGEST_SECONDS = 1.0  # that a path is extrapolated
_PATH_ERROR, _PATH_SPREAD = 0.1, 0.35  # sides, and sides per second of the meeting
_APPEARANCE_ERROR = 0.06  # of the similarity
_SIZE_ERROR = 0.15  # of the logarithm of the stature
_LEAST_ERROR = 3.0  # at most that much evidence from each of the three
_SURE = 1.0  # evidence below which it stays in doubt


class _Tracked(Protocol):
    @property
    def detections(self) -> Mapping[int, Detection]:
        """By frame."""


_C = TypeVar("_C", bound=_Tracked)


@dataclass(slots=True)
class _Meeting:
    """Two people: the last frame before they met, and the first in which they were apart again."""

    before: int
    after: int | None = None
    met: bool = False


@dataclass(slots=True)
class Crossings(Generic[_C]):
    """Watches every two people who are tracked, and decides after each meeting."""

    doubts: list[tuple[float, _C, _C]] = field(default_factory=list)
    _meetings: dict[tuple[int, int], _Meeting] = field(default_factory=dict)

    def confused(
        self, people: Sequence[_C], times: Sequence[float], cut: bool
    ) -> tuple[_C, _C, int] | None:
        """Two who were exchanged, and since which frame; call it after every frame."""
        if cut:
            self._meetings.clear()
        for one, other in combinations(people, 2):
            meeting = self._watched(one, other, len(times) - 1)
            if meeting is None or meeting.after is None or not meeting.met:
                continue
            if times[-1] - times[meeting.after] < _AFTER_SECONDS:
                continue
            evidence = exchange_evidence(
                one.detections, other.detections, times, meeting.before, meeting.after
            )
            if abs(evidence) < _SURE:
                self.doubts.append((times[meeting.after], one, other))
            elif evidence > 0:
                self._meetings.clear()  # those with others are of the wrong persons
                return one, other, self._swap_frame(one, other, meeting)
            self._meetings.pop(_key(one, other))
        return None

    def _watched(self, one: _C, other: _C, index: int) -> _Meeting | None:
        """Note whether the two are apart in the latest frame."""
        key, a, b = _key(one, other), one.detections.get(index), other.detections.get(index)
        meeting = self._meetings.get(key)
        if a is not None and b is not None and a.next_crop.distance(b.next_crop) > _APART:
            if meeting is None or not meeting.met:
                meeting = self._meetings[key] = _Meeting(index)
            elif meeting.after is None:
                meeting.after = index
        elif meeting is not None:
            meeting.after = None
            if not meeting.met:
                meeting.met = _gap(one, other, meeting.before) < _MET
        return meeting

    @staticmethod
    def _swap_frame(one: _C, other: _C, meeting: _Meeting) -> int:
        """The frame from which on the two are exchanged: where they were closest."""
        assert meeting.after is not None
        both = one.detections.keys() & other.detections.keys()
        near = [i for i in range(meeting.before + 1, meeting.after + 1) if i in both]
        middle = (meeting.before + meeting.after + 1) // 2
        return min(near, key=lambda i: _gap(one, other, i), default=middle)


def _gap(one: _Tracked, other: _Tracked, index: int) -> float:
    """Distance of two people in a frame, in sides of the smaller crop."""
    return one.detections[index].next_crop.distance(other.detections[index].next_crop)


def _key(one: object, other: object) -> tuple[int, int]:
    return id(one), id(other)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A person over half a second."""

    time: float  # seconds, of the end towards the meeting
    place: Float64  # (2,) pixels, there
    speed: Float64  # (2,) pixels per second
    side: float
    stature: float
    appearance: Appearance

    @staticmethod
    def of(
        detections: Mapping[int, Detection], times: Sequence[float], end: int, step: int
    ) -> "_Stretch":
        """The frames from `end` on, forwards or backwards in time."""
        frames, i = [], end
        while 0 <= i < len(times) and abs(times[i] - times[end]) <= _WINDOW_SECONDS:
            frames += [i] if i in detections else []
            i += step
        found = [detections[i] for i in frames]
        t = np.array([times[i] for i in frames]) - times[end]
        xy = np.array([(d.next_crop.x, d.next_crop.y) for d in found])
        slope = np.polyfit(t, xy, 1)[0] if len(t) > 2 else np.zeros(2)
        return _Stretch(
            time=times[end],
            place=(xy - slope * t[:, None]).mean(axis=0),
            speed=slope,
            side=float(np.median([d.crop.side for d in found])),
            stature=float(np.median([d.stature for d in found])),
            appearance=mean_appearance(found),
        )


def exchange_evidence(
    one: Mapping[int, Detection],
    other: Mapping[int, Detection],
    times: Sequence[float],
    before: int,
    after: int,
) -> float:
    """How much more likely the two are exchanged between those frames: a logarithm of odds."""
    first = [_Stretch.of(person, times, before, -1) for person in (one, other)]
    last = [_Stretch.of(person, times, after, 1) for person in (one, other)]
    total = 0.0
    for error in (_path_error, _appearance_error, _size_error):
        straight = error(first[0], last[0]) + error(first[1], last[1])
        crossed = error(first[0], last[1]) + error(first[1], last[0])
        total += float(np.clip(straight - crossed, -_LEAST_ERROR, _LEAST_ERROR))
    return total


def _path_error(first: _Stretch, last: _Stretch) -> float:
    """From each end the path is extrapolated to the other."""
    dt = last.time - first.time
    ahead = min(dt, _LONGEST_SECONDS)
    there = first.place + ahead * first.speed - last.place
    back = last.place - ahead * last.speed - first.place
    spread = (_PATH_ERROR + _PATH_SPREAD * dt) * min(first.side, last.side)
    return float(there @ there + back @ back) / 2 / (2 * spread**2)


def _appearance_error(first: _Stretch, last: _Stretch) -> float:
    return (1 - similarity(first.appearance, last.appearance)) / _APPEARANCE_ERROR


def _size_error(first: _Stretch, last: _Stretch) -> float:
    return math.log(first.stature / last.stature) ** 2 / (2 * _SIZE_ERROR**2)
