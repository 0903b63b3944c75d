"""Filling: many videos decoded into the store, and their people tracked, by several processes."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.video_cache import video_sha256
from mocap_cli.learning.data.decoding import store_video
from mocap_cli.learning.data.store import StoredClip, StoreRecipe
from mocap_cli.learning.data.subject import SubjectSource
from mocap_cli.progress import Count, Progress, count_stage
from mocap_cli.video.probe import VideoInfo
from mocap_cli.weights import Device
from mocap_cli.workers.job import Do, Job, Result, run_here
from mocap_cli.workers.processes import run_in_processes
from mocap_cli.workers.resources import worker_count

STORING, TRACKING = "storing", "tracking"
"""The stages of a video."""

OpenBar = Callable[[Path, int | None], AbstractContextManager[Count]]
"""Opens a progress bar for a video of so many frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFilling:
    """What is done with each video; the subject is tracked into the store's cache."""

    store: Path
    recipe: StoreRecipe
    subject: SubjectSource | None = None
    device: Device = "auto"

    def open(self) -> Do[Job, str]:
        """What fills the store; it gives the address of a video."""
        return self._fill

    def has(self, video: Path) -> bool:
        """Whether nothing is left to do for a video, as far as that is quickly known."""
        with suppress(MocapError):
            address = self.recipe.address(video_sha256(video, self.store))
            return self.subject is None and StoredClip.is_stored(self.store, address)
        return False

    def _fill(self, job: Job, progress: Progress) -> Result[str]:
        count = count_stage(progress, STORING, None)
        address = store_video(job.source, self.store, self.recipe, count)
        if self.subject is not None:
            count = count_stage(progress, TRACKING, None)
            self.subject(job.source, self.store, self.device, count)
        return Result(status="stored", facts=address)


def fill_store(
    infos: Mapping[Path, VideoInfo],
    filling: StoreFilling,
    bars: Mapping[str, OpenBar],
    workers: int | None,
) -> Mapping[Path, str | MocapError]:
    """The address of each video in the store, or why it has none.

    `bars` are those of the stages. One worker, or one video to decode, takes no other process.
    """
    jobs = [Job(source=video) for video in infos]
    missing = 1 if workers == 1 else sum(not filling.has(video) for video in infos)
    count = min(worker_count(missing) if workers is None else workers, missing)
    with _Bars(list(infos.values()), bars) as shown:
        if count > 1:
            results = run_in_processes(jobs, filling, shown.show, workers=count)
        else:
            results = run_here(jobs, filling, shown.show)
        found: dict[Path, str | MocapError] = {}
        with closing(results):  # an interrupt ends the workers too
            for number, result in results:
                shown.close(number)
                error = MocapError(result.error, result.hint)
                found[jobs[number].source] = error if result.facts is None else result.facts
    return found


class _Bars:
    """A bar for each video in progress."""

    def __init__(self, videos: Sequence[VideoInfo], bars: Mapping[str, OpenBar]) -> None:
        self._videos, self._bars = videos, bars
        self._open: dict[int, tuple[str, Count, ExitStack]] = {}

    def show(self, number: int, stage: str, done: int, total: int | None) -> None:
        """Take the progress of a video."""
        if stage not in self._bars:  # a worker that opens it
            return
        if number not in self._open or self._open[number][0] != stage:
            self.close(number)
            video, stack = self._videos[number], ExitStack()
            count = stack.enter_context(self._bars[stage](video.path, video.frames))
            self._open[number] = stage, count, stack
        self._open[number][1](done)

    def close(self, number: int) -> None:
        """Remove its bar."""
        if number in self._open:
            self._open.pop(number)[2].close()

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        for number in list(self._open):
            self.close(number)
