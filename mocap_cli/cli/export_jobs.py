"""Convert one motion or many into other files, going on past those that cannot be converted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.text import Text

from mocap_cli.body.motion import Motion, read_motion
from mocap_cli.cli.jobs import exit_on_failures, run_jobs
from mocap_cli.cli.outputs import VIDEO_SUFFIXES, Job
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import export_report
from mocap_cli.errors import MocapError
from mocap_cli.export.edits import Edits, apply_edits
from mocap_cli.export.quality import measure_quality, quality_faults
from mocap_cli.export.registry import MotionWriter, WriteOptions, check_output, format_of
from mocap_cli.io.atomic import identity


def export_motions(
    jobs: Sequence[Job],
    changes: Edits,
    wishes: WriteOptions,
    *,
    video: Path | None,
    only_fit: bool,
    quiet: bool,
) -> None:
    """Convert every motion; one alone raises its error, of several those that failed are listed.

    With `only_fit` a motion that is unfit for use fails, and nothing is written of it.
    """
    outputs: dict[object, Path] = {
        identity(output): output for job in jobs for output in job.outputs
    }
    with progress_display(quiet) as screen:

        def check(job: Job) -> tuple[Motion, Path | None]:
            return _check(job, video, changes.mirror, outputs)

        def do(job: Job, checked: tuple[Motion, Path | None], number: str) -> None:
            given, found = checked
            options = replace(wishes, video=found, fps=changes.fps)
            # Planted feet slide under a body that is kept in place: that is no fault.
            judged = apply_edits(given, replace(changes, in_place=False))
            if only_fit:
                _refuse_unfit(judged, job.source)
            motion = apply_edits(given, changes) if changes.in_place else judged
            _write(job, motion, options, screen, number)
            screen.show(export_report(judged, job.source, job.outputs, options.units))
            if found is None and not changes.mirror and _would_show_video(job):
                screen.show(Text(f"  without {_name(motion)}: --video says where it is"))

        failures = run_jobs(jobs, check, do)
    exit_on_failures(failures, len(jobs), "motions")


def _check(
    job: Job, video: Path | None, mirrored: bool, outputs: Mapping[object, Path]
) -> tuple[Motion, Path | None]:
    """Refuse, before anything is written, what cannot be; the motion, and its video if useful."""
    if job.source.suffix.lower() in VIDEO_SUFFIXES and job.source.is_file():
        raise MocapError(
            f"{job.source} is a video, not a motion",
            f"track it first: mocap track {job.source} -o {job.source.stem}.json",
        )
    motion = read_motion(job.source)
    inputs = {"motion": job.source}
    uses = {format_of(output).video for output in job.outputs}
    found = None
    if "needed" in uses or ("welcome" in uses and video is not None):
        found = _find_video(job.source, motion, video)
    elif "welcome" in uses and _is_file(beside := _beside(job.source, motion)):
        found = beside
    if found is not None:
        inputs["video"] = found
        if (written := outputs.get(identity(found))) is not None:
            raise MocapError(f"{written} is the video itself", "choose another name with -o")
    for output in job.outputs:
        check_output(output, inputs, len(motion.times))
    return motion, None if mirrored else found  # no video shows a mirrored motion


def _find_video(source: Path, motion: Motion, given: Path | None) -> Path:
    """The video that was given, or the one of that name in the folder that was, or beside it."""
    found = _beside(source, motion) if given is None else given
    if found.is_dir():
        found = found / _name(motion)
    if not _is_file(found):
        raise MocapError(
            f"cannot find {found}, the video of {source}", "say where it is with --video"
        )
    return found


def _is_file(path: Path) -> bool:
    """Whether there is such a file; there is none whose name is too long for a file."""
    try:
        return path.is_file()
    except OSError:
        return False


def _beside(source: Path, motion: Motion) -> Path:
    return source.parent / _name(motion)


def _name(motion: Motion) -> str:
    """Of its video; a motion from elsewhere may not lead into other folders."""
    return Path(motion.source.file).name


def _refuse_unfit(motion: Motion, source: Path) -> None:
    """Raise every reason not to use a motion without looking at it, one a line."""
    if reasons := quality_faults(measure_quality(motion)):
        lines = "".join(f"\n  {reason}" for reason in reasons)
        raise MocapError(
            f"{source} is unfit for use:{lines}",
            f"look at it: mocap export {source} -o .html",
        )


def _would_show_video(job: Job) -> bool:
    return any(format_of(output).video == "welcome" for output in job.outputs)


def _write(
    job: Job, motion: Motion, options: WriteOptions, screen: ProgressDisplay, number: str
) -> None:
    writer = MotionWriter(motion, options)
    for output in job.outputs:
        with screen.bar(f"{number}{output.name}", len(motion.times)) as bar:
            writer.write(output, bar)
