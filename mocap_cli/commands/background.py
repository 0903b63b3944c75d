"""`mocap background`: the scene without the person."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.commands.options import End, Quiet, Start, positive, refuse_backwards

Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="A picture (ski.png; the archive ski.npz gets the same name), or a folder (out/).",
        show_default="VIDEO.background.png and .npz beside VIDEO",
    ),
]
Median = Annotated[
    bool, typer.Option("--median", help="The camera stands: what most frames show at each pixel.")
]
Split = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Somebody falls through the picture: half of the first frame, half of the last.",
    ),
]
Panorama = Annotated[
    bool, typer.Option("--panorama", help="The camera turns or zooms: lay the frames together.")
]
Samples = Annotated[
    int | None,
    typer.Option(min=3, help="Frames to take the median of.", show_default="60; panned 90"),
]
Film = Annotated[
    bool, typer.Option("--video", help="Also write the video without the person (.mp4).")
]
Difference = Annotated[
    bool, typer.Option("--difference", help="Also write what is not background (.difference.mp4).")
]
Sheet = Annotated[
    bool,
    typer.Option("--sheet", help="Also write input, background and difference side by side."),
]
Focal = Annotated[
    float | None,
    typer.Option(
        callback=positive,
        help="Focal length in pixels; a pan finds its own from there.",
        show_default="from the file, else that of a phone",
    ),
]
People = Annotated[
    bool, typer.Option(help="Find people in some frames and leave them out of the median.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where people are found.")
]


def background(
    videos: Videos,
    output: Output = None,
    median: Median = False,
    split: Split = False,
    panorama: Panorama = False,
    samples: Samples = None,
    video: Film = False,
    difference: Difference = False,
    sheet: Sheet = False,
    start: Start = None,
    end: End = None,
    focal: Focal = None,
    people: People = True,
    device: Device = "auto",
    quiet: Quiet = False,
) -> None:
    """Make the picture of the scene without the person, still or panned.

    Example: mocap background ski.mp4 --video --sheet
    """
    refuse_backwards(start, end)
    if median + split + panorama > 1:
        raise typer.BadParameter("give one of --median, --split and --panorama")
    from mocap_cli.background.make import BackgroundOptions
    from mocap_cli.commands.backgrounds import Extras, plan_backgrounds, run

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
    run(jobs, options, Extras(video=video, difference=difference, sheet=sheet), quiet=quiet)
