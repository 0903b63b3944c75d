"""Agree: labels held against what the default tracker sees, so that slips are found and mended.

The tracker is no judge of a careful label, but it knows which frame it is, which way the camera
looks, and left from right. Where it is unsure of a video it judges nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.projection import (
    pose_distance,
    reprojection_error,
    rotate_to_camera,
)
from mocap_cli.labels.alignment.time_alignment import (
    MIN_CORRELATION,
    UNKNOWN_TIME_BASE,
    TimeBase,
    align_time,
    limb_distances,
    mean_correlation,
)
from mocap_cli.labels.alignment.video_match import assign_frames
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64, Int64

_JOINT_SIDE, _POINT_SIDE = list(mirror_indices(BODY.names)), list(mirror_indices(KEYPOINTS))

_MIN_FRAMES = 8  # frames that both know, below which nothing is judged
_MIN_FRAMES_TO_SHIFT = 24  # and below which nothing is shifted
_MAX_LABELS = 240  # labels that are looked at, evenly spread
_MAX_SHIFT = 1.0  # seconds by which labels may be shifted and are looked for
_CLEAR_RATIO = 0.75  # of the error as it is, below which another reading of the labels is right
_POSSIBLE_RATIO = 0.95  # and below which it is worth a word
_MAX_ERROR = {True: 0.4, False: 0.24}  # bodies beside the keypoints: another video. Clicks; joints
_UNCERTAIN_ALLOWANCE = (
    0.3  # more than that where the tracker is certain of none of the labelled frames
)
_SUSPICIOUS_ERROR = 0.18  # and beyond which labels must at least move as the person does
_MIN_GAIN = 0.003  # bodies: less is no shift
_MIN_RELATIVE_GAIN = 0.15  # of what the next frame would cost: less is within a frame


@dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    """One way to take labels, and how well it goes with the video at each shift by frames."""

    said: str  # what is done to them; nothing for labels as they are
    labels: Labels
    right: bool  # it is judged in 3D as well
    steps: Int64  # (S,) frames
    off: Float64  # (S, N) bodies beside the keypoints, NaN where unknown

    @property
    def cost(self) -> Float64:
        """(S,) mean over labels; infinite where too few are known."""
        known = np.isfinite(self.off)
        enough = known.sum(axis=1) >= max(_MIN_FRAMES, known.sum(axis=1).max() // 2)
        mean = np.where(known, self.off, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.asarray(np.where(enough, mean, np.inf))


def align_labels(labels: Labels, estimate: Estimate, clock: TimeBase = UNKNOWN_TIME_BASE) -> Labels:
    """Labels on frames of the video and in its camera's axes, mended where a slip is plain.

    What cannot be of this video is refused.
    """
    labels = _in_pixels(labels, estimate)
    session = not labels.synchronous
    labels = (
        align_time(labels, estimate, clock) if session else assign_frames(labels, estimate.times)
    )
    steps = np.zeros(1, np.int64) if session else _candidate_shifts(estimate)
    for clicks in (True, False):
        if (labels.has_2d if clicks else labels.has_3d).any():
            labels = _corrected(labels, estimate, steps, clicks=clicks)
            steps = np.zeros(1, np.int64)  # what clicks tell of the time holds for joints
    return replace(labels, in_camera=True) if labels.has_3d.any() else labels


def _in_pixels(labels: Labels, estimate: Estimate) -> Labels:
    if labels.size is None or labels.size == estimate.size:
        return labels
    (w, h), (width, height) = labels.size, estimate.size
    if abs(w / h - width / height) > 0.02 * width / height:
        raise MocapError(
            f"{labels.path} was made on pictures of {w}x{h}, the video has {width}x{height}",
            "give the video that was labelled, neither cut nor turned",
        )
    scaled = labels.xy * (width / w, height / h)
    return replace(labels, xy=scaled, size=estimate.size).with_notes(
        f"clicks on pictures of {w}x{h} are scaled to {width}x{height}"
    )


def _candidate_shifts(estimate: Estimate) -> Int64:
    gap = float(np.median(np.diff(estimate.times))) if len(estimate.times) > 1 else _MAX_SHIFT
    reach = min(max(5, round(_MAX_SHIFT / gap)), 60, len(estimate.times) - 1)
    return np.arange(-reach, reach + 1)


def _corrected(labels: Labels, estimate: Estimate, steps: Int64, *, clicks: bool) -> Labels:
    """The reading and the shift that go best with the video, where that is beyond doubt."""
    most = np.unique(
        np.linspace(0, len(labels) - 1, min(len(labels), _MAX_LABELS)).round().astype(int)
    )
    few = labels.select(most)
    if estimate.reliable[few.frames].sum() < _MIN_FRAMES:
        return _unchecked(labels, estimate, clicks=clicks)
    ways = _hypotheses_2d(estimate) if clicks else _HYPOTHESES_3D
    readings = [
        _hypothesis(said, way(few), estimate, steps, clicks=clicks) for said, way in ways.items()
    ]
    plain, best = readings[0], min(readings, key=lambda reading: _cost(reading, estimate))
    ratio = _cost(best, estimate) / max(_cost(plain, estimate), 1e-9)
    chosen = best if ratio < _CLEAR_RATIO else plain
    step = _best_shift(chosen)
    _refuse_mismatch(labels, chosen, estimate, step, clicks=clicks)
    labels = _shifted(ways[chosen.said](labels), estimate, step)
    if not clicks and not labels.in_camera:
        labels = replace(labels, joints=rotate_to_camera(labels.joints, estimate, labels.frames))
    if chosen.said:
        return labels.with_notes(chosen.said)
    doubt = bool(best.said) and ratio < _POSSIBLE_RATIO
    return labels.with_notes(f"perhaps {best.said}?") if doubt else labels


def _unchecked(labels: Labels, estimate: Estimate, *, clicks: bool) -> Labels:
    """Labels as they are: where the tracker is hardly certain of anything, labels know better."""
    if not (clicks or labels.in_camera):
        if estimate.confident[labels.frames].sum() < _MIN_FRAMES:
            raise MocapError(
                f"cannot tell from where the camera saw {labels.path}: the tracker is lost there",
                "give labels in the camera's axes, as a JSON of mocap",
            )
        labels = replace(labels, joints=rotate_to_camera(labels.joints, estimate, labels.frames))
    return labels.with_notes("taken as they are: the tracker is unsure of these frames")


def _hypotheses_2d(estimate: Estimate) -> Mapping[str, Callable[[Labels], Labels]]:
    def turn(xy: Float64) -> Float64:
        return np.asarray(xy * (-1, 1) + (estimate.size[0], 0))

    return {
        "": lambda labels: labels,
        "left and right are swapped": lambda one: replace(one, xy=one.xy[:, _POINT_SIDE]),
        "clicks are of the mirrored video": lambda one: replace(
            one, xy=turn(one.xy)[:, _POINT_SIDE]
        ),
    }


_HYPOTHESES_3D: Mapping[str, Callable[[Labels], Labels]] = {
    "": lambda labels: labels,
    "left and right are swapped": lambda one: replace(one, joints=one.joints[:, _JOINT_SIDE]),
    "joints are in left-handed axes": lambda one: replace(one, joints=one.joints * (-1, 1, 1)),
    "joints are of the mirrored video": lambda one: replace(
        one, joints=one.joints[:, _JOINT_SIDE] * (-1, 1, 1)
    ),
    "joints have Y down and Z ahead": lambda one: replace(one, joints=one.joints * (1, -1, -1)),
}


def _hypothesis(
    said: str, labels: Labels, estimate: Estimate, steps: Int64, *, clicks: bool
) -> _Hypothesis:
    off = np.stack([_errors(labels, estimate, int(step), clicks=clicks) for step in steps])
    return _Hypothesis(said, labels, not clicks, steps, off)


def _errors(labels: Labels, estimate: Estimate, step: int, *, clicks: bool) -> Float64:
    """(N,) bodies beside the keypoints that many frames later; NaN where unknown."""
    frames = labels.frames + step
    inside = (frames >= 0) & (frames < len(estimate.times))
    frames = np.clip(frames, 0, len(estimate.times) - 1)
    if clicks:
        off = reprojection_error(None, labels.xy, estimate, frames)
    else:
        off = reprojection_error(_in_camera_axes(labels, estimate, frames), None, estimate, frames)
    return np.where(inside, off, np.nan)


def _in_camera_axes(labels: Labels, estimate: Estimate, frames: Int64) -> Float64:
    return labels.joints if labels.in_camera else rotate_to_camera(labels.joints, estimate, frames)


def _cost(reading: _Hypothesis, estimate: Estimate) -> float:
    """How badly a reading goes with the video at its best shift; in 3D depth counts as well."""
    best = int(reading.cost.argmin())
    if not reading.right:
        return float(reading.cost[best])
    frames = reading.labels.frames + reading.steps[best]
    frames = np.clip(frames, 0, len(estimate.times) - 1)
    deep = pose_distance(_in_camera_axes(reading.labels, estimate, frames), estimate, frames)
    known = deep[np.isfinite(deep)]
    return float(reading.cost[best] + (known.mean() if len(known) else np.inf)) / 2


def _best_shift(reading: _Hypothesis) -> int:
    """By how many frames labels are early; 0 where that is not plain."""
    cost, now = reading.cost, int(np.flatnonzero(reading.steps == 0)[0])
    best = int(cost.argmin())
    halves = [_half_cost(reading, i).argmin() for i in (0, 1)]
    if (
        best == now
        or np.isfinite(reading.off[best]).sum() < _MIN_FRAMES_TO_SHIFT
        or halves != [best, best]
    ):
        return 0
    gain = cost[now] - cost[best]
    beyond = best + int(np.sign(best - now))
    next_to_it = cost[beyond] if 0 <= beyond < len(cost) else np.inf
    plain = gain > max(_MIN_GAIN, _MIN_RELATIVE_GAIN * (next_to_it - cost[best]))
    far = abs(best - now) > 5
    return (
        int(reading.steps[best])
        if plain and (not far or cost[best] < _CLEAR_RATIO * cost[now])
        else 0
    )


def _half_cost(reading: _Hypothesis, which: int) -> Float64:
    return replace(reading, off=reading.off[:, which::2]).cost


def _refuse_mismatch(
    labels: Labels, reading: _Hypothesis, estimate: Estimate, step: int, *, clicks: bool
) -> None:
    """Labels that lie beside the person, the plainer the more frames the tracker is certain of."""
    off = reading.off[int(np.flatnonzero(reading.steps == step)[0])]
    share = float(estimate.reliable[reading.labels.frames].mean())
    usual = float(np.nanmedian(off)) if np.isfinite(off).any() else np.inf
    strange = (
        not clicks
        and usual > _SUSPICIOUS_ERROR
        and _motion_correlation(reading.labels, estimate, step) < MIN_CORRELATION
    )
    if strange or usual > _MAX_ERROR[clicks] + _UNCERTAIN_ALLOWANCE * (1 - share):
        what = "clicks" if clicks else "joints"
        raise MocapError(
            f"{labels.path} does not go with the video: its {what} are {usual:.1f} bodies beside"
            " the person",
            "give the video that was labelled; if it is, look at it with --check",
        )


def _motion_correlation(labels: Labels, estimate: Estimate, step: int) -> float:
    """Correlation of how both fold; 1 where that cannot be told."""
    frames = labels.frames + step
    inside = (frames >= 0) & (frames < len(estimate.times))
    certain = inside & estimate.reliable[np.clip(frames, 0, len(estimate.times) - 1)]
    theirs = estimate.pose.joints[frames[certain]]
    found = mean_correlation(
        limb_distances(labels.joints[certain]), limb_distances(theirs), _MIN_FRAMES_TO_SHIFT
    )
    return 1.0 if np.isnan(found) else found


def _shifted(labels: Labels, estimate: Estimate, step: int) -> Labels:
    if step == 0:
        return labels
    frames = labels.frames + step
    inside = np.asarray((frames >= 0) & (frames < len(estimate.times)))
    kept = labels.select(inside)
    moved = replace(kept, frames=frames[inside], times=estimate.times[frames[inside]])
    many = f"{abs(step)} frame{'s' * (abs(step) > 1)}"
    return moved.with_notes(
        f"labels are {many} too {'early' if step > 0 else 'late'} for the video: shifted"
    )
