"""One person of a keypoint file: tracks where the file has none, and the choice of the subject."""

import math
from collections.abc import Iterable

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.fusion import fill_gaps
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.readers.people import NO_TRACK, FilePeople
from mocap_cli.keypoints.subject import Subject, SubjectPoint
from mocap_cli.types import Bool, Float32, Float64, Index

_FEWEST = 5  # points of a person that counts as detected
_NEAR = 0.5  # of the person's size that they may move between frames
_GONE_SECONDS = 1.0  # without a detection, after which a track ends
_EARLY_SECONDS = 1.0  # in which --subject must appear
_FEET = {"left_heel": "left_ankle", "right_heel": "right_ankle",
         "left_toe": "left_ankle", "right_toe": "right_ankle"}  # fmt: skip


def keypoints_of_subject(
    people: FilePeople,
    times: Float64,
    cut: Bool,
    size: tuple[int, int],
    subject: Subject = "auto",
    first: int = 0,
) -> Keypoints:
    """The subject's keypoints in every frame of a video; `first` is the number of its first frame.

    Points that the file does not have get a score of 0 and a place within the body.
    """
    T, K = len(times), len(KEYPOINTS)
    rows, frames = people.frames(times, first)
    enough = np.isfinite(people.xy[rows, :, 0]).sum(axis=1) >= _FEWEST
    rows, frames = rows[enough], frames[enough]
    xy, score = np.full((T, K, 2), np.nan, np.float32), np.zeros((T, K), np.float32)
    detected = np.zeros(T, np.bool_)
    if len(rows):
        people_xy, people_score = people.in_pixels(*size)[rows], people.score[rows]
        tracks = people.tracks[rows]
        if (tracks == NO_TRACK).any() or _occurs_twice(tracks, frames):
            tracks = _associate(people_xy, frames, times)
        chosen = tracks == _choose(tracks, people_xy, people_score, times[frames], size, subject)
        at = frames[chosen]
        xy[at], score[at] = _completed(people_xy[chosen]), people_score[chosen]
        detected[at] = True
    found = Keypoints(times=times, xy=xy, score=score, detected=detected, cut=cut)
    crops = {t: Crop.around_body(xy[t], score[t]) for t in np.flatnonzero(detected).tolist()}
    return fill_gaps(found, crops)


def _occurs_twice(tracks: Index, frames: Index) -> bool:
    return len(set(zip(tracks.tolist(), frames.tolist(), strict=True))) < len(tracks)


def _associate(xy: Float32, frames: Index, times: Float64) -> Index:
    """A track number for each row: the nearest person of the frames before, each once."""
    tracks = np.zeros(len(frames), np.intp)
    if len(set(frames.tolist())) == len(frames):
        return tracks  # never two people
    latest: dict[int, int] = {}  # the last row of every track
    for frame in sorted(set(frames.tolist())):
        here = np.flatnonzero(frames == frame)
        seen = {k: r for k, r in latest.items() if times[frame] - times[frames[r]] < _GONE_SECONDS}
        free, unmatched = set(seen), set(here.tolist())
        pairs = sorted((_distance(xy[a], xy[r]), a, k) for a in unmatched for k, r in seen.items())
        for distance, row, track in pairs:
            if distance < _NEAR and track in free and row in unmatched:
                tracks[row], latest[track] = track, row
                free.remove(track)
                unmatched.remove(row)
        for row in sorted(unmatched):
            tracks[row] = len(latest)
            latest[len(latest)] = row
    return tracks


def _distance(one: Float32, other: Float32) -> float:
    """Between two people, by their size; infinite where they share no point."""
    apart = np.linalg.norm(one - other, axis=-1)
    shared = apart[np.isfinite(apart)]
    return float(np.median(shared)) / max(_extent(one), 1e-6) if len(shared) else math.inf


def _extent(xy: Float32) -> float:
    return float(np.hypot(*(np.nanmax(xy, axis=0) - np.nanmin(xy, axis=0))))


def _choose(
    tracks: Index,
    xy: Float32,
    score: Float32,
    times: Float64,
    size: tuple[int, int],
    subject: Subject,
) -> int:
    """The track of the subject; "auto": the most complete, largest and most central."""
    middle = (np.nanmin(xy, axis=1) + np.nanmax(xy, axis=1)) / 2
    extent = np.array([_extent(points) for points in xy])
    aside = np.linalg.norm(middle - np.array(size) / 2, axis=1)
    first = {int(track): int(np.flatnonzero(tracks == track)[0]) for track in np.unique(tracks)}
    if subject == "auto":
        weight = score.mean(axis=1) * extent * (1 - aside / math.hypot(*size))
        return _best(first, {k: float(weight[tracks == k].sum()) for k in first})
    early = {k: row for k, row in first.items() if times[row] - times.min() <= _EARLY_SECONDS}
    if subject == "largest":
        return _best(early, {k: float(extent[row]) for k, row in early.items()})
    if subject == "center":
        return _best(early, {k: -float(aside[row]) for k, row in early.items()})
    misses = dict.fromkeys(first, 0.0)
    for point in subject:
        away = np.linalg.norm(middle - (point.x, point.y), axis=1) / extent
        for track in first:
            rows = np.flatnonzero(tracks == track)
            misses[track] += float(away[_row_at(point, rows, times)])
    among = first if any(point.time is not None for point in subject) else early
    return _best(among, {k: -misses[k] for k in among})


def _row_at(point: SubjectPoint, rows: Index, times: Float64) -> int:
    """The row of a track at the time of the point, or its first one."""
    if point.time is None:
        return int(rows[0])
    return int(rows[np.abs(times[rows] - point.time).argmin()])


def _best(tracks: Iterable[int], score: dict[int, float]) -> int:
    return max(tracks, key=lambda track: score[track])


def _completed(xy: Float32) -> Float32:
    """Points that are unknown are put at the ankle (feet) or in the middle of the known ones."""
    xy = xy.copy()
    for foot, ankle in _FEET.items():
        at = KEYPOINTS.index(foot)
        unknown = np.isnan(xy[:, at, 0])
        xy[unknown, at] = xy[unknown, KEYPOINTS.index(ankle)]
    middle = np.nanmean(xy, axis=1, keepdims=True)
    return np.where(np.isfinite(xy), xy, middle)
