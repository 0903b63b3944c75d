"""The runs of `mocap pretrain` on the terminal: bars, table, summary and exit status."""

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import typer

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.pretrain_table import StopRequest, TrainingTable
from mocap_cli.io.inputs import find_inputs
from mocap_cli.learning.data.ingest import Ingested
from mocap_cli.learning.loop.checkpoint import RunState
from mocap_cli.learning.loop.metrics_log import StepMetrics
from mocap_cli.learning.loop.previews import CURVES, SHEETS
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.loop.training import BEST
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.learning.pretraining import (
    OnFrame,
    RunDisplay,
    RunOptions,
    plan_run,
    pretrain,
    resume,
)
from mocap_cli.weights import Device


def find_videos(given: Sequence[Path], recursive: bool) -> list[Path]:
    """The videos among the inputs, and in their folders."""
    return [video for path in given for video in find_inputs(path, recursive=recursive)]


def start_run(
    videos: Sequence[Path],
    output: Path,
    options: PretrainOptions,
    run: RunOptions,
    display: Display,
) -> None:
    """Start a run and show it."""
    with _RunOnTerminal(display) as shown:
        pretrain(videos, output, options, run, shown)


def resume_run(
    output: Path,
    run: RunOptions,
    display: Display,
    *,
    steps: int | None,
    batch: int | None,
    rate: float | None,
) -> None:
    """Resume a run and show it."""
    with _RunOnTerminal(display) as shown:
        resume(output, run, shown, steps=steps, batch=batch, rate=rate)


def print_plan(
    videos: Sequence[Path], options: PretrainOptions, device: Device, display: Display
) -> None:
    """Print what a run would take; meanwhile a bar names what is being done."""
    with display.progress("planning") as progress:
        text = plan_run(videos, options, device, lambda stage: progress(stage, 0, None))
    if display.as_json:
        rows = (line.split(maxsplit=1) for line in text.splitlines())
        display.report(Report("", data={"plan": {row[0]: row[-1] for row in rows if row}}))
    else:
        typer.echo(text)


class _RunOnTerminal(RunDisplay):
    """Shows a run, and stops it on a signal."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._stops = StopRequest()
        self._table: TrainingTable | None = None
        self._settings: Settings | None = None

    def decoding(self, video: Path, frames: int | None) -> AbstractContextManager[OnFrame]:
        """A bar for one video."""
        return self._display.bar(f"storing {video.name}", frames)

    def ingested(self, found: Ingested, skipped: Mapping[Path, str]) -> None:
        """Print which clips and frames are used, and why others are not."""
        self._display.show(_dataset_report(found, skipped).text())

    def starting(self, settings: Settings, *, resumed: bool) -> None:
        """Print the networks and open the table."""
        if not resumed:
            self._display.show(Report("starting from ImageNet", _start_lines(settings)).text())
        self._settings, self._table = settings, TrainingTable(settings, self._display)

    def on_step(self, metrics: StepMetrics) -> None:
        """Update the table."""
        if self._table is not None:
            self._table.log_step(metrics)

    def on_validation(self, step: int, held_out: float) -> None:
        """Update the table."""
        if self._table is not None:
            self._table.log_validation(step, held_out)

    def finished(self, output: Path, state: RunState) -> None:
        """Report where the run is; a stopped run exits with 128 and the signal's number."""
        self.close()
        assert self._settings is not None
        self._display.report(_outcome(output, self._settings, state))
        if state.step < self._settings.steps:
            raise typer.Exit(128 + self._stops.signal_number)

    def should_stop(self) -> bool:
        """Whether a signal came."""
        return self._stops()

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Ctrl-C, SIGTERM and SIGHUP end the loop after the step it is in."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = {n: signal.signal(n, self._stops.handle_signal) for n in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def close(self) -> None:
        """Remove the table."""
        if self._table is not None:
            self._table.close()

    def __enter__(self) -> "_RunOnTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _dataset_report(found: Ingested, skipped: Mapping[Path, str]) -> Report:
    """What the model is trained on, and what is left out and why."""
    dataset = found.dataset
    counts = [dataset.count_frames(clip) for clip in dataset.clips]
    frames, empty = sum(c.frames for c in counts), sum(c.empty for c in counts)
    crowded = sum(c.crowded for c in counts)
    lines: list[Line] = []
    if empty:
        lines.append(("empty", f"{empty} frames without a person: left out"))
    if crowded:
        fate = "left out" if dataset.crowds == "skip" else "kept (--crowds keep)"
        lines.append(("crowded", f"{crowded} frames with several people: {fate}"))
    lines += [("warning", f"{path.name} left out: {why}") for path, why in skipped.items()]
    lines += [
        ("warning", f"{clip.name}: {warning}")
        for clip in dataset.clips
        for warning in clip.stored.warnings
    ]
    megabytes = dataset.bytes / 1e6
    return Report(f"{len(dataset.clips)} clips, {frames} frames, {megabytes:.0f} MB", lines)


def _start_lines(settings: Settings) -> list[Line]:
    """The initial networks, and the expected size of the person."""
    model, (across, down) = settings.model, settings.weights.prior_size
    return [
        ("networks", f"encoder {model.encoder}, detector {model.detector}"),
        ("person", f"expected size {across:.0%} of the image's width, {down:.0%} of its height"),
    ]


def _outcome(folder: Path, settings: Settings, end: RunState) -> Report:
    """Where the run is, and what to do next."""
    finished = end.step >= settings.steps
    data = {
        "run": folder,
        "finished": finished,
        "step": end.step,
        "steps": settings.steps,
        "seconds": end.seconds,
        "model": folder / BEST,
        "best_step": end.best_step,
        "validation_loss": end.best,
    }
    if not finished:
        head = f"stopped at step {end.step} of {settings.steps}; the checkpoint is saved"
        return Report(head, [("resume", f"mocap pretrain -o {folder} --resume")], data)
    lines = [
        ("best", f"{folder / BEST}: step {end.best_step}, validation loss {end.best or 0:.4f}"),
        ("previews", f"{folder / SHEETS}/ and {folder / CURVES}"),
    ]
    return Report(f"{folder}: {end.step} steps in {format_duration(end.seconds)}", lines, data)
