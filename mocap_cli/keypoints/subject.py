"""Subject: find the people in a picture, and say which of them is meant."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import SIZE, Crop, Image
from mocap_cli.keypoints.sighting import crop_around
from mocap_cli.weights import Device, open_network

Subject = Literal["auto", "largest", "center"] | tuple[float, float]

_SURE = 0.2
_SAME = 0.5  # of the smaller crop's side: nearer than this, two people are one
TURNS = (0.0, math.pi, math.pi / 2, -math.pi / 2)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody that was found: about where, and how surely."""

    crop: Crop
    score: float


class Finder:
    """MoveNet MultiPose, on any square view of a picture."""

    def __init__(self, device: Device = "auto") -> None:
        self._network = open_network("movenet_multipose", device)

    def people(self, image: Image, views: Iterable[Crop]) -> list[Person]:
        """Everybody seen in those views, each person once, the surest first."""
        found = [person for view in views for person in self._look(image, view)]
        people: list[Person] = []
        for person in sorted(found, key=lambda p: -p.score):
            if not any(_same(person.crop, other.crop) for other in people):
                people.append(person)
        return people

    def _look(self, image: Image, view: Crop) -> list[Person]:
        (found,) = self._network(view.cut_out(image)[None].astype(np.int32))
        return [p for row in found[0] if (p := _person(row, view)) is not None]


def _person(row: NDArray[np.float32], view: Crop) -> Person | None:
    marks = row[:51].reshape(17, 3)
    score = float(row[55] * marks[5:, 2].mean())
    if row[55] < _SURE:
        return None
    return Person(crop_around(view.to_picture(marks[:, 1::-1] * SIZE), marks[:, 2]), score)


def _same(a: Crop, b: Crop) -> bool:
    return math.hypot(a.x - b.x, a.y - b.y) < _SAME * min(a.side, b.side)


def whole_views(width: int, height: int) -> list[Crop]:
    """The whole picture, upright and then turned, for pictures and people that lie."""
    return [Crop(width / 2, height / 2, max(width, height), turn) for turn in TURNS]


def tile_views(width: int, height: int) -> list[Crop]:
    """Overlapping tiles, for people too small to be seen in the whole picture."""
    side = min(width, height) * 2 / 3
    xs, ys = (
        np.linspace(side / 2, length - side / 2, math.ceil(length / side * 1.25))
        for length in (width, height)
    )
    return [Crop(float(x), float(y), side) for y in ys for x in xs]


def parse_subject(text: str) -> Subject:
    """What `--subject` says: auto, largest, center, or X,Y in displayed pixels."""
    if text in ("auto", "largest", "center"):
        return text  # type: ignore[return-value]  # one of the three by the line above
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise MocapError(
            f"cannot tell who is meant by --subject {text}",
            "give largest, center, or a point on the person as X,Y in pixels",
        ) from None
    return (x, y)
