"""The work of `mocap pretrain`: decode the videos, run the loop, report the outcome."""

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from mocap_cli.cli.display import Display, Line, Report, format_duration
from mocap_cli.cli.jobs import VIDEOS, find_inputs
from mocap_cli.cli.pretrain_options import PretrainRequest
from mocap_cli.cli.pretrain_table import StopRequest, training_table
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import only_process, refuse_unwritable
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.ingest import (
    RUN,
    Ingested,
    choose_recipe,
    default_gaps,
    ingest,
    open_dataset,
    probe_videos,
    read_sources,
    write_sources,
)
from mocap_cli.learning.data.store import StoreRecipe
from mocap_cli.learning.data.subject_size import with_measured_prior
from mocap_cli.learning.gallery import CURVES, SHEETS, Previews
from mocap_cli.learning.loop.checkpoint import RunState, read_checkpoint_state
from mocap_cli.learning.loop.distributed import Distributed, join_processes, resolve_device
from mocap_cli.learning.loop.metrics_log import METRICS, MetricsLog
from mocap_cli.learning.loop.plan import make_plan
from mocap_cli.learning.loop.settings import PRESET_TRAINING, Settings
from mocap_cli.learning.loop.training import BEST, LAST, Hooks, pretrain
from mocap_cli.learning.model.model import Model, with_available_weights
from mocap_cli.learning.tally import StepMetrics
from mocap_cli.video.probe import VideoInfo
from mocap_cli.weights import Device

LOCK = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDisplay:
    """How a run is done and shown: nothing that decides what it learns."""

    minutes: float  # between sheets
    compiled: bool
    tensorboard: bool
    display: Display


def start_run(wanted: PretrainRequest, manner: RunDisplay, *, dry: bool) -> None:
    """Begin a run, or print what it would be."""
    infos, skipped = probe_videos(
        [v for given in wanted.videos for v in find_inputs(given, VIDEOS, wanted.recursive)]
    )
    gaps = wanted.gaps(default_gaps(infos))
    settings = wanted.settings(gaps)
    side = wanted.side or PRESET_TRAINING[wanted.preset_name].side
    recipe = choose_recipe(infos, side, gaps, wanted.fps, wanted.background)
    if dry:
        typer.echo(
            make_plan(infos, skipped, settings, recipe, resolve_device(wanted.device)).text()
        )
        return
    _refuse_foreign(wanted.output)
    with join_processes(wanted.device) as team, _locked(wanted.output, team):
        found = _gathered(infos, skipped, wanted, recipe, team, manner.display)
        settings = replace(settings, model=with_available_weights(settings.model))
        settings = with_measured_prior(settings, found.dataset)
        if team.is_main:
            manner.display.show(Report("starting from ImageNet", _starts(settings)).text())
        _train(found.dataset, settings, wanted.output, team, manner, RunState(step=0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """Settings of a run that may be other ones when it is resumed; None keeps the run's own."""

    steps: int | None = None
    batch: int | None = None
    rate: float | None = None

    def of(self, settings: Settings) -> Settings:
        """The settings to go on with."""
        return replace(
            settings,
            steps=max(self.steps or settings.steps, settings.fall_steps),
            batch=self.batch or settings.batch,
            rate=self.rate or settings.rate,
        )


def resume_run(folder: Path, changes: Continued, *, device: Device, manner: RunDisplay) -> None:
    """Take a run up where it was left; it keeps its settings, but for those changed."""
    settings, place = read_checkpoint_state(folder / LAST)
    settings = changes.of(settings)
    if place.step >= settings.steps:
        raise MocapError(
            f"the run in {folder} is done: it has {place.step} steps", "ask more with --steps"
        )
    sources, store, keypoints = read_sources(folder)
    footage = open_dataset(sources, store, settings.crowds, keypoints=keypoints)
    with join_processes(device) as team, _locked(folder, team):
        _train(footage, settings, folder, team, manner, place)


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds a run, or files of others that a run would overwrite."""
    for name in (LAST, BEST):
        if (folder / name).exists():
            raise MocapError(
                f"{folder} holds a run already: {name}", "go on with --resume, or choose another -o"
            )
    begun = (folder / RUN).exists()
    if begun:
        read_sources(folder)  # a run that was ended before its first save may begin again
    if not begun and (folder / METRICS).exists():
        raise MocapError(f"{folder / METRICS} is not of a run", "choose another -o")
    refuse_unwritable(folder / LAST)


@contextmanager
def _locked(folder: Path, team: Distributed) -> Iterator[None]:
    """Keep other processes out of the folder of a run; the system lets go when this one ends."""
    if not team.is_main:
        yield
        return
    with only_process(folder / LOCK):
        yield


def _gathered(
    infos: Mapping[Path, VideoInfo],
    skipped: Mapping[Path, str],
    wanted: PretrainRequest,
    recipe: StoreRecipe,
    team: Distributed,
    display: Display,
) -> Ingested:
    """The leader decodes; the others find all of it in the store."""
    if not team.is_main:
        team.barrier()

    def watch(video: Path, frames: int | None) -> AbstractContextManager[Callable[[int], None]]:
        if team.is_main:
            return display.bar(f"storing {video.name}", frames)
        return nullcontext(lambda done: None)

    found = ingest(infos, wanted.store, recipe, wanted.crowds, watch, keypoints=wanted.keypoints)
    if team.is_main:
        write_sources(wanted.output, found.sources, wanted.store, wanted.keypoints)
        display.show(_dataset_report(found, {**skipped, **found.skipped}).text())
        team.barrier()
    return found


def _train(
    footage: Dataset,
    settings: Settings,
    folder: Path,
    team: Distributed,
    manner: RunDisplay,
    start: RunState,
) -> None:
    if settings.batch % team.size:
        fitting = max(settings.batch // team.size, 1) * team.size
        raise MocapError(
            f"{team.size} processes cannot share a batch of {settings.batch}",
            f"pass --batch {fitting}",
        )
    with _stopped_by_signals() as stops:
        with _watched(footage, settings, folder, team, manner, start, stops) as hooks:
            end = pretrain(
                footage, settings, folder, team, hooks,
                resume=start.step > 0, compiled=manner.compiled,
            )  # fmt: skip
        if not team.is_main:
            return
        manner.display.report(_outcome(folder, settings, end))
        if end.step < settings.steps:
            raise typer.Exit(128 + stops.signal_number)


@contextmanager
def _watched(
    footage: Dataset,
    settings: Settings,
    folder: Path,
    team: Distributed,
    manner: RunDisplay,
    start: RunState,
    stops: StopRequest,
) -> Iterator[Hooks]:
    """What the leader does beside the loop: writes the journal, draws, shows."""
    if not team.is_main:
        yield Hooks(should_stop=stops)
        return
    gallery = Previews(footage, settings, folder, manner.minutes)
    writer = MetricsLog(folder, start.step, tensorboard=manner.tensorboard)
    with writer as journal, training_table(settings, manner.display) as live:

        def told(told: StepMetrics) -> None:
            journal.log_step(told)
            live.log_step(told)

        def checked(step: int, held_out: float) -> None:
            journal.log_validation(step, held_out)
            live.log_validation(step, held_out)

        def show(step: int, model: Model, batch: Batch) -> None:
            gallery.update(step, model)

        yield Hooks(on_step=told, on_validation=checked, on_preview=show, should_stop=stops)


@contextmanager
def _stopped_by_signals() -> Iterator[StopRequest]:
    """Let Ctrl-C, SIGTERM and SIGHUP end the loop after the step it is in."""
    stops = StopRequest()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stops.handle_signal) for number in numbers}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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


def _starts(settings: Settings) -> list[Line]:
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
