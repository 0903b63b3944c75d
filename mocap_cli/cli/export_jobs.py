"""The work of `mocap export`: files of motions, and videos redrawn with another appearance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import typer

from mocap_cli import api
from mocap_cli.body.motion import Motion, read_motion
from mocap_cli.cli.display import Display, Report
from mocap_cli.cli.jobs import Job, OutputRequest, refuse_conflicts, run_jobs
from mocap_cli.cli.report import OutputFiles, export_report
from mocap_cli.errors import MocapError
from mocap_cli.export.edits import Edits, apply_edits
from mocap_cli.export.registry import (
    FORMATS,
    MotionWriter,
    WriteOptions,
    check_output,
    check_rig,
    format_of,
)
from mocap_cli.export.swap_video import SwapResult
from mocap_cli.io.inputs import SWAP, VIDEOS, is_file
from mocap_cli.progress import count_stage
from mocap_cli.quality.measures import measure_quality
from mocap_cli.quality.verdict import quality_faults


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionExport:
    """An export: edits, format options and checks of every motion."""

    edits: Edits
    options: WriteOptions
    video: Path | None
    check: bool  # fail, and write nothing, if quality checks fail
    overwrite: bool | None

    def plan(
        self, motions: Sequence[Path], output: Sequence[str], display: Display, *, recursive: bool
    ) -> list[Job]:
        """The files to make from each motion; with --check none unless -o names some."""
        default = () if self.check else (".bvh",)
        request = OutputRequest.parse(output, FORMATS, default)
        jobs = request.jobs(motions, display, motions=True, recursive=recursive)
        outputs = [path for job in jobs for path in job.outputs]
        if self.edits.mirror and any(path.name.lower().endswith(".mp4") for path in outputs):
            raise typer.BadParameter(
                "the video itself is not mirrored; leave out -o .mp4", param_hint="--mirror"
            )
        return jobs

    def run(self, jobs: Sequence[Job], display: Display) -> None:
        """Export every motion; one alone raises its error, of several the failed are listed."""
        read = lru_cache(maxsize=1)(_read)  # a motion alone is parsed once

        def check(job: Job) -> Path | None:
            return self._check(job, read(job.source), jobs)

        def do(job: Job, video: Path | None, label: str) -> None:
            with display.progress(label) as progress:
                original = read(job.source)
                # Planted feet slide under a body that is kept in place: that is no fault.
                judged = apply_edits(original, replace(self.edits, in_place=False))
                if self.check:
                    _check_quality(judged, job.source)
                motion = apply_edits(original, self.edits) if self.edits.in_place else judged
                files = OutputFiles.plan(job.outputs, overwrite=self.overwrite)
                options = replace(self.options, video=video, fps=self.edits.fps)
                writer = MotionWriter(motion, options)
                for path in job.outputs:
                    count = count_stage(progress, f"writing {path.name}", len(motion.times))
                    writer.write(path, count)
            display.report(export_report(judged, job.source, files, self.options.units))
            if video is None and not self.edits.mirror and _shows_video(job):
                display.note(f"  without {_video_name(motion)}: give it with --video")

        run_jobs(jobs, check, do, display, "motions")

    def _check(self, job: Job, motion: Motion, jobs: Sequence[Job]) -> Path | None:
        """Check the outputs before anything is written; returns the video if a format uses it."""
        inputs = {"motion": job.source}
        uses = {format_of(output).video for output in job.outputs}
        found = None
        if "needed" in uses or ("welcome" in uses and self.video is not None):
            found = _find_video(job.source, motion, self.video)
        elif "welcome" in uses and is_file(beside := _video_beside(job.source, motion)):
            found = beside
        if found is not None:
            inputs["video"] = found
            refuse_conflicts(jobs, [found])
        for output in job.outputs:
            check_rig(output, self.options.rig)
            check_output(output, inputs, len(motion.times))
        OutputFiles.plan(job.outputs, overwrite=self.overwrite)
        return None if self.edits.mirror else found  # no video shows a mirrored motion


def _read(source: Path) -> Motion:
    if source.suffix.lower() in VIDEOS.suffixes and source.is_file():
        raise MocapError(
            f"{source} is a video, not a motion",
            f"track it first: mocap track {source} -o {source.stem}.json",
        )
    return read_motion(source)


def _find_video(source: Path, motion: Motion, given: Path | None) -> Path:
    """The video that was given, or the one of that name in the folder that was, or beside it."""
    found = _video_beside(source, motion) if given is None else given
    if found.is_dir():
        found = found / _video_name(motion)
    if not is_file(found):
        raise MocapError(
            f"cannot find {found}, the video of {source}", "give it, or its folder, with --video"
        )
    return found


def _video_beside(source: Path, motion: Motion) -> Path:
    return source.parent / _video_name(motion)


def _video_name(motion: Motion) -> str:
    """The name without folders, so that a motion file cannot point outside of its folder."""
    return Path(motion.source.file).name


def _check_quality(motion: Motion, source: Path) -> None:
    if reasons := quality_faults(measure_quality(motion)):
        lines = "".join(f"\n  {reason}" for reason in reasons)
        raise MocapError(
            f"{source} fails the quality checks:{lines}",
            f"look at it with: mocap export {source} -o .html",
        )


def _shows_video(job: Job) -> bool:
    return any(format_of(output).video == "welcome" for output in job.outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapExport:
    """An export of videos in which the person has the appearance of another."""

    appearance: Path
    model: Path
    start: float | None
    end: float | None
    panel: bool
    video: Path | None
    overwrite: bool | None

    def run(
        self, sources: Sequence[Path], output: Sequence[str], display: Display, *, recursive: bool
    ) -> None:
        """Redraw every video; a motion stands for the video that it was tracked from."""
        request = OutputRequest.parse(output, (".mp4",), (".mp4",))
        endings = {path.suffix.lower() for path in request.files}
        if len(request.files) > 1 or endings - {".mp4"}:
            raise typer.BadParameter("give one .mp4, or a folder (out/)", param_hint="-o")
        request = replace(request, video_ending=SWAP)
        also_read = (self.appearance, self.model)
        jobs = request.jobs(sources, display, recursive=recursive, also_read=also_read)

        def check(job: Job) -> Path:
            path = job.source
            if path.suffix.lower() == ".json":
                path = _find_video(path, read_motion(path), self.video)
                refuse_conflicts(jobs, [path])
            OutputFiles.plan(job.outputs, overwrite=self.overwrite)
            return path

        def do(job: Job, path: Path, label: str) -> None:
            files = OutputFiles.plan(job.outputs, overwrite=self.overwrite)
            with display.progress(label) as progress:
                made = api.swap_appearance(
                    path, self.appearance, job.outputs[0], model=self.model, start=self.start,
                    end=self.end, panel=self.panel, progress=progress,
                )  # fmt: skip
            display.report(_swap_report(made, path, files))

        run_jobs(jobs, check, do, display, "videos")


def _swap_report(made: SwapResult, source: Path, files: OutputFiles) -> Report:
    lines = [
        ("model", f"{made.model}, {made.step} training steps"),
        *(("warning", warning) for warning in made.warnings),
        *files.lines(),
    ]
    data = {
        "input": str(source),
        "outputs": files.data(),
        "frames": made.frames,
        "model": str(made.model),
        "training_steps": made.step,
        "warnings": list(made.warnings),
    }
    return Report(f"{source}: {made.frames} frames redrawn", lines, data)
