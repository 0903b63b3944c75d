"""Sighting: both networks' view of one crop made into one body in the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.networks import Reading

Floats = NDArray[np.float32]

_BLAZEPOSE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32)
"""Where BlazePose keeps each of `KEYPOINTS`."""
COCO = 17
SHOULDERS, HIPS = [5, 6], [11, 12]
_LIMBS = slice(5, COCO)
_MOVENET_WEIGHT = 0.65


@dataclass(frozen=True, slots=True)
class Sighting:
    """One body in one picture; see Keypoints for the meaning of the fields."""

    xy: Floats  # (K, 2)
    score: Floats  # (K,)
    depth: Floats  # (K,)
    world: Floats  # (K, 3)
    crop: Crop  # where the networks looked
    quality: float  # 0..1: how far to believe that this is a body seen right


def sight(reading: Reading, crop: Crop) -> Sighting:
    """Fuse the two networks and carry the result from the crop into the picture."""
    blaze = reading.blazepose[list(_BLAZEPOSE)]
    blaze_score = reading.blazepose_score[list(_BLAZEPOSE)]
    xy, score = blaze.astype(np.float64), blaze_score.copy()
    xy[:COCO] += _MOVENET_WEIGHT * (reading.movenet - blaze[:COCO])
    score[:COCO] = reading.movenet_score
    world = reading.world[list(_BLAZEPOSE)]
    upright = np.eye(3)
    upright[:2, :2] = crop.axes.T  # Y is up here, so the turn goes the other way round
    return Sighting(
        xy=crop.to_picture(xy).astype(np.float32),
        score=score,
        depth=reading.depth[list(_BLAZEPOSE)] * np.float32(crop.scale),
        world=(world @ upright.T).astype(np.float32),
        crop=crop,
        quality=float(reading.movenet_score[_LIMBS].mean() * reading.person),
    )


def crop_around(xy: NDArray[np.floating], score: NDArray[np.floating]) -> Crop:
    """The crop that both networks were trained to see of such a body."""
    hips, shoulders = xy[HIPS].mean(0), xy[SHOULDERS].mean(0)
    torso = float(np.hypot(*(shoulders - hips)))
    sure = score > min(0.2, float(np.median(score)))
    reach = float(np.linalg.norm(xy[sure] - hips, axis=1).max())
    up = shoulders - hips + (xy[0] - shoulders) / 2
    turn = float(np.arctan2(up[0], -up[1]))
    side = 2 * max(1.9 * torso, 1.2 * reach)
    return Crop(float(hips[0]), float(hips[1]), side, turn)


assert len(_BLAZEPOSE) == len(KEYPOINTS)
