"""Surface: what a background is painted on, a plane, or a cylinder where the view grows wide."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mocap_cli.types import Float64

SurfaceShape = Literal["plane", "cylinder"]

_BEHIND = 0.05  # of a ray's length: what is less far ahead does not fit on a plane


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """Takes directions to the pixels of a plate; X right, Y down, Z ahead."""

    shape: SurfaceShape
    focal: float  # pixels a radian, where the surface is nearest
    corner: tuple[float, float]  # of the plate's pixel (0, 0), in pixels from straight ahead
    size: tuple[int, int]  # width and height of the plate, pixels
    surface_from_part: Float64  # (3, 3) turns the axes common to a part's frames

    def pixels(self, rays: Float64) -> Float64:
        """(..., 3) directions in the part's axes to (..., 2); NaN where the surface is not."""
        x, y, z = np.moveaxis(np.asarray(rays) @ self.surface_from_part.T, -1, 0)
        if self.shape == "plane":
            length = np.sqrt(x**2 + y**2 + z**2)
            ahead = np.where(z > _BEHIND * length, z, np.nan)
            flat = np.stack((x / ahead, y / ahead), axis=-1)
        else:
            flat = np.stack((np.arctan2(x, z), y / np.maximum(np.hypot(x, z), 1e-12)), axis=-1)
        return np.asarray(self.focal * flat - self.corner)

    def rays(self, pixels: Float64) -> Float64:
        """(..., 2) pixels to (..., 3) directions in the part's axes."""
        x, y = np.moveaxis((np.asarray(pixels) + self.corner) / self.focal, -1, 0)
        if self.shape == "plane":
            rays = np.stack((x, y, np.ones_like(x)), axis=-1)
        else:
            rays = np.stack((np.sin(x), y, np.cos(x)), axis=-1)
        return np.asarray(rays @ self.surface_from_part)

    def homography(self, rays_from_frame: Float64) -> Float64:
        """(3, 3) from a frame's pixels to the plate's; only a plane has one."""
        if self.shape != "plane":
            raise ValueError("a cylinder is not reached by homographies")
        x, y = self.corner
        lens = np.array([[self.focal, 0, -x], [0, self.focal, -y], [0, 0, 1]])
        matrix = lens @ self.surface_from_part @ rays_from_frame
        return np.asarray(matrix / matrix[2, 2])
