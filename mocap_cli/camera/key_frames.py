"""Key frames: register every frame of a video to a few key frames, in one pass.

Frames are registered to a key frame and not to the frame before, so that drift grows with the
number of key frames only; a camera that comes back finds its old key frame.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from mocap_cli.camera.captions import CaptionFinder
from mocap_cli.camera.frame_matching import (
    Registration,
    SiftFeatures,
    detect_corners,
    track_corners,
)
from mocap_cli.camera.homography import (
    apply_homography,
    frame_corners,
    overlap_share,
    roll_and_zoom,
)
from mocap_cli.io.records import Records
from mocap_cli.types import Float32, Float64, Image, UInt8

_LONG_SIDE = 640  # pixels of the reduced frames
_CELL = 8  # reduced pixels in one cell of the colour grid
_POINTS_PER_FRAME = 16  # points kept of every frame: few, so that an hour fits in memory
_KEEP_OVERLAP = 0.62  # a key frame is used while a frame overlaps it by this share
_RETURN_OVERLAP = 0.75  # from which an older key frame is used again
_KEEP_ZOOM = 1.2
_KEEP_ROLL = 0.15  # radians
_KEEP_POINTS = 40
_STILL_PIXELS = 0.25  # of the reduced frame
_LOST_SECONDS = 0.5  # after which unmatched frames begin a new part
_MAX_KEY_FRAMES = 400  # 100 MB of reduced frames; beyond, old ones are used as well as they can be
_MAX_CANDIDATES = 8  # key frames that are compared by SIFT when tracking is lost
_NO_PAIRS = np.full((_POINTS_PER_FRAME, 4), np.nan, np.float32)
_FRAME_MATCH = np.dtype([
    ("time", np.float64),  # seconds
    ("part", np.int64),
    ("key", np.int64),  # index of the key frame, -1 where none matched
    ("pairs", np.float32, (_POINTS_PER_FRAME, 4)),  # x, y in the frame and in the key frame
    ("inlier_ratio", np.float64),
    ("inlier_count", np.int64),
    ("log_gain", np.float64, (3,)),  # brightness against the first key frame; NaN: not matched
])  # fmt: skip
"""How one frame was registered, with some of the inliers in reduced pixels."""

_MaskPeople = Callable[[Image], UInt8 | None]
"""Gives (H, W) 0 where a person is, else 255."""


@dataclass(slots=True, eq=False)
class KeyFrame:
    """A frame that others are registered to."""

    gray: UInt8  # reduced
    mask: UInt8 | None  # 0 where a person is, else 255
    points: Float32  # (N, 2) corners
    part: int
    parent: int  # the key frame it is registered to, -1 for the first of a part
    first_from_key: Float64  # (3, 3) homography to the part's first key frame, chained
    log_colour: Float32  # (h, w, 3) logarithms of the colours, one cell each
    log_gain: Float64  # (3,) brightness against the part's first key frame, logarithms
    _features: SiftFeatures | None = None

    @property
    def features(self) -> SiftFeatures:
        """SIFT features, computed on first use."""
        if self._features is None:
            self._features = SiftFeatures.of(self.gray, self.mask)
        return self._features


@dataclass(slots=True)
class KeyFrameMatches:
    """The key frames of a video and the registration of every frame."""

    size: tuple[int, int] = (0, 0)  # displayed pixels
    scale: float = 1.0  # displayed pixels in one reduced pixel
    key_frames: list[KeyFrame] = field(default_factory=list)
    frames: Records = field(default_factory=lambda: Records(_FRAME_MATCH))
    breaks: list[tuple[float, str]] = field(default_factory=list)  # seconds, why a part begins

    @property
    def reduced_size(self) -> tuple[int, int]:
        """Width and height of the reduced frames."""
        return self.key_frames[0].gray.shape[1], self.key_frames[0].gray.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """A frame to register."""

    image: Image
    time: float
    gray: UInt8  # reduced
    log_colour: Float32  # (h, w, 3)


class KeyFrameMatcher:
    """Registers frames one after the other; only key frames are kept and masked."""

    def __init__(self, mask_people: _MaskPeople | None = None) -> None:
        self.matches = KeyFrameMatches()
        self._mask_people, self._captions = mask_people, CaptionFinder()
        self._part = -1
        self._key = -1
        self._matched_at = 0.0  # seconds
        self._first_from: list[Float64] = []  # of the last two frames, to the part's first key
        self._log_gain = np.zeros(3)  # of the last frame

    @property
    def is_still(self) -> bool:
        """Whether the last two frames show the same view."""
        if len(self._first_from) < 2:
            return False
        corners = frame_corners(self.matches.reduced_size)
        before, now = (apply_homography(matrix, corners) for matrix in self._first_from)
        return bool(np.abs(now - before).max() < _STILL_PIXELS)

    def add(self, image: Image, time: float, cut: bool) -> None:
        """Register the next frame; a cut begins a new part."""
        frame = self._reduced(image, time)
        if self._part < 0 or cut:
            self._begin_part(frame, "cut" if cut else "")
        elif (found := self._register(frame.gray)) is None:
            self._record_unmatched(frame)
        else:
            self._record(frame, found)
            key = self.matches.key_frames[self._key]
            self._captions.look(frame.gray, key.gray, found.key_from_frame)
            if not self._is_good_reference(found):
                self._change_key_frame(frame)

    def _reduced(self, image: Image, time: float) -> _Frame:
        height, width = image.shape[:2]
        # The same factor both ways, so that a rolled frame stays similar to itself.
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
        mean = cv2.resize(small, cells, interpolation=cv2.INTER_AREA)
        gray = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
        return _Frame(image, time, gray, np.log(mean + np.float32(4)))

    def _begin_part(self, frame: _Frame, reason: str) -> None:
        self._part += 1
        if reason:
            self.matches.breaks.append((frame.time, reason))
        self._first_from, self._log_gain = [np.eye(3)], np.zeros(3)
        self._key = self._add_key_frame(frame, -1)
        points = self.matches.key_frames[self._key].points
        self._record(frame, Registration(np.eye(3), points, 1.0))

    def _add_key_frame(self, frame: _Frame, parent: int) -> int:
        mask = None
        if self._mask_people is not None and (found := self._mask_people(frame.image)) is not None:
            size = frame.gray.shape[::-1]
            mask = np.asarray(cv2.resize(found, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        mask = self._captions.added_to(mask)
        key = KeyFrame(
            frame.gray, mask, detect_corners(frame.gray, mask), self._part, parent,
            self._first_from[-1], frame.log_colour, self._log_gain,
        )  # fmt: skip
        self.matches.key_frames.append(key)
        return len(self.matches.key_frames) - 1

    def _register(self, gray: UInt8) -> Registration | None:
        """Register a frame to the current key frame, else to another, which becomes current."""
        key = self.matches.key_frames[self._key]
        size = self.matches.reduced_size
        last = self._first_from[-1]
        moving = last @ np.linalg.inv(self._first_from[0]) @ last  # at the same speed
        key_from_first = np.linalg.inv(key.first_from_key)
        points = self._captions.without(key.points)
        for guess in (moving, last):
            found = track_corners(key.gray, points, gray, key_from_first @ guess, size)
            if found is not None:
                return found
        features = SiftFeatures.of(gray, self._captions.mask)
        for index in self._candidates():
            other = self.matches.key_frames[index]
            matched = other.features.register(features, size)
            if matched is not None:
                self._key, points = index, self._captions.without(other.points)
                finer = track_corners(other.gray, points, gray, matched.key_from_frame, size)
                return finer or matched
        return None

    def _candidates(self) -> list[int]:
        """Key frames of this part, the current one first, then the latest."""
        own = [i for i, key in enumerate(self.matches.key_frames) if key.part == self._part]
        others = [i for i in reversed(own) if i != self._key]
        return [self._key, *others][:_MAX_CANDIDATES]

    def _record(self, frame: _Frame, found: Registration) -> None:
        key = self.matches.key_frames[self._key]
        pairs = _NO_PAIRS
        if len(found.points):
            points = _spread_out(found.points)
            there = apply_homography(found.key_from_frame, points)
            pairs = np.concatenate((points, there), axis=1).astype(np.float32)
        self._log_gain = key.log_gain + _log_gain(frame.log_colour, key.log_colour, found)
        self.matches.frames.append(
            (frame.time, self._part, self._key, pairs, found.inlier_ratio, len(found.points),
             self._log_gain)
        )  # fmt: skip
        self._matched_at = frame.time
        first_from = key.first_from_key @ found.key_from_frame
        self._first_from = [self._first_from[-1], first_from / first_from[2, 2]]

    def _record_unmatched(self, frame: _Frame) -> None:
        """Wait for frames that match, and begin a new part when none come."""
        points = self._captions.without(self.matches.key_frames[self._key].points)
        lost = frame.time - self._matched_at > _LOST_SECONDS
        corners = detect_corners(frame.gray, self._captions.mask)
        if lost and max(len(points), len(corners)) >= _KEEP_POINTS:
            self._begin_part(frame, "lost")
            return
        self.matches.frames.append(
            (frame.time, self._part, -1, _NO_PAIRS, 0.0, 0, np.full(3, np.nan))
        )
        self._first_from = self._first_from[-1:]

    def _is_good_reference(self, found: Registration) -> bool:
        """Whether the current key frame is still similar enough to the frame."""
        size = self.matches.reduced_size
        return (
            overlap_share(found.key_from_frame, size) > _KEEP_OVERLAP
            and _is_similar(found.key_from_frame, size)
            and (len(found.points) > _KEEP_POINTS or found.inlier_ratio > 0.8)
        )

    def _change_key_frame(self, frame: _Frame) -> None:
        """Go back to an older key frame, or make this frame one."""
        known = self._best_known_key_frame()
        if known >= 0:
            self._key = known
        elif len(self.matches.key_frames) < _MAX_KEY_FRAMES:
            self._key = self._add_key_frame(frame, self._key)

    def _best_known_key_frame(self) -> int:
        """The key frame that overlaps the last frame most, -1 if none overlaps enough."""
        size, best, most = self.matches.reduced_size, -1, _RETURN_OVERLAP
        for index, key in enumerate(self.matches.key_frames):
            if key.part != self._part or index == self._key:
                continue
            key_from_frame = np.linalg.inv(key.first_from_key) @ self._first_from[-1]
            if _is_similar(key_from_frame, size):
                share = overlap_share(key_from_frame, size)
                if share > most:
                    best, most = index, share
        return best


def _is_similar(matrix: Float64, size: tuple[int, int]) -> bool:
    """Whether roll and zoom are small enough to track corners."""
    roll, zoom = roll_and_zoom(matrix, size)
    return 1 / _KEEP_ZOOM < zoom < _KEEP_ZOOM and abs(roll) < _KEEP_ROLL


def _spread_out(points: Float32) -> Float32:
    """(_POINTS_PER_FRAME, 2) of the points, far from each other."""
    if len(points) <= _POINTS_PER_FRAME:
        return np.resize(points, (_POINTS_PER_FRAME, 2))
    chosen = [int(np.argmin(points.sum(axis=1)))]
    distance = np.full(len(points), np.inf)
    for _ in range(_POINTS_PER_FRAME - 1):
        distance = np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        chosen.append(int(distance.argmax()))
    return points[chosen]


def _log_gain(log_colour: Float32, key_log_colour: Float32, found: Registration) -> Float64:
    """(3,) brightness of the inliers against the key frame, logarithms."""
    if not len(found.points):
        return np.zeros(3)
    limit = np.array(log_colour.shape[1::-1]) - 1
    here, there = (
        np.clip(points.astype(np.int64) // _CELL, 0, limit)
        for points in (found.points, apply_homography(found.key_from_frame, found.points))
    )
    difference = log_colour[here[:, 1], here[:, 0]] - key_log_colour[there[:, 1], there[:, 0]]
    return np.asarray(np.median(difference, axis=0), np.float64)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
