"""Track one video or many, going on past those that cannot be tracked."""

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import typer

from mocap_cli.commands.destinations import Job
from mocap_cli.commands.report import report
from mocap_cli.commands.screen import Bars, bars, show_failures
from mocap_cli.errors import MocapError
from mocap_cli.export.formats import Units, WriteOptions, check_output, write
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.probe import VideoInfo, probe


def run(jobs: Sequence[Job], options: TrackOptions, *, units: Units, quiet: bool) -> None:
    """Track every video; one alone raises its error, of several those that failed are listed."""
    with bars(quiet) as screen:
        if len(jobs) == 1:
            _track(jobs[0], check(jobs[0]), options, units, screen)
            return
        failures: dict[Path, str] = {}
        videos = {job: info for job in jobs if (info := _checked(job, failures))}
        for number, (job, info) in enumerate(videos.items(), 1):
            try:
                _track(job, info, options, units, screen, f"{number}/{len(videos)} ")
            except MocapError as error:
                failures[job.video] = _why(error)
            except Exception as error:  # a bug; it must not cost the night's other videos
                traceback.print_exc()
                failures[job.video] = f"stopped by a bug: {error!r}"
    if failures:
        show_failures(failures, len(jobs))
        raise typer.Exit(1)


def check(job: Job) -> VideoInfo:
    """Refuse, before the long work, a video or an output that cannot be."""
    info = probe(job.video)
    for output in job.outputs:
        check_output(output, info)
    return info


def _checked(job: Job, failures: dict[Path, str]) -> VideoInfo | None:
    try:
        return check(job)
    except MocapError as error:
        failures[job.video] = _why(error)
        return None


def _why(error: MocapError) -> str:
    return f"{error.message}\n{error.hint}" if error.hint else error.message


def _track(
    job: Job,
    info: VideoInfo,
    options: TrackOptions,
    units: Units,
    screen: Bars,
    number: str = "",
) -> None:
    began = time.perf_counter()
    frames = _frames(info, options)
    with screen.bar(f"{number}{job.video.name}", frames) as bar:
        motion = track(job.video, options, bar)
    seconds = time.perf_counter() - began
    for output in job.outputs:
        with screen.bar(f"{number}{output.name}", frames) as bar:
            write_options = WriteOptions(
                video=job.video, units=units, fps=options.fps, on_frame=bar
            )
            write(motion, output, write_options)
    screen.show(report(motion, job.outputs, units, seconds))


def _frames(info: VideoInfo, options: TrackOptions) -> int | None:
    """About how many frames there are to do."""
    if info.duration is None:
        return info.frames
    end = info.duration if options.end is None else min(options.end, info.duration)
    return max(1, round((end - (options.start or 0.0)) * info.fps))
