"""`mocap export`: from a motion to the files that other programs and people open."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import (
    OUTPUT_HELP,
    End,
    Fps,
    Quiet,
    Start,
    Units,
    check_height,
    check_span,
    hertz,
)

_PRETRAINED = "runs/pretrain"  # where `mocap pretrain` puts a run, unless told otherwise

_Motions = Annotated[
    list[Path] | None,
    typer.Argument(metavar="MOTION", help="JSON files of `mocap track`, or folders of them."),
]
_Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{OUTPUT_HELP} Or a folder (out/). Or only a suffix (.csv) to choose what a folder"
        " gets. May be repeated.",
        show_default="MOTION.bvh in this folder",
    ),
]
_Video = Annotated[
    Path | None,
    typer.Option(
        metavar="VIDEO",
        help="What .mp4 is drawn over, .html and .png show: the video, or the folder it is in.",
        show_default="beside MOTION",
    ),
]
_LinkVideo = Annotated[
    bool, typer.Option("--link-video", help="Let .html play the video where it is, not hold it.")
]
_Rig = Annotated[
    Literal["default", "mixamo", "rokoko"],
    typer.Option(help="Whose names the joints of .bvh, .glb and .usda get."),
]
_SwapAppearance = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--swap-appearance",
        metavar="A B",
        help="Draw the motion of video A again with the looks of video B, with a model of"
        " `mocap pretrain`.",
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="What --swap-appearance draws with: the folder of a run, or a model.",
        show_default=_PRETRAINED,
    ),
]
_Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Leave with 1, one line a reason, when a motion is unfit for use without a look at"
        " it; then nothing is written of it.",
    ),
]
_Trail = Annotated[
    bool, typer.Option("--trail", help="Draw the way of the centre of mass into .mp4.")
]
_Panel = Annotated[
    bool,
    typer.Option(
        "--panel",
        help="Beside .mp4 show the person from the side, from above, and joint angles; beside a"
        " swap the two videos.",
    ),
]
_Smooth = Annotated[
    float | None,
    typer.Option(
        metavar="HERTZ",
        callback=hertz,
        help="Take out what is faster: 6 calms walking, 12 leaves kicks as they are.",
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(metavar="METRES", callback=check_height, help="Make the person that tall."),
]
_Floor = Annotated[
    bool, typer.Option("--floor", help="Put the ground at 0 below planted feet, and no foot in it.")
]
_FootLock = Annotated[
    bool, typer.Option("--foot-lock", help="Planted feet stay where they were put down.")
]
_Loop = Annotated[bool, typer.Option("--loop", help="Let the end go on as the beginning.")]
_Mirror = Annotated[bool, typer.Option("--mirror", help="Swap left and right.")]
_InPlace = Annotated[
    bool, typer.Option("--in-place", help="Keep the pelvis above the origin; heights stay.")
]


def export(
    context: typer.Context,
    motions: _Motions = None,
    output: _Output = None,
    video: _Video = None,
    link_video: _LinkVideo = False,
    trail: _Trail = False,
    panel: _Panel = False,
    start: Start = None,
    end: End = None,
    fps: Fps = None,
    smooth: _Smooth = None,
    height: _Height = None,
    floor: _Floor = False,
    foot_lock: _FootLock = False,
    loop: _Loop = False,
    mirror: _Mirror = False,
    in_place: _InPlace = False,
    units: Units = "cm",
    rig: _Rig = "default",
    check: _Check = False,
    swap_appearance: _SwapAppearance = None,
    model: _Model = None,
    quiet: Quiet = False,
) -> None:
    """Turn motions into the files that other programs open.

    Example: mocap export dive.json -o dive.bvh -o dive.csv
    """
    check_span(start, end)
    if swap_appearance is not None:
        _swap(context, swap_appearance, output or [], model, start, end, panel, quiet)
        return
    if model is not None:
        raise typer.BadParameter("goes with --swap-appearance alone", param_hint="--model")
    if not motions:
        raise typer.BadParameter("give motions, or folders of motions", param_hint="MOTION")
    from mocap_cli.cli.export_jobs import export_motions
    from mocap_cli.cli.outputs import MOTIONS, OutputRequest, plan_jobs
    from mocap_cli.export.edits import Edits
    from mocap_cli.export.registry import FORMATS, WriteOptions, suffix_of
    from mocap_cli.export.views.overlay import OverlayOptions

    usual = () if check else (".bvh",)
    jobs = plan_jobs(motions, OutputRequest.of(output or [], tuple(FORMATS), usual), kind=MOTIONS)
    if mirror and any(suffix_of(path) == ".mp4" for job in jobs for path in job.outputs):
        raise typer.BadParameter("the video cannot be mirrored with it; leave .mp4 out")
    changes = Edits(
        start=start, end=end, fps=fps, smooth=smooth, height=height, floor=floor,
        foot_lock=foot_lock, loop=loop, mirror=mirror, in_place=in_place,
    )  # fmt: skip
    extras = OverlayOptions(trail=trail, panel=panel)
    wishes = WriteOptions(link_video=link_video, overlay=extras, units=units, rig=rig)
    export_motions(jobs, changes, wishes, video=video, only_fit=check, quiet=quiet)


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
    from mocap_cli.cli.swap_jobs import SwapRequest, swap_appearance, swap_output

    motion, looks = videos
    wanted = SwapRequest(
        motion=motion,
        appearance=looks,
        output=swap_output(motion, outputs),
        model=model or Path(_PRETRAINED),
        start=start or 0.0,
        end=end,
        panel=panel,
    )
    swap_appearance(wanted, quiet=quiet)
