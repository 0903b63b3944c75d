"""Make one background or many, going on past the videos that have none."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer
from rich.text import Text

from mocap_cli.cli.jobs import exit_on_failures, run_jobs
from mocap_cli.cli.outputs import Job, OutputRequest, plan_jobs, refuse_collisions
from mocap_cli.cli.progress import ProgressDisplay, progress_display
from mocap_cli.cli.report import labelled_lines
from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import refuse_unwritable, same_file
from mocap_cli.plates.background import Background, write_background, write_plate
from mocap_cli.plates.builder import BackgroundOptions, make_background
from mocap_cli.plates.comparison import ComparisonFiles, write_comparison
from mocap_cli.video.probe import VideoInfo, probe

PICTURE, ARCHIVE = ".background.png", ".background.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraOutputs:
    """What to make beside the picture and the archive."""

    video: bool
    difference: bool
    sheet: bool

    def beside(self, picture: Path) -> ComparisonFiles:
        """The files, named after the picture."""
        return ComparisonFiles(
            film=picture.with_suffix(".mp4") if self.video else None,
            difference=picture.with_suffix(".difference.mp4") if self.difference else None,
            sheet=picture.with_suffix(".sheet.png") if self.sheet else None,
        )


def plan_backgrounds(videos: Sequence[Path], output: Path | None) -> list[Job]:
    """A picture and an archive for each video, beside it unless a place is given."""
    if output is not None and output.suffix and not output.is_dir():
        if output.suffix.lower() not in (".png", ".npz"):
            raise typer.BadParameter("give a .png, or a folder (out/)", param_hint="-o")
        files = (output.with_suffix(".png"), output.with_suffix(".npz"))
        return plan_jobs(videos, OutputRequest(files, (), Path()))
    jobs = plan_jobs(videos, OutputRequest((), (PICTURE, ARCHIVE), output or Path()))
    if output is not None:
        return jobs
    return [Job(j.source, tuple(j.source.with_name(o.name) for o in j.outputs)) for j in jobs]


def make_backgrounds(
    jobs: Sequence[Job], options: BackgroundOptions, extras: ExtraOutputs, *, quiet: bool
) -> None:
    """Make every background; one alone raises its error, of several the failed are listed."""
    refuse_collisions([Job(job.source, _outputs(job, extras)) for job in jobs])
    with progress_display(quiet) as screen:

        def check(job: Job) -> VideoInfo:
            info = probe(job.source)
            for path in _outputs(job, extras):
                if same_file(path, job.source):
                    raise MocapError(f"{path} is the video itself", "choose another name with -o")
                refuse_unwritable(path)
            return info

        def do(job: Job, info: VideoInfo, number: str) -> None:
            _make(job, info, options, extras, screen, number)

        failures = run_jobs(jobs, check, do)
    exit_on_failures(failures, len(jobs), "videos")


def _outputs(job: Job, extras: ExtraOutputs) -> tuple[Path, ...]:
    return (*job.outputs, *extras.beside(job.outputs[0]).paths)


def _make(
    job: Job,
    info: VideoInfo,
    options: BackgroundOptions,
    extras: ExtraOutputs,
    screen: ProgressDisplay,
    number: str,
) -> None:
    began = time.perf_counter()
    with screen.bar(f"{number}{job.source.name}", info.frames) as bar:
        background = make_background(job.source, options, bar)
    seconds = time.perf_counter() - began
    written = _write(background, job.source, *job.outputs)
    shown = extras.beside(job.outputs[0])
    if shown.paths:
        with screen.bar(f"{number}{shown.paths[0].name}", len(background.camera.times)) as bar:
            write_comparison(job.source, background, shown, bar)
    screen.show(_report(background, (*written, *shown.paths), seconds))


def _write(background: Background, source: Path, picture: Path, archive: Path) -> tuple[Path, ...]:
    """The archive, the picture of the longest part, and those of the others, numbered."""
    write_background(background, archive)
    longest = int(np.bincount(background.camera.part).argmax())
    written = []
    for number, plate in enumerate(background.plates):
        path = picture
        if number != longest:
            path = picture.with_stem(f"{picture.stem}-{number + 1}")
            if same_file(path, source):
                raise MocapError(f"{path} is the video itself", "choose another name with -o")
        write_plate(plate, path)
        written.append(path)
    return (archive, *written)


_KINDS = {
    "median": "the median of each pixel",
    "split": "half of the first frame and half of the last",
    "panorama": "a panorama and its median",
}
_CAMERAS = {
    "fixed": "stands",
    "turning": "turns or zooms: points meet within {:.1f} pixels",
    "walking": "walks, or much moves before it: points meet within {:.1f} pixels only",
}


def _report(background: Background, written: Sequence[Path], seconds: float) -> Text:
    camera = background.camera
    plates = ", ".join(
        f"{p.surface.size[0]}x{p.surface.size[1]}"
        + (" on a cylinder" if p.surface.shape == "cylinder" else "")
        for p in background.plates
    )
    head = f"{background.video}: {len(camera.times)} frames in {seconds:.1f} s"
    said = dict.fromkeys(
        _CAMERAS[kind].format(off)
        for kind, off in zip(camera.kind, camera.reprojection_error, strict=True)
    )
    return labelled_lines(
        head,
        [
            ("camera", "; ".join(said)),
            ("made as", f"{_KINDS[background.kind]}, {plates}"),
            *(("warning", warning) for warning in background.warnings),
            *(("wrote", str(path)) for path in written),
        ],
    )
