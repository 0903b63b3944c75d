"""Gaps: fill short ones between two frames in which the body was seen."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.keypoints import Keypoints

_LONGEST_SECONDS = 0.25
_FAITH = 0.3  # in a filled point, of the less sure of its ends


def fill_gaps(keypoints: Keypoints, crops: Sequence[Crop | None]) -> Keypoints:
    """Give positions to frames that were missed for a moment; `crops` are those of the others."""
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    seen = np.flatnonzero(keypoints.detected)
    for before, after in pairwise(seen.tolist()):
        start, end = keypoints.times[before], keypoints.times[after]
        cut = keypoints.cut[before + 1 : after + 1].any()
        if after == before + 1 or end - start > _LONGEST_SECONDS or cut:
            continue
        ends = _end(crops[before], xy[before]), _end(crops[after], xy[after])
        share = (keypoints.times[before + 1 : after] - start) / (end - start)
        xy[before + 1 : after] = [_between(*ends, float(s)) for s in share]
        score[before + 1 : after] = _FAITH * np.minimum(score[before], score[after])
    return replace(keypoints, xy=xy, score=score)


def _end(crop: Crop | None, xy: NDArray[np.float32]) -> tuple[Crop, NDArray[np.float64]]:
    """A crop and the body in its axes."""
    if crop is None:
        raise ValueError("a frame in which the body was seen needs its crop")
    return crop, crop.from_image(xy)


def _between(
    one: tuple[Crop, NDArray[np.float64]], other: tuple[Crop, NDArray[np.float64]], share: float
) -> NDArray[np.float64]:
    """The body on its way: it moves, turns and grows with the crop, and bends within it."""
    (a, a_xy), (b, b_xy) = one, other
    crop = Crop(
        a.x + share * (b.x - a.x),
        a.y + share * (b.y - a.y),
        a.side * (b.side / a.side) ** share,
        a.angle + share * math.remainder(b.angle - a.angle, 2 * math.pi),
    )
    return crop.to_image(a_xy + share * (b_xy - a_xy))
