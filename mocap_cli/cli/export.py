"""`mocap export`: convert motions to other file formats."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from mocap_cli.cli.options import (
    OUTPUT,
    OUTPUT_HELP,
    Address,
    ClipTimeout,
    End,
    Engine,
    Fps,
    Json,
    Manifest,
    Overwrite,
    Quiet,
    Recursive,
    Shards,
    Start,
    SummaryTable,
    Units,
    WorkersIfAny,
    allow_only,
    check_height,
    check_inputs,
    check_positive,
    check_span,
    shard_of,
)

_MIN_CUTOFF = 0.01  # hertz: a motion over minutes; lower ones have no solution
_CLEAN_UP, _DRAWING, _SWAP = "Clean-up", "Videos and pages", "Appearance swap"
_DEFAULT_RUN = Path("runs/pretrain")  # where `mocap pretrain` writes by default


def _check_cutoff(value: float | None) -> float | None:
    """Refuse a cutoff so low that the smoother's equations have no solution."""
    if (value := check_positive(value)) is not None and value < _MIN_CUTOFF:
        raise typer.BadParameter(f"give at least {_MIN_CUTOFF:g} hertz")
    return value


_Motions = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="MOTION",
        help="JSON files of `mocap track`, or folders of them; videos with --appearance.",
    ),
]
_Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{OUTPUT_HELP} Or a folder (out/, s3://bucket/out/). Or a bare suffix (.csv) to"
        " choose what a folder gets. Repeatable.",
        show_default="MOTION.bvh in this folder",
    ),
]
_Video = Annotated[
    Path | None,
    typer.Option(
        metavar="VIDEO",
        help="Video for .mp4, .html, .png and .blend.py, or the folder that holds it.",
        show_default="beside MOTION",
    ),
]
_Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Exit with status 1 and list the reasons if quality checks fail; write nothing.",
    ),
]
_Smooth = Annotated[
    float | None,
    typer.Option(
        metavar="HERTZ",
        callback=_check_cutoff,
        help="Low-pass cutoff, 0.01 to 1e9: 6 suits walking, 12 keeps kicks.",
        rich_help_panel=_CLEAN_UP,
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(
        metavar="METRES",
        callback=check_height,
        help="Scale the person to this height, 0.05 to 3.",
        rich_help_panel=_CLEAN_UP,
    ),
]
_Floor = Annotated[
    bool,
    typer.Option(
        "--floor",
        help="Move the ground under planted feet to height 0; no foot goes below it.",
        rich_help_panel=_CLEAN_UP,
    ),
]
_FootLock = Annotated[
    bool,
    typer.Option(
        "--foot-lock",
        help="Keep planted feet from sliding.",
        rich_help_panel=_CLEAN_UP,
    ),
]
_Loop = Annotated[
    bool,
    typer.Option(
        "--loop", help="Blend the end into the start for looping.", rich_help_panel=_CLEAN_UP
    ),
]
_Mirror = Annotated[
    bool, typer.Option("--mirror", help="Swap left and right.", rich_help_panel=_CLEAN_UP)
]
_InPlace = Annotated[
    bool,
    typer.Option(
        "--in-place",
        help="Keep the pelvis above the origin; heights stay.",
        rich_help_panel=_CLEAN_UP,
    ),
]
_Rig = Annotated[
    Literal["default", "mixamo", "rokoko", "ue5", "vrm", "rigify", "smpl"],
    typer.Option(
        help="Names, rest pose and axes of the bones in .bvh, .glb, .fbx and .usda.",
        rich_help_panel=OUTPUT,
    ),
]
_Trail = Annotated[
    bool,
    typer.Option(
        "--trail", help="Draw the path of the centre of mass into .mp4.", rich_help_panel=_DRAWING
    ),
]
_Panel = Annotated[
    bool,
    typer.Option(
        "--panel",
        help="Add a panel to .mp4: side view, top view and joint angles; with --appearance the"
        " two original videos.",
        rich_help_panel=_DRAWING,
    ),
]
_LinkVideo = Annotated[
    bool,
    typer.Option(
        "--link-video",
        help="Link the video from .html instead of embedding it.",
        rich_help_panel=_DRAWING,
    ),
]
_Appearance = Annotated[
    Path | None,
    typer.Option(
        metavar="VIDEO",
        help="Redraw the person in .mp4 with the appearance of the person in VIDEO, instead of"
        " drawing the skeleton; MOTION may be a video.",
        rich_help_panel=_SWAP,
    ),
]
_Model = Annotated[
    Path | None,
    typer.Option(
        metavar="RUN",
        help="Model of `mocap pretrain` that redraws: the folder of its run, or a file.",
        show_default="runs/pretrain",
        rich_help_panel=_SWAP,
    ),
]


def export(
    context: typer.Context,
    motions: _Motions = None,
    output: _Output = None,
    video: _Video = None,
    start: Start = None,
    end: End = None,
    check: _Check = False,
    recursive: Recursive = False,
    smooth: _Smooth = None,
    height: _Height = None,
    floor: _Floor = False,
    foot_lock: _FootLock = False,
    loop: _Loop = False,
    mirror: _Mirror = False,
    in_place: _InPlace = False,
    fps: Fps = None,
    units: Units = "cm",
    rig: _Rig = "default",
    panel: _Panel = False,
    trail: _Trail = False,
    link_video: _LinkVideo = False,
    appearance: _Appearance = None,
    model: _Model = None,
    manifest: Manifest = None,
    summary: SummaryTable = None,
    workers: WorkersIfAny = None,
    clip_timeout: ClipTimeout = None,
    shard: Shards = None,
    engine: Engine = "local",
    address: Address = None,
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert motions into the files that other programs open.

    Example: mocap export dive.json -o dive.bvh -o dive.csv
    """
    check_span(start, end)
    _check_swap(context, appearance, model)
    check_inputs(motions, manifest, engine, address)
    part = shard_of(shard)
    from mocap_cli.cli import export_jobs as jobs
    from mocap_cli.cli.clip_run import ClipRun
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.report import export_report
    from mocap_cli.clips.motion_exporter import MotionExport
    from mocap_cli.clips.plan import ClipPlan
    from mocap_cli.clips.summary import check_summary, motion_row
    from mocap_cli.clips.swapper import Swap
    from mocap_cli.export.edits import Edits
    from mocap_cli.export.registry import WriteOptions
    from mocap_cli.export.views.overlay import OverlayOptions
    from mocap_cli.io.file_guard import with_contents
    from mocap_cli.io.inputs import MOTIONS

    plan = partial(
        ClipPlan, inputs=motions or [], manifest=manifest, recursive=recursive, height=height,
        start=start, end=end, shard=part,
    )  # fmt: skip
    run = partial(
        ClipRun, quick=True, workers=workers, timeout=clip_timeout, summary=summary,
        engine=engine, address=address, overwrite=overwrite,
    )  # fmt: skip
    with Display("export", quiet=quiet, as_json=json) as display:
        check_summary(summary, overwrite)
        if appearance is not None:
            model = model or _DEFAULT_RUN
            request = jobs.swap_request(output or [], motions or [])
            clips = plan(request=request).clips(
                display.note, also_read=with_contents((appearance, model)), summary=summary
            )
            swap = Swap(
                appearance=appearance, model=model, panel=panel, video=video,
                overwrite=overwrite, films=jobs.films_of(clips),
            )  # fmt: skip
            run(work=swap, report=jobs.swap_report, row=jobs.swap_row).run(clips, display)
            return
        request = jobs.export_request(output or [], motions or [], check=check)
        clips = plan(request=request, kind=MOTIONS).clips(display.note, summary=summary)
        films = jobs.films_of(clips)
        if mirror:
            jobs.refuse_mirrored(films)
        edits = Edits(
            fps=fps,
            smooth=smooth,
            floor=floor,
            foot_lock=foot_lock,
            loop=loop,
            mirror=mirror,
            in_place=in_place,
        )
        overlay = OverlayOptions(trail=trail, panel=panel)
        options = WriteOptions(link_video=link_video, overlay=overlay, units=units, rig=rig)
        work = MotionExport(
            edits=edits, options=options, video=video, check=check, overwrite=overwrite,
            films=films,
        )  # fmt: skip
        report = partial(export_report, units=units)
        run(work=work, report=report, row=motion_row, plural="motions").run(clips, display)


def _check_swap(context: typer.Context, appearance: Path | None, model: Path | None) -> None:
    """Refuse options that a swap does not take, and a model without a swap."""
    if appearance is not None:
        allow_only(context, _SWAP_OPTIONS, "does not go with --appearance")
    elif model is not None:
        raise typer.BadParameter("needs --appearance VIDEO", param_hint="--model")


_SWAP_OPTIONS = {
    "motions", "output", "video", "start", "end", "recursive", "panel", "appearance", "model",
    "manifest", "summary", "workers", "clip_timeout", "shard", "engine", "address",
    "overwrite", "json", "quiet",
}  # fmt: skip
