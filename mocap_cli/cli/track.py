"""`mocap track`: from videos to motion-capture files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    check_height,
    check_lens,
    check_span,
)
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for them
    from mocap_cli.clips.shard import Shard
    from mocap_cli.keypoints.subject import Subject

_LIBRARY = "Many clips"
_EVERYBODY = "all"

_Videos = Annotated[
    list[Path] | None, typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
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
    list[str] | None,
    typer.Option(
        metavar="auto|largest|center|all|X,Y|X,Y@SECONDS",
        help="Person to track if there are several; X,Y is a point on the person, in pixels."
        " Repeatable with points at several times. all tracks everybody: OUT.1, OUT.2, ...",
        show_default="auto",
    ),
]
_Height = Annotated[
    float | None,
    typer.Option(
        metavar="METRES",
        callback=check_height,
        help="Height of the person, 0.05 to 3; sets the scale.",
        show_default="measured from a long fall, else 1.70",
    ),
]
_Quality = Annotated[
    Literal["fast", "balanced"],
    typer.Option(
        help="Detect the person in every frame (balanced), or in every third to fifth, which takes"
        " about half the time (fast).",
        rich_help_panel="Model",
    ),
]
_KeypointFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Keypoints (2D) of this video from another detector, not from the bundled networks:"
        " COCO, AlphaPose, MMPose or MediaPipe JSON, a folder of OpenPose, CSV of DeepLabCut.",
        rich_help_panel="Model",
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
_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="LIST",
        help="List of videos: a path a line, or a table (.csv, .jsonl, .parquet) with the columns"
        " path, name, subject, height, start, end; a row for each clip.",
        rich_help_panel=_LIBRARY,
    ),
]
_Summary = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Table of all clips (.csv, .jsonl, .parquet): status, error, verdict, reasons, times.",
        rich_help_panel=_LIBRARY,
    ),
]
_Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N",
        help="Track only part I of N of the clips.",
        show_default="that of a Slurm job array, for folders and lists",
        rich_help_panel=_LIBRARY,
    ),
]
_Engine = Annotated[
    Literal["local", "ray"],
    typer.Option(
        help="Track the clips on this machine, or on a Ray cluster whose nodes see the same files.",
        rich_help_panel=_LIBRARY,
    ),
]
_Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Head node of the Ray cluster.",
        show_default="that of RAY_ADDRESS, else a cluster of this machine alone",
        rich_help_panel=_LIBRARY,
    ),
]
_Workers = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1024,
        metavar="N",
        help="Clips tracked at the same time, each in a process.",
        show_default="what cores and memory allow",
        rich_help_panel=_LIBRARY,
    ),
]
_ClipTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        max=1e6,
        help="Stop a clip that takes longer, and count it as failed.",
        rich_help_panel=_LIBRARY,
    ),
]


def track(
    videos: _Videos = None,
    output: _Output = None,
    overlay: _Overlay = False,
    height: _Height = None,
    subject: _Subject = None,
    start: Start = None,
    end: End = None,
    recursive: Recursive = False,
    focal: Focal = None,
    fov: Fov = None,
    fps: Fps = None,
    units: Units = "cm",
    quality: _Quality = "balanced",
    keypoints: _KeypointFile = None,
    model: _Model = None,
    device: Device = "auto",
    manifest: _From = None,
    summary: _Summary = None,
    workers: _Workers = None,
    clip_timeout: _ClipTimeout = None,
    shard: _Shard = None,
    engine: _Engine = "local",
    address: _Address = None,
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Track one person through videos and write motion-capture files.

    Example: mocap track dive.mp4 -o dive.bvh -o dive.json --overlay
    """
    check_span(start, end)
    check_lens(focal, fov)
    everybody = subject == [_EVERYBODY]
    _check_together(videos or [], manifest, engine, address, everybody, keypoints, model)
    chosen, part = subject_of(None if everybody else subject), _shard_of(shard)
    from mocap_cli.cli.clip_plan import ClipPlan
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.track_jobs import TrackRun
    from mocap_cli.clips.clip import ClipOptions

    options = ClipOptions(
        focal=focal, fov=fov, fps=fps, units=units, quality=quality, keypoints=keypoints,
        model=model, device=device, overwrite=overwrite, everybody=everybody,
    )  # fmt: skip
    plan = ClipPlan(
        videos=videos or [], manifest=manifest, output=output or [], overlay=overlay,
        recursive=recursive, subject=chosen, height=height, start=start, end=end, shard=part,
    )  # fmt: skip
    run = TrackRun(
        options=options, workers=workers, timeout=clip_timeout, summary=summary,
        engine=engine, address=address,
    )  # fmt: skip
    with Display("track", quiet=quiet, as_json=json) as display:
        run.check()
        reads = [path for path in (keypoints, model) if path]
        writes = () if summary is None else (summary,)
        run.track(plan.clips(display, also_read=reads, also_written=writes), display)


def _check_together(
    videos: Sequence[Path],
    manifest: Path | None,
    engine: str,
    address: str | None,
    everybody: bool,
    keypoints: Path | None,
    model: Path | None,
) -> None:
    """Refuse options that do not go together."""
    if not videos and manifest is None:
        raise typer.BadParameter("give videos, folders, or --from LIST", param_hint="VIDEO")
    if address and engine == "local":
        raise typer.BadParameter("needs --engine ray", param_hint="--address")
    if everybody and (model or keypoints):
        raise typer.BadParameter(
            "a model is of one person, and so are keypoints; leave it out, or name one",
            param_hint="--subject all",
        )
    if keypoints and (manifest or len(videos) != 1 or videos[0].is_dir()):
        raise typer.BadParameter("give one video with it", param_hint="--keypoints")


def subject_of(values: Sequence[str] | None) -> "Subject":
    """Parse --subject; anything else is wrong usage."""
    from mocap_cli.keypoints.subject import parse_subject

    try:
        return parse_subject(values or "auto")
    except MocapError as error:
        message = f"{error.message}; {error.hint}"
        raise typer.BadParameter(message, param_hint="--subject") from error


def _shard_of(text: str | None) -> "Shard | None":
    """Parse --shard; anything else is wrong usage."""
    from mocap_cli.clips.shard import Shard

    try:
        return None if text is None else Shard.parse(text)
    except MocapError as error:
        message = f"{error.message}; {error.hint}"
        raise typer.BadParameter(message, param_hint="--shard") from error
