"""Track one video or many, going on past those that cannot be tracked."""

import time
from collections.abc import Sequence

from mocap_cli.body.motion import Motion
from mocap_cli.commands.destinations import Job
from mocap_cli.commands.report import report
from mocap_cli.commands.screen import Bars, bars
from mocap_cli.commands.several import do_all, leave_with
from mocap_cli.errors import MocapError
from mocap_cli.export.formats import Units, WriteOptions, check_output, write
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.probe import VideoInfo, probe


def run(jobs: Sequence[Job], options: TrackOptions, *, units: Units, quiet: bool) -> None:
    """Track every video; one alone raises its error, of several those that failed are listed."""
    with bars(quiet) as screen:

        def do(job: Job, info: VideoInfo, number: str) -> None:
            _track(job, info, options, units, screen, number)

        def checked(job: Job) -> VideoInfo:
            info = check(job)
            _refuse_outside(info, options)
            return info

        failures = do_all(jobs, checked, do)
    leave_with(failures, len(jobs), "videos")


def check(job: Job) -> VideoInfo:
    """Refuse, before the long work, a video or an output that cannot be."""
    info = probe(job.source)
    for output in job.outputs:
        check_output(output, {"video": info.path}, info.frames or 0)
    return info


def _refuse_outside(info: VideoInfo, options: TrackOptions) -> None:
    """A point on the person lies in the picture."""
    if isinstance(options.subject, str):
        return
    x, y = options.subject
    if not (0 <= x <= info.width and 0 <= y <= info.height):
        raise MocapError(
            f"--subject {x:g},{y:g} is outside of {info.path}, which is {info.width}x{info.height}",
            "give a point in pixels from the upper left corner",
        )


def _track(
    job: Job,
    info: VideoInfo,
    options: TrackOptions,
    units: Units,
    screen: Bars,
    number: str,
) -> None:
    began = time.perf_counter()
    frames = _frames(info, options)
    motion = _tracked(job, options, screen, f"{number}{job.source.name}", frames)
    seconds = time.perf_counter() - began
    for output in job.outputs:
        with screen.bar(f"{number}{output.name}", frames) as bar:
            write_options = WriteOptions(
                video=job.source, units=units, fps=options.fps, on_frame=bar
            )
            write(motion, output, write_options)
    screen.show(report(motion, job.outputs, units, seconds))


def _tracked(
    job: Job, options: TrackOptions, screen: Bars, label: str, frames: int | None
) -> Motion:
    with screen.bar(label, frames) as bar:
        if options.guide is None:
            return track(job.source, options, bar)
        with screen.bar(f"{label}, by {options.guide.name}", frames) as again:
            return track(job.source, options, bar, again)


def _frames(info: VideoInfo, options: TrackOptions) -> int | None:
    """About how many frames there are to do."""
    if info.duration is None:
        return info.frames
    end = info.duration if options.end is None else min(options.end, info.duration)
    return max(1, round((end - (options.start or 0.0)) * info.fps))
