"""Time alignment: the video of labels, their frames, and the start of a mocap session."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.projection import reprojection_error, rotate_to_camera
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Bool, Float64, Int64

_ENDINGS = (".truth", ".labels", ".coco", ".json", "_keypoints", "_labels")
_GENERIC_NAME = re.compile(
    r"(labels?|annotations?|points|clicks|joints|poses?|data|collecteddata.*|person|instances.*)$"
)
_MAX_FRAME_DISTANCE = 0.6  # of the frame period: labels nearer than that are of the frame
_MAX_OUTSIDE = 0.5  # share of labels outside the video, above which it is another video

_PAIRS = np.array([(BODY.index(a), BODY.index(b)) for a, b in (
    ("left_wrist", "pelvis"), ("right_wrist", "pelvis"), ("left_wrist", "right_wrist"),
    ("left_ankle", "pelvis"), ("right_ankle", "pelvis"), ("left_ankle", "right_ankle"),
    ("left_wrist", "left_shoulder"), ("right_wrist", "right_shoulder"),
    ("left_wrist", "left_ankle"), ("right_wrist", "right_ankle"),
    ("left_knee", "right_knee"), ("left_elbow", "pelvis"), ("right_elbow", "pelvis"),
)])  # fmt: skip
"""Distances between joints that change with the pose, whatever the viewing direction."""

_RATES = (
    1.0,
    0.5,
    2.0,
    0.25,
    4.0,
)  # seconds of video by second of session
_MIN_CORRELATION = 0.25  # below which a session and a video are unrelated
_MIN_FRAMES = 8  # known in both, below which nothing is decided
_MIN_MOTION_FRAMES = 24  # the same for the comparison of motions
_MIN_OVERLAP = 0.4  # of the frames that could overlap, below which an offset is not considered
_MAX_SAMPLES = 400  # frames of a session that are compared
_REFINE_RANGE = 0.1  # seconds around the best offset that are searched with a finer step


@dataclass(frozen=True, slots=True)
class TimeBase:
    """Maps the time of a session to the video: offset + rate * (time - first time)."""

    offset: float | None = None  # seconds of the video; None finds it
    rate: float | None = None

    def align(self, labels: Labels, estimate: Estimate) -> Labels:
        """A session's labels at the video's frames, by this time base or the best correlation."""
        local = labels.times - labels.times[0]
        if self.offset is not None:
            moments = self.offset + (self.rate or 1.0) * local
            return _resample_to_frames(labels, moments, estimate.times)
        if len(estimate.times) < _MIN_FRAMES:
            raise MocapError(
                f"{labels.video} is too short to find {labels.path} in it by correlation",
                "give --offset in seconds",
            )
        rates = (self.rate,) if self.rate else _RATES
        offset, rate, found = _find_time_base(
            local, _limb_distances(labels.joints), estimate, rates
        )
        if not found > _MIN_CORRELATION:
            raise MocapError(
                f"{labels.path} does not match the video: the best correlation of their motions is"
                f" {found:.2f}",
                "give the video of this take, or --offset in seconds",
            )
        offset = _refine_offset(labels, estimate, offset, rate)
        note = f"the session begins at {offset:.3f} s of the video"
        note += "" if rate == 1 else f" and is stretched by {rate:g}"
        placed = _resample_to_frames(labels, offset + rate * local, estimate.times)
        return placed.with_notes(f"{note} (by correlation, {found:.2f})")


def find_video(labels: Labels, videos: Sequence[Path]) -> Path:
    """The video that labels name; the only one given, if their name is generic."""
    wanted = {_stem(labels.video), _stem(labels.path.name)}
    found = [video for video in videos if _stem(video.name) in wanted]
    if not found and len(videos) == 1 and all(_GENERIC_NAME.match(name) for name in wanted):
        return videos[0]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise MocapError(
            f"{labels.path} matches both {found[0]} and {found[1]}", "give only one of them"
        )
    named = ", ".join(video.name for video in videos[:5]) or "none"
    raise MocapError(
        f"{labels.path} labels {labels.video}, which is not among the videos ({named})",
        "name the label file like its video, or give that video",
    )


def _stem(name: str) -> str:
    stem = Path(name.replace("\\", "/")).name.lower()
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    for ending in _ENDINGS:
        stem = stem.removesuffix(ending)
    return stem


def assign_frames(labels: Labels, times: Float64) -> Labels:
    """Give labels the number and the time of their frames; those outside are left out."""
    if (labels.frames >= 0).all():
        inside = np.asarray(labels.frames < len(times))
        frames = np.where(inside, labels.frames, 0)
    else:
        frames, inside = _nearest(labels.times, times)
    outside = int((~inside).sum())
    if outside > _MAX_OUTSIDE * len(labels):
        raise MocapError(
            f"{labels.path} does not match {labels.video}: {outside} of {len(labels)} labels are"
            f" outside its {len(times)} frames, {times[-1]:.2f} s",
            "give the video that was labelled",
        )
    placed = replace(labels, frames=frames, times=times[frames])
    if outside:
        note = f"{outside} of {len(labels)} labels are outside the video and are left out"
        placed = placed.select(inside).with_notes(note)
    return _one_per_frame(placed, labels.times[inside])


def _nearest(moments: Float64, times: Float64) -> tuple[Int64, Bool]:
    after = np.clip(np.searchsorted(times, moments), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(moments - times[before]) <= np.abs(moments - times[after])
    frames = np.where(nearer, before, after)
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return frames, np.asarray(np.abs(times[frames] - moments) <= _MAX_FRAME_DISTANCE * gap)


def _one_per_frame(labels: Labels, given: Float64) -> Labels:
    """Of several labels of one frame, keep the nearest in time."""
    off = np.nan_to_num(np.abs(labels.times - given))
    order = np.lexsort((off, labels.frames))
    first = np.append(True, np.diff(labels.frames[order]) > 0)
    return labels.select(order[first])


def _resample_to_frames(labels: Labels, moments: Float64, times: Float64) -> Labels:
    """Dense labels with these times in the video, interpolated linearly at its frames."""
    inside = np.flatnonzero((times >= moments[0]) & (times <= moments[-1]))
    if not len(inside):
        raise MocapError(
            f"{labels.path} and the video do not overlap in time", "give --offset in seconds"
        )
    flat = labels.joints.reshape(len(labels), -1)
    joints = np.stack([np.interp(times[inside], moments, column) for column in flat.T], 1)
    gap = np.diff(moments)[np.clip(np.searchsorted(moments, times[inside]) - 1, 0, None)]
    joints[gap > 3 * np.median(np.diff(moments))] = np.nan  # a gap in the session
    sigma = np.tile(np.median(labels.sigma, axis=0), (len(inside), 1))
    known = np.asarray(np.isfinite(joints).any(axis=1))
    return replace(
        labels.select(np.zeros(len(inside), np.intp)),
        frames=inside,
        times=times[inside],
        joints=joints.reshape(len(inside), *labels.joints.shape[1:]),
        sigma=sigma,
        synchronous=True,
    ).select(known)


def motions_differ(joints: Float64, others: Float64) -> bool:
    """Whether two poses (N, 19, 3) a frame are of different motions, as far as can be told."""
    found = _mean_correlation(_limb_distances(joints), _limb_distances(others), _MIN_MOTION_FRAMES)
    return found < _MIN_CORRELATION


def _limb_distances(joints: Float64) -> Float64:
    """(N, 19, 3) to (N, P) distances between joints, by their median: free of view and size."""
    distance = np.linalg.norm(joints[:, _PAIRS[:, 0]] - joints[:, _PAIRS[:, 1]], axis=-1)
    known = np.isfinite(distance)
    return np.asarray(distance / (np.median(distance[known]) if known.any() else 1.0))


def _mean_correlation(a: Float64, b: Float64, least: int = _MIN_FRAMES) -> float:
    """Mean correlation of columns (N, P) over the rows that both know; NaN where too few."""
    known = np.isfinite(a) & np.isfinite(b)
    count = known.sum(axis=0)
    x, y = (np.where(known, values, 0.0) for values in (a, b))
    x, y = (np.where(known, v - v.sum(axis=0) / np.maximum(count, 1), 0.0) for v in (x, y))
    size = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    good = (count >= max(least, _MIN_FRAMES)) & (size > 1e-4 * count)
    if good.sum() < 3:
        return float("nan")
    return float(((x * y).sum(axis=0)[good] / size[good]).mean())


def _find_time_base(
    local: Float64, distances: Float64, estimate: Estimate, rates: tuple[float, ...]
) -> tuple[float, float, float]:
    """Offset and rate of the best correlation, and that; `local` are times since the first."""
    times = estimate.times
    theirs = np.where(
        estimate.keypoints.confident[:, None], _limb_distances(estimate.pose.joints), np.nan
    )
    thin = np.linspace(0, len(local) - 1, min(len(local), _MAX_SAMPLES)).round().astype(int)
    local, distances = local[thin], distances[thin]
    gap = float(np.median(np.diff(times)))
    best = (0.0, 1.0, -1.0)
    for rate in rates:
        length = rate * local[-1]
        shared = min(length, times[-1] - times[0])
        # frames that the tracker is not confident of do not count: chance would decide there
        least = int(
            _MIN_OVERLAP
            * estimate.keypoints.confident.mean()
            * shared
            / max(length, 1e-9)
            * len(local)
        )
        first, last = times[0] + shared / 2 - length, times[-1] - shared / 2
        for step in (gap, gap / 4):
            for offset in np.arange(first, last + step / 2, step):
                found = _mean_correlation(
                    distances, _interpolated(times, theirs, offset + rate * local), least
                )
                if found > best[2]:
                    best = (float(offset), rate, found)
            if best[1] != rate:
                break
            first, last = best[0] - step, best[0] + step
    return best


def _interpolated(times: Float64, values: Float64, moments: Float64) -> Float64:
    """(T, P) values at other times, NaN beyond the ends and next to NaN."""
    columns = [np.interp(moments, times, c, left=np.nan, right=np.nan) for c in values.T]
    return np.stack(columns, axis=1)


def _refine_offset(labels: Labels, estimate: Estimate, offset: float, rate: float) -> float:
    """The offset nearby with the least reprojection error."""
    moments = rate * (labels.times - labels.times[0])
    best = (np.inf, offset)
    for near in offset + np.linspace(-_REFINE_RANGE, _REFINE_RANGE, 41):
        placed = _resample_to_frames(labels, near + moments, estimate.times)
        joints = rotate_to_camera(placed.joints, estimate, placed.frames)
        errors = reprojection_error(joints, None, estimate, placed.frames)
        if np.isfinite(errors).sum() >= _MIN_FRAMES:
            best = min(best, (float(np.nanmean(errors)), float(near)))
    return best[1]
