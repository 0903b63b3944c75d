"""Match: which video labels are of, and which of its frames."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels
from mocap_cli.types import Float64

_ENDINGS = (".truth", ".labels", ".coco", ".json", "_keypoints", "_labels")
_GENERIC_NAME = re.compile(
    r"(labels?|annotations?|points|clicks|joints|poses?|data|collecteddata.*|person|instances.*)$"
)
_MAX_FRAME_DISTANCE = (
    0.6  # of the time from frame to frame: labels nearer than that are of the frame
)
_MAX_OUTSIDE = 0.5  # share of labels beyond the video's ends, above which it is another video


def find_video(labels: Labels, videos: Sequence[Path]) -> Path:
    """The video of that name; the only one there is, when the name says nothing."""
    wanted = {_stem(labels.video), _stem(labels.path.name)}
    found = [video for video in videos if _stem(video.name) in wanted]
    if not found and len(videos) == 1 and all(_GENERIC_NAME.match(name) for name in wanted):
        return videos[0]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        raise MocapError(
            f"{labels.path} may be of {found[0]} or of {found[1]}", "give only one of them"
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
    """Labels that know both the number and the time of their frames; those beyond are left out."""
    if (labels.frames >= 0).all():
        inside = np.asarray(labels.frames < len(times))
        frames = np.where(inside, labels.frames, 0)
    else:
        frames, inside = _nearest(labels.times, times)
    outside = int((~inside).sum())
    if outside > _MAX_OUTSIDE * len(labels):
        raise MocapError(
            f"{labels.path} is not of {labels.video}: {outside} of its {len(labels)} labels are"
            f" beyond its {len(times)} frames, {times[-1]:.2f} s",
            "give the video that was labelled",
        )
    placed = replace(labels, frames=frames, times=times[frames])
    if outside:
        said = f"{outside} of {len(labels)} labels are of no frame of the video and are left out"
        placed = placed.select(inside).with_notes(said)
    return _one_per_frame(placed, labels.times[inside])


def _nearest(moments: Float64, times: Float64) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    after = np.clip(np.searchsorted(times, moments), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(moments - times[before]) <= np.abs(moments - times[after])
    frames = np.where(nearer, before, after)
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    return frames, np.asarray(np.abs(times[frames] - moments) <= _MAX_FRAME_DISTANCE * gap)


def _one_per_frame(labels: Labels, asked: Float64) -> Labels:
    """Of labels that are faster than the video the nearest to each frame."""
    off = np.nan_to_num(np.abs(labels.times - asked))
    order = np.lexsort((off, labels.frames))
    first = np.append(True, np.diff(labels.frames[order]) > 0)
    return labels.select(order[first])


def resample_to_frames(labels: Labels, moments: Float64, times: Float64) -> Labels:
    """Dense labels with these times in the video, seen at its frames along straight lines."""
    inside = np.flatnonzero((times >= moments[0]) & (times <= moments[-1]))
    if not len(inside):
        raise MocapError(
            f"{labels.path} and the video do not overlap in time", "give --offset in seconds"
        )
    flat = labels.joints.reshape(len(labels), -1)
    joints = np.stack([np.interp(times[inside], moments, column) for column in flat.T], 1)
    gap = np.diff(moments)[np.clip(np.searchsorted(moments, times[inside]) - 1, 0, None)]
    joints[gap > 3 * np.median(np.diff(moments))] = np.nan  # nobody was seen in between
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
