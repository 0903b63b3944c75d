"""Options that several commands share, and the checks of their values."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mocap_cli.camera.lens import focal_pixels
from mocap_cli.errors import MocapError
from mocap_cli.io.url import is_url, shown

if TYPE_CHECKING:  # heavy: `mocap --help` must not wait for it
    from mocap_cli.clips.shard import Shard

CAMERA, OUTPUT, RUN, MANY = "Camera", "Output", "Run", "Many clips"
"""Help panels that several commands have."""

_MIN, _MAX = 1e-9, 1e9  # numbers beyond are typing errors, and arithmetic overflows
_MAX_FPS = 1000.0  # a higher rate is a typing error, and would fill the disk
_HEIGHTS = (0.05, 3.0)  # metres, of people and puppets


def check_positive(value: float | None) -> float | None:
    """Refuse zero, negative and infinite values."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter("give a number above 0")
    if value is not None and not _MIN <= value <= _MAX:
        raise typer.BadParameter(f"give a number from {_MIN:g} to {_MAX:g}")
    return value


def check_height(value: float | None) -> float | None:
    """Refuse what is not a height in metres."""
    low, high = _HEIGHTS
    if (value := check_positive(value)) is None or low <= value <= high:
        return value
    hint = f"give metres, {low:g} to {high:g}"
    if 0.5 <= value / 100 <= high:
        hint = f"the height is in metres: did you mean {value / 100:.2f}?"
    elif low <= value * 0.3048 <= high < value:
        hint = f"the height is in metres: {value:g} feet are {value * 0.3048:.2f}"
    raise typer.BadParameter(hint)


def _check_rate(value: float | None) -> float | None:
    if (value := check_positive(value)) is not None and value > _MAX_FPS:
        raise typer.BadParameter(f"give at most {_MAX_FPS:g} frames per second")
    return value


def _check_seconds(value: float | None) -> float | None:
    if value is not None and not 0 <= value <= _MAX:
        raise typer.BadParameter("give seconds from the start of the video")
    return value


def check_local(value: Path | None) -> Path | None:
    """Refuse a URL where only folders and files are written."""
    if value is not None and is_url(value):
        raise typer.BadParameter(f"{shown(value)} is a URL; give a folder, and copy it afterwards")
    return value


def check_span(start: float | None, end: float | None) -> None:
    """Refuse an end that does not come after the start."""
    if start is not None and end is not None and end <= start:
        raise typer.BadParameter(f"{end:g} s is not after --start {start:g} s", param_hint="--end")


def check_lens(focal: str | None, fov: float | None) -> None:
    """Refuse lens options that are invalid for a video of any size."""
    try:
        focal_pixels(focal, fov, (1, 1))
    except MocapError as error:
        raise typer.BadParameter(
            f"{error.message}; {error.hint}", param_hint="--focal, --fov"
        ) from error


Videos = Annotated[
    list[Path] | None, typer.Argument(metavar="VIDEO", help="Videos, or folders of videos.")
]
OUTPUT_HELP = (
    "Output file; its suffix chooses the format: .bvh, .glb, .fbx, .usda,"
    " .blend.py (Blender scene), .csv,"
    " .angles.csv (joint angles), .npz, .trc, .mot (OpenSim), .c3d, .json,"
    " .coco.json (2D keypoints), .html (interactive page), .png (one-page report),"
    " or .mp4 (video with the skeleton drawn in)."
)
Start = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", callback=_check_seconds, help="Start time in the video, 0 to 1e9."
    ),
]
End = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", callback=_check_seconds, help="End time in the video, 0 to 1e9."
    ),
]
Fps = Annotated[
    float | None,
    typer.Option(
        callback=_check_rate,
        help="Frames per second of the result, 1e-9 to 1000.",
        show_default="the video's",
        rich_help_panel=OUTPUT,
    ),
]
Units = Annotated[
    Literal["cm", "m"], typer.Option(help="Length unit of .bvh.", rich_help_panel=OUTPUT)
]
Focal = Annotated[
    str | None,
    typer.Option(
        metavar="PIXELS|MM",
        help="Focal length in pixels (900), or its 35 mm equivalent (26mm).",
        show_default="from the file, else that of a phone",
        rich_help_panel=CAMERA,
    ),
]
Fov = Annotated[
    float | None,
    typer.Option(
        metavar="DEGREES",
        help="Field of view across the longer side of the image, instead of --focal; above 0,"
        " below 180.",
        rich_help_panel=CAMERA,
    ),
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="Device that runs the networks.", rich_help_panel=RUN),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Include sub-folders of the given folders.")
]
Overwrite = Annotated[
    bool | None,
    typer.Option(
        "--overwrite/--no-overwrite",
        help="Replace any output file that exists, or none.",
        show_default="results of mocap only",
        rich_help_panel=RUN,
    ),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print the summary as one JSON object on stdout.", rich_help_panel=RUN
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel=RUN)
]


Manifest = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="LIST",
        help="List of inputs: a path a line, or a table (.csv, .jsonl, .parquet) with the columns"
        " path, name, subject, height, start, end; a row for each clip.",
        rich_help_panel=MANY,
    ),
]
SummaryTable = Annotated[
    Path | None,
    typer.Option(
        "--summary",
        metavar="TABLE",
        help="Table of all clips (.csv, .jsonl, .parquet): status, error, what was found, times.",
        rich_help_panel=MANY,
    ),
]
Shards = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Work only on part I of N of the clips.",
        show_default="that of a Slurm job array, for folders and lists",
        rich_help_panel=MANY,
    ),
]
Engine = Annotated[
    Literal["local", "ray"],
    typer.Option(
        help="Work on this machine, or on a Ray cluster whose nodes see the same files.",
        rich_help_panel=MANY,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Head node of the Ray cluster.",
        show_default="that of RAY_ADDRESS, else a cluster of this machine alone",
        rich_help_panel=MANY,
    ),
]


def workers_option(
    default: str,
    *,
    doing: str = "Clips worked on",
    panel: str = MANY,
) -> Any:
    """The option --workers; `default` says what happens without it."""
    return typer.Option(
        "--workers",
        min=1,
        max=1024,
        metavar="N",
        help=f"{doing} at the same time, each in a process.",
        show_default=default,
        rich_help_panel=panel,
    )


AS_MANY_AS_FIT = "what cores and memory allow"
Workers = Annotated[int | None, workers_option(AS_MANY_AS_FIT)]
WorkersIfAny = Annotated[int | None, workers_option("one after the other in this process")]
ClipTimeout = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=0.1,
        max=1e6,
        help="Stop a clip that takes longer, and count it as failed.",
        rich_help_panel=MANY,
    ),
]


def check_inputs(
    inputs: Sequence[Path] | None, manifest: Path | None, engine: str, address: str | None
) -> None:
    """Refuse a command without any input, and an address without a cluster."""
    if not inputs and manifest is None:
        raise typer.BadParameter("give files, folders, or --from LIST")
    if address and engine == "local":
        raise typer.BadParameter("needs --engine ray", param_hint="--address")


def shard_of(text: str | None) -> "Shard | None":
    """Parse --shard; anything else is wrong usage."""
    from mocap_cli.clips.shard import Shard

    try:
        return None if text is None else Shard.parse(text)
    except MocapError as error:
        message = f"{error.message}; {error.hint}"
        raise typer.BadParameter(message, param_hint="--shard") from error


def allow_only(context: typer.Context, names: set[str], message: str) -> None:
    """Refuse options that were given on the command line and are not among `names`."""
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if name not in names and source is not None and source.name == "COMMANDLINE":
            hint = option.opts[-1] if option.param_type_name == "option" else "VIDEO"
            raise typer.BadParameter(message, param_hint=hint)
