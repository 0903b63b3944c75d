"""Plate: the image of a scene without its subject, rendered for any camera at its centre."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from mocap_cli.plates.surface import Surface, dense_map
from mocap_cli.types import Bool, Float32, Float64, UInt8

ALWAYS_OCCLUDED = 1
"""Alpha of a pixel that a person covers in every sample."""
_OPAQUE = 254  # alpha above which a pixel is known


@dataclass(frozen=True, slots=True, eq=False)
class Plate:
    """A background as one image, transparent where it is not known."""

    surface: Surface
    image: UInt8  # (H, W, 4) RGB and alpha: 255 known, ALWAYS_OCCLUDED a guess, 0 not in any frame
    _pyramid: list[UInt8] = field(default_factory=list, repr=False)  # image pyramid

    def __post_init__(self) -> None:
        if self.image.shape != (*self.surface.size[::-1], 4):
            raise ValueError(f"{self.image.shape} is not a plate of {self.surface.size}")
        self._pyramid.append(self.image)

    @property
    def occluded_share(self) -> float:
        """Share of the covered pixels that a person always occludes."""
        alpha = self.image[..., 3]
        return float((alpha == ALWAYS_OCCLUDED).sum() / max(int((alpha > 0).sum()), 1))

    @property
    def known(self) -> Bool:
        """(H, W) where the background is known."""
        return np.asarray(self.image[..., 3] > _OPAQUE)

    def render(self, rays_from_pixel: Float64, size: tuple[int, int]) -> tuple[UInt8, Bool]:
        """Render a camera's view of that size: (H, W, 3) RGB, and (H, W) where it is known."""
        level, shrink = self._level(rays_from_pixel, size)
        if self.surface.shape == "plane":
            matrix = np.diag([1 / shrink, 1 / shrink, 1]) @ self.surface.homography(rays_from_pixel)
            view = _warped(level, matrix, size)
        else:
            x, y = np.moveaxis(self._places(rays_from_pixel, size) / shrink - 0.5, -1, 0)
            view = np.asarray(cv2.remap(level, x, y, cv2.INTER_LINEAR), np.uint8)
        image = np.asarray(cv2.cvtColor(view, cv2.COLOR_RGBA2RGB), np.uint8)
        return image, np.asarray(cv2.extractChannel(view, 3) > _OPAQUE)

    def _places(self, rays_from_pixel: Float64, size: tuple[int, int]) -> Float32:
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
        """The pyramid level whose pixels are about as large as the view's, and its factor."""
        x, y = size[0] / 2, size[1] / 2
        rays = np.array([[x - 4, y, 1], [x + 4, y, 1]]) @ rays_from_pixel.T
        across = np.linalg.norm(np.diff(self.surface.pixels(rays), axis=0)) / 8
        level = int(np.clip(np.round(np.log2(np.nan_to_num(across, nan=1.0) + 1e-9)), 0, 6))
        while len(self._pyramid) <= level:
            self._pyramid.append(_half(self._pyramid[-1]))
        return self._pyramid[level], 2**level


def _warped(image: UInt8, matrix: Float64, size: tuple[int, int]) -> UInt8:
    """Warp by a homography from wanted pixels to the image's; cv2 has pixel middles at 0."""
    to_corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    inner = np.linalg.inv(to_corner) @ matrix @ to_corner
    if np.allclose(inner / inner[2, 2], np.eye(3), atol=1e-7) and size == image.shape[1::-1]:
        return image
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(image, inner, size, flags=flags), np.uint8)


def _half(image: UInt8) -> UInt8:
    height, width = image.shape[:2]
    even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = ((width + 1) // 2, (height + 1) // 2)
    return np.asarray(cv2.resize(even, size, interpolation=cv2.INTER_AREA), np.uint8)
