"""Plate: the picture of a scene without its subject, and how any camera in its middle sees it."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.plates.grid import dense_map
from mocap_cli.plates.surface import Surface
from mocap_cli.types import Float64, UInt8

ALWAYS_OCCLUDED = 1
"""Alpha of a place that was seen, but never without somebody before it."""
_OPAQUE = 254  # alpha from which a pixel is wholly known


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A background as one picture; transparent where nobody knows what is there."""

    surface: Surface
    image: UInt8  # (H, W, 4) RGB and alpha: 255 is known, NEVER_FREE a guess, 0 never seen
    _halved: list[UInt8] = field(default_factory=list, repr=False)  # each half of the one before

    def __post_init__(self) -> None:
        if self.image.shape != (*self.surface.size[::-1], 4):
            raise ValueError(f"{self.image.shape} is not the picture of {self.surface.size}")
        self._halved.append(self.image)

    @property
    def occluded_share(self) -> float:
        """The share of what was seen that was never free."""
        alpha = self.image[..., 3]
        return float((alpha == ALWAYS_OCCLUDED).sum() / max(int((alpha > 0).sum()), 1))

    @property
    def known(self) -> NDArray[np.bool_]:
        """(H, W) where the background was seen."""
        return np.asarray(self.image[..., 3] > _OPAQUE)

    def render(
        self, rays_from_pixel: Float64, size: tuple[int, int]
    ) -> tuple[UInt8, NDArray[np.bool_]]:
        """What a camera of that many pixels sees, (H, W, 3) RGB, and where that is known."""
        picture, shrink = self._level(rays_from_pixel, size)
        if self.surface.shape == "plane":
            matrix = np.diag([1 / shrink, 1 / shrink, 1]) @ self.surface.homography(rays_from_pixel)
            view = _warped(picture, matrix, size)
        else:
            x, y = np.moveaxis(self._places(rays_from_pixel, size) / shrink - 0.5, -1, 0)
            view = np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR), np.uint8)
        image = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGBA2RGB), np.uint8)
        return image, np.asarray(cv2.extractChannel(view, 3) > _OPAQUE)

    def _places(self, rays_from_pixel: Float64, size: tuple[int, int]) -> NDArray[np.float32]:
        """(H, W, 2) the plate's pixel under every pixel's middle."""
        seam = 2 * np.pi * self.surface.focal

        def places(pixels: Float64) -> Float64:
            rays = np.concatenate((pixels, np.ones((*pixels.shape[:2], 1))), axis=-1)
            found = self.surface.pixels(rays @ rays_from_pixel.T)
            if np.ptp(found[..., 0]) > seam / 2:  # across where the cylinder closes
                found[..., 0] += np.where(found[..., 0] < 0, seam, 0.0)
            return found

        return dense_map(places, (0, 0), size)

    def _level(self, rays_from_pixel: Float64, size: tuple[int, int]) -> tuple[UInt8, int]:
        """The picture, halved until its pixels are about as large as those asked for."""
        x, y = size[0] / 2, size[1] / 2
        rays = np.array([[x - 4, y, 1], [x + 4, y, 1]]) @ rays_from_pixel.T
        across = np.linalg.norm(np.diff(self.surface.pixels(rays), axis=0)) / 8
        level = int(np.clip(np.round(np.log2(np.nan_to_num(across, nan=1.0) + 1e-9)), 0, 6))
        while len(self._halved) <= level:
            self._halved.append(_half(self._halved[-1]))
        return self._halved[level], 2**level


def _warped(picture: UInt8, matrix: Float64, size: tuple[int, int]) -> UInt8:
    """The picture under a homography from wanted pixels to its own; cv2 counts from middles."""
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    inner = np.linalg.inv(to_corner) @ matrix @ to_corner
    if np.allclose(inner / inner[2, 2], np.eye(3), atol=1e-7) and size == picture.shape[1::-1]:
        return picture
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(picture, inner, size, flags=flags), np.uint8)


def _half(picture: UInt8) -> UInt8:
    height, width = picture.shape[:2]
    even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)
