"""Pursuit: stay with one person from frame to frame."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mocap_cli.keypoints.colours import likeness
from mocap_cli.keypoints.course import Course
from mocap_cli.keypoints.crop import TURNS, Crop, Image
from mocap_cli.keypoints.networks import BodyNetworks
from mocap_cli.keypoints.sighting import Sighting, crop_around, see, stature
from mocap_cli.keypoints.subject import Finder, Person

LOST, DOUBT, SURE = 0.1, 0.5, 0.6
"""Beliefs: below LOST nobody was seen, below DOUBT it is worth to look again."""

_TURNED = math.radians(30)
_MOVED = 0.2  # of the side
_SCALED = math.log(1.35)
_NEIGHBOURHOOD = 2.5  # sides of the crop
_AGAIN_SECONDS = 0.05  # looking again is dear: not more often than this
_SIDE_PER_STATURE = (0.8, 2.2)
_STATURE_SECONDS = 4.0  # to forget how tall somebody was
_COLOUR_RATE = 0.05
_LEAST_USUAL = 0.85
_SAME_CLOTHES = 0.12  # below the usual likeness it is as likely somebody else
_JUMP, _JUMP_SPEED = 0.15, 1.0  # sides, and sides per second since last seen
_COUNT_SECONDS = 0.5  # between looks for other people near


class Pursuit:
    """One person on the run."""

    def __init__(
        self, networks: BodyNetworks, finder: Finder, time: float, first: Sighting
    ) -> None:
        self._networks, self._finder = networks, finder
        self.course = Course(time, crop_around(first.xy, first.movenet_score))
        self.colours = first.colours
        self._stature = stature(first.xy)
        self._reach = _JUMP  # sides by which the course may be wrong
        self._company = False  # somebody else is near
        self._usual = _LEAST_USUAL  # likeness of the person to themselves
        self._again = self._count_at = -math.inf  # not before these times

    def step(self, image: Image, time: float) -> Sighting | None:
        """See the person in the next picture, or not."""
        expected = self.course.at(time)
        if time >= self._count_at:
            near = self._near(image, expected)
            self._company = not all(p.crop.overlaps(expected) for p in near)
            self._count_at = time + _COUNT_SECONDS
        self._reach = _JUMP + _JUMP_SPEED * (time - self.course.time)
        best = self._better(image, see(self._networks, image, expected), expected)
        if self.belief(best, expected) < DOUBT and time >= self._again:
            best = self._look_around(image, best, expected)
            if self.belief(best, expected) < DOUBT:
                self._again = time + _AGAIN_SECONDS
        if self.belief(best, expected) < LOST:
            return None
        self._remember(time, best)
        return best

    def belief(self, sighting: Sighting, expected: Crop) -> float:
        """0..1: it is a body, it is where it should be, it is dressed like the person."""
        crop = crop_around(sighting.xy, sighting.movenet_score)
        off = math.hypot(crop.x - expected.x, crop.y - expected.y) / expected.side
        size = math.log(max(stature(sighting.xy), 1) / self._stature)
        # Limbs that point at the camera look short, but nothing makes them look long.
        near = math.exp(-((off / self._reach) ** 2 + (size / (0.4 if size > 0 else 1.0)) ** 2) / 2)
        return sighting.quality * near * self._alike(sighting)

    def _alike(self, sighting: Sighting) -> float:
        """0..1: clothes look like the person's; where others are near they must look the same."""
        if not self._company:
            least, slope = 0.45, 0.05
        else:
            least, slope = self._usual - _SAME_CLOTHES, 0.025
        return 1 / (1 + math.exp((least - likeness(sighting.colours, self.colours)) / slope))

    def _better(self, image: Image, seen: Sighting, expected: Crop) -> Sighting:
        """Once more where the body turns out to be, if that is elsewhere."""
        if self.belief(seen, expected) < LOST:
            return seen
        wanted = self._crop(seen)
        if not _differs(seen.crop, wanted):
            return seen
        return self._best((seen, see(self._networks, image, wanted)), expected)

    def _look_around(self, image: Image, seen: Sighting, expected: Crop) -> Sighting:
        """Turn the crop, and ask who else is near, until the person is there."""
        best = seen
        for crop in self._elsewhere(image, expected):
            best = self._best((best, see(self._networks, image, crop)), expected)
            if self.belief(best, expected) > SURE:
                break
        return self._better(image, best, expected)

    def _elsewhere(self, image: Image, expected: Crop) -> Iterator[Crop]:
        """Other crops to try, the likeliest first."""
        for turn in TURNS:
            yield expected.turned(turn)
        for person in self._near(image, expected)[:3]:
            yield person.crop

    def _near(self, image: Image, expected: Crop) -> list[Person]:
        near = replace(expected, side=expected.side * _NEIGHBOURHOOD)
        upright = replace(near, turn=0.0)
        lying = abs(math.remainder(near.turn, 2 * math.pi)) > _TURNED
        return self._finder.people(image, (near, upright) if lying else (upright,))

    def _best(self, sightings: tuple[Sighting, ...], expected: Crop) -> Sighting:
        return max(sightings, key=lambda s: self.belief(s, expected))

    def _crop(self, seen: Sighting) -> Crop:
        crop = crop_around(seen.xy, seen.movenet_score)
        low, high = (factor * self._stature for factor in _SIDE_PER_STATURE)
        return replace(crop, side=float(np.clip(crop.side, low, high)))

    def _remember(self, time: float, seen: Sighting) -> None:
        dt = time - self.course.time
        if seen.quality > DOUBT:
            faded = self._stature * math.exp(-dt / _STATURE_SECONDS)
            self._stature = max(faded, min(stature(seen.xy), self._stature * (1.05 + 2 * dt)))
            alike = max(likeness(seen.colours, self.colours), _LEAST_USUAL)
            self._usual += _COLOUR_RATE * (alike - self._usual)
            mixed = self.colours + np.float16(_COLOUR_RATE) * (seen.colours - self.colours)
            self.colours = np.asarray(mixed, np.float16)
        self.course = self.course.seen(time, self._crop(seen))


def _differs(looked: Crop, wanted: Crop) -> bool:
    return (
        abs(math.remainder(looked.turn - wanted.turn, 2 * math.pi)) > _TURNED
        or math.hypot(looked.x - wanted.x, looked.y - wanted.y) > _MOVED * looked.side
        or abs(math.log(looked.side / wanted.side)) > _SCALED
    )
