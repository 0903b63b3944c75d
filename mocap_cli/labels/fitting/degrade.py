"""Image degradation: motion blur, defocus, noise, low light and compression.

The default tracker is right on sharp images and fails on degraded ones. A model that is fitted to
degraded copies of labelled frames, with the poses of the sharp ones, learns to do better there.
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

_VERSION = 3
_SEGMENT_SECONDS = 1.5  # degraded in one way, or left as they are
_SHARP_SHARE = 0.2  # of segments: the tracker must find the person again
_MAX_PERSON_HEIGHT = 200  # pixels: degraded images need no more, and take less time


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How the images of one segment are degraded; lengths are shares of the person's height."""

    motion_blur: float = 0.0  # length
    direction: float = 0.0  # radians, of the motion
    turning: float = 0.0  # radians a second, change of the direction
    defocus: float = 0.0  # radius
    brightness: float = 1.0
    noise: float = 0.0  # standard deviation, of 255
    jpeg_quality: int = 0  # 0: no compression

    @property
    def is_none(self) -> bool:
        """Whether the image stays as it is."""
        return self == Degradation()

    @staticmethod
    def random(rng: np.random.Generator) -> "Degradation":
        """Motion blur or defocus, in some cases with low light, noise and compression."""
        moved = rng.random() < 0.65
        return Degradation(
            motion_blur=float(rng.uniform(0.03, 0.25)) if moved else 0.0,
            direction=float(rng.uniform(0, 2 * math.pi)),
            turning=float(rng.normal(0, 4.0)),
            defocus=0.0 if moved else float(rng.uniform(0.01, 0.06)),
            brightness=float(rng.uniform(0.25, 0.9)) if rng.random() < 0.3 else 1.0,
            noise=float(rng.exponential(4.0)) if rng.random() < 0.5 else 0.0,
            jpeg_quality=int(rng.integers(8, 60)) if rng.random() < 0.5 else 0,
        )

    def apply(
        self, image: UInt8, person_height: float, time: float, rng: np.random.Generator
    ) -> UInt8:
        """A degraded image (H, W, 3) with a person of that many pixels."""
        if self.motion_blur:
            direction = self.direction + self.turning * time
            image = _filtered(image, _line_kernel(self.motion_blur * person_height, direction))
        if self.defocus:
            image = _filtered(image, _disk_kernel(self.defocus * person_height))
        if self.brightness != 1.0 or self.noise:
            noise = rng.normal(0, self.noise, image.shape[:2])[..., None] if self.noise else 0.0
            image = np.clip(image * self.brightness + noise, 0, 255).astype(np.uint8)
        if self.jpeg_quality:
            _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])
            image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return image


@dataclass(frozen=True, slots=True, eq=False)
class VideoDegrader:
    """Degrades the frames of a clip, the same way for the same seed."""

    seed: int
    person_height: float  # pixels
    wanted: Bool  # (T,) frames that are needed; the others are left out

    @property
    def scale(self) -> float:
        """Factor by which degraded images are smaller."""
        return min(1.0, _MAX_PERSON_HEIGHT / max(self.person_height, 1.0))

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height of degraded images."""
        return max(16, round(size[0] * self.scale)), max(16, round(size[1] * self.scale))

    def cache_key(self) -> list[object]:
        """Everything that its images depend on."""
        wanted = sha256(self.wanted.tobytes()).hexdigest()
        return [_VERSION, self.seed, self.person_height, wanted]

    def degrades(self, times: Float64) -> Bool:
        """(T,) whether anything but the size changes at those times."""
        return np.array([not self._degradation(float(time)).is_none for time in times], bool)

    def frames(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The wanted frames, scaled and degraded."""
        for frame in frames:
            if frame.index < len(self.wanted) and self.wanted[frame.index]:
                yield replace(frame, image=self._degraded(frame.image, frame.time))

    def _degradation(self, time: float) -> Degradation:
        return _segment_degradation(self.seed, int(time // _SEGMENT_SECONDS))

    def _degraded(self, image: UInt8, time: float) -> UInt8:
        size = self.output_size((image.shape[1], image.shape[0]))
        if self.scale < 1:
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        how, rng = self._degradation(time), np.random.default_rng([self.seed, round(1000 * time)])
        height = self.person_height * self.scale
        return image if how.is_none else how.apply(image, height, time, rng)


@lru_cache(maxsize=256)
def _segment_degradation(seed: int, segment: int) -> Degradation:
    rng = np.random.default_rng([seed, segment])
    return Degradation() if rng.random() < _SHARP_SHARE else Degradation.random(rng)


def _filtered(image: UInt8, kernel: Float32) -> UInt8:
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _line_kernel(length: float, direction: float) -> Float32:
    """A line of that many pixels, of sum 1."""
    reach = max(1, math.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    far = np.array((math.cos(direction), math.sin(direction))) * max(length, 1.0) / 2
    ends = [tuple(round(16 * (reach + s * v)) for v in far) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, lineType=cv2.LINE_8, shift=4)
    return kernel / kernel.sum()


def _disk_kernel(radius: float) -> Float32:
    """A disk of that radius, of sum 1."""
    reach = max(1, math.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(max(radius, 0.6) + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
    return np.asarray(kernel / kernel.sum(), np.float32)
