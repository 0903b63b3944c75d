"""Gathering: labels with their videos, and the estimates and features of these videos."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from mocap_cli.camera.lens import focal_pixels
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.subject import Subject
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.other_person import other_person
from mocap_cli.labels.alignment.reconstruction import (
    CalibratedCamera,
    lift_2d_labels,
    triangulate_labels,
)
from mocap_cli.labels.alignment.time_alignment import TimeBase, find_video
from mocap_cli.labels.fitting.degraded_copies import degrade_clip
from mocap_cli.labels.fitting.examples import Examples
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder
from mocap_cli.labels.frame_kinds import frame_kinds
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.progress import Count, no_progress
from mocap_cli.tracking.estimate import Estimate, EstimateOptions, PoseModel, estimate
from mocap_cli.video.probe import probe
from mocap_cli.weights import Device


class Bar(Protocol):
    """Starts a progress bar: what it is for, and the total where that is known."""

    def __call__(self, label: str, total: int | None, /) -> AbstractContextManager[Count]:
        """A context that gives the callback for the number done."""


def no_bar(label: str, total: int | None, /) -> AbstractContextManager[Count]:
    """No-op progress bar."""
    return nullcontext(no_progress)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """A labelled video."""

    video: Path
    labels: Labels  # on its frames, in its camera's axes, in 3D
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherOptions:
    """How videos are tracked, and what is known of labels beside the labels."""

    cache: Path | None  # folder of keypoints and features, so that they are computed once
    subject: Subject = "auto"  # whom to follow where there are several people
    height: float | None = None  # metres, of the person in 2D labels
    focal: float | str | None = None  # pixels, or a 35 mm equivalent such as "26mm"
    fov: float | None = None  # degrees across the longer side, instead of focal
    time_base: TimeBase = field(default_factory=TimeBase)  # of labels of mocap sessions
    cameras: Mapping[str, CalibratedCamera] | None = None  # for 2D labels of several videos
    device: Device = "auto"
    bar: Bar = no_bar

    def estimate(self, video: Path, model: PoseModel | None = None) -> Estimate:
        """What the default tracker gives of a video, or the tracker with a model."""
        info = probe(video)
        focal = focal_pixels(self.focal, self.fov, (info.width, info.height))
        options = EstimateOptions(
            subject=self.subject, focal=focal, device=self.device, model=model
        )
        with self.bar(f"tracking {video.name}", info.frames) as bar:
            return estimate(info, options, bar, cache=self.cache)

    def encode(self, video: Path, encoder: FrozenEncoder, found: Estimate) -> EncodedVideo:
        """Image features of the same frames."""
        with self.bar(f"encoding {video.name}", len(found.times)) as bar:
            crops = found.bounding_squares()
            encoded = encoder.encode(video, crops, cache=self.cache, on_frame=bar)
        if len(encoded) != len(found.times):
            raise MocapError(
                f"{video} gave {len(found.times)} frames, then {len(encoded)}",
                "re-encode it as H.264 MP4",
            )
        return encoded


@dataclass(frozen=True, slots=True, eq=False)
class GatheredLabels:
    """Labelled clips, and which labels were left out and why."""

    clips: tuple[LabelledClip, ...]
    left_out: Mapping[Path, str]

    @property
    def warnings(self) -> list[str]:
        """What was left out and why, and labels that may be of somebody else."""
        lines = [f"{path} left out: {why}" for path, why in self.left_out.items()]
        for clip in self.clips:
            if doubt := other_person(clip.labels, clip.estimate):
                lines.append(f"{clip.video.name}: {doubt}")
        return lines

    def __len__(self) -> int:
        return sum(len(clip.labels) for clip in self.clips)


def gather(
    labels: Sequence[Labels], videos: Sequence[Path], how: GatherOptions, *, pseudo: bool = False
) -> GatheredLabels:
    """Find the video of each label file, track it, and align both.

    With `pseudo` the other videos get pseudo-labels of the default tracker. Labels that cannot be
    used are an error if they are the only ones, else they are left out and named.
    """
    clips: list[LabelledClip] = []
    left_out: dict[Path, str] = {}
    for one in labels:
        try:
            video = find_video(one, videos)
            found = how.estimate(video)
            clips.append(LabelledClip(video, align_labels(one, found, how.time_base), found))
        except MocapError as error:
            if len(labels) == 1 and not pseudo:
                raise
            left_out[one.path] = error.message
    clips = _with_3d(clips, how)
    labelled = {clip.video for clip in clips}
    for video in [v for v in videos if pseudo and v not in labelled]:
        try:
            found = how.estimate(video)
            clips.append(LabelledClip(video, _pseudo_labels(video, found), found))
        except MocapError as error:
            left_out[video] = error.message
    if not clips:
        raise MocapError(
            "no labels can be used: " + "; ".join(left_out.values())[:400],
            "draw them on their frames with --check",
        )
    return GatheredLabels(tuple(clips), left_out)


def _with_3d(clips: Sequence[LabelledClip], how: GatherOptions) -> list[LabelledClip]:
    """Joints for labels that are only 2D: from several cameras, or by the lifter."""
    done = [clip for clip in clips if clip.labels.has_3d.any()]
    flat = [clip for clip in clips if not clip.labels.has_3d.any()]
    if how.cameras is not None and flat:
        by_video = {clip.labels.video: clip for clip in flat}
        solid = triangulate_labels([clip.labels for clip in flat], how.cameras)
        return done + [replace(by_video[labels.video], labels=labels) for labels in solid]
    return done + [
        replace(clip, labels=lift_2d_labels(clip.labels, clip.estimate, how.height))
        for clip in flat
    ]


def _pseudo_labels(video: Path, found: Estimate) -> Labels:
    """Poses of the frames in which the default tracker is confident, with their sigma."""
    kinds = frame_kinds(found.keypoints.detected, found.keypoints.score, found.pose.sigma)
    frames = np.flatnonzero(kinds == "sure")
    if not len(frames):
        raise MocapError(
            f"the default tracker is not confident in any frame of {video.name}",
            "label some frames by hand",
        )
    labels = make_labels(
        video,
        video.name,
        frames=frames,
        joints=found.pose.joints[frames],
        sigma=found.pose.sigma[frames],
        in_camera=True,
        size=found.size,
        notes=(f"pseudo-labels in {len(frames)} of {len(found.times)} frames",),
    )
    return replace(labels, times=found.times[labels.frames])


def clip_examples(
    clips: Sequence[LabelledClip],
    encoder: FrozenEncoder,
    how: GatherOptions,
    *,
    points: bool,
    copies: int = 0,
) -> Examples:
    """All labelled frames, encoded; several label files of one video are of one clip.

    Each has so many degraded copies, of which the frames count that came out worse.
    """
    numbers = {video: i for i, video in enumerate(dict.fromkeys(clip.video for clip in clips))}
    parts = []
    for clip in clips:
        labels, number = clip.labels, numbers[clip.video]
        encoded = how.encode(clip.video, encoder, clip.estimate)
        parts.append(Examples.of_clip(labels, encoded, clip.estimate, number, points=points))
        for seed in range(copies):
            with how.bar(f"degrading {clip.video.name}", len(clip.estimate.times)) as bar:
                copy = degrade_clip(
                    clip.video, clip.estimate, labels.frames, encoder, seed,
                    cache=how.cache, device=how.device, on_frame=bar,
                )  # fmt: skip
            worse = copy.degraded
            if points:
                worse = worse & copy.estimate.keypoints.tracked
            own = Examples.of_clip(labels, copy.encoded, copy.estimate, number, points=points)
            parts.append(own.select(worse[labels.frames]))
    return Examples.join(parts)
