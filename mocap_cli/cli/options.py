"""Options that more than one command has, and what their values must be."""

import math
from typing import Annotated, Literal

import typer

SMALLEST, LARGEST = 1e-9, 1e9  # beyond, numbers are slips, and arithmetic overflows
LARGEST_SEED = 2**63 - 1
SLOWEST = 0.01  # hertz: a motion over minutes
SHORTEST = 0.05  # metres
_FASTEST = 1000.0  # frames a second; more is a slip of the finger and fills the disk
_TALLEST = 3.0  # metres: puppets may be, centimetres may not


def check_positive(value: float | None) -> float | None:
    """Refuse what is not above zero."""
    if value is not None and not (math.isfinite(value) and value > 0):
        raise typer.BadParameter("give a number above 0")
    if value is not None and not SMALLEST <= value <= LARGEST:
        raise typer.BadParameter(f"give a number from {SMALLEST:g} to {LARGEST:g}")
    return value


def check_height(value: float | None) -> float | None:
    """Refuse what is nobody's height in metres."""
    if (value := check_positive(value)) is not None and not SHORTEST <= value <= _TALLEST:
        metres = value / 100
        hint = f"; did you mean {metres:.2f}?" if 0.5 <= metres <= _TALLEST else ""
        raise typer.BadParameter(f"give metres, as 1.75; nobody is {value:g} m tall{hint}")
    return value


def hertz(value: float | None) -> float | None:
    """Refuse a cutoff so low that the equations of the smoother have no solution."""
    if (value := check_positive(value)) is not None and value < SLOWEST:
        raise typer.BadParameter(f"give at least {SLOWEST:g} hertz")
    return value


def _rate(value: float | None) -> float | None:
    if (value := check_positive(value)) is not None and value > _FASTEST:
        raise typer.BadParameter(f"give at most {_FASTEST:g} frames a second")
    return value


def _seconds(value: float | None) -> float | None:
    if value is not None and not 0 <= value <= LARGEST:
        raise typer.BadParameter("give seconds from the beginning of the video")
    return value


OUTPUT_HELP = (
    "A file whose suffix decides what is written: .bvh, .glb, .usda, .csv,"
    " .angles.csv (joint angles), .npz, .trc, .c3d, .json,"
    " .coco.json (2D keypoints), .html (a page that shows it), .png (a report),"
    " or .mp4 for the video with the skeleton drawn in."
)
Start = Annotated[
    float | None, typer.Option(callback=_seconds, help="Second of the video to begin at.")
]
End = Annotated[
    float | None, typer.Option(callback=_seconds, help="Second of the video to end at.")
]
Fps = Annotated[
    float | None,
    typer.Option(callback=_rate, help="Frames a second of the result.", show_default="the video's"),
]
Units = Annotated[Literal["cm", "m"], typer.Option(help="Units of the BVH.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but what goes wrong.")]


def check_span(start: float | None, end: float | None) -> None:
    """The end must come after the start."""
    if start is not None and end is not None and end <= start:
        raise typer.BadParameter(f"{end:g} s is not after --start {start:g} s", param_hint="--end")
