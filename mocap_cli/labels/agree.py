"""Agree: labels held against what the default tracker sees, so that slips are found and mended.

The tracker is no judge of a careful label, but it knows which frame it is, which way the camera
looks, and left from right. Where it is unsure of a video it judges nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import nearest_rotation
from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirrored
from mocap_cli.errors import MocapError
from mocap_cli.labels.examples import size_ratio
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.match import at_moments, on_frames
from mocap_cli.labels.witness import Witness

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Score = Callable[[int, Bool], float]  # of a shift by frames, over some of the labels

_JOINT_SIDE, _POINT_SIDE = list(mirrored(BODY.names)), list(mirrored(KEYPOINTS))
_PAIRS = np.array([(BODY.index(a), BODY.index(b)) for a, b in (
    ("left_wrist", "pelvis"), ("right_wrist", "pelvis"), ("left_wrist", "right_wrist"),
    ("left_ankle", "pelvis"), ("right_ankle", "pelvis"), ("left_ankle", "right_ankle"),
    ("left_wrist", "left_shoulder"), ("right_wrist", "right_shoulder"),
    ("left_wrist", "left_ankle"), ("right_wrist", "right_ankle"),
    ("left_knee", "right_knee"), ("left_elbow", "pelvis"), ("right_elbow", "pelvis"),
)])  # fmt: skip
"""Distances that change with the pose and not with where it is seen from."""

FEWEST = 8  # frames that both know, below which nothing is judged
UNLIKE = 0.25  # correlation below which labels and video have nothing to do with each other
FAR_OFF = 0.6  # of the body's size between clicks and keypoints: somewhere else altogether
CLEARLY = 0.75  # of the error as it is, below which another reading of the labels is right
REACH = 5  # frames by which labels may be shifted and are looked for
BETTER = 0.01  # by which a shift must be more alike, in both halves of the labels
RATES = (1.0, 0.5, 2.0, 0.25, 4.0)  # of the session's clock: slow motion, or filmed faster


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a session's time is in the video: offset + rate * (time - its first)."""

    offset: float | None = None  # seconds of the video; None finds it
    rate: float | None = None


UNKNOWN = Clock()


def agreed(labels: Labels, witness: Witness, clock: Clock = UNKNOWN) -> Labels:
    """Labels on frames of the video and in its camera's axes, mended where a slip is plain.

    What cannot be of this video is refused.
    """
    labels = _in_pixels(labels, witness)
    if labels.synchronous:
        labels = _unshifted(on_frames(labels, witness.times), witness)
    else:
        labels = _in_time(labels, witness, clock)
    if labels.clicked.any():
        labels = _clicks_right_way(labels, witness)
    return _right_way(labels, witness) if labels.placed.any() else labels


def _in_pixels(labels: Labels, witness: Witness) -> Labels:
    if labels.size is None or labels.size == witness.size:
        return labels
    (w, h), (width, height) = labels.size, witness.size
    if abs(w / h - width / height) > 0.02 * width / height:
        raise MocapError(
            f"{labels.path} was made on pictures of {w}x{h}, the video has {width}x{height}",
            "give the video that was labelled, neither cut nor turned",
        )
    scaled = labels.xy * (width / w, height / h)
    return replace(labels, xy=scaled, size=witness.size).noting(
        f"clicks on pictures of {w}x{h} are scaled to {width}x{height}"
    )


def shapes(joints: Float64) -> Float64:
    """(N, 19, 3) to (N, P): how the body is folded, whatever it is seen from and how large."""
    apart = np.linalg.norm(joints[:, _PAIRS[:, 0]] - joints[:, _PAIRS[:, 1]], axis=-1)
    known = np.isfinite(apart)
    return apart / (np.median(apart[known]) if known.any() else 1.0)


def likeness(a: Float64, b: Float64) -> float:
    """Mean correlation of columns (N, P) over the rows that both know; NaN where too few."""
    found = []
    for x, y in zip(a.T, b.T, strict=True):
        known = np.isfinite(x) & np.isfinite(y)
        if known.sum() < FEWEST:
            continue
        x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
        size = np.sqrt((x @ x) * (y @ y))
        if size > 1e-4 * known.sum():
            found.append(x @ y / size)
    return float(np.mean(found)) if len(found) >= 3 else float("nan")


def _at(times: Float64, values: Float64, moments: Float64) -> Float64:
    """(T, P) values at other moments, NaN beyond the ends and next to what is NaN."""
    columns = [np.interp(moments, times, c, left=np.nan, right=np.nan) for c in values.T]
    return np.stack(columns, axis=1)


def _folds(witness: Witness) -> Float64:
    return np.where(witness.sure[:, None], shapes(witness.pose.joints), np.nan)


def _in_time(labels: Labels, witness: Witness, clock: Clock) -> Labels:
    """A session's labels at the video's frames, by the clock that makes both most alike."""
    local = labels.times - labels.times[0]
    if clock.offset is not None:
        moments = clock.offset + (clock.rate or 1.0) * local
        return at_moments(labels, moments, witness.times)
    rates = (clock.rate,) if clock.rate else RATES
    offset, rate, found = find_clock(local, shapes(labels.joints), witness, rates)
    if not found > UNLIKE:
        raise MocapError(
            f"{labels.path} does not go with the video: at no offset do they move alike"
            f" (at best {found:.2f} of 1)",
            "give the video of this take, or --offset in seconds",
        )
    said = f"it begins at {offset:.3f} s of the video"
    said += "" if rate == 1 else f" and runs {rate:g} times as long"
    placed = at_moments(labels, offset + rate * local, witness.times)
    return placed.noting(f"{said} (found by correlation, {found:.2f} of 1)")


def find_clock(
    local: Float64, folds: Float64, witness: Witness, rates: tuple[float, ...]
) -> tuple[float, float, float]:
    """(offset, rate, likeness) at which a session that lasts `local` seconds is most alike."""
    times, theirs = witness.times, _folds(witness)
    thin = np.linspace(0, len(local) - 1, min(len(local), 400)).round().astype(int)
    local, folds = local[thin], folds[thin]
    gap = float(np.median(np.diff(times)))
    best = (0.0, 1.0, -1.0)
    for rate in rates:
        length = rate * local[-1]
        least = min(length, times[-1] - times[0]) / 2  # at least that much is common
        first, last = times[0] + least - length, times[-1] - least
        for step in (gap, gap / 4, gap / 16):
            for offset in np.arange(first, last + step / 2, step):
                found = likeness(folds, _at(times, theirs, offset + rate * local))
                if found > best[2]:
                    best = (float(offset), rate, found)
            if best[1] != rate:
                break
            first, last = best[0] - step, best[0] + step
    return best


def _unshifted(labels: Labels, witness: Witness) -> Labels:
    """The same labels some frames earlier or later, when they then plainly fit."""
    if len(labels) < 3 * FEWEST:
        return labels
    score = _folds_score(labels, witness) if labels.placed.any() else _click_score(labels, witness)
    steps = np.arange(-REACH, REACH + 1)
    halves = [np.arange(len(labels)) % 2 == i for i in (0, 1)]
    scores = np.array([[score(int(step), half) for step in steps] for half in halves])
    if not np.isfinite(scores[:, REACH]).all():
        return labels
    chosen = np.nanargmax(scores, axis=1)
    gains = scores[(0, 1), chosen] - scores[:, REACH]
    step = int(steps[chosen[0]])
    if chosen[0] != chosen[1] or step == 0 or not (gains > BETTER).all():
        return labels
    inside = np.asarray((labels.frames + step >= 0) & (labels.frames + step < len(witness.times)))
    kept = labels.only(inside)
    frames = kept.frames + step
    return replace(kept, frames=frames, times=witness.times[frames]).noting(
        f"labels are {abs(step)} frame{'s' * (abs(step) > 1)} too {'early' if step > 0 else 'late'}"
        " for the video: shifted"
    )


def _folds_score(labels: Labels, witness: Witness) -> Score:
    ours, theirs = shapes(labels.joints), _folds(witness)

    def score(step: int, half: Bool) -> float:
        at = np.clip(labels.frames[half] + step, 0, len(theirs) - 1)
        return likeness(ours[half], theirs[at])

    return score


def _click_score(labels: Labels, witness: Witness) -> Score:
    theirs = np.where(witness.sure[:, None, None], witness.seen.xy, np.nan)

    def score(step: int, half: Bool) -> float:
        at = np.clip(labels.frames[half] + step, 0, len(theirs) - 1)
        return -_apart(labels.xy[half], theirs[at])

    return score


def _apart(xy: Float64, theirs: Float64) -> float:
    """Median distance of clicks and keypoints, in the size of the body."""
    centred = theirs - np.nanmean(theirs, axis=1, keepdims=True) if len(theirs) else theirs
    known = np.isfinite(xy).all(axis=-1) & np.isfinite(theirs).all(axis=-1)
    if known.sum() < 3 * FEWEST:
        return float("nan")
    size = np.linalg.norm(centred, axis=-1)
    return float(np.median(np.linalg.norm(xy - theirs, axis=-1)[known]) / np.median(size[known]))


def _clicks_right_way(labels: Labels, witness: Witness) -> Labels:
    """Clicks as they are, or with left and right for right and left, or of the mirrored video."""
    theirs = np.where(witness.sure[:, None, None], witness.seen.xy, np.nan)[labels.frames]
    turned = np.where(np.isfinite(labels.xy), labels.xy * (-1, 1) + (witness.size[0], 0), np.nan)
    readings = {
        "": labels.xy,
        "left and right are swapped: put right": labels.xy[:, _POINT_SIDE],
        "clicks are of the mirrored video: turned back": turned[:, _POINT_SIDE],
    }
    apart = {said: _apart(xy, theirs) for said, xy in readings.items()}
    if not np.isfinite(apart[""]):
        return labels
    best = min(apart, key=lambda said: apart[said])
    if apart[best] > FAR_OFF:
        raise MocapError(
            f"{labels.path} does not go with the video: its clicks are {apart['']:.1f} bodies"
            " beside the person",
            "give the video that was labelled, or the right person with --subject",
        )
    if best and apart[best] < CLEARLY * apart[""]:
        return replace(labels, xy=readings[best]).noting(best)
    return labels


def _right_way(labels: Labels, witness: Witness) -> Labels:
    """Joints in the camera's axes, whatever axes they came in, and left on the left."""
    theirs = np.where(witness.sure[:, None, None], witness.pose.joints, np.nan)[labels.frames]
    joints = labels.joints - labels.joints[:, :1]
    known = np.isfinite(joints + theirs).all(axis=-1)
    if np.count_nonzero(np.any(known, axis=1)) < FEWEST:
        if labels.in_camera:
            return labels.noting("could not be compared: the tracker is unsure of these frames")
        raise MocapError(
            f"cannot tell from where the camera saw {labels.path}: the tracker is unsure of it",
            "give labels in the camera's axes, as a JSON of mocap",
        )
    if len(labels) >= FEWEST and likeness(shapes(joints), shapes(theirs)) < UNLIKE / 2:
        raise MocapError(
            f"{labels.path} does not go with the video: joints and person move differently",
            "give the video that was labelled",
        )
    theirs = theirs * size_ratio(joints, theirs)
    mirror = joints * (-1, 1, 1)
    readings = {
        "": joints,
        "left and right are swapped: put right": joints[:, _JOINT_SIDE],
        "joints are in left-handed axes: turned over": mirror,
        "joints are of the mirrored video: turned back": mirror[:, _JOINT_SIDE],
    }
    turned = {s: _turned(j, theirs, turns=not labels.in_camera) for s, j in readings.items()}
    off = {said: _off(j, theirs) for said, j in turned.items()}
    best = min(off, key=lambda said: off[said])
    chosen = best if best and off[best] < CLEARLY * off[""] else ""
    right = replace(labels, joints=turned[chosen], in_camera=True)
    return right.noting(chosen) if chosen else right


def _off(joints: Float64, theirs: Float64) -> float:
    return float(np.nanmedian(np.linalg.norm(joints - theirs, axis=-1)[:, 1:]))


def _turned(joints: Float64, theirs: Float64, *, turns: bool) -> Float64:
    """The joints turned, all frames alike, to lie as they are seen; a camera that stands."""
    if not turns:
        return joints
    known = np.isfinite(joints).all(axis=-1) & np.isfinite(theirs).all(axis=-1)
    turn = nearest_rotation(theirs[known].T @ joints[known])
    for _ in range(5):  # frames that the tracker has wrong shall not tilt the others
        off = np.linalg.norm(joints[known] @ turn.T - theirs[known], axis=-1)
        weight = 1 / (1 + (off / np.median(off)) ** 2)
        turn = nearest_rotation((weight[:, None] * theirs[known]).T @ joints[known])
    return np.asarray(joints @ turn.T)
