"""Canvas: an image to draw a report on, with text, lines, boxes and images at pixel positions."""

from bisect import bisect_right
from io import BytesIO
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from mocap_cli.io.origin import marked_png
from mocap_cli.types import UInt8

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom
_Align = Literal["left", "middle", "right"]

INK: Colour = (23, 26, 31)
DIM: Colour = (96, 105, 118)
FAINT: Colour = (222, 226, 232)
PALE: Colour = (244, 246, 249)
_PAPER: Colour = (255, 255, 255)
_SUBPIXEL_BITS = 4  # OpenCV takes positions in sixteenths of a pixel
_ANCHORS = {"left": "ls", "middle": "ms", "right": "rs"}


def draw_line(image: UInt8, points: ArrayLike, colour: Colour, width: int = 1) -> None:
    """Draw a smooth line through (N, 2) points."""
    cv2.polylines(image, [_fixed(points)], False, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def draw_dot(image: UInt8, centre: ArrayLike, radius: float, colour: Colour) -> None:
    """Draw a smooth disc."""
    x, y = _fixed(centre).tolist()
    size = round(radius * (1 << _SUBPIXEL_BITS))
    cv2.circle(image, (x, y), size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Positions for OpenCV, for which the middle of a pixel is at 0; for us it is at 0.5."""
    positions = np.asarray(points, np.float64) - 0.5
    return (positions * (1 << _SUBPIXEL_BITS)).round().astype(np.int32)


class Canvas:
    """A white image; text is drawn last, over everything else."""

    def __init__(self, width: int, height: int) -> None:
        self.image: UInt8 = np.full((height, width, 3), _PAPER, np.uint8)
        self._texts: list[tuple[tuple[float, float], str, int, Colour, str]] = []

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int = 15,
        colour: Colour = INK,
        align: _Align = "left",
    ) -> None:
        """One line of text whose baseline is at `at`."""
        self._texts.append((at, text, size, colour, _ANCHORS[align]))

    def fill(self, box: Box, colour: Colour) -> None:
        """A filled rectangle."""
        left, top, right, bottom = box
        self.image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = colour

    def line(self, points: ArrayLike, colour: Colour, width: int = 1) -> None:
        """A line through (N, 2) points."""
        draw_line(self.image, points, colour, width)

    def paste(self, corner: tuple[int, int], image: UInt8) -> None:
        """Copy an image, its top left corner at `corner`."""
        height, width = image.shape[:2]
        self.image[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = image

    def png(self) -> bytes:
        """The canvas as a PNG file."""
        picture = Pillow.fromarray(self.image)
        pen = ImageDraw.Draw(picture)
        for at, text, size, colour, anchor in self._texts:
            pen.text(at, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)
        file = BytesIO()
        picture.save(file, "PNG", optimize=True)
        return marked_png(file.getvalue())


def text_width(text: str, size: int) -> float:
    """Width of a line of text in pixels."""
    return ImageFont.load_default(size).getlength(text)


def truncate_text(text: str, size: int, width: float) -> str:
    """The text, or as many of its first letters as fit, followed by three dots."""
    if text_width(text, size) <= width:
        return text
    fitting = bisect_right(
        range(len(text)), width, key=lambda n: text_width(text[:n] + "...", size)
    )
    return text[: max(fitting - 1, 0)] + "..."
