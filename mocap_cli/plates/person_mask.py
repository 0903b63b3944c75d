"""Person mask: which pixels of a frame show people, so that they stay out of backgrounds."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.keypoints.detection import detect
from mocap_cli.keypoints.person_detector import PersonDetector
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.types import Image, UInt8
from mocap_cli.weights import Device

_Points = NDArray[np.floating]

_CLOSE_UP = 1.6  # sides of the last detection's crop, searched again in the next frame
_SMALL = 0.5  # of the frame, below which that crop is searched at all
_MAX_PEOPLE = 4
_UNCERTAIN = 0.3  # quality below which limbs may be anywhere: the whole crop is masked
# Widths in lengths of the trunk, with clothes and motion blur.
_LIMB, _TRUNK, _HEAD, _HAND, _FOOT = 0.42, 0.65, 0.42, 0.45, 0.36
_LIMBS = (
    ("shoulder", "elbow"),
    ("elbow", "wrist"),
    ("hip", "knee"),
    ("knee", "ankle"),
    ("ankle", "heel"),
    ("heel", "toe"),
    ("ankle", "toe"),
)


class PersonMasker:
    """Masks people in frames; call it with one after the other."""

    def __init__(self, device: Device = "auto") -> None:
        self._detector, self._networks = PersonDetector(device), PoseNetworks(device)
        self._last: Crop | None = None

    def __call__(self, image: Image) -> UInt8:
        """(H, W) 0 where a person is, else 255."""
        height, width = image.shape[:2]
        views = [Crop.around_image(width, height)]
        if self._last is not None and self._last.side < _SMALL * max(width, height):
            views.append(self._last)
        people = self._detector.people(image, views)[:_MAX_PEOPLE]
        mask = np.full((height, width), 255, np.uint8)
        for person in people:
            detection = detect(self._networks, image, person.crop)
            if detection.confidence > _UNCERTAIN:
                _mask_body(mask, detection.blazepose)
            else:
                _mask_circle(mask, person.crop)
        if people:
            crop = people[0].crop
            self._last = Crop(crop.x, crop.y, max(crop.side * _CLOSE_UP, CROP_SIZE / 2))
        return mask


def _mask_body(mask: UInt8, xy: _Points) -> None:
    """Draw a body with the 21 keypoints (K, 2) as 0."""
    at = dict(zip(KEYPOINTS, xy.astype(np.float64), strict=True))
    corners = [at[f"{side}_{joint}"] for side, joint in _AROUND_TRUNK]
    trunk = max(
        float(np.linalg.norm(at[f"{side}_shoulder"] - at[f"{side}_hip"]))
        for side in ("left", "right")
    )
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 0)
    for a, b in zip(corners, corners[1:] + corners[:1], strict=True):
        _stroke(mask, a, b, _TRUNK * trunk)
    for side in ("left", "right"):
        for upper, lower in _LIMBS:
            _stroke(mask, at[f"{side}_{upper}"], at[f"{side}_{lower}"], _LIMB * trunk)
        wrist, toe = at[f"{side}_wrist"], at[f"{side}_toe"]
        _stroke(mask, wrist, wrist + 0.4 * (wrist - at[f"{side}_elbow"]), _HAND * trunk)
        _stroke(mask, toe, toe, _FOOT * trunk)
    neck = (corners[0] + corners[1]) / 2
    face = (at["left_ear"] + at["right_ear"]) / 2
    _stroke(mask, neck, face + 0.35 * (face - neck), 2 * _HEAD * trunk)


_AROUND_TRUNK = (("left", "shoulder"), ("right", "shoulder"), ("right", "hip"), ("left", "hip"))


def _stroke(mask: UInt8, start: _Points, end: _Points, width: float) -> None:
    a, b = ((round(float(p[0])), round(float(p[1]))) for p in (start, end))
    # cv2 draws no lines wider than 32767.
    cv2.line(mask, a, b, 0, int(np.clip(round(width), 1, 8000)))


def _mask_circle(mask: UInt8, crop: Crop) -> None:
    place = (round(crop.x), round(crop.y))
    cv2.circle(mask, place, int(np.clip(round(crop.side / 2), 1, 8000)), 0, thickness=-1)
