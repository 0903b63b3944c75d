"""`mocap track`: from videos to motion-capture files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mocap_cli.cli.options import (
    OUTPUT_HELP,
    End,
    Fps,
    Quiet,
    Start,
    Units,
    check_height,
    check_positive,
    check_span,
)
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for it
    from mocap_cli.cli.outputs import Job
    from mocap_cli.keypoints.person_detector import Subject
    from mocap_cli.tracking.estimate import PoseModel


_Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
_Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{OUTPUT_HELP} Or a folder (out/) that gets VIDEO.bvh and VIDEO.json."
        " Or only a suffix (.bvh) to choose what a folder gets. May be repeated.",
        show_default="VIDEO.bvh and VIDEO.json in this folder",
    ),
]
_Overlay = Annotated[
    bool, typer.Option("--overlay", help="Also write VIDEO.overlay.mp4, with sound.")
]
_Who = Annotated[
    str,
    typer.Option(
        metavar="auto|largest|center|X,Y",
        help="Whom to follow where there are several; X,Y is a point on the person in pixels.",
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(
        callback=check_height,
        help="The person's height in metres; sets the scale.",
        show_default="by a long fall, else 1.70",
    ),
]
_Focal = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Focal length in pixels.",
        show_default="from the file, else that of a phone",
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(metavar="X.mocap", help="What mocap label-fit made; has a say in every pose."),
]
_Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the networks run.")
]


def track(
    videos: _Videos,
    output: _Output = None,
    overlay: _Overlay = False,
    subject: _Who = "auto",
    height: _Height = None,
    focal: _Focal = None,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    units: Units = "cm",
    model: _Model = None,
    device: _Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Turn videos of one person into motion-capture files.

    Example: mocap track dive.mp4 -o dive.bvh -o dive.json --overlay
    """
    check_span(start, end)
    jobs = _jobs(videos, output or [], overlay)
    from mocap_cli.cli.tracking_jobs import track_videos
    from mocap_cli.tracking.track import TrackOptions

    options = TrackOptions(
        subject=_subject(subject), height=height, focal=focal,
        start=start, end=end, fps=fps, device=device, model=_pose_model(model, device),
    )  # fmt: skip
    track_videos(jobs, options, units=units, quiet=quiet)


def _pose_model(
    model: Path | None, device: Literal["auto", "cpu", "cuda", "mps"]
) -> "PoseModel | None":
    if model is None:
        return None
    from mocap_cli.labels.fitting.fitted_tracker import FittedTracker

    return FittedTracker.open(model, device)


def _jobs(videos: list[Path], output: list[str], overlay: bool) -> "list[Job]":
    from mocap_cli.cli.outputs import OutputRequest, plan_jobs
    from mocap_cli.export.registry import DEFAULT_SUFFIXES, FORMATS

    return plan_jobs(
        videos, OutputRequest.of(output, tuple(FORMATS), DEFAULT_SUFFIXES), overlay=overlay
    )


def _subject(text: str) -> "Subject":
    from mocap_cli.keypoints.person_detector import parse_subject

    try:
        return parse_subject(text)
    except MocapError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from error
