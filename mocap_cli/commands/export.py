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
    hertz,
    refuse_backwards,
    tall,
)

PRETRAINED = "runs/pretrain"  # where `mocap pretrain` puts a run, unless told otherwise

Motions = Annotated[
    list[Path] | None,
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
SwapAppearance = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--swap-appearance",
        metavar="A B",
        help="Draw the motion of video A again with the looks of video B, with a model of"
        " `mocap pretrain`.",
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="What --swap-appearance draws with: the folder of a run, or a model.",
        show_default=PRETRAINED,
    ),
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
        "--panel",
        help="Beside .mp4 show the person from the side, from above, and joint angles; beside a"
        " swap the two videos.",
    ),
]
Smooth = Annotated[
    float | None,
    typer.Option(
        metavar="HERTZ",
        callback=hertz,
        help="Take out what is faster: 6 calms walking, 12 leaves kicks as they are.",
    ),
]
Height = Annotated[
    float | None,
    typer.Option(metavar="METRES", callback=tall, help="Make the person that tall."),
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
    context: typer.Context,
    motions: Motions = None,
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
    swap_appearance: SwapAppearance = None,
    model: Model = None,
    quiet: Quiet = False,
) -> None:
    """Turn motions into the files that other programs open.

    Example: mocap export dive.json -o dive.bvh -o dive.csv
    """
    refuse_backwards(start, end)
    if swap_appearance is not None:
        _swap(context, swap_appearance, output or [], model, start, end, panel, quiet)
        return
    if model is not None:
        raise typer.BadParameter("goes with --swap-appearance alone", param_hint="--model")
    if not motions:
        raise typer.BadParameter("give motions, or folders of motions", param_hint="MOTION")
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
        start=start, end=end, fps=fps, smooth=smooth, height=height, floor=floor,
        foot_lock=foot_lock, loop=loop, mirror=mirror, in_place=in_place,
    )  # fmt: skip
    extras = Extras(trail=trail, panel=panel)
    wishes = WriteOptions(link_video=link_video, extras=extras, units=units, rig=rig)
    run(jobs, changes, wishes, video=video, only_fit=check, quiet=quiet)


_OF_A_SWAP = {"swap_appearance", "model", "output", "start", "end", "panel", "quiet"}


def _swap(
    context: typer.Context,
    videos: tuple[Path, Path],
    outputs: list[str],
    model: Path | None,
    start: float | None,
    end: float | None,
    panel: bool,
    quiet: bool,
) -> None:
    """What goes on with motions has no meaning here, so it is refused."""
    for option in context.command.params:
        name, source = option.name or "", context.get_parameter_source(option.name or "")
        if name not in _OF_A_SWAP and source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                "does not go with --swap-appearance", param_hint=option.opts[-1]
            )
    from mocap_cli.commands.swapping import Swapping, destination, run
    from mocap_cli.export.swap import Span

    motion, looks = videos
    wanted = Swapping(
        motion=motion,
        looks=looks,
        output=destination(motion, outputs),
        model=model or Path(PRETRAINED),
        span=Span(start=start or 0.0, end=end),
        panel=panel,
    )
    run(wanted, quiet=quiet)
