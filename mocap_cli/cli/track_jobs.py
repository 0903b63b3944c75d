"""The work of `mocap track`: a motion of every clip, and its files."""

import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from mocap_cli.cli.clip_board import ClipBoard
from mocap_cli.cli.display import Display
from mocap_cli.cli.report import track_head, track_report
from mocap_cli.clips.clip import Clip, ClipOptions, ClipResult
from mocap_cli.clips.clip_tracker import ClipTracker
from mocap_cli.clips.resources import available_cores, worker_count
from mocap_cli.clips.summary import write_summary
from mocap_cli.clips.tables import check_table
from mocap_cli.clips.worker_processes import track_in_processes
from mocap_cli.io.file_guard import existing_outputs, refuse_unwritable


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRun:
    """How clips are tracked, and what is reported of them."""

    options: ClipOptions
    workers: int | None
    timeout: float | None  # seconds for a clip
    summary: Path | None  # table of all clips
    engine: Literal["local", "ray"] = "local"
    address: str | None = None  # of a Ray cluster

    def check(self) -> None:
        """Refuse, before any work, a summary that could not be written after it."""
        if self.summary is not None:
            check_table(self.summary)
            refuse_unwritable(self.summary)
            existing_outputs([self.summary], self.options.overwrite)

    def track(self, clips: Sequence[Clip], display: Display) -> None:
        """Track every clip; one alone raises its error, of several the failed are listed."""
        results: dict[int, ClipResult] = {}
        try:
            if len(clips) == 1 and self.timeout is None and self.engine == "local":
                _track_alone(clips[0], self.options, results, display)
            else:
                self._track_all(clips, results, display)
        finally:
            if self.summary is not None:
                write_summary(self.summary, clips, results)

    def _track_all(
        self, clips: Sequence[Clip], results: dict[int, ClipResult], display: Display
    ) -> None:
        try:
            with (
                ClipBoard(clips, display) as board,
                closing(self._start(clips, board)) as done,  # an interrupt ends the workers too
            ):
                for number, result in done:
                    results[number] = result
                    board.done(number, result, _line(clips[number], result))
                    sys.stderr.write(result.traceback)
        finally:
            failed = _keep(clips, results, self.options, display)
        if failed:
            display.show_failures(len(clips), "videos")
            raise typer.Exit(1)

    def _start(
        self, clips: Sequence[Clip], board: ClipBoard
    ) -> Generator[tuple[int, ClipResult], None, None]:
        if self.engine == "ray":
            from mocap_cli.clips.ray_engine import track_with_ray

            return track_with_ray(
                clips, self.options, board.show,
                address=self.address, workers=self.workers, timeout=self.timeout,
            )  # fmt: skip
        count = max(1, min(self.workers or worker_count(len(clips)), len(clips)))
        return track_in_processes(
            clips, self.options, board.show,
            workers=count, threads=max(1, available_cores() // count), timeout=self.timeout,
        )  # fmt: skip


def _line(clip: Clip, result: ClipResult) -> str:
    """One clip in one line."""
    if result.facts is None:
        return f"{clip.video}: {result.error.removeprefix(f'{clip.video} ')}"
    review = f"; {result.facts.verdict}" if result.facts.faults else ""
    return f"{track_head(clip, result, result.facts)}{review}"


def _keep(
    clips: Sequence[Clip], results: Mapping[int, ClipResult], options: ClipOptions, display: Display
) -> int:
    """Keep the results for the summary in the order of the clips, and count those that failed."""
    failed = 0
    for number, result in sorted(results.items()):
        if result.facts is None:
            display.fail(clips[number].video, result.error, result.hint)
            failed += 1
        else:
            display.keep(track_report(clips[number], result, result.facts, options.units))
    return failed


def _track_alone(
    clip: Clip, options: ClipOptions, results: dict[int, ClipResult], display: Display
) -> None:
    """Track one clip in this process."""
    try:
        with display.progress(clip.video.name) as progress:
            result = results[0] = ClipTracker(options).track(clip, progress)
    except Exception as error:
        result = results[0] = ClipResult.failed(error)
        display.fail(clip.video, result.error, result.hint)
        raise
    assert result.facts is not None
    display.report(track_report(clip, result, result.facts, options.units))
