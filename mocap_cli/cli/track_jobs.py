"""The work of `mocap track`: a motion of every video, and its files."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from mocap_cli.body.motion import Motion
from mocap_cli.cli.display import Display
from mocap_cli.cli.jobs import Job, OutputRequest, run_jobs
from mocap_cli.cli.report import OutputFiles, track_report
from mocap_cli.export.registry import (
    FORMATS,
    MotionWriter,
    WriteOptions,
    check_output,
)
from mocap_cli.progress import count_stage
from mocap_cli.video.probe import probe

_DEFAULT_SUFFIXES = (".bvh", ".json")


def track_videos(
    videos: Sequence[Path],
    output: Sequence[str],
    track: Callable[..., Motion],
    display: Display,
    *,
    overlay: bool,
    units: Literal["cm", "m"],
    fps: float | None,
    recursive: bool,
    overwrite: bool | None,
    model: Path | None = None,
) -> None:
    """Track every video; one alone raises its error, of several the failed are listed."""
    request = OutputRequest.parse(output, FORMATS, _DEFAULT_SUFFIXES)
    jobs = request.jobs(
        videos,
        display,
        recursive=recursive,
        overlay=overlay,
        also_read=() if model is None else (model,),
    )

    def check(job: Job) -> OutputFiles:
        info = probe(job.source)
        for path in job.outputs:
            check_output(path, {"video": info.path}, info.frames or 0)
        return OutputFiles.plan(job.outputs, overwrite=overwrite)

    def do(job: Job, files: OutputFiles, label: str) -> None:
        with display.progress(label) as progress:
            began = time.perf_counter()
            motion = track(job.source, progress=progress)
            seconds = time.perf_counter() - began
            writer = MotionWriter(motion, WriteOptions(video=job.source, units=units, fps=fps))
            for path in job.outputs:
                writer.write(path, count_stage(progress, f"writing {path.name}", len(motion.times)))
        display.report(track_report(motion, job.source, files, units, seconds))

    run_jobs(jobs, check, do, display, "videos")
