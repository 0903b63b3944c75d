"""The work of `mocap background`: a clean plate of every video, and the files about it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from mocap_cli.cli.display import Display, Report
from mocap_cli.cli.jobs import Job, OutputRequest, refuse_conflicts, run_jobs
from mocap_cli.cli.report import OutputFiles
from mocap_cli.plates.background import Background
from mocap_cli.plates.comparison import ComparisonFiles, write_comparison
from mocap_cli.progress import count_stage
from mocap_cli.video.probe import probe

_IMAGE, _ARCHIVE = ".background.png", ".background.npz"
_EXTRA_SUFFIXES = {"film": ".mp4", "difference": ".difference.mp4", "sheet": ".sheet.png"}
_METHODS = {
    "median": "median of each pixel",
    "split": "half of the first frame and half of the last",
    "panorama": "panorama, median of each pixel",
}
_CAMERAS = {
    "fixed": "fixed",
    "turning": "pans or zooms: points match within {:.1f} pixels",
    "walking": "moves along, or much moves in front of it: points match within {:.1f} pixels only",
}


def make_backgrounds(
    videos: Sequence[Path],
    output: Path | None,
    make: Callable[..., Background],
    extra: frozenset[str],
    display: Display,
    *,
    recursive: bool,
    overwrite: bool | None,
) -> None:
    """Make every background; one alone raises its error, of several the failed are listed.

    `extra` are the fields of ComparisonFiles to write as well.
    """
    jobs = _plan(videos, output, extra, display, recursive=recursive)

    def check(job: Job) -> ComparisonFiles:
        probe(job.source)
        OutputFiles.plan(_planned(job, extra), overwrite=overwrite)
        return _comparison(job, extra)

    def do(job: Job, comparison: ComparisonFiles, label: str) -> None:
        with display.progress(label) as progress:
            began = time.perf_counter()
            made = make(job.source, progress=progress)
            seconds = time.perf_counter() - began
            image = job.outputs[0]
            paths = (*made.files(image), *comparison.paths)
            refuse_conflicts([replace(job, outputs=paths)], (other.source for other in jobs))
            outputs = OutputFiles.plan(paths, overwrite=overwrite)
            made.save(image)
            if comparison.paths:
                stage = f"writing {comparison.paths[0].name}"
                count = count_stage(progress, stage, len(made.camera.times))
                write_comparison(job.source, made, comparison, count)
        display.report(_report(made, job.source, outputs, seconds))

    run_jobs(jobs, check, do, display, "videos")


def _plan(
    videos: Sequence[Path],
    output: Path | None,
    extra: frozenset[str],
    display: Display,
    *,
    recursive: bool,
) -> list[Job]:
    """An image and an archive for each video, beside it unless a place is given."""
    files: tuple[Path, ...] = ()
    if output is not None and output.suffix and not output.is_dir():
        if output.suffix.lower() not in (".png", ".npz"):
            raise typer.BadParameter("give a .png, or a folder (out/)", param_hint="-o")
        files = (output.with_suffix(".png"), output.with_suffix(".npz"))
        request = OutputRequest(files, (), Path())
    else:
        request = OutputRequest((), (_IMAGE, _ARCHIVE), output or Path())
    jobs = request.jobs(videos, display, recursive=recursive)
    if output is None:
        jobs = [
            replace(job, outputs=tuple(job.source.with_name(path.name) for path in job.outputs))
            for job in jobs
        ]
    refuse_conflicts([replace(job, outputs=_planned(job, extra)) for job in jobs])
    return jobs


def _comparison(job: Job, extra: frozenset[str]) -> ComparisonFiles:
    image = job.outputs[0]
    return ComparisonFiles(**{name: image.with_suffix(_EXTRA_SUFFIXES[name]) for name in extra})


def _planned(job: Job, extra: frozenset[str]) -> tuple[Path, ...]:
    """What will be written as far as it is known: a video of several parts gives more images."""
    return (*job.outputs, *_comparison(job, extra).paths)


def _report(made: Background, source: Path, outputs: OutputFiles, seconds: float) -> Report:
    camera = made.camera
    sizes = ", ".join(
        f"{p.surface.size[0]}x{p.surface.size[1]}"
        + (" on a cylinder" if p.surface.shape == "cylinder" else "")
        for p in made.plates
    )
    motion = dict.fromkeys(
        _CAMERAS[kind].format(error)
        for kind, error in zip(camera.kind, camera.reprojection_error, strict=True)
    )
    lines = [
        ("camera", "; ".join(motion)),
        ("method", f"{_METHODS[made.kind]}, {sizes}"),
        *(("warning", warning) for warning in made.warnings),
        *outputs.lines(),
    ]
    data = {
        "input": str(source),
        "outputs": outputs.data(),
        "frames": len(camera.times),
        "method": made.kind,
        "camera": list(camera.kind),
        "warnings": list(made.warnings),
    }
    head = f"{made.video}: {len(camera.times)} frames in {seconds:.1f} s"
    return Report(head, lines, data)
