"""Subject: whom to track where there are several people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from mocap_cli.errors import MocapError
from mocap_cli.video.probe import VideoInfo

_WORDS = ("auto", "largest", "center")
_HINT = "give auto, largest, center, or a point on the person as X,Y or X,Y@SECONDS"


@dataclass(frozen=True, slots=True)
class SubjectPoint:
    """A point on the person."""

    x: float  # displayed pixels
    y: float
    time: float | None = None  # seconds of the video; None: where the tracked span begins

    def __str__(self) -> str:
        return f"{self.x:.10g},{self.y:.10g}" + ("" if self.time is None else f"@{self.time:.10g}")


class NobodyThereError(MocapError):
    """Nobody was found at a point of the subject."""


Subject = Literal["auto", "largest", "center"] | tuple[SubjectPoint, ...]


_Pixels = tuple[float, float] | tuple[float, float, float]
_Point = str | _Pixels | SubjectPoint
SubjectLike = _Point | Sequence[_Point]
"""What the Python API takes: a word, "X,Y@SECONDS", (x, y), (x, y, seconds), or several points."""


def parse_subject(given: SubjectLike) -> Subject:
    """Whom the values of `--subject` name, or those of the Python API."""
    if isinstance(given, str) and given in _WORDS:
        return cast(Subject, given)
    if isinstance(given, str | SubjectPoint) or (given and isinstance(given[0], int | float)):
        given = [cast(_Point, given)]
    points = cast(Sequence[_Point], given)
    if len(points) == 1 and points[0] in _WORDS:
        return cast(Subject, points[0])
    if not points:
        raise MocapError("--subject names nobody", _HINT)
    return tuple(_point(point) for point in points)


def subject_text(subject: Subject) -> str:
    """The subject as `--subject` has it, points separated by spaces."""
    return subject if isinstance(subject, str) else " ".join(map(str, subject))


def check_subject(
    subject: Subject, video: VideoInfo, start: float | None, end: float | None
) -> None:
    """Refuse points outside the image and times outside the tracked span."""
    last = video.duration if end is None else end
    for point in subject if isinstance(subject, tuple) else ():
        if not (0 <= point.x < video.width and 0 <= point.y < video.height):
            raise MocapError(
                f"the subject {point} is outside the image: {video.path} has"
                f" {video.width}x{video.height} pixels",
                "give a point on the person, as X,Y in pixels from the top left",
            )
        time, first = point.time, start or 0.0
        if time is not None and (time < first or (last is not None and time > last)):
            until = "" if last is None else f" to {last:.2f}"
            raise MocapError(
                f"the subject {point} is outside the tracked span of {video.path},"
                f" {first:.2f}{until} s",
                "give a time within it, in seconds from the start of the video",
            )


def _point(given: _Point) -> SubjectPoint:
    if isinstance(given, SubjectPoint):
        return given
    numbers = _numbers(given) if isinstance(given, str) else [float(part) for part in given]
    if len(numbers) not in (2, 3) or not all(math.isfinite(n) for n in numbers):
        text = given if isinstance(given, str) else ",".join(map(str, given))
        among = " among several" if text in _WORDS else ""
        if text == "all":
            raise MocapError("--subject all is not one person", _HINT)
        raise MocapError(f"--subject {text} is neither a known choice nor a point{among}", _HINT)
    return SubjectPoint(*numbers)


def _numbers(text: str) -> list[float]:
    """The numbers of X,Y or X,Y@SECONDS; none if it is neither."""
    place, at, time = text.partition("@")
    try:
        x, y = (float(part) for part in place.split(","))
        return [x, y, float(time)] if at else [x, y]
    except ValueError:
        return []
