"""The pinhole camera: X right, Y up, looking along -Z; pixels run right and DOWN."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_DEFAULT_FIELD_OF_VIEW = math.radians(60)
"""Default field of view across the longer side: that of a phone's main camera."""


@dataclass(frozen=True, slots=True)
class Pinhole:
    """Focal length and principal point in displayed pixels."""

    focal: float
    centre: tuple[float, float]

    def __post_init__(self) -> None:
        if not self.focal > 0:
            raise ValueError("the focal length must be positive")

    @staticmethod
    def guess(width: int, height: int) -> "Pinhole":
        """The camera to assume for an image of that size when nothing is known."""
        focal = max(width, height) / 2 / math.tan(_DEFAULT_FIELD_OF_VIEW / 2)
        return Pinhole(focal, (width / 2, height / 2))

    def project(self, points: ArrayLike) -> NDArray[np.float64]:
        """(..., 3) camera metres to (..., 2) pixels; points behind the camera become NaN."""
        points = np.asarray(points, np.float64)
        depth = np.where(points[..., 2] < 0, -points[..., 2], np.nan)
        u = self.centre[0] + self.focal * points[..., 0] / depth
        v = self.centre[1] - self.focal * points[..., 1] / depth
        return np.stack((u, v), axis=-1)

    def rays(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """(..., 2) pixels to (..., 3) directions at depth 1: z is -1."""
        pixels = np.asarray(pixels, np.float64)
        x = (pixels[..., 0] - self.centre[0]) / self.focal
        y = -(pixels[..., 1] - self.centre[1]) / self.focal
        return np.stack((x, y, -np.ones_like(x)), axis=-1)
