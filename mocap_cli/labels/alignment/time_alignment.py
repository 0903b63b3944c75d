"""Clock: where the time of a motion-capture session is in the video."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.projection import reprojection_error, rotate_to_camera
from mocap_cli.labels.alignment.video_match import resample_to_frames
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64

_PAIRS = np.array([(BODY.index(a), BODY.index(b)) for a, b in (
    ("left_wrist", "pelvis"), ("right_wrist", "pelvis"), ("left_wrist", "right_wrist"),
    ("left_ankle", "pelvis"), ("right_ankle", "pelvis"), ("left_ankle", "right_ankle"),
    ("left_wrist", "left_shoulder"), ("right_wrist", "right_shoulder"),
    ("left_wrist", "left_ankle"), ("right_wrist", "right_ankle"),
    ("left_knee", "right_knee"), ("left_elbow", "pelvis"), ("right_elbow", "pelvis"),
)])  # fmt: skip
"""Distances that change with the pose and not with where it is seen from."""

_RATES = (1.0, 0.5, 2.0, 0.25, 4.0)  # of the session's clock: slow motion, or filmed faster
MIN_CORRELATION = (
    0.25  # correlation below which a session and a video have nothing to do with each other
)
_MIN_FRAMES = 8  # frames that both know, below which nothing is judged
_MIN_OVERLAP = 0.4  # of the frames that both could know, below which an offset is not considered
_REFINE_RANGE = (
    0.1  # seconds around the offset that is found, in which it is looked for more closely
)


@dataclass(frozen=True, slots=True)
class TimeBase:
    """Where a session's time is in the video: offset + rate * (time - its first)."""

    offset: float | None = None  # seconds of the video; None finds it
    rate: float | None = None


UNKNOWN_TIME_BASE = TimeBase()


def align_time(labels: Labels, estimate: Estimate, clock: TimeBase) -> Labels:
    """A session's labels at the video's frames, by the clock that makes both most alike."""
    local = labels.times - labels.times[0]
    if clock.offset is not None:
        moments = clock.offset + (clock.rate or 1.0) * local
        return resample_to_frames(labels, moments, estimate.times)
    rates = (clock.rate,) if clock.rate else _RATES
    offset, rate, found = _find_time_base(local, limb_distances(labels.joints), estimate, rates)
    if not found > MIN_CORRELATION:
        raise MocapError(
            f"{labels.path} does not go with the video: at no offset do they move alike"
            f" (at best {found:.2f} of 1)",
            "give the video of this take, or --offset in seconds",
        )
    offset = _refine_offset(labels, estimate, offset, rate)
    said = f"it begins at {offset:.3f} s of the video"
    said += "" if rate == 1 else f" and runs {rate:g} times as long"
    placed = resample_to_frames(labels, offset + rate * local, estimate.times)
    return placed.with_notes(f"{said} (found by correlation, {found:.2f} of 1)")


def limb_distances(joints: Float64) -> Float64:
    """(N, 19, 3) to (N, P): how the body is folded, whatever it is seen from and how large."""
    apart = np.linalg.norm(joints[:, _PAIRS[:, 0]] - joints[:, _PAIRS[:, 1]], axis=-1)
    known = np.isfinite(apart)
    return np.asarray(apart / (np.median(apart[known]) if known.any() else 1.0))


def mean_correlation(a: Float64, b: Float64, least: int = _MIN_FRAMES) -> float:
    """Mean correlation of columns (N, P) over the rows that both know; NaN where too few."""
    found = []
    for x, y in zip(a.T, b.T, strict=True):
        known = np.isfinite(x) & np.isfinite(y)
        if known.sum() < max(least, _MIN_FRAMES):
            continue
        x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
        size = np.sqrt((x @ x) * (y @ y))
        if size > 1e-4 * known.sum():
            found.append(x @ y / size)
    return float(np.mean(found)) if len(found) >= 3 else float("nan")


def _find_time_base(
    local: Float64, folds: Float64, estimate: Estimate, rates: tuple[float, ...]
) -> tuple[float, float, float]:
    """(offset, rate, likeness) at which a session that lasts `local` seconds is most alike."""
    times = estimate.times
    theirs = np.where(estimate.confident[:, None], limb_distances(estimate.pose.joints), np.nan)
    thin = np.linspace(0, len(local) - 1, min(len(local), 400)).round().astype(int)
    local, folds = local[thin], folds[thin]
    gap = float(np.median(np.diff(times)))
    best = (0.0, 1.0, -1.0)
    for rate in rates:
        length = rate * local[-1]
        shared = min(length, times[-1] - times[0])
        # what lies in frames that the tracker is unsure of tells nothing: chance would win there
        least = int(
            _MIN_OVERLAP * estimate.confident.mean() * shared / max(length, 1e-9) * len(local)
        )
        first, last = times[0] + shared / 2 - length, times[-1] - shared / 2
        for step in (gap, gap / 4):
            for offset in np.arange(first, last + step / 2, step):
                found = mean_correlation(
                    folds, _interpolated(times, theirs, offset + rate * local), least
                )
                if found > best[2]:
                    best = (float(offset), rate, found)
            if best[1] != rate:
                break
            first, last = best[0] - step, best[0] + step
    return best


def _interpolated(times: Float64, values: Float64, moments: Float64) -> Float64:
    """(T, P) values at other moments, NaN beyond the ends and next to what is NaN."""
    columns = [np.interp(moments, times, c, left=np.nan, right=np.nan) for c in values.T]
    return np.stack(columns, axis=1)


def _refine_offset(labels: Labels, estimate: Estimate, offset: float, rate: float) -> float:
    """The offset near that one at which the joints lie nearest to their keypoints."""
    moments = rate * (labels.times - labels.times[0])
    best = (np.inf, offset)
    for near in offset + np.linspace(-_REFINE_RANGE, _REFINE_RANGE, 41):
        placed = resample_to_frames(labels, near + moments, estimate.times)
        joints = rotate_to_camera(placed.joints, estimate, placed.frames)
        off = reprojection_error(joints, None, estimate, placed.frames)
        if np.isfinite(off).sum() >= _MIN_FRAMES:
            best = min(best, (float(np.nanmean(off)), float(near)))
    return best[1]
