"""`mocap background`: the scene without the person."""

from typing import Annotated

import typer

from mocap_cli.cli.options import (
    Address,
    ClipTimeout,
    Device,
    End,
    Engine,
    Focal,
    Fov,
    Json,
    Manifest,
    Overwrite,
    Quiet,
    Recursive,
    Shards,
    Start,
    SummaryTable,
    Videos,
    Workers,
    check_inputs,
    check_lens,
    check_span,
    shard_of,
)

_METHOD, _EXTRA = "Method", "Additional files"

_Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="Image (ski.png; the archive ski.npz gets the same name), or a folder (out/, s3://bucket/out/).",
        show_default="VIDEO.background.png and .npz beside VIDEO",
    ),
]
_Median = Annotated[
    bool,
    typer.Option(
        "--median", help="Fixed camera: take the median of each pixel.", rich_help_panel=_METHOD
    ),
]
_Split = Annotated[
    bool,
    typer.Option(
        "--split",
        help="Fixed camera, person falling through the image: join half of the first frame and"
        " half of the last.",
        rich_help_panel=_METHOD,
    ),
]
_Panorama = Annotated[
    bool,
    typer.Option(
        "--panorama",
        help="Camera that pans or zooms: register the frames on a panorama.",
        rich_help_panel=_METHOD,
    ),
]
_Samples = Annotated[
    int | None,
    typer.Option(
        min=3,
        max=10_000,
        help="Number of frames in the median.",
        show_default="60; panorama 90",
        rich_help_panel=_METHOD,
    ),
]
_People = Annotated[
    bool,
    typer.Option(help="Detect people and leave them out of the median.", rich_help_panel=_METHOD),
]
_Film = Annotated[
    bool,
    typer.Option(
        "--video", help="Write the video without the person (.mp4).", rich_help_panel=_EXTRA
    ),
]
_Difference = Annotated[
    bool,
    typer.Option(
        "--difference",
        help="Write the difference between video and background (.difference.mp4).",
        rich_help_panel=_EXTRA,
    ),
]
_Sheet = Annotated[
    bool,
    typer.Option(
        "--sheet",
        help="Write input, background and difference of some frames (.sheet.png).",
        rich_help_panel=_EXTRA,
    ),
]


def background(
    videos: Videos = None,
    output: _Output = None,
    start: Start = None,
    end: End = None,
    recursive: Recursive = False,
    median: _Median = False,
    split: _Split = False,
    panorama: _Panorama = False,
    samples: _Samples = None,
    people: _People = True,
    video: _Film = False,
    difference: _Difference = False,
    sheet: _Sheet = False,
    focal: Focal = None,
    fov: Fov = None,
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
    """Make an image of the scene without the person (clean plate).

    Example: mocap background ski.mp4 --video --sheet
    """
    check_span(start, end)
    check_lens(focal, fov)
    if median + split + panorama > 1:
        raise typer.BadParameter("give one of --median, --split and --panorama")
    check_inputs(videos, manifest, engine, address)
    part = shard_of(shard)
    from mocap_cli.cli.background_jobs import background_report, background_request, background_row
    from mocap_cli.cli.clip_run import ClipRun
    from mocap_cli.cli.display import Display
    from mocap_cli.clips.background_maker import BackgroundChoices
    from mocap_cli.clips.plan import ClipPlan
    from mocap_cli.clips.summary import check_summary

    extra = {"film": video, "difference": difference, "sheet": sheet}
    choices = BackgroundChoices(
        kind="median" if median else "split" if split else "panorama" if panorama else "auto",
        samples=samples, focal=focal, fov=fov, people=people, device=device,
        extra=frozenset(name for name, given in extra.items() if given), overwrite=overwrite,
    )  # fmt: skip
    run = ClipRun(
        work=choices, report=background_report, row=background_row, counted="background",
        workers=workers, timeout=clip_timeout, summary=summary, engine=engine, address=address,
        overwrite=overwrite,
    )  # fmt: skip
    with Display("background", quiet=quiet, as_json=json) as display:
        check_summary(summary, overwrite)
        plan = ClipPlan(
            inputs=videos or [], manifest=manifest, recursive=recursive,
            request=background_request(output, videos or []),
            start=start, end=end, shard=part, written=choices.files,
        )  # fmt: skip
        run.run(plan.clips(display.note, summary=summary), display)
