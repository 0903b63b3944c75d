"""Swap appearance: look at both videos, find the background, redraw, and say what came of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import typer
from rich.text import Text

from mocap_cli.cli.outputs import SWAP, OutputRequest
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import labelled_lines, output_lines
from mocap_cli.export.appearance_model import AppearanceModel, open_appearance_model
from mocap_cli.export.appearance_swap import read_appearance, write_swap
from mocap_cli.export.registry import check_output
from mocap_cli.learning.data.frame_plates import open_or_make_background
from mocap_cli.video.probe import VideoInfo, probe
from mocap_cli.video.reader import open_video


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapRequest:
    """Whose motion, whose looks, and what is made of them."""

    motion: Path
    appearance: Path
    output: Path
    model: Path
    start: float
    end: float | None
    panel: bool


def swap_output(motion: Path, outputs: list[str]) -> Path:
    """The one video to write, from the values of -o."""
    wish = OutputRequest.of(outputs, (".mp4",), ())
    found = [*wish.files, *(wish.folder / (motion.stem + SWAP) for _ in wish.suffixes)]
    if not outputs or (not found and len(outputs) > 1):
        raise typer.BadParameter("say where with -o swap.mp4", param_hint="-o")
    found = found or [wish.folder / (motion.stem + SWAP)]
    if len(found) > 1 or found[0].suffix.lower() != ".mp4":
        raise typer.BadParameter("a swap is one video: give one .mp4", param_hint="-o")
    return found[0]


def swap_appearance(wanted: SwapRequest, *, quiet: bool) -> None:
    """Write the swap, with bars on the way and a summary at its end."""
    infos = probe(wanted.motion), probe(wanted.appearance)
    painter = open_appearance_model(wanted.model)
    inputs = {"video": wanted.motion, "video with the looks": wanted.appearance}
    check_output(wanted.output, inputs, infos[0].frames or 0)
    with open_video(wanted.motion, wanted.start, wanted.end) as frames:
        next(iter(frames))  # a span without a frame is an error, before the long work
    with progress_display(quiet) as screen, _one_thread():
        _swap(wanted, painter, infos, screen)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch do without threads: for one frame at a time they gain nothing on a free machine.

    On a busy one they wait for each other: a clip of 5 s took four minutes instead of seconds.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _swap(
    wanted: SwapRequest,
    painter: AppearanceModel,
    infos: tuple[VideoInfo, VideoInfo],
    screen: ProgressDisplay,
) -> None:
    motion, looks = infos
    with screen.bar(f"looks of {wanted.appearance.name}", looks.frames) as bar:
        worn = read_appearance(painter, wanted.appearance, bar)
    with screen.bar(f"background of {wanted.motion.name}", motion.frames) as bar:
        background = open_or_make_background(wanted.motion, "auto", bar)
    with screen.bar(wanted.output.name, motion.frames) as bar:
        done = write_swap(
            painter, wanted.motion, background, worn, wanted.output,
            start=wanted.start, end=wanted.end, panel=wanted.panel, on_frame=bar,
        )  # fmt: skip
    screen.show(_report(wanted, painter, done, background.warnings))


def _report(
    wanted: SwapRequest, painter: AppearanceModel, frames: int, warnings: tuple[str, ...]
) -> Text:
    head = f"{wanted.motion}: {frames} frames in the looks of {wanted.appearance}"
    strangers = [
        f"{video.name} is not among the clips that the model learnt from"
        for video in (wanted.motion, wanted.appearance)
        if painter.clips and video.name not in painter.clips
    ]
    return labelled_lines(
        head,
        [
            ("model", f"{painter.path}, of step {painter.step}"),
            *(("warning", said) for said in (*strangers, *warnings)),
            *output_lines((wanted.output,)),
        ],
    )
