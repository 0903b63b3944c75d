"""`mocap track`: from videos to motion-capture files."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mocap_cli.cli.options import (
    OUTPUT_HELP,
    Address,
    ClipTimeout,
    Device,
    End,
    Engine,
    Focal,
    Fov,
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
    Workers,
    check_height,
    check_inputs,
    check_lens,
    check_span,
    shard_of,
)
from mocap_cli.errors import MocapError

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for them
    from mocap_cli.keypoints.subject import Subject

_EVERYBODY = "all"
_SUFFIXES = (".bvh", ".json")  # by default

_Videos = Annotated[
    list[Path] | None, typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
_Output = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help=f"{OUTPUT_HELP} Or a folder (out/, s3://bucket/out/) that gets VIDEO.bvh and"
        " VIDEO.json. Or a bare suffix (.bvh) to choose what a folder gets. Repeatable.",
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
    Literal["fast", "balanced", "best"],
    typer.Option(
        help="Detect the person in every frame (balanced), ten times a second and more often in"
        " spins, which takes about half the time (fast), or once more at all angles in frames that"
        " are unsure (best).",
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
    manifest: Manifest = None,
    summary: SummaryTable = None,
    workers: Workers = None,
    clip_timeout: ClipTimeout = None,
    shard: Shards = None,
    engine: Engine = "local",
    address: Address = None,
    overwrite: Overwrite = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Track one person through videos and write motion-capture files.

    Example: mocap track dive.mp4 -o dive.bvh -o dive.json --overlay
    """
    check_span(start, end)
    check_lens(focal, fov)
    check_inputs(videos, manifest, engine, address)
    everybody = subject == [_EVERYBODY]
    _check_together(videos or [], manifest, everybody, keypoints, model)
    chosen, part = subject_of(None if everybody else subject), shard_of(shard)
    from mocap_cli.cli.clip_run import ClipRun
    from mocap_cli.cli.display import Display
    from mocap_cli.cli.output_request import parse_outputs
    from mocap_cli.cli.report import track_report
    from mocap_cli.clips.clip import ClipOptions
    from mocap_cli.clips.everybody import numbered_files
    from mocap_cli.clips.plan import ClipPlan, files_of
    from mocap_cli.clips.summary import check_summary, motion_row
    from mocap_cli.export.registry import FORMATS
    from mocap_cli.io.file_guard import with_contents

    options = ClipOptions(
        focal=focal, fov=fov, fps=fps, units=units, quality=quality, keypoints=keypoints,
        model=model, device=device, overwrite=overwrite, everybody=everybody,
    )  # fmt: skip
    run = ClipRun(
        work=options, report=partial(track_report, units=units), row=motion_row,
        counted="tracking", workers=workers, timeout=clip_timeout, summary=summary,
        engine=engine, address=address, overwrite=overwrite,
    )  # fmt: skip
    with Display("track", quiet=quiet, as_json=json) as display:
        check_summary(summary, overwrite)
        request = parse_outputs(output or [], FORMATS, _SUFFIXES, videos or [])
        plan = ClipPlan(
            inputs=videos or [], manifest=manifest, recursive=recursive,
            request=replace(request, overlay=overlay), subject=chosen, height=height,
            start=start, end=end, shard=part, written=numbered_files if everybody else files_of,
        )  # fmt: skip
        reads = with_contents(path for path in (keypoints, model) if path)
        run.run(plan.clips(display.note, also_read=reads, summary=summary), display)


def _check_together(
    videos: Sequence[Path],
    manifest: Path | None,
    everybody: bool,
    keypoints: Path | None,
    model: Path | None,
) -> None:
    """Refuse options that do not go together."""
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
