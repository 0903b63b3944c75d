"""Gather: labels with the videos that they are of, and all that is known of these videos."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.labels.agree import UNKNOWN, Clock, agreed
from mocap_cli.labels.clicked import View, lifted, triangulated
from mocap_cli.labels.copies import Copy, copy_clip
from mocap_cli.labels.examples import Examples, join, make_examples
from mocap_cli.labels.eye import Codes, Eye, encode
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.match import find_video
from mocap_cli.labels.teacher import taught_by_tracker
from mocap_cli.labels.witness import Witness, watch
from mocap_cli.video.probe import probe
from mocap_cli.weights import Device

OnFrame = Callable[[int], None]
Bar = Callable[[str, int | None], AbstractContextManager[OnFrame]]
"""What shows the progress of something with a name and, where that is known, a length."""


def unseen_bar(label: str, frames: int | None) -> AbstractContextManager[OnFrame]:
    """Progress that nobody watches."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A labelled video."""

    video: Path
    labels: Labels  # on its frames, in its camera's axes, in 3D
    witness: Witness


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """How videos are looked at, and what is said about labels beside the labels."""

    cache: Path | None  # where keypoints and codes are kept, so that they are made once
    height: float | None = None  # metres, of the person in clicks
    focal: float | None = None  # pixels
    clock: Clock = UNKNOWN  # of labels that have a clock of their own
    views: Mapping[str, View] | None = None  # calibrated cameras, of clicks in several videos
    device: Device = "auto"
    bar: Bar = unseen_bar


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Labelled clips, and which labels were left out and why."""

    clips: tuple[Clip, ...]
    left_out: Mapping[Path, str]


def gather(
    said: Sequence[Labels], videos: Sequence[Path], how: Gathering, *, taught: bool = False
) -> Gathered:
    """Find each label's video, follow the person there, and put both together.

    `taught`: the default tracker labels the other videos, where it is sure of them. Labels that
    cannot be used alone are an error; among others they are left out and named.
    """
    clips: list[Clip] = []
    left_out: dict[Path, str] = {}
    for labels in said:
        try:
            video = find_video(labels, videos)
            witness = witness_of(video, how)
            clips.append(Clip(video, agreed(labels, witness, how.clock), witness))
        except MocapError as error:
            if len(said) == 1 and not taught:
                raise
            left_out[labels.path] = error.message
    clips = _in_three(clips, how)
    labelled = {clip.video for clip in clips}
    for video in [v for v in videos if taught and v not in labelled]:
        witness = witness_of(video, how)
        try:
            clips.append(Clip(video, taught_by_tracker(video, witness), witness))
        except MocapError as error:
            left_out[video] = error.message
    if not clips:
        raise MocapError(
            "no labels can be used: " + "; ".join(left_out.values())[:400],
            "look at them with --check",
        )
    return Gathered(tuple(clips), left_out)


def _in_three(clips: Sequence[Clip], how: Gathering) -> list[Clip]:
    """Joints for labels that are only clicks: from several cameras, or by the lifter."""
    placed = [clip for clip in clips if clip.labels.placed.any()]
    flat = [clip for clip in clips if not clip.labels.placed.any()]
    if how.views is not None and flat:
        by_video = {clip.labels.video: clip for clip in flat}
        solid = triangulated([clip.labels for clip in flat], how.views)
        return placed + [replace(by_video[labels.video], labels=labels) for labels in solid]
    return placed + [
        replace(clip, labels=lifted(clip.labels, clip.witness, how.height)) for clip in flat
    ]


def witness_of(video: Path, how: Gathering) -> Witness:
    """What the default tracker sees in a video."""
    with how.bar(f"following {video.name}", probe(video).frames) as bar:
        return watch(video, how.cache, focal=how.focal, device=how.device, on_frame=bar)


def codes_of(video: Path, eye: Eye, witness: Witness, how: Gathering) -> Codes:
    """What an eye makes of the same frames."""
    with how.bar(f"encoding {video.name}", len(witness.times)) as bar:
        codes = encode(video, eye, how.cache, witness.squares(), on_frame=bar)
    if len(codes) != len(witness.times):
        raise MocapError(
            f"{video} gave {len(witness.times)} frames, then {len(codes)}", "encode it as H.264 MP4"
        )
    return codes


def examples_of(
    clips: Sequence[Clip], eye: Eye, how: Gathering, *, points: bool, copies: int = 0
) -> Examples:
    """All labelled frames as an eye sees them; several labels of one video are of one clip.

    Each has so many copies, spoilt: those of its pictures that come out worse.
    """
    numbers = {video: i for i, video in enumerate(dict.fromkeys(clip.video for clip in clips))}
    parts = []
    for clip in clips:
        codes, number = codes_of(clip.video, eye, clip.witness, how), numbers[clip.video]
        parts.append(make_examples(clip.labels, codes, clip.witness, number, points=points))
        for seed in range(copies):
            copy = _copy(clip, eye, seed, how)
            worse = copy.spoilt & copy.witness.seen.known if points else copy.spoilt
            own = make_examples(clip.labels, copy.codes, copy.witness, number, points=points)
            parts.append(own.only(worse[clip.labels.frames]))
    return join(parts)


def _copy(clip: Clip, eye: Eye, seed: int, how: Gathering) -> Copy:
    with how.bar(f"spoiling {clip.video.name}", len(clip.witness.times)) as bar:
        return copy_clip(
            clip.video, clip.witness, clip.labels.frames, eye, seed, how.cache, how.device, bar
        )
