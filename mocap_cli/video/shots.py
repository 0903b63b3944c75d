"""Shots: detect the cuts of a video."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float32, Image

_SMALL = (48, 27)
_CHANGE = 22.0  # of 255: least mean change of a reduced pixel at a cut
_SUDDEN = 2.5  # times the change of the frames before
_SAME_COLOURS = 0.95  # similarity of the colour histograms from which it is the same place
_SHIFTS = tuple(itertools.product((0, -2, 2), (0, -1, 1, -2, 2, -4, 4, -7, 7, -11, 11)))


class TimedImage(Protocol):
    """What is needed of a frame; `video.reader.Frame` has it."""

    @property
    def time(self) -> float:
        """Seconds."""

    @property
    def image(self) -> Image:
        """(H, W, 3) RGB as displayed."""


_Frame = TypeVar("_Frame", bound=TimedImage)


def with_cuts(frames: Iterable[_Frame]) -> Iterator[tuple[_Frame, bool]]:
    """Each frame, and whether it begins another shot."""
    detector = CutDetector()
    for frame in frames:
        yield frame, detector.is_cut(frame.image)


class CutDetector:
    """Decides for each frame in turn whether it begins another shot."""

    def __init__(self) -> None:
        self._frame: Float32 | None = None
        self._colours = np.zeros(0, np.float32)
        self._usual = 0.0

    def is_cut(self, image: Image) -> bool:
        """Whether this frame has little in common with the one before."""
        step = max(1, min(image.shape[0] // (4 * _SMALL[1]), image.shape[1] // (4 * _SMALL[0])))
        rough = image.shape[1] // step, image.shape[0] // step
        few = cv2.resize(image, rough, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(few, _SMALL, interpolation=cv2.INTER_AREA)
        frame, colours = small.astype(np.float32), _colours(small)
        before, self._frame = self._frame, frame
        colours_before, self._colours = self._colours, colours
        if before is None:
            return False
        change = _change(before, frame)
        similarity = float((colours * colours_before).sum())
        cut = change > max(_CHANGE, _SUDDEN * self._usual) and similarity < _SAME_COLOURS
        self._usual = 0.0 if cut else self._usual + 0.3 * (change - self._usual)
        return cut


def _change(before: Float32, now: Float32) -> float:
    """The mean difference of two reduced frames, at the shift where it is least."""
    least = float(np.abs(now - before).mean())
    if least < _CHANGE:
        return least
    before, now = before - before.mean(axis=(0, 1)), now - now.mean(axis=(0, 1))
    height, width = now.shape[:2]
    for down, right in _SHIFTS:
        part = now[max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]
        old = before[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
        least = min(least, float(np.abs(part - old).mean()))
    return least


def _colours(small: NDArray[Any]) -> Float32:
    """Square roots of a histogram of 64 colours."""
    counts = cv2.calcHist([small], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)
