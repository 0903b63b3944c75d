"""Sighting: what both networks make of one body, carried from the crop into the picture."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.colours import Colours, colours_on
from mocap_cli.keypoints.crop import Crop, Image
from mocap_cli.keypoints.networks import BodyNetworks, Reading

Floats = NDArray[np.float32]

COCO = 17
SHOULDERS, HIPS = [5, 6], [11, 12]
_BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32]
"""Where BlazePose keeps each of `KEYPOINTS`."""
assert len(_BLAZEPOSE) == len(KEYPOINTS)
_BODY = slice(5, COCO)  # without the face


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One body in one picture, as each of the networks has it; pixels of the picture."""

    movenet: Floats  # (17, 2)
    movenet_score: Floats  # (17,)
    blazepose: Floats  # (K, 2)
    blazepose_score: Floats  # (K,)
    colours: Colours
    crop: Crop  # where the networks looked
    quality: float  # 0..1: how likely most of the body is seen right

    @property
    def xy(self) -> Floats:
        """(17, 2) about where the body is."""
        return np.asarray((self.movenet + self.blazepose[:COCO]) / 2)


def see(networks: BodyNetworks, image: Image, crop: Crop) -> Sighting:
    """Look at the crop with both networks."""
    picture = crop.cut_out(image)
    reading = networks.look(picture)
    blazepose = reading.blazepose[_BLAZEPOSE]
    return Sighting(
        movenet=crop.to_picture(reading.movenet).astype(np.float32),
        movenet_score=reading.movenet_score,
        blazepose=crop.to_picture(blazepose).astype(np.float32),
        blazepose_score=reading.blazepose_score[_BLAZEPOSE],
        colours=colours_on(picture, (reading.movenet + blazepose[:COCO]) / 2),
        crop=crop,
        quality=_quality(reading, blazepose),
    )


def _quality(reading: Reading, blazepose: Floats) -> float:
    """Fitted on rendered bodies in crops right and wrong: is the mean error below 0.2 torsos?"""
    body = reading.movenet[_BODY]
    apart = float(np.median(np.linalg.norm(blazepose[_BODY] - body, axis=1)))
    extent = float(np.linalg.norm(body - body.mean(axis=0), axis=1).mean())
    sure = float(reading.movenet_score[_BODY].mean())
    hidden = float(reading.blazepose_score.mean())
    return 1 / (1 + math.exp(4.7 - 12.7 * sure - hidden + min(apart / max(extent, 1), 3)))


def crop_around(xy: NDArray[np.floating], score: NDArray[np.floating]) -> Crop:
    """The crop that both networks were trained to see of a body with those keypoints."""
    hips, shoulders = xy[HIPS].mean(0), xy[SHOULDERS].mean(0)
    torso = float(np.hypot(*(shoulders - hips)))
    sure = score >= min(0.2, float(np.median(score)))
    reach = float(np.linalg.norm(xy[sure] - hips, axis=1).max())
    up = shoulders - hips + (xy[0] - shoulders) / 2
    turn = float(np.arctan2(up[0], -up[1]))
    side = 2 * max(1.9 * torso, 1.2 * reach, 1.0)
    return Crop(float(hips[0]), float(hips[1]), side, turn)


def stature(xy: NDArray[np.floating]) -> float:
    """Pixels of torso, thigh and shank one after the other, the longer of each pair."""
    torso = float(np.linalg.norm(xy[SHOULDERS].mean(0) - xy[HIPS].mean(0)))
    thigh, shank = (
        float(np.linalg.norm(xy[upper] - xy[lower], axis=1).max())
        for upper, lower in (([11, 12], [13, 14]), ([13, 14], [15, 16]))
    )
    return torso + thigh + shank
