"""Verdict on a tuned network: what the tracker finds with it in held-out labelled frames."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mocap_cli.io.video_cache import file_sha256
from mocap_cli.labels.fitting.gather import GatherOptions, LabelledClip
from mocap_cli.labels.fitting.verdict import frame_errors
from mocap_cli.labels.frame_kinds import with_nearest_poses
from mocap_cli.labels.tuning.movenet import MoveNet
from mocap_cli.labels.tuning.tuned_tracker import LabelledVideo, TunedTracker
from mocap_cli.tracking.estimate import Estimate, PoseModel
from mocap_cli.types import Float64

_EVERY = 5  # labelled frames, of which one is held out


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneVerdict:
    """Mean errors in the held-out frames, as shares of the body's size."""

    held_out: int  # frames
    default: float  # of the default tracker
    labels: float  # with the other labels in their frames
    tuned: float  # with the tuned network as well
    doubt: float  # standard error of the difference of the last two

    @property
    def better(self) -> bool:
        """Whether the tuned network gains on the labels alone, beyond doubt."""
        return self.tuned < self.labels - self.doubt


def split(clips: Sequence[LabelledClip]) -> tuple[list[LabelledClip], list[LabelledClip]]:
    """The clips with the labels to learn, and those with every fifth one, which is held out."""
    learnt: list[LabelledClip] = []
    held_out: list[LabelledClip] = []
    count = 0
    for clip in clips:
        out = (count + np.arange(len(clip.labels))) % _EVERY == _EVERY - 1
        count += len(out)
        learnt.append(replace(clip, labels=clip.labels.select(~out)))
        held_out.append(replace(clip, labels=clip.labels.select(out)))
    return learnt, [clip for clip in held_out if len(clip.labels)]


def labels_by_video(clips: Sequence[LabelledClip]) -> dict[str, LabelledVideo]:
    """The 2D labels of every labelled video, by the SHA-256 of the video."""
    labels: dict[str, LabelledVideo] = {}
    for clip in clips:
        labelled = clip.labels.has_2d.any(axis=1)
        times, xy = clip.estimate.times[clip.labels.frames[labelled]], clip.labels.xy[labelled]
        video = file_sha256(clip.video)
        if video in labels:
            times = np.concatenate((labels[video].times, times))
            xy = np.concatenate((labels[video].xy, xy))
        labels[video] = LabelledVideo(times, xy)
    return labels


def judge_tuning(
    network: MoveNet,
    learnt: Sequence[LabelledClip],
    held_out: Sequence[LabelledClip],
    solid: Collection[Path],
    how: GatherOptions,
) -> TuneVerdict:
    """Track the clips with what was learnt, as `mocap track --model`, and compare with the labels.

    Poses are compared with the labels of files in `solid`, which are 3D; keypoints with others.
    """
    labels = labels_by_video(learnt)
    kept, tuned = (TunedTracker.of(one, labels) for one in (None, network))
    errors = np.concatenate([_errors(clip, kept, tuned, solid, how) for clip in held_out], axis=1)
    default, alone, both = errors[:, np.isfinite(errors).all(axis=0)]
    return TuneVerdict(
        held_out=len(both),
        default=float(default.mean()),
        labels=float(alone.mean()),
        tuned=float(both.mean()),
        doubt=float((both - alone).std(ddof=1) / np.sqrt(len(both))),
    )


def _errors(
    clip: LabelledClip,
    kept: PoseModel,
    tuned: PoseModel,
    solid: Collection[Path],
    how: GatherOptions,
) -> Float64:
    """(3, N) errors in the labelled frames of the default tracker and of these two."""
    measure = _pose_errors if clip.labels.path in solid else _keypoint_errors
    found = (clip.estimate, how.estimate(clip.video, kept), how.estimate(clip.video, tuned))
    return np.stack([measure(clip, one) for one in found])


def _pose_errors(clip: LabelledClip, found: Estimate) -> Float64:
    """(N,) P-MPJPE as a share of the body's size; a missing pose is the nearest one."""
    poses = with_nearest_poses(found.pose.joints.astype(np.float64))[clip.labels.frames]
    return frame_errors(poses, clip.labels.joints) / 1000 / _sizes(clip.labels.joints)


def _keypoint_errors(clip: LabelledClip, found: Estimate) -> Float64:
    """(N,) mean distance of keypoints as a share of the body's size; missing: the nearest ones."""
    xy = with_nearest_poses(found.keypoints.xy.astype(np.float64))[clip.labels.frames]
    distance = np.linalg.norm(xy - clip.labels.xy, axis=-1)
    return np.asarray(np.nanmean(distance, axis=1) / _sizes(clip.labels.xy))


def _sizes(points: Float64) -> Float64:
    """(N,) diagonal of the box around labelled points (N, P, D)."""
    box = np.nanmax(points, axis=1) - np.nanmin(points, axis=1)
    return np.asarray(np.linalg.norm(box, axis=-1))
