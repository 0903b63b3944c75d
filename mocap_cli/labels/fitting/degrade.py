"""Spoil: pictures as a worse camera would have taken them.

The default tracker is right about sharp pictures and fails on spoilt ones; a pupil that is shown
spoilt copies of those very pictures learns what it cannot be told.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

import cv2
import numpy as np

from mocap_cli.types import Bool, Float32, Float64, UInt8
from mocap_cli.video.reader import Frame

Random = np.random.Generator

_VERSION = 3
_SEGMENT_SECONDS = 1.5  # seconds that are spoilt in one way, or left as they are
_SHARP_SHARE = 0.2  # of stretches: who follows the person must find it again
_MAX_PERSON_HEIGHT = 200  # pixels of the person: spoilt pictures need no more, and take less time


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """What happens to the pictures of one stretch; lengths in those of the person."""

    streak: float = 0.0  # how far the picture moves while it is taken
    way: float = 0.0  # radians, the way it moves
    veer: float = 0.0  # radians a second, by which that turns
    blur: float = 0.0  # radius of what a point becomes out of focus
    light: float = 1.0  # share that is left
    grain: float = 0.0  # deviation of the noise, of 255
    quality: int = 0  # of the JPEG it goes through; 0: none

    @property
    def sharp(self) -> bool:
        """The picture stays as it is."""
        return self == Degradation()


@dataclass(frozen=True, slots=True, eq=False)
class VideoDegrader:
    """Spoils a clip, the same way for the same seed."""

    seed: int
    size: float  # pixels that the person is tall
    wanted: Bool  # (T,) frames that are needed; the others are left out

    @property
    def scale(self) -> float:
        """How much smaller spoilt pictures are."""
        return min(1.0, _MAX_PERSON_HEIGHT / max(self.size, 1.0))

    def shrunk(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of spoilt pictures."""
        return max(16, round(size[0] * self.scale)), max(16, round(size[1] * self.scale))

    def told(self) -> list[object]:
        """What makes its pictures differ from those of another, for caches."""
        return [_VERSION, self.seed, self.size, sha256(self.wanted.tobytes()).hexdigest()]

    def spoils(self, times: Float64) -> Bool:
        """(T,) whether anything but the size changes at those moments."""
        return np.array([not self._how(float(time)).sharp for time in times], bool)

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Those that are wanted, smaller and spoilt."""
        for frame in frames:
            if frame.index < len(self.wanted) and self.wanted[frame.index]:
                yield replace(frame, image=self._spoilt(frame.image, frame.time))

    def _how(self, time: float) -> Degradation:
        return _segment_degradation(self.seed, int(time // _SEGMENT_SECONDS))

    def _spoilt(self, image: UInt8, time: float) -> UInt8:
        size = self.shrunk((image.shape[1], image.shape[0]))
        if self.scale < 1:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        how, rng = self._how(time), np.random.default_rng([self.seed, round(1000 * time)])
        return image if how.sharp else degrade(image, how, self.size * self.scale, time, rng)


@lru_cache(maxsize=256)
def _segment_degradation(seed: int, stretch: int) -> Degradation:
    """What happens in a stretch."""
    rng = np.random.default_rng([seed, stretch])
    return Degradation() if rng.random() < _SHARP_SHARE else random_degradation(rng)


def random_degradation(rng: Random) -> Degradation:
    """A camera that shakes or is out of focus, in little light or not, on thin lines or not."""
    moved = rng.random() < 0.65
    return Degradation(
        streak=float(rng.uniform(0.03, 0.25)) if moved else 0.0,
        way=float(rng.uniform(0, 2 * math.pi)),
        veer=float(rng.normal(0, 4.0)),
        blur=0.0 if moved else float(rng.uniform(0.01, 0.06)),
        light=float(rng.uniform(0.25, 0.9)) if rng.random() < 0.3 else 1.0,
        grain=float(rng.exponential(4.0)) if rng.random() < 0.5 else 0.0,
        quality=int(rng.integers(8, 60)) if rng.random() < 0.5 else 0,
    )


def degrade(image: UInt8, how: Degradation, size: float, time: float, rng: Random) -> UInt8:
    """The picture (H, W, 3) of a person that many pixels tall as a worse camera takes it."""
    if how.streak:
        image = _filtered(image, _streak(how.streak * size, how.way + how.veer * time))
    if how.blur:
        image = _filtered(image, _disk(how.blur * size))
    if how.light != 1.0 or how.grain:
        noise = rng.normal(0, how.grain, image.shape[:2])[..., None] if how.grain else 0.0
        image = np.clip(image * how.light + noise, 0, 255).astype(np.uint8)
    if how.quality:
        _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, how.quality])
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return image


def _filtered(image: UInt8, kernel: Float32) -> UInt8:
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _streak(length: float, way: float) -> Float32:
    """A line of that many pixels."""
    reach = max(1, math.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    far = np.array((math.cos(way), math.sin(way))) * max(length, 1.0) / 2
    ends = [tuple(round(16 * (reach + s * v)) for v in far) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, lineType=cv2.LINE_8, shift=4)
    return kernel / kernel.sum()


def _disk(radius: float) -> Float32:
    reach = max(1, math.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(max(radius, 0.6) + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)
