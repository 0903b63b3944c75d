"""The work of `mocap track`: a motion of every clip, and its files."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import typer

from mocap_cli.cli.clip_board import ClipBoard
from mocap_cli.cli.display import Display
from mocap_cli.cli.jobs import OutputRequest
from mocap_cli.cli.report import track_head, track_report
from mocap_cli.errors import MocapError
from mocap_cli.export.registry import FORMATS
from mocap_cli.keypoints.person_detector import Subject
from mocap_cli.library.clip import Clip, ClipOptions, ClipResult
from mocap_cli.library.clip_tracker import ClipTracker
from mocap_cli.library.resources import available_cores, worker_count
from mocap_cli.library.worker_processes import track_in_processes

_DEFAULT_SUFFIXES = (".bvh", ".json")


def plan_clips(
    videos: Sequence[Path],
    output: Sequence[str],
    display: Display,
    *,
    overlay: bool,
    recursive: bool,
    subject: Subject,
    height: float | None,
    start: float | None,
    end: float | None,
    model: Path | None,
) -> list[Clip]:
    """One clip for every video, those in folders included."""
    request = OutputRequest.parse(output, FORMATS, _DEFAULT_SUFFIXES)
    return [
        Clip(
            video=job.source, outputs=job.outputs,
            subject=subject, height=height, start=start, end=end,
        )
        for job in request.jobs(
            videos, display, recursive=recursive, overlay=overlay,
            also_read=() if model is None else (model,),
        )
    ]  # fmt: skip


def track_clips(
    clips: Sequence[Clip],
    options: ClipOptions,
    display: Display,
    *,
    workers: int | None,
    timeout: float | None,
) -> None:
    """Track every clip; one alone raises its error, of several the failed are listed."""
    if len(clips) == 1 and timeout is None:
        _track_alone(clips[0], options, display)
        return
    count = min(workers or worker_count(len(clips)), len(clips))
    threads = max(1, available_cores() // count)
    results: dict[int, ClipResult] = {}
    try:
        with (
            ClipBoard(clips, display) as board,
            closing(
                track_in_processes(
                    clips, options, board.show, workers=count, threads=threads, timeout=timeout
                )
            ) as done,  # an interrupt of this block ends the workers too
        ):
            for number, result in done:
                results[number] = result
                board.done(number, result, _line(clips[number], result))
                sys.stderr.write(result.traceback)
    finally:
        failed = _keep(clips, results, options, display)
    if failed:
        display.show_failures(len(clips), "videos")
        raise typer.Exit(1)


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


def _track_alone(clip: Clip, options: ClipOptions, display: Display) -> None:
    """Track one clip in this process."""
    try:
        with display.progress(clip.video.name) as progress:
            result = ClipTracker(options).track(clip, progress)
    except MocapError as error:
        display.fail(clip.video, error.message, error.hint)
        raise
    except Exception as error:
        display.fail(clip.video, ClipResult.failed(error).error, "")
        raise
    assert result.facts is not None
    display.report(track_report(clip, result, result.facts, options.units))
