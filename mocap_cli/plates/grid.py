"""Grid: smooth maps of pixels, worked out on a coarse grid; the rest lies between."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float64

_STEP = 8  # pixels: what lies between is off by about 8 over the focal length


def dense_map(
    places: Callable[[Float64], Float64], corner: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.float32]:
    """(H, W, 2) `places` of every pixel's middle in a box, from its values (h, w, 2) on a grid."""
    # One cell more on each side, since nothing is between the last place and the rim.
    x, y = (
        first + (np.arange(-(-length // _STEP) + 2) - 0.5) * _STEP
        for first, length in zip(corner, size, strict=True)
    )
    coarse = places(np.stack(np.meshgrid(x, y), axis=-1)).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=_STEP, fy=_STEP, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[_STEP : _STEP + size[1], _STEP : _STEP + size[0]])
