"""Switches: times at which a track has likely gone over to another person."""

import bisect
from collections.abc import Mapping, Sequence

import numpy as np

from mocap_cli.keypoints.appearance import similarity
from mocap_cli.keypoints.detection import Detection, mean_appearance
from mocap_cli.types import Float64

_WINDOW_SECONDS = 0.5  # before and after, over which people are compared
_FEWEST = 3  # detections on each side, where the frame rate is low
_USUAL_SIMILARITY, _SIMILARITY_SPREAD = 0.95, 0.11  # of the same person; docs/experiments
_JUMP, _JUMP_SPEED = 0.25, 1.0  # sides, and sides per second since the last detection
_LONGEST_SECONDS = 0.25  # that a path is extrapolated
_SIZE_SPREAD = 0.35  # of the logarithm of the stature
_LIKELY = 4.0  # sum of the squares of the three, each in its spread
_APART_SECONDS = 0.5  # between two switches
_COMPANY_SECONDS = 1.0

_Timed = tuple[float, Detection]  # seconds


def find_switches(
    detections: Mapping[int, Detection],
    times: Sequence[float],
    cut: Sequence[bool],
    known: Sequence[float] = (),
    *,
    company: Sequence[float],  # seconds, rising, at which other people were near
) -> tuple[float, ...]:
    """Seconds, rising, at which the person likely changes; `known` are added.

    Within a shot the other person must be near; who somersaults alone changes as much.
    """
    frames = sorted(detections)
    seconds = np.array([times[i] for i in frames])
    starts = np.searchsorted(seconds, seconds - _WINDOW_SECONDS)
    ends = np.searchsorted(seconds, seconds + _WINDOW_SECONDS)
    evidence = {}
    for n in range(_FEWEST, len(frames) - _FEWEST + 1):
        same_shot = not any(cut[frames[n - 1] + 1 : frames[n] + 1])
        if same_shot and not _is_near(times[frames[n]], company):
            continue
        before = frames[min(int(starts[n]), n - _FEWEST) : n]
        after = frames[n : max(int(ends[n]), n + _FEWEST)]
        pair = ([(times[i], detections[i]) for i in some] for some in (before, after))
        evidence[times[frames[n]]] = _change(*pair, same_shot=same_shot)
    switches = sorted(known)
    for time in sorted(evidence, key=lambda t: -evidence[t]):
        if evidence[time] < _LIKELY:
            break
        if all(abs(time - other) > _APART_SECONDS for other in switches):
            switches.append(time)
    return tuple(sorted(switches))


def _is_near(time: float, company: Sequence[float]) -> bool:
    """Whether other people were near within a second."""
    i = bisect.bisect_left(company, time - _COMPANY_SECONDS)
    return i < len(company) and company[i] <= time + _COMPANY_SECONDS


def _change(before: Sequence[_Timed], after: Sequence[_Timed], *, same_shot: bool) -> float:
    """How much the person differs; place and size say nothing across a cut."""
    alike = similarity(mean_appearance(d for _, d in before), mean_appearance(d for _, d in after))
    change = (max(_USUAL_SIMILARITY - alike, 0.0) / _SIMILARITY_SPREAD) ** 2
    if not same_shot:
        return change
    old, new = (float(np.log([max(d.stature, 1.0) for _, d in p]).mean()) for p in (before, after))
    change += ((new - old) / _SIZE_SPREAD) ** 2
    (last_time, last), (time, first) = before[-1], after[0]
    gap, side = time - last_time, min(last.crop.side, first.crop.side)
    speed = (_velocity(before) + _velocity(after)) / 2
    jump = np.linalg.norm(_place(first) - _place(last) - min(gap, _LONGEST_SECONDS) * speed) / side
    return change + float(jump / (_JUMP + _JUMP_SPEED * gap)) ** 2


def _place(detection: Detection) -> Float64:
    return np.array((detection.next_crop.x, detection.next_crop.y))


def _velocity(part: Sequence[_Timed]) -> Float64:
    """Pixels per second."""
    (start, first), (end, last) = part[0], part[-1]
    return (_place(last) - _place(first)) / (end - start)
