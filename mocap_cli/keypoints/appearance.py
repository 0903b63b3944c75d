"""Appearance: colour histograms of the clothes, to tell people apart."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Image

_BINS = (4, 9, 9)  # of lightness, and of the two directions of hue in L*a*b*
SHAPE = (2, math.prod(_BINS))
Appearance = NDArray[np.float16]
"""Of that shape: square roots of the colour histograms of the torso and of the thighs."""

_RANGES = (0, 256, 64, 192, 64, 192)  # clothes have no colours beyond
_THIGHS = ((11, 13), (12, 14))
_TORSO = (5, 6, 12, 11)
_DRESSED = [*_TORSO, 13, 14]
_RIM = 4  # pixels beyond, for the blur
_BREADTH = 0.22  # of a limb or of a torso seen from the side, in lengths of the torso


def appearance_of(image: Image, xy: NDArray[np.floating]) -> Appearance:
    """The appearance of a body whose COCO keypoints are at (17, 2) pixels of the image."""
    corners = np.asarray(xy, np.float32)[list(_TORSO)]
    length = float(np.linalg.norm(corners[:2].mean(0) - corners[2:].mean(0)))
    breadth = int(np.clip(_BREADTH * length, 2, 60))
    left, top, right, bottom = _around(xy[_DRESSED], breadth, image)
    image = image[top:bottom, left:right]
    xy, corners = xy - (left, top), corners - np.array((left, top), np.float32)
    lab = cv2.cvtColor(cv2.blur(image, (5, 5)), cv2.COLOR_RGB2LAB)
    torso, thighs = np.zeros((2, *image.shape[:2]), np.uint8)
    hull = cv2.convexHull(corners).astype(np.int32)
    cv2.fillConvexPoly(torso, hull, 1)
    cv2.line(torso, _whole(corners[:2].mean(0)), _whole(corners[2:].mean(0)), 1, breadth)
    for hip, knee in _THIGHS:
        cv2.line(thighs, _whole(xy[hip]), _whole(xy[knee]), 1, breadth)
    return np.stack([_histogram(lab, mask) for mask in (torso, thighs)])


def _around(points: NDArray[np.floating], reach: int, image: Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the points' bounding box, grown by `reach`."""
    size = np.array(image.shape[1::-1])
    low = np.clip(points.min(axis=0) - reach - _RIM, 0, size - 1).astype(int)
    high = np.clip(points.max(axis=0) + reach + _RIM, low + 1, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def similarity(one: Appearance, other: Appearance) -> float:
    """0..1 Bhattacharyya coefficient; the same clothes are mostly above 0.8, others below 0.7."""
    return float((one.astype(np.float32) * other).sum(axis=1).mean())


def _whole(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.clip(point, -1000, 1000)
    return int(x), int(y)


def _histogram(lab: NDArray[Any], mask: NDArray[np.uint8]) -> Appearance:
    counts = cv2.calcHist([lab], [0, 1, 2], mask, list(_BINS), list(_RANGES))
    # Blurred, so that a small change of light does not move a colour to another bin.
    hue = cv2.GaussianBlur(counts.transpose(1, 2, 0), (3, 3), 0)
    soft = cv2.GaussianBlur(hue.reshape(-1, _BINS[0]), (3, 1), 0)
    return np.asarray(np.sqrt(soft / max(float(soft.sum()), 1e-9)).ravel(), np.float16)
