"""`mocap track`: from videos to motion-capture files."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mocap_cli.cli.options import (
    OUTPUT_HELP,
    Device,
    End,
    Focal,
    Fov,
    Fps,
    Json,
    Overwrite,
    Quiet,
    Recursive,
    Start,
    Units,
    Videos,
    check_height,
    check_lens,
    check_span,
)
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for them
    from mocap_cli.keypoints.person_detector import Subject
    from mocap_cli.labels.fitting.fitted_tracker import FittedTracker

_Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{OUTPUT_HELP} Or a folder (out/) that gets VIDEO.bvh and VIDEO.json."
        " Or a bare suffix (.bvh) to choose what a folder gets. Repeatable.",
        show_default="VIDEO.bvh and VIDEO.json in this folder",
    ),
]
_Overlay = Annotated[
    bool,
    typer.Option("--overlay", help="Also write VIDEO.overlay.mp4: the skeleton over the video."),
]
_Subject = Annotated[
    str,
    typer.Option(
        metavar="auto|largest|center|X,Y",
        help="Person to track if there are several; X,Y is a point on the person, in pixels.",
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(
        metavar="METRES",
        callback=check_height,
        help="Height of the person; sets the scale.",
        show_default="measured from a long fall, else 1.70",
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(
        metavar="X.mocap",
        help="Model from `mocap label-fit`; blended with the default tracker.",
        rich_help_panel="Model",
    ),
]


def track(
    videos: Videos,
    output: _Output = None,
    overlay: _Overlay = False,
    height: _Height = None,
    subject: _Subject = "auto",
    start: Start = None,
    end: End = None,
    recursive: Recursive = False,
    focal: Focal = None,
    fov: Fov = None,
    fps: Fps = None,
    units: Units = "cm",
    model: _Model = None,
    device: Device = "auto",
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Track one person through videos and write motion-capture files.

    Example: mocap track dive.mp4 -o dive.bvh -o dive.json --overlay
    """
    check_span(start, end)
    check_lens(focal, fov)
    from mocap_cli import api
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.track_jobs import track_videos

    with Display("track", quiet=quiet, as_json=json) as display:
        track_video = partial(
            api.track, height=height, subject=subject_of(subject), start=start, end=end,
            fps=fps, focal=focal, fov=fov, model=_open_model(model, device), device=device,
        )  # fmt: skip
        track_videos(
            videos, output or [], track_video, display, overlay=overlay, units=units, fps=fps,
            recursive=recursive, overwrite=overwrite, model=model,
        )  # fmt: skip


def subject_of(text: str) -> "Subject":
    """Parse --subject; anything else is wrong usage."""
    from mocap_cli.keypoints.person_detector import parse_subject

    try:
        return parse_subject(text)
    except MocapError as error:
        message = f"{error.message}; {error.hint}"
        raise typer.BadParameter(message, param_hint="--subject") from error


def _open_model(path: Path | None, device: Device) -> "FittedTracker | None":
    """Open the model once for all videos, and refuse a wrong file before tracking."""
    if path is None:
        return None
    from mocap_cli.labels.fitting.fitted_tracker import FittedTracker

    return FittedTracker.open(path, device)
