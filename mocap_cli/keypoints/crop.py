"""Crop: a square of the image around a body, rotated so that the body is upright in it."""

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Image

CROP_SIZE = 256
"""Pixels along a side of the networks' input."""

RETRY_ANGLES = tuple(math.radians(d) for d in (45, -45, 180, 90, -90, 135, -135))
"""Radians to rotate a crop by when no body is found: the networks tolerate about 30 degrees."""

_SHOULDERS, _HIPS = [5, 6], [11, 12]  # of the COCO keypoints
_SAME_PERSON = 0.3  # of the smaller crop's side
_SMALL = 0.8  # displayed pixels in one of the crop's: below it cubic interpolation is better
_SHARP = 2.0  # a bilinear warp that shrinks further than this skips pixels and flickers


@dataclass(frozen=True, slots=True)
class Crop:
    """A rotated square; its own coordinates run from (0, 0) to (CROP_SIZE, CROP_SIZE)."""

    x: float  # the middle, displayed pixels
    y: float
    side: float  # displayed pixels
    angle: float = 0.0  # radians clockwise in the image, from upright to the body

    @property
    def scale(self) -> float:
        """Displayed pixels in one of the crop's."""
        return self.side / CROP_SIZE

    @property
    def axes(self) -> NDArray[np.float64]:
        """(2, 2) rotation from the crop's directions to the image's."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        return np.array([[c, -s], [s, c]])

    def rotated(self, angle: float) -> "Crop":
        """The same place, rotated further."""
        return replace(self, angle=self.angle + angle)

    def towards(self, other: "Crop", share: float) -> "Crop":
        """Part of the way to another crop, by the shorter rotation."""
        return Crop(
            self.x + share * (other.x - self.x),
            self.y + share * (other.y - self.y),
            self.side * (other.side / self.side) ** share,
            self.angle + share * math.remainder(other.angle - self.angle, 2 * math.pi),
        )

    def distance(self, other: "Crop") -> float:
        """Between the middles, in sides of the smaller crop."""
        return math.hypot(self.x - other.x, self.y - other.y) / min(self.side, other.side)

    def overlaps(self, other: "Crop") -> bool:
        """Whether both hold the same person."""
        return self.distance(other) < _SAME_PERSON

    def prominence(self, width: int, height: int) -> float:
        """Side by the diagonal of the image, less the farther from its middle."""
        diagonal = math.hypot(width, height)
        off_centre = math.hypot(self.x - width / 2, self.y - height / 2) / diagonal
        return self.side / diagonal * (1 - off_centre)

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) from the crop's pixels to the image's."""
        return np.asarray((points - CROP_SIZE / 2) * self.scale @ self.axes.T + (self.x, self.y))

    def from_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(..., 2) from the image's pixels to the crop's."""
        return np.asarray(
            (points - np.array((self.x, self.y))) @ self.axes / self.scale + CROP_SIZE / 2
        )

    def extract(self, image: Image) -> Image:
        """(SIZE, SIZE, 3) the image in the crop; black outside of the frame."""
        image, left, top, shrunk = self._shrunk(image)
        # cv2 counts from the middle of the first pixel, we from its corner: half a pixel each.
        linear = self.axes * (self.scale / shrunk)
        corner = (np.array((self.x - left, self.y - top))) / shrunk
        shift = corner + linear @ np.full(2, 0.5 - CROP_SIZE / 2) - 0.5
        kernel = cv2.INTER_CUBIC if self.scale < _SMALL else cv2.INTER_LINEAR
        warped = cv2.warpAffine(
            image,
            np.column_stack((linear, shift)),
            (CROP_SIZE, CROP_SIZE),
            flags=kernel | cv2.WARP_INVERSE_MAP,
        )
        return np.asarray(warped, np.uint8)

    def resized(self, image: Image, side: int) -> Image:
        """(side, side, 3) the same, for networks of another input size."""
        cut = self.extract(image)
        return np.asarray(cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA), np.uint8)

    def _shrunk(self, image: Image) -> tuple[Image, int, int, int]:
        """The part of the image that is needed, its corner, and the factor it was reduced by."""
        if self.scale < _SHARP:
            return image, 0, 0, 1
        halvings = int(math.log2(self.scale))  # by twos: many times faster than by threes
        shrink = 2**halvings
        reach = self.side / 2 * (abs(math.cos(self.angle)) + abs(math.sin(self.angle))) + shrink
        height, width = image.shape[:2]
        left, right = (int(np.clip(self.x + d, 0, width)) for d in (-reach, reach))
        top, bottom = (int(np.clip(self.y + d, 0, height)) for d in (-reach, reach))
        columns, rows = -(-(right - left) // shrink), -(-(bottom - top) // shrink)
        if not (rows and columns):
            return image, 0, 0, 1
        part = image[top:bottom, left:right]
        # Whole blocks only, so that every small pixel is exactly `shrink` large ones wide.
        padded = cv2.copyMakeBorder(
            part,
            0,
            rows * shrink - part.shape[0],
            0,
            columns * shrink - part.shape[1],
            cv2.BORDER_REPLICATE,
        )
        for times in reversed(range(halvings)):
            size = columns << times, rows << times
            padded = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
        return np.asarray(padded, np.uint8), left, top, shrink

    @staticmethod
    def around_body(xy: NDArray[np.floating], score: NDArray[np.floating]) -> "Crop":
        """The crop around a body with those keypoints, as both networks were trained."""
        hips, shoulders = xy[_HIPS].mean(0), xy[_SHOULDERS].mean(0)
        torso = float(np.hypot(*(shoulders - hips)))
        sure = score >= min(0.2, float(np.median(score)))
        reach = float(np.linalg.norm(xy[sure] - hips, axis=1).max())
        up = shoulders - hips + (xy[0] - shoulders) / 2
        turn = float(np.arctan2(up[0], -up[1]))
        side = 2 * max(1.9 * torso, 1.2 * reach, 1.0)
        return Crop(float(hips[0]), float(hips[1]), side, turn)

    @staticmethod
    def around_image(width: int, height: int) -> "Crop":
        """A square around the whole image."""
        return Crop(width / 2, height / 2, max(width, height))
