"""Letterbox: an image scaled into a frame of another shape, with bars where shapes differ."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float64, UInt8

_MIN_BAR = 8  # pixels; thinner bars come from rounding, so the image is stretched instead


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where an image lies within a frame: as large as fits, in the middle."""

    image: tuple[int, int]  # width and height in pixels
    frame: tuple[int, int]

    @property
    def rectangle(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the scaled image in the frame."""
        scale = min(self.frame[0] / self.image[0], self.frame[1] / self.image[1])
        pairs = zip(self.image, self.frame, strict=True)
        width, height = (min(round(side * scale), most) for side, most in pairs)
        left, top = self.frame[0] - width, self.frame[1] - height
        if left < _MIN_BAR and top < _MIN_BAR:
            return (0, 0, *self.frame)
        return left // 2, top // 2, width, height

    def apply(self, image: UInt8, bars: int = 0) -> UInt8:
        """The frame (H, W, 3) with the image in it, and grey bars of that level."""
        left, top, width, height = self.rectangle
        frame = np.full((self.frame[1], self.frame[0], 3), bars, np.uint8)
        scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        frame[top : top + height, left : left + width] = scaled
        return frame

    def without_bars(self, frame: UInt8) -> UInt8:
        """The part of a frame that shows the image."""
        left, top, width, height = self.rectangle
        return frame[top : top + height, left : left + width]

    def boxes_in_image(self, boxes: NDArray[np.floating[Any]]) -> Float64:
        """(N, 4) left, top, right, bottom in pixels of the image.

        `boxes` are half sizes and centres, (sx, sy, x, y) in -1..1 of the frame.
        """
        left, top, width, height = self.rectangle
        half, centre = boxes[:, :2], boxes[:, 2:]
        corners = np.concatenate((centre - half, centre + half), axis=1)
        pixels = (corners + 1) / 2 * np.tile(self.frame, 2) - np.tile((left, top), 2)
        return np.asarray(pixels * np.tile((self.image[0] / width, self.image[1] / height), 2))
