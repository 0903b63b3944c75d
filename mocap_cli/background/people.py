"""People: where somebody is in a picture, so that nobody is taken for background."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import SIZE, Crop, Image
from mocap_cli.keypoints.subject import Finder, whole_view
from mocap_cli.weights import Device

UInt8 = NDArray[np.uint8]

_NEAR = 1.6  # sides of the crop that somebody was found in: where to look closer next time
_SHARE = 0.8  # of the crop's side that a body with outstretched arms fills


class PeopleMask:
    """Marks people in pictures; call it with one after the other."""

    def __init__(self, device: Device = "auto") -> None:
        self._finder = Finder(device)
        self._last: Crop | None = None

    def __call__(self, image: Image) -> UInt8:
        """(H, W) 0 where somebody is, else 255."""
        height, width = image.shape[:2]
        views = [whole_view(width, height)]
        if self._last is not None and self._last.side < 0.5 * max(width, height):
            views.append(self._last)
        people = self._finder.people(image, views)
        free = np.full((height, width), 255, np.uint8)
        for person in people:
            _blot_out(free, person.crop)
        if people:
            crop = people[0].crop
            self._last = Crop(crop.x, crop.y, max(crop.side * _NEAR, SIZE / 2))
        return free


def _blot_out(free: UInt8, crop: Crop) -> None:
    half = _SHARE * crop.side / 2
    axes = (max(round(half * 0.75), 1), max(round(half), 1))
    place = (round(crop.x), round(crop.y))
    cv2.ellipse(free, place, axes, np.degrees(crop.turn), 0, 360, 0, thickness=-1)
