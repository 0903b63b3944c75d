"""Sheet: a page of a picture to draw a report on: words, lines, bars and pictures at pixels."""

from io import BytesIO
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]  # left, top, right, bottom
_Align = Literal["left", "middle", "right"]

_PAPER: Colour = (255, 255, 255)
INK: Colour = (23, 26, 31)
DIM: Colour = (96, 105, 118)
FAINT: Colour = (222, 226, 232)
PALE: Colour = (244, 246, 249)
_SHIFT = 4  # cv2 takes points in sixteenths of a pixel
_ANCHORS = {"left": "ls", "middle": "ms", "right": "rs"}


class Canvas:
    """White paper of a size in pixels; words are laid over all that is drawn."""

    def __init__(self, width: int, height: int) -> None:
        self.image: Image = np.full((height, width, 3), _PAPER, np.uint8)
        self._words: list[tuple[tuple[float, float], str, int, Colour, str]] = []

    def text(
        self,
        at: tuple[float, float],
        text: str,
        size: int = 15,
        colour: Colour = INK,
        align: _Align = "left",
    ) -> None:
        """One line of words whose baseline is at `at`."""
        self._words.append((at, text, size, colour, _ANCHORS[align]))

    def fill(self, box: Box, colour: Colour) -> None:
        """A filled rectangle."""
        left, top, right, bottom = box
        self.image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = colour

    def line(self, points: ArrayLike, colour: Colour, width: int = 1) -> None:
        """A line through (N, 2) points."""
        fixed = ((np.asarray(points, np.float64) - 0.5) * (1 << _SHIFT)).round().astype(np.int32)
        cv2.polylines(self.image, [fixed], False, colour, width, cv2.LINE_AA, _SHIFT)

    def paste(self, corner: tuple[int, int], image: Image) -> None:
        """A picture whose top left corner is there."""
        height, width = image.shape[:2]
        self.image[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = image

    def png(self) -> bytes:
        """The sheet as a PNG file."""
        page = Pillow.fromarray(self.image)
        pen = ImageDraw.Draw(page)
        for at, text, size, colour, anchor in self._words:
            pen.text(at, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)
        file = BytesIO()
        page.save(file, "PNG", optimize=True)
        return file.getvalue()


def text_width(text: str, size: int) -> float:
    """Pixels that a line of words takes."""
    return ImageFont.load_default(size).getlength(text)


def truncate_text(text: str, size: int, width: float) -> str:
    """The same words, or as many of their first letters as fit."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "...", size) > width:
        text = text[:-1]
    return text + "..."
