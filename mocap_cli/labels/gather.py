"""Gather: labels with the videos that they are of, and all that is known of these videos."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.labels.agree import UNKNOWN, Clock, agreed
from mocap_cli.labels.clicked import View, lifted, triangulated
from mocap_cli.labels.examples import Examples, join, make_examples
from mocap_cli.labels.eye import Codes, Eye, encode
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.match import find_video
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


def gather(said: Sequence[Labels], videos: Sequence[Path], how: Gathering) -> Gathered:
    """Find each label's video, follow the person there, and put both together.

    One that cannot be used alone is an error; among others it is left out and named.
    """
    found: list[tuple[Path, Labels, Witness]] = []
    left_out: dict[Path, str] = {}
    for labels in said:
        try:
            video = find_video(labels, videos)
            witness = witness_of(video, how)
            found.append((video, agreed(labels, witness, how.clock), witness))
        except MocapError as error:
            if len(said) == 1:
                raise
            left_out[labels.path] = error.message
    clips = [Clip(video, labels, witness) for video, labels, witness in _in_three(found, how)]
    if not clips:
        raise MocapError(
            "no labels can be used: " + "; ".join(left_out.values())[:400],
            "look at them with --check",
        )
    return Gathered(tuple(clips), left_out)


def _in_three(
    found: Sequence[tuple[Path, Labels, Witness]], how: Gathering
) -> list[tuple[Path, Labels, Witness]]:
    """Joints for labels that are only clicks: from several cameras, or by the lifter."""
    placed = [item for item in found if item[1].placed.any()]
    flat = [item for item in found if not item[1].placed.any()]
    if how.views is not None and flat:
        by_path = {item[1].video: item for item in flat}
        solid = triangulated([labels for _, labels, _ in flat], how.views)
        return placed + [(by_path[s.video][0], s, by_path[s.video][2]) for s in solid]
    return placed + [(video, lifted(one, saw, how.height), saw) for video, one, saw in flat]


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


def examples_of(clips: Sequence[Clip], eye: Eye, how: Gathering, *, points: bool) -> Examples:
    """All labelled frames as an eye sees them; several labels of one video are of one clip."""
    numbers = {video: i for i, video in enumerate(dict.fromkeys(clip.video for clip in clips))}
    parts = []
    for clip in clips:
        codes = codes_of(clip.video, eye, clip.witness, how)
        number = numbers[clip.video]
        parts.append(make_examples(clip.labels, codes, clip.witness, number, points=points))
    return join(parts)


def thinned(clips: Sequence[Clip], count: int) -> list[Clip]:
    """So many of all labelled frames, spread evenly; clips that get none are left out."""
    total = sum(len(clip.labels) for clip in clips)
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.intp))
    kept, begin = [], 0
    for clip in clips:
        end = begin + len(clip.labels)
        mine: NDArray[np.intp] = chosen[(chosen >= begin) & (chosen < end)] - begin
        if len(mine):
            kept.append(replace(clip, labels=clip.labels.only(mine)))
        begin = end
    return kept
