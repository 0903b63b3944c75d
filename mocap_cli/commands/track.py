"""`mocap track`: from videos to motion-capture files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mocap_cli.commands.options import (
    SUFFIXES,
    End,
    Fps,
    Quiet,
    Start,
    Units,
    positive,
    refuse_backwards,
    tall,
)
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for it
    from mocap_cli.commands.destinations import Job
    from mocap_cli.keypoints.subject import Subject
    from mocap_cli.tracking.track import Guide


Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{SUFFIXES} Or a folder (out/) that gets VIDEO.bvh and VIDEO.json."
        " Or only a suffix (.bvh) to choose what a folder gets. May be repeated.",
        show_default="VIDEO.bvh and VIDEO.json in this folder",
    ),
]
Overlay = Annotated[
    bool, typer.Option("--overlay", help="Also write VIDEO.overlay.mp4, with sound.")
]
Who = Annotated[
    str,
    typer.Option(
        metavar="auto|largest|center|X,Y",
        help="Whom to follow where there are several; X,Y is a point on the person in pixels.",
    ),
]
Height = Annotated[
    float | None,
    typer.Option(
        callback=tall,
        help="The person's height in metres; sets the scale.",
        show_default="by a long fall, else 1.70",
    ),
]
Focal = Annotated[
    float | None,
    typer.Option(
        callback=positive,
        help="Focal length in pixels.",
        show_default="from the file, else that of a phone",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(metavar="X.mocap", help="What mocap label-fit made; has a say in every pose."),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the networks run.")
]


def track(
    videos: Videos,
    output: Output = None,
    overlay: Overlay = False,
    subject: Who = "auto",
    height: Height = None,
    focal: Focal = None,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    units: Units = "cm",
    model: Model = None,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Turn videos of one person into motion-capture files.

    Example: mocap track dive.mp4 -o dive.bvh -o dive.json --overlay
    """
    refuse_backwards(start, end)
    jobs = _jobs(videos, output or [], overlay)
    from mocap_cli.commands.batch import run
    from mocap_cli.tracking.track import TrackOptions

    options = TrackOptions(
        subject=_subject(subject), height=height, focal=focal,
        start=start, end=end, fps=fps, device=device, guide=_guide(model),
    )  # fmt: skip
    run(jobs, options, units=units, quiet=quiet)


def _guide(model: Path | None) -> "Guide | None":
    if model is None:
        return None
    from mocap_cli.labels.guide import open_guide

    return open_guide(model)


def _jobs(videos: list[Path], output: list[str], overlay: bool) -> "list[Job]":
    from mocap_cli.commands.destinations import Wish, plan
    from mocap_cli.export.formats import DEFAULT_SUFFIXES, FORMATS

    return plan(videos, Wish.of(output, tuple(FORMATS), DEFAULT_SUFFIXES), overlay=overlay)


def _subject(text: str) -> "Subject":
    from mocap_cli.keypoints.subject import parse_subject

    try:
        return parse_subject(text)
    except MocapError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from error
