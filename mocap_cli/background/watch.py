"""Watch the camera: how every picture of a video lies in a few key pictures, in one pass.

Pictures are matched to a key picture and not to the picture before, so that errors add up with
the number of key pictures only; coming back to where the camera was finds the old key picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from mocap_cli.background.match import (
    Features,
    Float32,
    Float64,
    Gray,
    Link,
    corner_points,
    corners,
    features,
    follow_corners,
    mapped,
    match_features,
    overlap,
    turn_and_zoom,
)
from mocap_cli.keypoints.cuts import CutWatch
from mocap_cli.video.probe import Image

LONG_SIDE = 640  # pixels of the reduced pictures
_CELL = 8  # pixels of the reduced picture in one of the tints
WITNESSES = 16  # points kept of every picture: few, so that an hour fits in memory
_KEEP_OVERLAP = 0.62  # a key picture serves as long as that much of a picture lies in it
_WELCOME_OVERLAP = 0.75
_KEEP_ZOOM = 1.2
_KEEP_ROLL = 0.15  # radians
_KEEP_POINTS = 40
_STILL_PIXELS = 0.25  # of the reduced picture
_LOST_SECONDS = 0.5  # after which what follows is a part of its own
_MOST_KEYS = 400  # 100 MB of reduced pictures; beyond, old ones serve as well as they can
_MOST_SOUGHT = 8  # key pictures that are compared when the camera was lost

Freeing = Callable[[Image], Gray | None]


@dataclass(slots=True, eq=False)
class Key:
    """A picture that others are matched to."""

    gray: Gray
    free: Gray | None
    points: Float32  # (N, 2)
    part: int
    parent: int  # the key picture it was matched to, -1 for the first of a part
    first_from_key: Float64  # (3, 3) chained within the part
    tint: Float32  # (h, w, 3) logarithms of its colours, much reduced
    brighter: Float64  # (3,) than the part's first key picture, logarithms
    _features: Features | None = None

    @property
    def features(self) -> Features:
        """Its SIFT features, found when they are first asked for."""
        if self._features is None:
            self._features = features(self.gray, self.free)
        return self._features


@dataclass(slots=True, eq=False)
class Witness:
    """What one picture says about the camera."""

    time: float  # seconds
    part: int
    key: int  # -1 where nothing could be matched
    pairs: Float32  # (WITNESSES, 4) x, y here and x, y in the key picture, reduced pixels
    share: float  # of its points that agree on a homography
    count: int  # points that agree
    brighter: Float64  # (3,) than the part's first key picture, logarithms; NaN where not known


@dataclass(slots=True)
class Watched:
    """Everything that was noted of a video."""

    size: tuple[int, int] = (0, 0)  # displayed pixels
    scale: float = 1.0  # displayed pixels in one reduced pixel
    keys: list[Key] = field(default_factory=list)
    witnesses: list[Witness] = field(default_factory=list)
    breaks: list[tuple[float, str]] = field(default_factory=list)  # seconds, why a part began

    @property
    def reduced(self) -> tuple[int, int]:
        """Width and height of the reduced pictures."""
        return self.keys[0].gray.shape[1], self.keys[0].gray.shape[0]


class CameraWatch:
    """Takes the pictures of a video one after the other.

    `freeing` tells where no person is (0 there, else 255), and is asked for key pictures only.
    """

    def __init__(self, freeing: Freeing | None = None) -> None:
        self.watched = Watched()
        self._freeing = freeing
        self._cuts = CutWatch()
        self._part = -1
        self._key = -1
        self._seen_at = 0.0
        self._first_from: list[Float64] = []  # of the last two pictures, in the part's first key
        self._brighter = np.zeros(3)  # of the last picture

    @property
    def still(self) -> bool:
        """Whether the last two pictures show the same view."""
        if len(self._first_from) < 2:
            return False
        before, now = (mapped(h, corner_points(self.watched.reduced)) for h in self._first_from)
        return bool(np.abs(now - before).max() < _STILL_PIXELS)

    def see(self, image: Image, time: float) -> None:
        """Note where the camera looks in the next picture."""
        gray, tint = self._reduced(image)
        cut = self._cuts.is_cut(image)
        if self._part < 0 or cut:
            self._begin(image, gray, tint, time, "cut" if cut else "")
            return
        link = self._linked(gray)
        if link is None:
            self._miss(image, gray, tint, time)
            return
        self._note(time, link, tint)
        if not self._serves(link):
            self._change_key(image, gray, tint)

    def _reduced(self, image: Image) -> tuple[Gray, Float32]:
        """Small and grey, and the logarithms of its colours, smaller still."""
        height, width = image.shape[:2]
        # The same factor both ways, so that a turned picture stays similar to itself.
        shrink = min(1.0, LONG_SIDE / max(width, height))
        size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        if not self.watched.keys:
            self.watched.size = (width, height)
        small = image
        if shrink <= 0.5 and not (width % 2 or height % 2):  # by two first: many times faster
            small = _resized(image, (width // 2, height // 2))
        if shrink < 1:
            small = _resized(small, size)
        self.watched.scale = width / size[0]
        cells = (-(-size[0] // _CELL), -(-size[1] // _CELL))
        tint = np.log(cv2.resize(small, cells, interpolation=cv2.INTER_AREA) + np.float32(4))
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), tint

    def _begin(self, image: Image, gray: Gray, tint: Float32, time: float, why: str) -> None:
        self._part += 1
        if why:
            self.watched.breaks.append((time, why))
        self._first_from, self._brighter = [np.eye(3)], np.zeros(3)
        self._key = self._add_key(image, gray, tint, -1)
        self._note(time, Link(np.eye(3), self.watched.keys[self._key].points, 1.0, 1.0), tint)

    def _add_key(self, image: Image, gray: Gray, tint: Float32, parent: int) -> int:
        free = None
        if self._freeing is not None and (found := self._freeing(image)) is not None:
            size = gray.shape[::-1]
            free = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        points = corners(gray, free)
        key = Key(
            gray, free, points, self._part, parent, self._first_from[-1], tint, self._brighter
        )
        self.watched.keys.append(key)
        return len(self.watched.keys) - 1

    def _linked(self, gray: Gray) -> Link | None:
        """How the picture lies in the current key picture, or else in any other."""
        key = self.watched.keys[self._key]
        size = self.watched.reduced
        last = self._first_from[-1]
        moving = last @ np.linalg.inv(self._first_from[0]) @ last
        back = np.linalg.inv(key.first_from_key)
        for guess in (moving, last):
            link = follow_corners(key.gray, key.points, gray, back @ guess, size)
            if link is not None:
                return link
        seen = features(gray)
        for index in self._near_keys():
            other = self.watched.keys[index]
            link = match_features(other.features, seen, size)
            if link is not None:
                self._key = index
                start = link.key_from_picture
                finer = follow_corners(other.gray, other.points, gray, start, size)
                return finer or link
        return None

    def _near_keys(self) -> list[int]:
        """Key pictures of this part, the current one first, then the last ones."""
        mine = [i for i, key in enumerate(self.watched.keys) if key.part == self._part]
        others = [i for i in reversed(mine) if i != self._key]
        return [self._key, *others][:_MOST_SOUGHT]

    def _note(self, time: float, link: Link, tint: Float32) -> None:
        key = self.watched.keys[self._key]
        pairs = np.full((WITNESSES, 4), np.nan, np.float32)
        if len(link.points):
            here = _spread(link.points)
            pairs = np.concatenate((here, mapped(link.key_from_picture, here)), axis=1)
        self._brighter = key.brighter + _brighter(tint, key.tint, link)
        said = link.share, len(link.points), self._brighter
        pairs = pairs.astype(np.float32)
        self.watched.witnesses.append(Witness(time, self._part, self._key, pairs, *said))
        self._seen_at = time
        first_from = key.first_from_key @ link.key_from_picture
        self._first_from = [self._first_from[-1], first_from / first_from[2, 2]]

    def _miss(self, image: Image, gray: Gray, tint: Float32, time: float) -> None:
        """Nothing matched: wait for better pictures, and begin a new part when none come."""
        flat = len(self.watched.keys[self._key].points) < _KEEP_POINTS
        if time - self._seen_at > _LOST_SECONDS and not (flat and _is_flat(gray)):
            self._begin(image, gray, tint, time, "lost")
            return
        nothing = np.full((WITNESSES, 4), np.nan, np.float32)
        self.watched.witnesses.append(
            Witness(time, self._part, -1, nothing, 0.0, 0, np.full(3, np.nan))
        )
        self._first_from = self._first_from[-1:]

    def _serves(self, link: Link) -> bool:
        """Whether the key picture is still like enough to what the camera sees."""
        size = self.watched.reduced
        roll, zoom = turn_and_zoom(link.key_from_picture, size)
        return (
            overlap(link.key_from_picture, size) > _KEEP_OVERLAP
            and 1 / _KEEP_ZOOM < zoom < _KEEP_ZOOM
            and abs(roll) < _KEEP_ROLL
            and (len(link.points) > _KEEP_POINTS or link.share > 0.8)
        )

    def _change_key(self, image: Image, gray: Gray, tint: Float32) -> None:
        """Go on with a key picture seen before, or make this picture one."""
        known = self._welcoming()
        if known >= 0 or len(self.watched.keys) >= _MOST_KEYS:
            self._key = known if known >= 0 else self._key
            return
        self._key = self._add_key(image, gray, tint, self._key)

    def _welcoming(self) -> int:
        """The key picture in which most of the present one lies, -1 if none holds enough."""
        size, best, most = self.watched.reduced, -1, _WELCOME_OVERLAP
        for index, key in enumerate(self.watched.keys):
            if key.part != self._part or index == self._key:
                continue
            relative = np.linalg.inv(key.first_from_key) @ self._first_from[-1]
            roll, zoom = turn_and_zoom(relative, size)
            alike = 1 / _KEEP_ZOOM < zoom < _KEEP_ZOOM and abs(roll) < _KEEP_ROLL
            if alike and (share := overlap(relative, size)) > most:
                best, most = index, share
        return best


def _is_flat(gray: Gray) -> bool:
    return len(corners(gray)) < _KEEP_POINTS


def _spread(points: Float32) -> Float32:
    """(WITNESSES, 2) some of the points, far from each other."""
    if len(points) <= WITNESSES:
        return np.resize(points, (WITNESSES, 2))
    chosen = [int(np.argmin(points.sum(axis=1)))]
    distance = np.full(len(points), np.inf)
    for _ in range(WITNESSES - 1):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return points[chosen]


def _brighter(tint: Float32, key_tint: Float32, link: Link) -> Float64:
    """(3,) by how much the agreeing points are brighter than in the key picture, logarithms."""
    if not len(link.points):
        return np.zeros(3)
    limit = np.array(tint.shape[1::-1]) - 1
    here, there = (
        np.clip(points.astype(np.int64) // _CELL, 0, limit)
        for points in (link.points, mapped(link.key_from_picture, link.points))
    )
    difference = tint[here[:, 1], here[:, 0]] - key_tint[there[:, 1], there[:, 0]]
    return np.asarray(np.median(difference, axis=0), np.float64)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
