"""Corrections: labels are compared with the default tracker, and plain mistakes are corrected.

The tracker is no judge of a careful label, but it knows which frame it is, where the camera
looks, and left from right. In frames that it is uncertain of nothing is compared.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.errors import MocapError
from mocap_cli.labels.alignment.other_person import other_person
from mocap_cli.labels.alignment.projection import (
    pose_distance,
    reprojection_error,
    rotate_to_camera,
)
from mocap_cli.labels.alignment.time_alignment import (
    TimeBase,
    assign_frames,
    motions_differ,
)
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64, Int64

_MIRRORED_JOINTS = list(mirror_indices(BODY.names))
_MIRRORED_POINTS = list(mirror_indices(KEYPOINTS))

_MIN_FRAMES = 8  # known to both, below which nothing is compared
_MIN_FRAMES_TO_SHIFT = 24  # and below which nothing is shifted
_MAX_LABELS = 240  # that are compared, evenly spread
_MAX_SHIFT = 1.0  # seconds
_FAR_SHIFT = 5  # frames, from which a shift must make a clear difference
_CLEAR_RATIO = 0.75  # of the cost as it is, below which a correction is made
_POSSIBLE_RATIO = 0.95  # and below which it is mentioned
_MAX_ERROR = {True: 0.4, False: 0.24}  # body sizes, of 2D and of 3D labels: more is another video
_UNCERTAIN_ALLOWANCE = 0.3  # more than that where the tracker is certain of no labelled frame
_SUSPICIOUS_ERROR = 0.18  # beyond which labels must at least move as the person does
_MIN_GAIN = 0.003  # body sizes: less is no shift
_MIN_RELATIVE_GAIN = 0.15  # of what the next frame would cost: less is within a frame

_Correction = Callable[[Labels], Labels]


@dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    """One way to read labels, and its error at each shift by frames."""

    note: str  # what is corrected; nothing for labels as they are
    labels: Labels
    in_3d: bool  # depth counts as well
    shifts: Int64  # (S,) frames
    errors: Float64  # (S, N) body sizes, NaN where unknown

    @property
    def cost(self) -> Float64:
        """(S,) mean over labels; infinite where too few are known."""
        known = np.isfinite(self.errors)
        enough = known.sum(axis=1) >= max(_MIN_FRAMES, known.sum(axis=1).max() // 2)
        mean = np.where(known, self.errors, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        return np.asarray(np.where(enough, mean, np.inf))


def align_labels(labels: Labels, estimate: Estimate, time_base: TimeBase | None = None) -> Labels:
    """Labels on frames of the video and in its camera's axes, with plain mistakes corrected.

    Labels that cannot be of this video are an error.
    """
    labels = _in_pixels(labels, estimate)
    if labels.synchronous:
        labels = assign_frames(labels, estimate.times)
        shifts = _candidate_shifts(estimate)
    else:
        labels = (time_base or TimeBase()).align(labels, estimate)
        shifts = np.zeros(1, np.int64)
    for in_3d in (False, True):
        if (labels.has_3d if in_3d else labels.has_2d).any():
            labels = _corrected(labels, estimate, shifts, in_3d=in_3d)
            shifts = np.zeros(1, np.int64)  # a shift of 2D labels holds for the joints
    return replace(labels, in_camera=True) if labels.has_3d.any() else labels


def _in_pixels(labels: Labels, estimate: Estimate) -> Labels:
    if labels.size is None or labels.size == estimate.size:
        return labels
    (w, h), (width, height) = labels.size, estimate.size
    if abs(w / h - width / height) > 0.02 * width / height:
        raise MocapError(
            f"{labels.path} was made on images of {w}x{h}, the video has {width}x{height}",
            "give the video that was labelled, neither cropped nor rotated",
        )
    scaled = labels.xy * (width / w, height / h)
    return replace(labels, xy=scaled, size=estimate.size).with_notes(
        f"2D labels on images of {w}x{h} are scaled to {width}x{height}"
    )


def _candidate_shifts(estimate: Estimate) -> Int64:
    times = estimate.times
    gap = float(np.median(np.diff(times))) if len(times) > 1 else _MAX_SHIFT
    reach = min(max(_FAR_SHIFT, round(_MAX_SHIFT / gap)), 60, len(times) - 1)
    return np.arange(-reach, reach + 1)


def _corrected(labels: Labels, estimate: Estimate, shifts: Int64, *, in_3d: bool) -> Labels:
    """Labels by the hypothesis and the shift of the least cost, where the difference is clear."""
    count = min(len(labels), _MAX_LABELS)
    sample = labels.select(np.unique(np.linspace(0, len(labels) - 1, count).round().astype(int)))
    if estimate.reliable[sample.frames].sum() < _MIN_FRAMES:
        return _unchecked(labels, estimate, in_3d=in_3d)
    corrections = _CORRECTIONS_3D if in_3d else _corrections_2d(estimate)
    found = [
        _hypothesis(note, correct(sample), estimate, shifts, in_3d=in_3d)
        for note, correct in corrections.items()
    ]
    costs = [_cost(one, estimate) for one in found]
    best = int(np.argmin(costs))
    ratio = costs[best] / max(costs[0], 1e-9)
    chosen = found[best] if ratio < _CLEAR_RATIO else found[0]
    shift = _best_shift(chosen)
    _refuse_mismatch(labels, chosen, estimate, shift)
    labels = _shifted(corrections[chosen.note](labels), estimate, shift)
    if in_3d and not labels.in_camera:
        labels = replace(labels, joints=rotate_to_camera(labels.joints, estimate, labels.frames))
    if chosen.note:
        return labels.with_notes(chosen.note)
    possible = bool(found[best].note) and ratio < _POSSIBLE_RATIO
    return labels.with_notes(f"perhaps {found[best].note}?") if possible else labels


def _unchecked(labels: Labels, estimate: Estimate, *, in_3d: bool) -> Labels:
    """Labels as they are, where the tracker is hardly certain of any labelled frame."""
    if in_3d and not labels.in_camera:
        if estimate.keypoints.confident[labels.frames].sum() < _MIN_FRAMES:
            raise MocapError(
                f"the camera's direction in {labels.path} is unknown: the tracker has no confident"
                " detection in its frames",
                "give joints in the camera's axes, as in a JSON of mocap",
            )
        labels = replace(labels, joints=rotate_to_camera(labels.joints, estimate, labels.frames))
    return labels.with_notes("not checked: the tracker is uncertain of these frames")


def _corrections_2d(estimate: Estimate) -> Mapping[str, _Correction]:
    def mirror(xy: Float64) -> Float64:
        return np.asarray(xy * (-1, 1) + (estimate.size[0], 0))

    return {
        "": lambda labels: labels,
        "left and right are swapped": lambda one: replace(one, xy=one.xy[:, _MIRRORED_POINTS]),
        "2D labels are of the mirrored video": lambda one: replace(
            one, xy=mirror(one.xy)[:, _MIRRORED_POINTS]
        ),
    }


_CORRECTIONS_3D: Mapping[str, _Correction] = {
    "": lambda labels: labels,
    "left and right are swapped": lambda one: replace(one, joints=one.joints[:, _MIRRORED_JOINTS]),
    "joints are in left-handed axes": lambda one: replace(one, joints=one.joints * (-1, 1, 1)),
    "joints are of the mirrored video": lambda one: replace(
        one, joints=one.joints[:, _MIRRORED_JOINTS] * (-1, 1, 1)
    ),
    "joints have Y down and Z ahead": lambda one: replace(one, joints=one.joints * (1, -1, -1)),
}


def _hypothesis(
    note: str, labels: Labels, estimate: Estimate, shifts: Int64, *, in_3d: bool
) -> _Hypothesis:
    errors = [_errors(labels, estimate, int(shift), in_3d=in_3d) for shift in shifts]
    return _Hypothesis(note, labels, in_3d, shifts, np.stack(errors))


def _errors(labels: Labels, estimate: Estimate, shift: int, *, in_3d: bool) -> Float64:
    """(N,) reprojection error that many frames later; NaN where unknown."""
    frames = labels.frames + shift
    inside = (frames >= 0) & (frames < len(estimate.times))
    frames = np.clip(frames, 0, len(estimate.times) - 1)
    joints = _in_camera_axes(labels, estimate, frames) if in_3d else None
    return np.where(
        inside, reprojection_error(joints, None if in_3d else labels.xy, estimate, frames), np.nan
    )


def _in_camera_axes(labels: Labels, estimate: Estimate, frames: Int64) -> Float64:
    return labels.joints if labels.in_camera else rotate_to_camera(labels.joints, estimate, frames)


def _cost(one: _Hypothesis, estimate: Estimate) -> float:
    """Error of a hypothesis at its best shift; in 3D with the distance of the poses."""
    best = int(one.cost.argmin())
    if not one.in_3d:
        return float(one.cost[best])
    frames = np.clip(one.labels.frames + one.shifts[best], 0, len(estimate.times) - 1)
    joints = _in_camera_axes(one.labels, estimate, frames)
    distance = pose_distance(joints, estimate, frames)
    known = distance[np.isfinite(distance)]
    return float(one.cost[best] + (known.mean() if len(known) else np.inf)) / 2


def _best_shift(one: _Hypothesis) -> int:
    """By how many frames labels are early; 0 where that is not clear."""
    cost, now = one.cost, int(np.flatnonzero(one.shifts == 0)[0])
    best = int(cost.argmin())
    halves = [replace(one, errors=one.errors[:, i::2]).cost.argmin() for i in (0, 1)]
    known = np.isfinite(one.errors[best]).sum()
    if best == now or known < _MIN_FRAMES_TO_SHIFT or halves != [best, best]:
        return 0
    beyond = best + int(np.sign(best - now))
    next_cost = cost[beyond] if 0 <= beyond < len(cost) else np.inf
    least_gain = max(_MIN_GAIN, _MIN_RELATIVE_GAIN * (next_cost - cost[best]))
    if cost[now] - cost[best] <= least_gain:
        return 0
    if abs(best - now) > _FAR_SHIFT and cost[best] >= _CLEAR_RATIO * cost[now]:
        return 0
    return int(one.shifts[best])


def _refuse_mismatch(labels: Labels, one: _Hypothesis, estimate: Estimate, shift: int) -> None:
    """Refuse labels far from the person; the limit falls with the frames that are certain."""
    errors = one.errors[int(np.flatnonzero(one.shifts == shift)[0])]
    share = float(estimate.reliable[one.labels.frames].mean())
    usual = float(np.nanmedian(errors)) if np.isfinite(errors).any() else np.inf
    suspicious = one.in_3d and usual > _SUSPICIOUS_ERROR
    limit = _MAX_ERROR[not one.in_3d] + _UNCERTAIN_ALLOWANCE * (1 - share)
    if usual > limit or (suspicious and _moves_otherwise(one.labels, estimate, shift)):
        doubt = "" if one.in_3d else other_person(labels, estimate)
        raise MocapError(
            f"{labels.path} does not match the video: its {'3D' if one.in_3d else '2D'} labels are"
            f" {usual:.1f} body sizes off the detected person{doubt and f'; {doubt}'}",
            "give the video that was labelled; --check draws the labels on it",
        )


def _moves_otherwise(labels: Labels, estimate: Estimate, shift: int) -> bool:
    frames = labels.frames + shift
    inside = (frames >= 0) & (frames < len(estimate.times))
    used = inside & estimate.reliable[np.clip(frames, 0, len(estimate.times) - 1)]
    return motions_differ(labels.joints[used], estimate.pose.joints[frames[used]])


def _shifted(labels: Labels, estimate: Estimate, shift: int) -> Labels:
    if shift == 0:
        return labels
    frames = labels.frames + shift
    inside = np.asarray((frames >= 0) & (frames < len(estimate.times)))
    moved = replace(
        labels.select(inside), frames=frames[inside], times=estimate.times[frames[inside]]
    )
    count = f"{abs(shift)} frame{'s' * (abs(shift) > 1)}"
    return moved.with_notes(
        f"labels are {count} too {'early' if shift > 0 else 'late'} for the video: shifted"
    )
