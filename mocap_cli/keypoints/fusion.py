"""Fusion: two networks' views of a person over time made into one."""

from collections.abc import Sequence

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.sighting import COCO, Sighting

_MOVENET_SHARE = np.array([0.7] * 5 + [0.7] * 2 + [0.85] * 4 + [0.4] * 2 + [0.8] * 4)[:, None]


def fuse(times: list[float], sightings: Sequence[Sighting | None], cut: list[bool]) -> Keypoints:
    """Keypoints of everything that was seen."""
    T, K = len(times), len(KEYPOINTS)
    xy, depth = np.full((T, K, 2), np.nan, np.float32), np.full((T, K), np.nan, np.float32)
    world, score = np.full((T, K, 3), np.nan, np.float32), np.zeros((T, K), np.float32)
    for t, seen in enumerate(sightings):
        if seen is not None:
            xy[t] = seen.blazepose
            xy[t, :COCO] += _MOVENET_SHARE * (seen.movenet - seen.blazepose[:COCO])
            score[t] = seen.blazepose_score
            score[t, :COCO] = seen.movenet_score
            depth[t], world[t] = seen.depth, seen.world
    return Keypoints(
        times=np.array(times, np.float64),
        xy=xy,
        score=score,
        depth=depth,
        world=world,
        seen=np.array([s is not None for s in sightings], np.bool_),
        cut=np.array(cut, np.bool_),
    )
