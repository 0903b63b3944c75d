"""Watch the camera: how every picture of a video lies in a few key pictures, in one pass.

Pictures are matched to a key picture and not to the picture before, so that errors add up with
the number of key pictures only; coming back to where the camera was finds the old key picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from mocap_cli.camera.frame_matching import (
    Registration,
    SiftFeatures,
    apply_homography,
    detect_corners,
    detect_features,
    frame_corners,
    match_features,
    overlap_share,
    roll_and_zoom,
    track_corners,
)
from mocap_cli.types import Float32, Float64, UInt8
from mocap_cli.video.probe import Image
from mocap_cli.video.shots import CutDetector

_LONG_SIDE = 640  # pixels of the reduced pictures
_CELL = 8  # pixels of the reduced picture in one of the tints
POINTS_PER_FRAME = 16  # points kept of every picture: few, so that an hour fits in memory
_KEEP_OVERLAP = 0.62  # a key picture serves as long as that much of a picture lies in it
_WELCOME_OVERLAP = 0.75
_KEEP_ZOOM = 1.2
_KEEP_ROLL = 0.15  # radians
_KEEP_POINTS = 40
_STILL_PIXELS = 0.25  # of the reduced picture
_LOST_SECONDS = 0.5  # after which what follows is a part of its own
_MOST_KEYS = 400  # 100 MB of reduced pictures; beyond, old ones serve as well as they can
_MOST_SOUGHT = 8  # key pictures that are compared when the camera was lost

MaskPeople = Callable[[Image], UInt8 | None]


@dataclass(slots=True, eq=False)
class KeyFrame:
    """A picture that others are matched to."""

    gray: UInt8
    mask: UInt8 | None
    points: Float32  # (N, 2)
    part: int
    parent: int  # the key picture it was matched to, -1 for the first of a part
    first_from_key: Float64  # (3, 3) chained within the part
    log_colour: Float32  # (h, w, 3) logarithms of its colours, much reduced
    log_gain: Float64  # (3,) than the part's first key picture, logarithms
    _features: SiftFeatures | None = None

    @property
    def features(self) -> SiftFeatures:
        """Its SIFT features, found when they are first asked for."""
        if self._features is None:
            self._features = detect_features(self.gray, self.mask)
        return self._features


@dataclass(slots=True, eq=False)
class FrameMatch:
    """What one picture says about the camera."""

    time: float  # seconds
    part: int
    key: int  # -1 where nothing could be matched
    pairs: Float32  # (WITNESSES, 4) x, y here and x, y in the key picture, reduced pixels
    inlier_ratio: float  # of its points that agree on a homography
    inlier_count: int  # points that agree
    log_gain: Float64  # (3,) than the part's first key picture, logarithms; NaN where not known


@dataclass(slots=True)
class KeyFrameMatches:
    """Everything that was noted of a video."""

    size: tuple[int, int] = (0, 0)  # displayed pixels
    scale: float = 1.0  # displayed pixels in one reduced pixel
    key_frames: list[KeyFrame] = field(default_factory=list)
    frames: list[FrameMatch] = field(default_factory=list)
    breaks: list[tuple[float, str]] = field(default_factory=list)  # seconds, why a part began

    @property
    def reduced_size(self) -> tuple[int, int]:
        """Width and height of the reduced pictures."""
        return self.key_frames[0].gray.shape[1], self.key_frames[0].gray.shape[0]


class KeyFrameMatcher:
    """Takes the pictures of a video one after the other.

    `freeing` tells where no person is (0 there, else 255), and is asked for key pictures only.
    """

    def __init__(self, freeing: MaskPeople | None = None) -> None:
        self.matches = KeyFrameMatches()
        self._freeing = freeing
        self._cuts = CutDetector()
        self._part = -1
        self._key = -1
        self._seen_at = 0.0
        self._first_from: list[Float64] = []  # of the last two pictures, in the part's first key
        self._brighter = np.zeros(3)  # of the last picture

    @property
    def is_still(self) -> bool:
        """Whether the last two pictures show the same view."""
        if len(self._first_from) < 2:
            return False
        before, now = (
            apply_homography(h, frame_corners(self.matches.reduced_size)) for h in self._first_from
        )
        return bool(np.abs(now - before).max() < _STILL_PIXELS)

    def add(self, image: Image, time: float) -> None:
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

    def _reduced(self, image: Image) -> tuple[UInt8, Float32]:
        """Small and grey, and the logarithms of its colours, smaller still."""
        height, width = image.shape[:2]
        # The same factor both ways, so that a turned picture stays similar to itself.
        shrink = min(1.0, _LONG_SIDE / max(width, height))
        size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
        if not self.matches.key_frames:
            self.matches.size = (width, height)
        small = image
        if shrink <= 0.5 and not (width % 2 or height % 2):  # by two first: many times faster
            small = _resized(image, (width // 2, height // 2))
        if shrink < 1:
            small = _resized(small, size)
        self.matches.scale = width / size[0]
        cells = (-(-size[0] // _CELL), -(-size[1] // _CELL))
        tint = np.log(cv2.resize(small, cells, interpolation=cv2.INTER_AREA) + np.float32(4))
        return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), tint

    def _begin(self, image: Image, gray: UInt8, tint: Float32, time: float, why: str) -> None:
        self._part += 1
        if why:
            self.matches.breaks.append((time, why))
        self._first_from, self._brighter = [np.eye(3)], np.zeros(3)
        self._key = self._add_key(image, gray, tint, -1)
        self._note(
            time, Registration(np.eye(3), self.matches.key_frames[self._key].points, 1.0, 1.0), tint
        )

    def _add_key(self, image: Image, gray: UInt8, tint: Float32, parent: int) -> int:
        free = None
        if self._freeing is not None and (found := self._freeing(image)) is not None:
            size = gray.shape[::-1]
            free = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        points = detect_corners(gray, free)
        key = KeyFrame(
            gray, free, points, self._part, parent, self._first_from[-1], tint, self._brighter
        )
        self.matches.key_frames.append(key)
        return len(self.matches.key_frames) - 1

    def _linked(self, gray: UInt8) -> Registration | None:
        """How the picture lies in the current key picture, or else in any other."""
        key = self.matches.key_frames[self._key]
        size = self.matches.reduced_size
        last = self._first_from[-1]
        moving = last @ np.linalg.inv(self._first_from[0]) @ last
        back = np.linalg.inv(key.first_from_key)
        for guess in (moving, last):
            link = track_corners(key.gray, key.points, gray, back @ guess, size)
            if link is not None:
                return link
        seen = detect_features(gray)
        for index in self._near_keys():
            other = self.matches.key_frames[index]
            link = match_features(other.features, seen, size)
            if link is not None:
                self._key = index
                start = link.key_from_frame
                finer = track_corners(other.gray, other.points, gray, start, size)
                return finer or link
        return None

    def _near_keys(self) -> list[int]:
        """Key pictures of this part, the current one first, then the last ones."""
        mine = [i for i, key in enumerate(self.matches.key_frames) if key.part == self._part]
        others = [i for i in reversed(mine) if i != self._key]
        return [self._key, *others][:_MOST_SOUGHT]

    def _note(self, time: float, link: Registration, tint: Float32) -> None:
        key = self.matches.key_frames[self._key]
        pairs = np.full((POINTS_PER_FRAME, 4), np.nan, np.float32)
        if len(link.points):
            here = _spread(link.points)
            pairs = np.concatenate((here, apply_homography(link.key_from_frame, here)), axis=1)
        self._brighter = key.log_gain + _brighter(tint, key.log_colour, link)
        said = link.inlier_ratio, len(link.points), self._brighter
        pairs = pairs.astype(np.float32)
        self.matches.frames.append(FrameMatch(time, self._part, self._key, pairs, *said))
        self._seen_at = time
        first_from = key.first_from_key @ link.key_from_frame
        self._first_from = [self._first_from[-1], first_from / first_from[2, 2]]

    def _miss(self, image: Image, gray: UInt8, tint: Float32, time: float) -> None:
        """Nothing matched: wait for better pictures, and begin a new part when none come."""
        flat = len(self.matches.key_frames[self._key].points) < _KEEP_POINTS
        if time - self._seen_at > _LOST_SECONDS and not (flat and _is_flat(gray)):
            self._begin(image, gray, tint, time, "lost")
            return
        nothing = np.full((POINTS_PER_FRAME, 4), np.nan, np.float32)
        self.matches.frames.append(
            FrameMatch(time, self._part, -1, nothing, 0.0, 0, np.full(3, np.nan))
        )
        self._first_from = self._first_from[-1:]

    def _serves(self, link: Registration) -> bool:
        """Whether the key picture is still like enough to what the camera sees."""
        size = self.matches.reduced_size
        roll, zoom = roll_and_zoom(link.key_from_frame, size)
        return (
            overlap_share(link.key_from_frame, size) > _KEEP_OVERLAP
            and 1 / _KEEP_ZOOM < zoom < _KEEP_ZOOM
            and abs(roll) < _KEEP_ROLL
            and (len(link.points) > _KEEP_POINTS or link.inlier_ratio > 0.8)
        )

    def _change_key(self, image: Image, gray: UInt8, tint: Float32) -> None:
        """Go on with a key picture seen before, or make this picture one."""
        known = self._welcoming()
        if known >= 0 or len(self.matches.key_frames) >= _MOST_KEYS:
            self._key = known if known >= 0 else self._key
            return
        self._key = self._add_key(image, gray, tint, self._key)

    def _welcoming(self) -> int:
        """The key picture in which most of the present one lies, -1 if none holds enough."""
        size, best, most = self.matches.reduced_size, -1, _WELCOME_OVERLAP
        for index, key in enumerate(self.matches.key_frames):
            if key.part != self._part or index == self._key:
                continue
            relative = np.linalg.inv(key.first_from_key) @ self._first_from[-1]
            roll, zoom = roll_and_zoom(relative, size)
            alike = 1 / _KEEP_ZOOM < zoom < _KEEP_ZOOM and abs(roll) < _KEEP_ROLL
            if alike and (share := overlap_share(relative, size)) > most:
                best, most = index, share
        return best


def _is_flat(gray: UInt8) -> bool:
    return len(detect_corners(gray)) < _KEEP_POINTS


def _spread(points: Float32) -> Float32:
    """(WITNESSES, 2) some of the points, far from each other."""
    if len(points) <= POINTS_PER_FRAME:
        return np.resize(points, (POINTS_PER_FRAME, 2))
    chosen = [int(np.argmin(points.sum(axis=1)))]
    distance = np.full(len(points), np.inf)
    for _ in range(POINTS_PER_FRAME - 1):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return points[chosen]


def _brighter(tint: Float32, key_tint: Float32, link: Registration) -> Float64:
    """(3,) by how much the agreeing points are brighter than in the key picture, logarithms."""
    if not len(link.points):
        return np.zeros(3)
    limit = np.array(tint.shape[1::-1]) - 1
    here, there = (
        np.clip(points.astype(np.int64) // _CELL, 0, limit)
        for points in (link.points, apply_homography(link.key_from_frame, link.points))
    )
    difference = tint[here[:, 1], here[:, 0]] - key_tint[there[:, 1], there[:, 0]]
    return np.asarray(np.median(difference, axis=0), np.float64)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
