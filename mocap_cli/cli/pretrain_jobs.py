"""The runs of `mocap pretrain` on the terminal: bars, table, summary and exit status."""

import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import typer
from rich.live import Live
from rich.table import Table

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.io.inputs import find_videos
from mocap_cli.labels.weak_labels import WeakLabels
from mocap_cli.learning.data.ingest import Ingested
from mocap_cli.learning.data.subject import track_subject
from mocap_cli.learning.free_fall import FreeFall
from mocap_cli.learning.loop.checkpoint import RunState
from mocap_cli.learning.loop.metrics_log import StepMetrics
from mocap_cli.learning.loop.previews import CURVES, SHEETS
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.loop.training import BEST
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.learning.pretraining import (
    RunDisplay,
    RunOptions,
    plan_run,
    pretrain,
    resume,
)
from mocap_cli.progress import Count, no_progress
from mocap_cli.weights import Device

_AVERAGED_STEPS = 50


def run_pretrain(
    inputs: Sequence[Path],
    output: Path,
    options: PretrainOptions,
    run: RunOptions,
    display: Display,
    *,
    keypoints: Sequence[str],
    recursive: bool,
    resumed: bool,
    dry_run: bool,
) -> None:
    """Start or resume a run and show it; a dry run only prints the plan."""
    if resumed:
        with _RunOnTerminal(display) as shown:
            steps, batch, rate = options.steps, options.batch, options.rate
            resume(output, run, shown, steps=steps, batch=batch, rate=rate)
        return
    videos = find_videos(inputs, recursive=recursive)
    if dry_run:
        _print_plan(videos, options, run.device, display)
        return
    subjects = WeakLabels(keypoints, videos) if keypoints else track_subject
    with _RunOnTerminal(display) as shown:
        pretrain(videos, output, options, run, shown, subjects)


def _print_plan(
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
        self._stops = _StopRequest()
        self._table: _TrainingTable | None = None
        self._settings: Settings | None = None

    def decoding(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """A bar for one video."""
        return self._display.bar(f"storing {video.name}", frames)

    def tracking(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """A bar for one video."""
        return self._display.bar(f"tracking {video.name}", frames)

    def ingested(self, found: Ingested, skipped: Mapping[Path, str]) -> None:
        """Print which clips and frames are used, and why others are not."""
        self._display.show(_dataset_report(found, skipped).text())

    def chose_fall(self, free_fall: FreeFall) -> None:
        """Print the number of steps in free fall, and why."""
        self._display.show(Report(free_fall.line()).text())

    def starting(self, settings: Settings, *, resumed: bool) -> None:
        """Print the networks and open the table."""
        if not resumed:
            self._display.show(Report("starting from ImageNet", _start_lines(settings)).text())
        self._settings, self._table = settings, _TrainingTable(settings, self._display)

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


class _StopRequest:
    """Ctrl-C, SIGTERM and SIGHUP: the first ends the loop after its step, the second at once."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.signal_number > 0

    def handle_signal(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.signal_number:
            raise KeyboardInterrupt
        self.signal_number = number


class _TrainingTable:
    """The metrics of the last steps; plain lines of progress where there is no terminal."""

    def __init__(self, settings: Settings, display: Display) -> None:
        self._settings = settings
        self._steps: deque[StepMetrics] = deque(maxlen=_AVERAGED_STEPS)
        self._held_out: tuple[int, float] | None = None
        self._drawn = time.monotonic()
        self._live: Live | None = None
        self._count: Count = no_progress
        self._open = ExitStack()
        if display.draws:
            self._live = self._open.enter_context(display.live_table())
        else:
            self._count = self._open.enter_context(display.bar("training", settings.steps))

    def close(self) -> None:
        """Remove the table from the terminal."""
        self._open.close()

    def log_step(self, metrics: StepMetrics) -> None:
        """Take the metrics of a step, and draw if it is time."""
        self._steps.append(metrics)
        self._count(metrics.step)
        last = metrics.step == self._settings.steps
        if self._live is not None and (time.monotonic() - self._drawn > 0.5 or last):
            self._drawn = time.monotonic()
            self._live.update(self._table())

    def log_validation(self, step: int, held_out: float) -> None:
        """Take the loss on held-out frames."""
        self._held_out = (step, held_out)

    def _seconds(self) -> float:
        """Mean seconds of a step."""
        return max(sum(m.seconds for m in self._steps) / len(self._steps), 1e-9)

    def _table(self) -> Table:
        last, steps = self._steps[-1], self._settings.steps
        waited = sum(m.data_seconds for m in self._steps) / len(self._steps) / self._seconds()
        stage = "free fall" if last.step <= self._settings.fall_steps else self._settings.method
        table = Table(title=f"{stage}: step {last.step} of {steps}", title_justify="left")
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in _means(list(self._steps)).items():
            table.add_row(name, f"{value:.4f}")
        if self._held_out is not None:
            table.add_row(f"validation, step {self._held_out[0]}", f"{self._held_out[1]:.4f}")
        table.add_row("steps/s", f"{1 / self._seconds():.2f}")
        table.add_row("waiting for data", f"{waited:.1%}")
        table.add_row("time left", format_duration((steps - last.step) * self._seconds()))
        return table


def _means(steps: list[StepMetrics]) -> Mapping[str, float]:
    """Each loss of the last step, averaged over the steps that have it."""
    names = steps[-1].losses
    rows = {name: [t.losses[name] for t in steps if name in t.losses] for name in names}
    return {name: sum(values) / len(values) for name, values in rows.items()}


def _dataset_report(found: Ingested, skipped: Mapping[Path, str]) -> Report:
    """The training clips, and the skipped ones with the reason."""
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
    detector = "the default tracker" if model.boxes == "given" else model.detector
    return [
        ("networks", f"encoder {model.encoder}, detector {detector}"),
        ("person", f"expected size {across:.0%} of the image's width, {down:.0%} of its height"),
    ]


def _outcome(folder: Path, settings: Settings, end: RunState) -> Report:
    """The folder of the run and the next command."""
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
        "settling_steps": settings.settling_steps,
    }
    if not finished:
        head = f"stopped at step {end.step} of {settings.steps}; the checkpoint is saved"
        return Report(head, [("resume", f"mocap pretrain -o {folder} --resume")], data)
    lines: list[Line] = [
        ("best", f"{folder / BEST}: step {end.best_step}, validation loss {end.best or 0:.4f}"),
        ("previews", f"{folder / SHEETS}/ and {folder / CURVES}"),
    ]
    if 0 < end.step < (needed := settings.settling_steps):
        text = f"too short to be of use: boxes and masks settle after about {needed} such steps"
        lines.append(("warning", f"{text}; add --resume --steps {needed}"))
    return Report(f"{folder}: {end.step} steps in {format_duration(end.seconds)}", lines, data)
