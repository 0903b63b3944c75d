"""Gather: labels with the videos that they are of, and all that is known of these videos."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.keypoints.person_detector import Subject
from mocap_cli.labels.alignment.corrections import align_labels
from mocap_cli.labels.alignment.reconstruction import (
    CalibratedCamera,
    lift_2d_labels,
    triangulate_labels,
)
from mocap_cli.labels.alignment.time_alignment import UNKNOWN_TIME_BASE, TimeBase
from mocap_cli.labels.alignment.video_match import find_video
from mocap_cli.labels.fitting.degraded_copies import DegradedCopy, degrade_clip
from mocap_cli.labels.fitting.examples import Examples, join_examples, make_examples
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder, encode_video
from mocap_cli.labels.fitting.pseudo_labels import make_pseudo_labels
from mocap_cli.labels.labels import Labels
from mocap_cli.tracking.estimate import Estimate, EstimateOptions
from mocap_cli.tracking.estimate import estimate as estimate_video
from mocap_cli.video.probe import probe
from mocap_cli.weights import Device

_OnFrame = Callable[[int], None]
_Bar = Callable[[str, int | None], AbstractContextManager[_OnFrame]]
"""What shows the progress of something with a name and, where that is known, a length."""


def _no_bar(label: str, frames: int | None) -> AbstractContextManager[_OnFrame]:
    """Progress that nobody watches."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledClip:
    """A labelled video."""

    video: Path
    labels: Labels  # on its frames, in its camera's axes, in 3D
    estimate: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class GatherOptions:
    """How videos are looked at, and what is said about labels beside the labels."""

    cache: Path | None  # where keypoints and codes are kept, so that they are made once
    height: float | None = None  # metres, of the person in clicks
    focal: float | None = None  # pixels
    subject: Subject = "auto"  # whom to follow where there are several people
    clock: TimeBase = UNKNOWN_TIME_BASE  # of labels that have a clock of their own
    views: Mapping[str, CalibratedCamera] | None = (
        None  # calibrated cameras, of clicks in several videos
    )
    device: Device = "auto"
    bar: _Bar = _no_bar


@dataclass(frozen=True, slots=True, eq=False)
class GatheredLabels:
    """Labelled clips, and which labels were left out and why."""

    clips: tuple[LabelledClip, ...]
    left_out: Mapping[Path, str]


def gather(
    said: Sequence[Labels], videos: Sequence[Path], how: GatherOptions, *, taught: bool = False
) -> GatheredLabels:
    """Find each label's video, follow the person there, and put both together.

    `taught`: the default tracker labels the other videos, where it is sure of them. Labels that
    cannot be used alone are an error; among others they are left out and named.
    """
    clips: list[LabelledClip] = []
    left_out: dict[Path, str] = {}
    for labels in said:
        try:
            video = find_video(labels, videos)
            estimate = estimate_of(video, how)
            clips.append(LabelledClip(video, align_labels(labels, estimate, how.clock), estimate))
        except MocapError as error:
            if len(said) == 1 and not taught:
                raise
            left_out[labels.path] = error.message
    clips = _with_3d(clips, how)
    labelled = {clip.video for clip in clips}
    for video in [v for v in videos if taught and v not in labelled]:
        estimate = estimate_of(video, how)
        try:
            clips.append(LabelledClip(video, make_pseudo_labels(video, estimate), estimate))
        except MocapError as error:
            left_out[video] = error.message
    if not clips:
        raise MocapError(
            "no labels can be used: " + "; ".join(left_out.values())[:400],
            "look at them with --check",
        )
    return GatheredLabels(tuple(clips), left_out)


def _with_3d(clips: Sequence[LabelledClip], how: GatherOptions) -> list[LabelledClip]:
    """Joints for labels that are only clicks: from several cameras, or by the lifter."""
    placed = [clip for clip in clips if clip.labels.has_3d.any()]
    flat = [clip for clip in clips if not clip.labels.has_3d.any()]
    if how.views is not None and flat:
        by_video = {clip.labels.video: clip for clip in flat}
        solid = triangulate_labels([clip.labels for clip in flat], how.views)
        return placed + [replace(by_video[labels.video], labels=labels) for labels in solid]
    return placed + [
        replace(clip, labels=lift_2d_labels(clip.labels, clip.estimate, how.height))
        for clip in flat
    ]


def estimate_of(video: Path, how: GatherOptions) -> Estimate:
    """What `mocap track` would lift of the same video."""
    info = probe(video)
    options = EstimateOptions(subject=how.subject, focal=how.focal, device=how.device)
    with how.bar(f"tracking {video.name}", info.frames) as bar:
        return estimate_video(info, options, bar, cache=how.cache)


def encode_clip(
    video: Path, eye: FrozenEncoder, estimate: Estimate, how: GatherOptions
) -> EncodedVideo:
    """What an eye makes of the same frames."""
    with how.bar(f"encoding {video.name}", len(estimate.times)) as bar:
        codes = encode_video(video, eye, how.cache, estimate.bounding_squares(), on_frame=bar)
    if len(codes) != len(estimate.times):
        raise MocapError(
            f"{video} gave {len(estimate.times)} frames, then {len(codes)}",
            "encode it as H.264 MP4",
        )
    return codes


def clip_examples(
    clips: Sequence[LabelledClip],
    eye: FrozenEncoder,
    how: GatherOptions,
    *,
    points: bool,
    copies: int = 0,
) -> Examples:
    """All labelled frames as an eye sees them; several labels of one video are of one clip.

    Each has so many copies, spoilt: those of its pictures that come out worse.
    """
    numbers = {video: i for i, video in enumerate(dict.fromkeys(clip.video for clip in clips))}
    parts = []
    for clip in clips:
        codes, number = encode_clip(clip.video, eye, clip.estimate, how), numbers[clip.video]
        parts.append(make_examples(clip.labels, codes, clip.estimate, number, points=points))
        for seed in range(copies):
            copy = _copy(clip, eye, seed, how)
            worse = copy.spoilt & copy.estimate.keypoints.tracked if points else copy.spoilt
            own = make_examples(clip.labels, copy.codes, copy.estimate, number, points=points)
            parts.append(own.only(worse[clip.labels.frames]))
    return join_examples(parts)


def _copy(clip: LabelledClip, eye: FrozenEncoder, seed: int, how: GatherOptions) -> DegradedCopy:
    with how.bar(f"spoiling {clip.video.name}", len(clip.estimate.times)) as bar:
        return degrade_clip(
            clip.video, clip.estimate, clip.labels.frames, eye, seed, how.cache, how.device, bar
        )
