"""Clip run: a command's work on any number of clips, and what is shown of it."""

import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import typer

from mocap_cli.cli.clip_board import ClipBoard
from mocap_cli.cli.display import Display, Report
from mocap_cli.clips.clip import Clip
from mocap_cli.clips.remote_outputs import with_remote_outputs
from mocap_cli.clips.summary import write_summary
from mocap_cli.io.atomic import remove_left_over
from mocap_cli.workers.job import Result, Work, run_here
from mocap_cli.workers.processes import run_in_processes

F = TypeVar("F")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRun(Generic[F]):
    """How clips are worked on, and what is reported of them."""

    work: Work[Clip, F]
    report: Callable[[Clip, Result[F], F], Report]
    row: Callable[[F | None], Mapping[str, Any]]  # of the summary
    counted: str = ""  # the stage of progress that counts the frames of the video
    plural: str = "videos"
    quick: bool = False  # several clips in this process, unless workers are given
    workers: int | None = None
    timeout: float | None = None  # seconds for a clip
    summary: Path | None = None  # table of all clips
    overwrite: bool | None = None  # as in the work
    engine: Literal["local", "ray"] = "local"
    address: str | None = None  # of a Ray cluster

    def run(self, clips: Sequence[Clip], display: Display) -> None:
        """Work on every clip; one alone raises its error, of several the failed are listed."""
        work = with_remote_outputs(self.work, clips, self.overwrite)
        replace(self, work=work)._run(clips, display)

    def _run(self, clips: Sequence[Clip], display: Display) -> None:
        results: dict[int, Result[F]] = {}
        for folder in {path.parent for clip in clips for path in clip.outputs}:
            remove_left_over(folder)  # also where all clips are found done
        try:
            if len(clips) == 1 and self.timeout is None and self.engine == "local":
                self._do_alone(clips[0], results, display)
            else:
                self._do_all(clips, results, display)
        finally:
            if self.summary is not None:
                write_summary(self.summary, clips, results, self.row)

    def _do_all(
        self, clips: Sequence[Clip], results: dict[int, Result[F]], display: Display
    ) -> None:
        try:
            with (
                ClipBoard(clips, display, self.counted) as board,
                closing(self._start(clips, board)) as done,  # an interrupt ends the workers too
            ):
                for number, result in done:
                    results[number] = result
                    board.done(number, result, self._line(clips[number], result))
                    sys.stderr.write(result.traceback)
        finally:
            failed = self._keep(clips, results, display)
        if failed:
            display.show_failures(len(clips), self.plural)
            raise typer.Exit(1)

    def _start(
        self, clips: Sequence[Clip], board: ClipBoard
    ) -> Generator[tuple[int, Result[F]], None, None]:
        if self.engine == "ray":
            from mocap_cli.workers.ray_engine import run_on_ray

            return run_on_ray(
                clips, self.work, address=self.address, workers=self.workers, timeout=self.timeout
            )
        if self.quick and self.workers is None and self.timeout is None:
            return run_here(clips, self.work, board.show)
        return run_in_processes(
            clips, self.work, board.show, workers=self.workers, timeout=self.timeout
        )

    def _line(self, clip: Clip, result: Result[F]) -> str:
        """One clip in one line."""
        if result.facts is None:
            return f"{clip.source}: {result.error.removeprefix(f'{clip.source} ')}"
        report = self.report(clip, result, result.facts)
        return report.brief or report.head

    def _keep(
        self, clips: Sequence[Clip], results: Mapping[int, Result[F]], display: Display
    ) -> int:
        """Keep the results for the JSON in the order of the clips, and count those that failed."""
        failed = 0
        for number, result in sorted(results.items()):
            if result.facts is None:
                display.fail(clips[number].source, result.error, result.hint)
                failed += 1
            else:
                display.keep(self.report(clips[number], result, result.facts))
        return failed

    def _do_alone(self, clip: Clip, results: dict[int, Result[F]], display: Display) -> None:
        """Work on one clip in this process."""
        try:
            with display.progress(clip.source.name) as progress:
                result = results[0] = self.work.open()(clip, progress)
        except Exception as error:
            result = results[0] = Result.failed(error)
            display.fail(clip.source, result.error, result.hint)
            raise
        assert result.facts is not None
        display.report(self.report(clip, result, result.facts))
