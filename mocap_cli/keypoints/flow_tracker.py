"""Flow tracker: move a body's crop by optical flow while the networks are uncertain."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.types import Image

_LIMBS = (
    (5, 6),
    (5, 11),
    (6, 12),
    (11, 12),
    (5, 12),
    (6, 11),
    (11, 13),
    (12, 14),
    (13, 15),
    (14, 16),
)
_BREADTH = 14  # pixels of the crop that certainly lie on a limb
_POINTS = 60  # at most
_FEWEST = 8  # that must agree on where the body went
_INLIER = 2.0  # pixels of the crop
_SHARE = 0.5  # of the points that were left before
_GROWTH = 1.25  # from one frame to the next
_WINDOW = (21, 21)

_Points = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class FlowTracker:
    """Corner points on a body since its last confident detection."""

    _image: Image  # the frame before; cropped only when needed
    _crop: Crop  # where the body is in it
    _xy: NDArray[np.floating]  # (17, 2) COCO keypoints in the first frame, pixels
    _points: _Points | None = None  # (N, 2) pixels of the crop

    def track(self, image: Image) -> Crop | None:
        """The crop in the next frame, or None when too few points agree on it."""
        before_grey, now = _grey(self._image, self._crop), _grey(image, self._crop)
        if self._points is None:
            self._points = _corners(before_grey, self._crop.from_image(self._xy))
        if len(self._points) < _FEWEST:
            return None
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            before_grey, now, self._points, np.empty_like(self._points), winSize=_WINDOW, maxLevel=3
        )
        kept = found.ravel() == 1
        before, after = self._points[kept], np.asarray(there, np.float32)[kept]
        moved = _moved(before, after) if kept.sum() >= _FEWEST else None
        if moved is None:
            self._points = np.zeros((0, 2), np.float32)
            return None
        matrix, agree = moved
        return self._go_on(image, matrix, self._crop.to_image(after[agree]))

    def _go_on(self, image: Image, matrix: NDArray[np.float64], left: NDArray[np.float64]) -> Crop:
        middle = matrix @ (CROP_SIZE / 2, CROP_SIZE / 2, 1)
        x, y = self._crop.to_image(middle)
        turn = math.atan2(matrix[1, 0], matrix[0, 0])
        scale = math.hypot(matrix[0, 0], matrix[1, 0])
        self._crop = Crop(float(x), float(y), self._crop.side * scale, self._crop.angle + turn)
        self._image = image
        self._points = self._crop.from_image(left).astype(np.float32)
        return self._crop


def _grey(image: Image, crop: Crop) -> Image:
    return np.asarray(cv2.cvtColor(crop.extract(image), cv2.COLOR_RGB2GRAY), np.uint8)


def _corners(grey: Image, xy: NDArray[np.floating]) -> _Points:
    """(N, 2) corners on the limbs and the torso."""
    mask = np.zeros((CROP_SIZE, CROP_SIZE), np.uint8)
    for one, other in _LIMBS:
        (x, y), (u, v) = np.clip(xy[[one, other]], -CROP_SIZE, 2 * CROP_SIZE).astype(int).tolist()
        cv2.line(mask, (x, y), (u, v), 1, _BREADTH)
    found = cv2.goodFeaturesToTrack(grey, _POINTS, 0.01, 5, mask=mask)
    points = np.zeros((0, 2)) if found is None else found.reshape(-1, 2)
    return np.asarray(points, np.float32)


def _moved(before: _Points, after: _Points) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """The similarity transform by RANSAC, and its inliers; None when there are too few."""
    matrix, inside = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=_INLIER
    )
    if matrix is None:
        return None
    agree = inside.ravel() == 1
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    if agree.sum() < max(_FEWEST, _SHARE * len(before)) or not 1 / _GROWTH < scale < _GROWTH:
        return None
    return np.asarray(matrix, np.float64), np.asarray(agree)
