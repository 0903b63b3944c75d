"""`mocap label-fit --tune` as a library call: tune the 2D network to labelled frames."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mocap_cli import __version__
from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import file_sha256
from mocap_cli.labels.fitting.gather import Bar, GatheredLabels, GatherOptions, gather, no_bar
from mocap_cli.labels.label_fit import AUTO, LabelFitOptions
from mocap_cli.labels.readers.dispatch import read_labels
from mocap_cli.labels.tuning.keypoint_images import (
    KeypointImage,
    confident_images,
    labelled_images,
)
from mocap_cli.labels.tuning.tune import TuneOptions, Tuning, tune
from mocap_cli.labels.tuning.tuned_tracker import LabelledVideo, TunedTracker

_CONFIDENT = 3000  # frames of all videos together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TuneResult:
    """What was tuned, to what."""

    tuning: Tuning | None  # None after no steps: the labels alone are kept
    labels: GatheredLabels
    confident: int  # frames in which the tracker is confident, learnt as well
    seconds: float  # without tracking


def tune_labels(
    videos: Sequence[Path],
    labels: Sequence[Path | str],
    output: Path,
    options: LabelFitOptions,
    tuning: TuneOptions | None = None,
    *,
    bar: Bar = no_bar,
) -> TuneResult:
    """Write the 2D labels of videos to `output`, and the 2D network tuned to them.

    Frames in which the tracker is confident are learnt as well, so that they stay as good: those of
    the labelled videos, with "auto" those of all.
    """
    how, tuning = options.gathering(bar), tuning or TuneOptions()
    files = [path for path in labels if str(path) != AUTO]
    found = gather([one for path in files for one in read_labels(Path(path))], videos, how)
    about = {"mocap": __version__, "videos": sorted({clip.video.name for clip in found.clips})}
    kept, tuned, confident = _by_video(found), None, 0
    if not (tuning.steps or any(len(label.times) for label in kept.values())):
        raise MocapError("the labels are 3D: only 2D ones can be kept", "give --tune steps")
    began = time.perf_counter()
    if tuning.steps:
        more = videos if len(files) < len(labels) else ()
        images = [image for clip in found.clips for image in labelled_images(clip)]
        others = _confident(found, more, how)
        began, confident = time.perf_counter(), len(others)
        with bar("tuning", tuning.steps) as on_step:
            tuned = tune(images, others, tuning, on_step)
    TunedTracker.save(tuned.network if tuned else None, kept, about, output)
    seconds = time.perf_counter() - began
    return TuneResult(tuning=tuned, labels=found, confident=confident, seconds=seconds)


def _by_video(found: GatheredLabels) -> dict[str, LabelledVideo]:
    """The 2D labels of every labelled video, by the SHA-256 of the video."""
    labels: dict[str, LabelledVideo] = {}
    for clip in found.clips:
        labelled = clip.labels.has_2d.any(axis=1)
        times, xy = clip.estimate.times[clip.labels.frames[labelled]], clip.labels.xy[labelled]
        video = file_sha256(clip.video)
        if video in labels:
            times = np.concatenate((labels[video].times, times))
            xy = np.concatenate((labels[video].xy, xy))
        labels[video] = LabelledVideo(times, xy)
    return labels


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
