"""Cuts: notice when one shot ends and another begins."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import Image

_SMALL = (32, 18)
_CHANGE = 22.0  # of 255: the mean change of a small pixel that a cut has at least
_SUDDEN = 3.0  # times more than the frames before
_COLOURS_KEPT = 0.9  # a pan or a jolt keeps more of the picture's colours than this


class CutWatch:
    """Tells for each picture in turn whether it begins another shot."""

    def __init__(self) -> None:
        self._picture: NDArray[np.float32] | None = None
        self._colours = np.zeros(0, np.float32)
        self._usual = 0.0

    def is_cut(self, image: Image) -> bool:
        """Whether this picture has little in common with the one before."""
        step = max(1, min(image.shape[0] // (4 * _SMALL[1]), image.shape[1] // (4 * _SMALL[0])))
        small = cv2.resize(image[::step, ::step], _SMALL, interpolation=cv2.INTER_AREA)
        picture, colours = small.astype(np.float32), _colours(small)
        before, self._picture = self._picture, picture
        colours_before, self._colours = self._colours, colours
        if before is None:
            return False
        change = float(np.abs(picture - before).mean())
        kept = float((colours * colours_before).sum())
        cut = change > max(_CHANGE, _SUDDEN * self._usual) and kept < _COLOURS_KEPT
        self._usual = 0.0 if cut else self._usual + 0.3 * (change - self._usual)
        return cut


def _colours(small: NDArray[Any]) -> NDArray[np.float32]:
    """Square roots of the shares of 64 colours."""
    counts = cv2.calcHist([small], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3).ravel()
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)
