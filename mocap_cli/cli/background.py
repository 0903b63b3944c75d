"""`mocap background`: the scene without the person."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import End, Quiet, Start, check_positive, check_span

_Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="A picture (ski.png; the archive ski.npz gets the same name), or a folder (out/).",
        show_default="VIDEO.background.png and .npz beside VIDEO",
    ),
]
_Median = Annotated[
    bool, typer.Option("--median", help="The camera stands: what most frames show at each pixel.")
]
_Split = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Somebody falls through the picture: half of the first frame, half of the last.",
    ),
]
_Panorama = Annotated[
    bool, typer.Option("--panorama", help="The camera turns or zooms: lay the frames together.")
]
_Samples = Annotated[
    int | None,
    typer.Option(min=3, help="Frames to take the median of.", show_default="60; panned 90"),
]
_Film = Annotated[
    bool, typer.Option("--video", help="Also write the video without the person (.mp4).")
]
_Difference = Annotated[
    bool, typer.Option("--difference", help="Also write what is not background (.difference.mp4).")
]
_Sheet = Annotated[
    bool,
    typer.Option("--sheet", help="Also write input, background and difference side by side."),
]
_Focal = Annotated[
    float | None,
    typer.Option(
        callback=check_positive,
        help="Focal length in pixels; a pan finds its own from there.",
        show_default="from the file, else that of a phone",
    ),
]
_People = Annotated[
    bool, typer.Option(help="Find people in some frames and leave them out of the median.")
]
_Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where people are found.")
]


def background(
    videos: _Videos,
    output: _Output = None,
    median: _Median = False,
    split: _Split = False,
    panorama: _Panorama = False,
    samples: _Samples = None,
    video: _Film = False,
    difference: _Difference = False,
    sheet: _Sheet = False,
    start: Start = None,
    end: End = None,
    focal: _Focal = None,
    people: _People = True,
    device: _Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make the picture of the scene without the person, still or panned.

    Example: mocap background ski.mp4 --video --sheet
    """
    check_span(start, end)
    if median + split + panorama > 1:
        raise typer.BadParameter("give one of --median, --split and --panorama")
    from mocap_cli.cli.background_jobs import ExtraOutputs, make_backgrounds, plan_backgrounds
    from mocap_cli.plates.builder import BackgroundOptions

    options = BackgroundOptions(
        kind="median" if median else "split" if split else "panorama" if panorama else "auto",
        samples=samples,
        start=start,
        end=end,
        focal=focal,
        people=people,
        device=device,
    )
    jobs = plan_backgrounds(videos, output)
    make_backgrounds(
        jobs, options, ExtraOutputs(video=video, difference=difference, sheet=sheet), quiet=quiet
    )
