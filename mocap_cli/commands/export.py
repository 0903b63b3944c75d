"""`mocap export`: from a motion to the files that other programs and people open."""

from pathlib import Path
from typing import Annotated, Literal

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
)

Motions = Annotated[
    list[Path],
    typer.Argument(metavar="MOTION", help="JSON files of `mocap track`, or folders of them."),
]
Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{SUFFIXES} Or a folder (out/). Or only a suffix (.csv) to choose what a folder"
        " gets. May be repeated.",
        show_default="MOTION.bvh in this folder",
    ),
]
Video = Annotated[
    Path | None,
    typer.Option(
        metavar="VIDEO",
        help="What .mp4 is drawn over, .html and .png show: the video, or the folder it is in.",
        show_default="beside MOTION",
    ),
]
LinkVideo = Annotated[
    bool, typer.Option("--link-video", help="Let .html play the video where it is, not hold it.")
]
Rig = Annotated[
    Literal["default", "mixamo", "rokoko"],
    typer.Option(help="Whose names the joints of .bvh, .glb and .usda get."),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Leave with 1, one line a reason, when a motion is unfit for use without a look at"
        " it; then nothing is written of it.",
    ),
]
Trail = Annotated[
    bool, typer.Option("--trail", help="Draw the way of the centre of mass into .mp4.")
]
Panel = Annotated[
    bool,
    typer.Option(
        "--panel", help="Beside .mp4 show the person from the side, from above, and joint angles."
    ),
]
Smooth = Annotated[
    float | None,
    typer.Option(
        metavar="HERTZ",
        callback=positive,
        help="Take out what is faster: 6 calms walking, 12 leaves kicks as they are.",
    ),
]
Height = Annotated[
    float | None,
    typer.Option(metavar="METRES", callback=positive, help="Make the person that tall."),
]
Floor = Annotated[
    bool, typer.Option("--floor", help="Put the ground at 0 below planted feet, and no foot in it.")
]
FootLock = Annotated[
    bool, typer.Option("--foot-lock", help="Planted feet stay where they were put down.")
]
Loop = Annotated[bool, typer.Option("--loop", help="Let the end go on as the beginning.")]
Mirror = Annotated[bool, typer.Option("--mirror", help="Swap left and right.")]
InPlace = Annotated[
    bool, typer.Option("--in-place", help="Keep the pelvis above the origin; heights stay.")
]


def export(
    motions: Motions,
    output: Output = None,
    video: Video = None,
    link_video: LinkVideo = False,
    trail: Trail = False,
    panel: Panel = False,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    smooth: Smooth = None,
    height: Height = None,
    floor: Floor = False,
    foot_lock: FootLock = False,
    loop: Loop = False,
    mirror: Mirror = False,
    in_place: InPlace = False,
    units: Units = "cm",
    rig: Rig = "default",
    check: Check = False,
    quiet: Quiet = False,
) -> None:
    """Turn motions into the files that other programs open.

    Example: mocap export dive.json -o dive.bvh -o dive.csv
    """
    refuse_backwards(start, end)
    from mocap_cli.commands.conversion import run
    from mocap_cli.commands.destinations import MOTIONS, Wish, plan
    from mocap_cli.export.changes import Changes
    from mocap_cli.export.formats import FORMATS, WriteOptions, suffix_of
    from mocap_cli.export.overlay import Extras

    usual = () if check else (".bvh",)
    jobs = plan(motions, Wish.of(output or [], tuple(FORMATS), usual), kind=MOTIONS)
    if mirror and any(suffix_of(path) == ".mp4" for job in jobs for path in job.outputs):
        raise typer.BadParameter("the video cannot be mirrored with it; leave .mp4 out")
    changes = Changes(
        start=start,
        end=end,
        fps=fps,
        smooth=smooth,
        height=height,
        floor=floor,
        foot_lock=foot_lock,
        loop=loop,
        mirror=mirror,
        in_place=in_place,
    )
    extras = Extras(trail=trail, panel=panel)
    wishes = WriteOptions(link_video=link_video, extras=extras, units=units, rig=rig)
    run(jobs, changes, wishes, video=video, only_fit=check, quiet=quiet)
