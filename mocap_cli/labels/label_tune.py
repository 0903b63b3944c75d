"""`mocap label-fit --tune` as a library call: tune the 2D network to labelled frames."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocap_cli import __version__
from mocap_cli.errors import MocapError
from mocap_cli.labels.fitting.gather import Bar, GatheredLabels, GatherOptions, gather, no_bar
from mocap_cli.labels.label_fit import AUTO, LabelFitOptions
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.labels.tuning.keypoint_images import (
    KeypointImage,
    confident_images,
    labelled_images,
)
from mocap_cli.labels.tuning.movenet import MoveNet
from mocap_cli.labels.tuning.tune import TuneOptions, tune
from mocap_cli.labels.tuning.tune_verdict import (
    TuneVerdict,
    judge_tuning,
    labels_by_video,
    split,
)
from mocap_cli.labels.tuning.tuned_tracker import TunedTracker

_CONFIDENT = 3000  # frames of all videos together
_ONLY_2D = "only 2D ones can be kept"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TuneResult:
    """What was tuned, to what."""

    labels: GatheredLabels
    verdict: TuneVerdict | None = None  # None after no steps: the labels alone are kept
    learnt: int = 0  # labelled frames that are not held out
    confident: int = 0  # frames in which the tracker is confident, learnt as well
    seconds: float = 0.0  # of tuning

    @property
    def keeps_network(self) -> bool:
        """Whether the file holds a tuned network; else it holds the labels alone."""
        return self.verdict is not None and self.verdict.better


def tune_labels(
    videos: Sequence[Path],
    labels: Sequence[Path | str],
    output: Path,
    options: LabelFitOptions,
    tuning: TuneOptions | None = None,
    *,
    bar: Bar = no_bar,
) -> TuneResult:
    """Write the 2D labels of videos to `output`, and the 2D network tuned to them if it is better.

    Frames in which the tracker is confident are learnt as well, so that they stay as good: those of
    the labelled videos, with "auto" those of all.
    """
    how, tuning = options.gathering(bar), tuning or TuneOptions()
    files = [path for path in labels if str(path) != AUTO]
    read = [one for path in files for one in read_labels(Path(path))]
    if tuning.steps and all(one.synchronous for one in read):  # a session's frames are found later
        _refuse_too_few(sum(map(len, read)), tuning)
    found = gather(read, videos, how)
    kept, network = labels_by_video(found.clips), None
    has_2d = any(len(label.times) for label in kept.values())
    if not (tuning.steps or has_2d):
        raise MocapError(f"the labels are 3D: {_ONLY_2D}", "give --tune steps")
    result = TuneResult(labels=found)
    if tuning.steps:
        solid = {one.path for one in read if one.has_3d.any()}
        more = videos if len(files) < len(labels) else ()
        network, result = _tuned(found, more, solid, how, tuning)
    if not (result.keeps_network or has_2d):
        raise MocapError(
            f"the tuned network is no better, and the labels are 3D: {_ONLY_2D}",
            "label more frames, best those of --suggest",
        )
    about = {"mocap": __version__, "videos": sorted({clip.video.name for clip in found.clips})}
    TunedTracker.save(network if result.keeps_network else None, kept, about, output)
    return result


def _tuned(
    found: GatheredLabels,
    more: Sequence[Path],
    solid: Collection[Path],
    how: GatherOptions,
    options: TuneOptions,
) -> tuple[MoveNet, TuneResult]:
    """The network tuned to four of five labelled frames, and what it gains in the others."""
    _refuse_too_few(len(found), options)
    learnt, held_out = split(found.clips)
    images = [image for clip in learnt if len(clip.labels) for image in labelled_images(clip)]
    confident = _confident(found, more, how)
    began = time.perf_counter()
    with how.bar("tuning", options.steps) as on_step:
        network = tune(images, confident, options, on_step)
    return network, TuneResult(
        labels=found,
        seconds=time.perf_counter() - began,
        verdict=judge_tuning(network, learnt, held_out, solid, how),
        learnt=len(images),
        confident=len(confident),
    )


def _refuse_too_few(count: int, options: TuneOptions) -> None:
    """Before the videos are tracked, and after it: labels may have been left out."""
    if count < options.fewest:
        raise MocapError(
            f"{count} labelled frames are too few to tune the 2D network",
            f"label {options.fewest} and more, best those of --suggest",
        )


def _confident(
    found: GatheredLabels, videos: Sequence[Path], how: GatherOptions
) -> list[KeypointImage]:
    """Frames of the labelled videos and of the others given, evenly drawn."""
    estimates = {clip.video: clip.estimate for clip in found.clips}
    for video in videos:
        if video not in estimates:
            estimates[video] = how.estimate(video)
    count = max(1, _CONFIDENT // len(estimates))
    return [
        image
        for video, estimate in estimates.items()
        for image in confident_images(video, estimate, count)
    ]
