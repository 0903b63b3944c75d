"""Camera effects on an image: exposure, tint, blur, noise, compression."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from mocap_cli.types import UInt8

Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraEffects:
    """Mild effects, as of phones and broadcasts."""

    gain: float
    tint: tuple[float, float, float]
    blur: float  # pixels
    grain: float  # deviation of the noise, of 255
    quality: int  # of JPEG compression; 0 is none

    def apply(self, picture: UInt8, rng: Random) -> UInt8:
        """The image with these effects."""
        if self.blur > 0.3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur), np.uint8)
        curve = np.arange(256)[:, None] * self.gain * np.array(self.tint)
        picture = np.asarray(cv2.LUT(picture, np.clip(curve, 0, 255).astype(np.uint8)[:, None]))
        if self.grain > 0.5:
            speckles = _grain(picture.shape, rng)
            mixed = cv2.addWeighted(picture, 1, speckles, self.grain / 8, -16 * self.grain)
            picture = np.asarray(mixed, np.uint8)
        if self.quality:
            packed = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
            picture = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        return np.asarray(picture, np.uint8)


def random_camera_effects(rng: Random) -> CameraEffects:
    """Random effects of a typical camera."""
    red, green, blue = (float(v) for v in rng.normal(1, 0.04, 3))
    return CameraEffects(
        gain=float(rng.uniform(0.75, 1.2)),
        tint=(red, green, blue),
        blur=float(rng.uniform(0.4, 1.4)) if rng.random() < 0.4 else 0.0,
        grain=float(rng.exponential(3)),
        quality=int(rng.integers(25, 90)) if rng.random() < 0.5 else 0,
    )


@functools.cache
def _sheet() -> UInt8:
    """Noise around 128 with a deviation of 8, larger than the images."""
    noisy = np.random.default_rng(0).normal(128, 8, (1024, 1024, 3))
    return np.asarray(noisy.clip(0, 255), np.uint8)


def _grain(shape: tuple[int, ...], rng: Random) -> UInt8:
    """A random crop of the noise sheet: new noise for every image would be slow."""
    top, left = rng.integers(1024 - shape[0]), rng.integers(1024 - shape[1])
    return _sheet()[top : top + shape[0], left : left + shape[1]]
