"""`mocap pretrain` as library calls: start a run, resume one, or plan one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.ingest import (
    Ingested,
    RunSources,
    SubjectOptions,
    ingest,
    probe_videos,
)
from mocap_cli.learning.data.random_backgrounds import RandomBackgrounds
from mocap_cli.learning.data.sampling import BatchSampler
from mocap_cli.learning.data.subject import SubjectSource, track_subject
from mocap_cli.learning.free_fall import FreeFall
from mocap_cli.learning.loop.checkpoint import RunState, read_checkpoint_state
from mocap_cli.learning.loop.distributed import Distributed, resolve_device
from mocap_cli.learning.loop.metrics_log import MetricsLog, StepMetrics, import_tensorboard
from mocap_cli.learning.loop.plan import make_plan
from mocap_cli.learning.loop.previews import Previews
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.loop.training import LAST, Hooks, train
from mocap_cli.learning.options import PretrainOptions
from mocap_cli.learning.run_folder import locked, refuse_used_folder
from mocap_cli.learning.tracked_samples import track_samples
from mocap_cli.progress import Count, Progress, count_stage, no_progress
from mocap_cli.weights import Device

_MEASURED_ITEMS = 32  # of four frames each, to measure the subject's size


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run is carried out and logged; nothing that decides what it learns."""

    device: Device = "auto"
    compiled: bool = False  # with torch.compile
    tensorboard: bool = False
    sheet_minutes: float = 5.0  # between preview sheets
    workers: int | None = 1  # that decode and track videos; None: what cores and memory allow

    def check(self) -> None:
        """Refuse, before the long work, what this installation cannot do."""
        if self.tensorboard:
            import_tensorboard()


class RunDisplay:
    """No-op progress of a run; the command line overrides what it shows.

    Of several processes the main one alone calls it, but for `stoppable` and `should_stop`.
    """

    def decoding(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """A progress bar for a video of so many frames; it takes the frames done."""
        return nullcontext(no_progress)

    def tracking(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """The same for the default tracker."""
        return nullcontext(no_progress)

    def ingested(self, found: Ingested, skipped: Mapping[Path, str]) -> None:
        """The data set is complete."""

    def chose_fall(self, free_fall: FreeFall) -> None:
        """The clips have decided about the free-fall stage."""

    def starting(self, settings: Settings, *, resumed: bool) -> None:
        """Training begins with these settings, which are final."""

    def on_step(self, metrics: StepMetrics) -> None:
        """One step is done."""

    def on_validation(self, step: int, held_out: float) -> None:
        """One validation is done."""

    def finished(self, output: Path, state: RunState) -> None:
        """Training has ended, at the last step or before it."""

    @contextmanager
    def stoppable(self) -> Iterator[None]:
        """Surrounds the training, as to take signals as requests to stop."""
        yield

    def should_stop(self) -> bool:
        """Whether to save and stop after the present step."""
        return False


class ProgressDisplay(RunDisplay):
    """Reports a run to a progress callback of the Python API."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._steps = progress, 0

    def decoding(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """The frames of one video."""
        return nullcontext(count_stage(self._progress, f"decoding {video.name}", frames))

    def tracking(self, video: Path, frames: int | None) -> AbstractContextManager[Count]:
        """The frames of one video."""
        return nullcontext(count_stage(self._progress, f"tracking {video.name}", frames))

    def starting(self, settings: Settings, *, resumed: bool) -> None:
        """The number of steps is known."""
        self._steps = settings.steps

    def on_step(self, metrics: StepMetrics) -> None:
        """The training steps."""
        self._progress("training", metrics.step, self._steps)


_NO_DISPLAY = RunDisplay()
_DEFAULT_OPTIONS = PretrainOptions()


def pretrain(
    videos: Sequence[Path],
    output: Path,
    options: PretrainOptions = _DEFAULT_OPTIONS,
    run: RunOptions = RunOptions(),
    display: RunDisplay = _NO_DISPLAY,
    subjects: SubjectSource = track_subject,
) -> RunState:
    """Train a model on unlabelled videos in a new run folder.

    `subjects` finds the boxes and 2D labels of a run that takes them.
    """
    run.check()
    infos, skipped = probe_videos(videos)
    settings, recipe = options.settle(infos, run.device)
    refuse_used_folder(output)
    store = options.store or output.parent / "frames"
    images = None
    if options.random_backgrounds is not None:
        images = RandomBackgrounds.read(options.random_backgrounds, recipe.frame_size)
    with Distributed.join(run.device) as distributed, locked(output, distributed):
        with distributed.main_first():
            shown = display if distributed.is_main else _NO_DISPLAY
            subject = SubjectOptions(
                source=subjects,
                open_bar=shown.tracking,
                boxes=options.boxes == "tracker",
                labels=options.keypoints,
                device=run.device,
            )
            workers = run.workers if distributed.is_main else 1  # the others find all of it done
            found = ingest(
                infos, store, recipe, options.crowds, shown.decoding, subject, images, workers
            )
            if distributed.is_main:
                found.write(output)
                display.ingested(found, {**skipped, **found.skipped})
                if options.chooses_fall:
                    fall = FreeFall.choose(
                        infos.values(), settings.steps,
                        lambda: track_samples(infos, distributed.device, display.tracking),
                    )  # fmt: skip
                    display.chose_fall(fall)
                    settings = replace(settings, fall_steps=fall.steps)
            settings = replace(settings, model=settings.model.with_available_weights())
        if options.chooses_fall:
            settings = replace(settings, fall_steps=distributed.from_main(settings.fall_steps))
        settings = _with_measured_prior(settings, found.dataset)
        return _run(found.dataset, settings, output, distributed, run, display, RunState(step=0))


def resume(
    output: Path,
    run: RunOptions = RunOptions(),
    display: RunDisplay = _NO_DISPLAY,
    *,
    steps: int | None = None,
    batch: int | None = None,
    rate: float | None = None,
) -> RunState:
    """Continue a run from its last checkpoint with its own settings, but for those given here."""
    run.check()
    settings, state = read_checkpoint_state(output / LAST)
    settings.check_resumable()
    settings = replace(
        settings,
        steps=max(steps or settings.steps, settings.fall_steps),
        batch=batch or settings.batch,
        rate=rate or settings.rate,
    )
    if state.step >= settings.steps:
        raise MocapError(
            f"the run in {output} is complete: it has {state.step} steps",
            "pass a larger --steps",
        )
    dataset = RunSources.read(output).reopen(output, settings.crowds)
    with Distributed.join(run.device) as distributed, locked(output, distributed):
        return _run(dataset, settings, output, distributed, run, display, state)


def plan_run(
    videos: Sequence[Path],
    options: PretrainOptions = _DEFAULT_OPTIONS,
    device: Device = "auto",
    on_progress: Callable[[str], None] = lambda text: None,
) -> str:
    """What a run would take: frames, disk, memory, hours. Writes nothing.

    A few training steps are timed, which takes seconds; `on_progress` takes what is being done.
    """
    on_progress(f"probing {len(videos)} videos")
    infos, skipped = probe_videos(videos)
    settings, recipe = options.settle(infos, device)
    on_progress("looking for the ImageNet weights")
    settings = replace(settings, model=settings.model.with_available_weights())
    plan = make_plan(
        infos, skipped, settings, recipe, resolve_device(device), on_progress,
        chooses_fall=options.chooses_fall,
    )  # fmt: skip
    return plan.text()


def _with_measured_prior(settings: Settings, dataset: Dataset) -> Settings:
    """The settings with the box prior's size as measured in these clips."""
    sampler = BatchSampler(dataset.training_frames(), settings.gaps)
    indices = sampler.batch(settings.method_at(0).slots, _MEASURED_ITEMS, (settings.seed,))
    size = dataset.gather(indices).subject_size()
    return replace(settings, weights=replace(settings.weights, prior_size=size))


def _run(
    dataset: Dataset,
    settings: Settings,
    output: Path,
    distributed: Distributed,
    run: RunOptions,
    display: RunDisplay,
    state: RunState,
) -> RunState:
    """Train from a state on; the main process logs, previews and displays."""
    if settings.batch % distributed.size:
        fitting = max(settings.batch // distributed.size, 1) * distributed.size
        raise MocapError(
            f"{distributed.size} processes cannot share a batch of {settings.batch}",
            f"pass --batch {fitting}",
        )
    resumed = state.step > 0

    def train_with(hooks: Hooks) -> RunState:
        with display.stoppable():
            return train(
                dataset, settings, output, distributed, hooks, resume=resumed, compiled=run.compiled
            )

    if not distributed.is_main:
        return train_with(Hooks(should_stop=display.should_stop))
    display.starting(settings, resumed=resumed)
    previews = Previews(dataset, settings, output, run.sheet_minutes)
    with MetricsLog(output, state.step, tensorboard=run.tensorboard) as log:

        def on_step(metrics: StepMetrics) -> None:
            log.log_step(metrics)
            display.on_step(metrics)

        def on_validation(step: int, held_out: float) -> None:
            log.log_validation(step, held_out)
            display.on_validation(step, held_out)

        end = train_with(Hooks(on_step, on_validation, previews.update, display.should_stop))
    display.finished(output, end)
    return end
