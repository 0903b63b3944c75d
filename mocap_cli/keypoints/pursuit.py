"""Pursuit: stay with one person from frame to frame."""

import math
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.keypoints.crop import Crop, Image
from mocap_cli.keypoints.networks import BodyNetworks
from mocap_cli.keypoints.sighting import Sighting, crop_around, sight

LOST = 0.25
"""Below this quality a sighting is not believed."""

_TURNED = math.radians(30)
_MOVED = 0.2  # of the side
_SCALED = math.log(1.35)
_TURNS_WHEN_LOST = tuple(math.radians(d) for d in (60, -60, 120, -120, 180))
_FOLLOW_VELOCITY = 0.6
_MAX_GAP_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Course:
    """Where the person's crop is and how it changes per second."""

    time: float
    crop: Crop
    vx: float = 0.0
    vy: float = 0.0
    grow: float = 0.0  # of the logarithm of the side
    spin: float = 0.0  # of the turn

    def at(self, time: float) -> Crop:
        """Where to look at that time."""
        dt = min(time - self.time, _MAX_GAP_SECONDS)
        c = self.crop
        return Crop(
            c.x + self.vx * dt,
            c.y + self.vy * dt,
            c.side * math.exp(self.grow * dt),
            c.turn + self.spin * dt,
        )

    def seen(self, time: float, crop: Crop) -> "Course":
        """The course after the person was seen there."""
        dt, old, a = time - self.time, self.crop, _FOLLOW_VELOCITY
        turn = old.turn + math.remainder(crop.turn - old.turn, 2 * math.pi)
        predicted = self.at(time).turn
        turn = predicted + math.remainder(turn - predicted, 2 * math.pi)
        if not 0 < dt <= _MAX_GAP_SECONDS:
            return Course(time, replace(crop, turn=turn))
        return Course(
            time,
            replace(crop, turn=turn),
            vx=(1 - a) * self.vx + a * (crop.x - old.x) / dt,
            vy=(1 - a) * self.vy + a * (crop.y - old.y) / dt,
            grow=0.5 * ((1 - a) * self.grow + a * math.log(crop.side / old.side) / dt),
            spin=(1 - a) * self.spin + a * (turn - old.turn) / dt,
        )


class Pursuit:
    """One person on the run."""

    def __init__(self, networks: BodyNetworks, time: float, crop: Crop) -> None:
        self._networks = networks
        self.course = Course(time, crop)

    def step(self, image: Image, time: float) -> Sighting | None:
        """See the person in the next picture, or not."""
        best = self._look(image, self.course.at(time))
        if best.quality >= LOST:
            wanted = crop_around(best.xy, best.score)
            if _differs(best.crop, wanted):
                best = max(best, self._look(image, wanted), key=lambda s: s.quality)
        else:
            best = max((best, *self._turned(image, best.crop)), key=lambda s: s.quality)
        if best.quality < LOST:
            return None
        self.course = self.course.seen(time, crop_around(best.xy, best.score))
        return best

    def _turned(self, image: Image, crop: Crop) -> list[Sighting]:
        turns = (replace(crop, turn=crop.turn + turn) for turn in _TURNS_WHEN_LOST)
        return [self._look(image, turned) for turned in turns]

    def _look(self, image: Image, crop: Crop) -> Sighting:
        return sight(self._networks.look(crop.cut_out(image)), crop)


def _differs(looked: Crop, wanted: Crop) -> bool:
    return (
        abs(math.remainder(looked.turn - wanted.turn, 2 * math.pi)) > _TURNED
        or float(np.hypot(looked.x - wanted.x, looked.y - wanted.y)) > _MOVED * looked.side
        or abs(math.log(looked.side / wanted.side)) > _SCALED
    )
