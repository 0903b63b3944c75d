"""The appearance swap of a whole video: both videos, the background and the model together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mocap_cli.errors import MocapError
from mocap_cli.export.appearance_model import AppearanceModel
from mocap_cli.export.appearance_swap import Appearance, write_swap
from mocap_cli.export.registry import check_output
from mocap_cli.learning.data.decoding import open_or_make_background
from mocap_cli.learning.data.subject import VideoSubject, subject_of
from mocap_cli.progress import Progress, count_stage, no_progress
from mocap_cli.tracking.estimate import EstimateOptions, estimate
from mocap_cli.video.probe import VideoInfo, probe
from mocap_cli.video.reader import open_video


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapResult:
    """Model, frames and warnings of a swap."""

    path: Path
    frames: int
    model: Path
    step: int  # training steps of the model
    warnings: tuple[str, ...]


def swap_video(
    video: Path,
    appearance: Path,
    output: Path,
    model: Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    panel: bool = False,
    progress: Progress = no_progress,
) -> SwapResult:
    """Redraw the person of `video` with the appearance of the one in `appearance`."""
    motion, worn = probe(video), probe(appearance)
    drawing = AppearanceModel.open(model)
    inputs = {"video": video, "video with the appearance": appearance}
    check_output(output, inputs, motion.frames or 0)
    with open_video(video, start, end) as frames:
        next(iter(frames))  # a span without a frame is an error, before the long work
    with _one_thread():
        person = _subject(drawing, motion, EstimateOptions(start=start or None, end=end), progress)
        wearer = _subject(drawing, worn, EstimateOptions(), progress)
        count = count_stage(progress, f"appearance of {appearance.name}", worn.frames)
        look = Appearance.read(drawing, appearance, wearer, count)
        count = count_stage(progress, "background", motion.frames)
        plates = open_or_make_background(video, "auto", count)
        count = count_stage(progress, f"writing {output.name}", motion.frames)
        done = write_swap(
            drawing, video, plates, look, output,
            subject=person, start=start, end=end, panel=panel, on_frame=count,
        )  # fmt: skip
    unknown = [v.name for v in (video, appearance) if drawing.clips and v.name not in drawing.clips]
    return SwapResult(
        path=output,
        frames=done,
        model=drawing.path,
        step=drawing.step,
        warnings=(*(f"the model was not trained on {name}" for name in unknown), *plates.warnings),
    )


def _subject(
    model: AppearanceModel, video: VideoInfo, span: EstimateOptions, progress: Progress
) -> VideoSubject | None:
    """Where the person is, by the default tracker, if the model does not find them itself."""
    if not model.takes_squares:
        return None
    count = count_stage(
        progress, f"tracking {video.path.name}", video.frames_between(span.start, span.end)
    )
    found = subject_of(estimate(video, span, count))
    if not np.isfinite(found.squares).any():
        raise MocapError(
            f"the default tracker finds nobody in {video.path}",
            "give a model that was trained without --boxes tracker",
        )
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: for single frames more gain nothing on a free machine.

    On a busy one they wait for each other: a clip of 5 s took four minutes instead of seconds.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
