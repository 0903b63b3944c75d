"""Track one video or many, going on past those that cannot be tracked."""

import time
from collections.abc import Sequence

from mocap_cli.body.motion import Motion
from mocap_cli.cli.jobs import exit_on_failures, run_jobs
from mocap_cli.cli.outputs import Job
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import track_report
from mocap_cli.errors import MocapError
from mocap_cli.export.formats.bvh import Units
from mocap_cli.export.registry import MotionWriter, WriteOptions, check_output
from mocap_cli.tracking.track import TrackOptions, track
from mocap_cli.video.probe import VideoInfo, probe


def track_videos(jobs: Sequence[Job], options: TrackOptions, *, units: Units, quiet: bool) -> None:
    """Track every video; one alone raises its error, of several those that failed are listed."""
    with progress_display(quiet) as screen:

        def do(job: Job, info: VideoInfo, number: str) -> None:
            _track(job, info, options, units, screen, number)

        def checked(job: Job) -> VideoInfo:
            info = _check(job)
            _refuse_outside(info, options)
            return info

        failures = run_jobs(jobs, checked, do)
    exit_on_failures(failures, len(jobs), "videos")


def _check(job: Job) -> VideoInfo:
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
    screen: ProgressDisplay,
    number: str,
) -> None:
    began = time.perf_counter()
    frames = _frames(info, options)
    motion = _tracked(job, options, screen, f"{number}{job.source.name}", frames)
    seconds = time.perf_counter() - began
    writer = MotionWriter(motion, WriteOptions(video=job.source, units=units, fps=options.fps))
    for output in job.outputs:
        with screen.bar(f"{number}{output.name}", frames) as bar:
            writer.write(output, bar)
    screen.show(track_report(motion, job.outputs, units, seconds))


def _tracked(
    job: Job, options: TrackOptions, screen: ProgressDisplay, label: str, frames: int | None
) -> Motion:
    with screen.bar(label, frames) as bar:
        if options.model is None:
            return track(job.source, options, bar)
        with screen.bar(f"{label}, by {options.model.name}", frames) as again:
            return track(job.source, options, bar, again)


def _frames(info: VideoInfo, options: TrackOptions) -> int | None:
    """About how many frames there are to do."""
    if info.duration is None:
        return info.frames
    end = info.duration if options.end is None else min(options.end, info.duration)
    return max(1, round((end - (options.start or 0.0)) * info.fps))
