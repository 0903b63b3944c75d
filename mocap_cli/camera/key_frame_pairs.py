"""Edges: which key pictures show the same place, and the points that they share."""

import itertools

import numpy as np

from mocap_cli.camera.bundle_adjustment import PointPairs
from mocap_cli.camera.frame_matching import (
    Registration,
    apply_homography,
    frame_corners,
    match_features,
    overlap_share,
    track_corners,
)
from mocap_cli.camera.key_frames import KeyFrame
from mocap_cli.types import Float64

_POINTS = 160  # of a pair of key pictures
_LOOPS_A_KEY = 8
_LOOP_OVERLAP = 0.25
_LARGE_LOOP = 0.15  # of the picture by which a chain may be off where the camera comes back


def match_key_frames(keys: list[KeyFrame], offset: int, size: tuple[int, int]) -> PointPairs:
    """Points of each key picture in its parent, and of those where the camera came back."""
    wanted = [(i, k.parent - offset) for i, k in enumerate(keys) if k.parent >= 0]
    wanted += _loops(keys, set(wanted), size)
    rows = [
        (i, j, found) for i, j in wanted if (found := _edge(keys[i], keys[j], size)) is not None
    ]
    middle = (np.array(size) - 1) / 2
    both = np.stack([r[2] for r in rows]) - np.tile(middle, 2) if rows else np.zeros((0, 1, 4))
    return PointPairs(
        np.array([r[0] for r in rows], np.int64), np.array([r[1] for r in rows], np.int64),
        both[..., :2], both[..., 2:],
    )  # fmt: skip


def _loops(
    keys: list[KeyFrame], linked: set[tuple[int, int]], size: tuple[int, int]
) -> list[tuple[int, int]]:
    """Pairs of key pictures that show the same place though neither was matched to the other."""
    found: list[tuple[float, int, int]] = []
    inverse = [np.linalg.inv(k.first_from_key) for k in keys]
    for j, i in itertools.combinations(range(len(keys)), 2):
        if (i, j) not in linked:
            share = overlap_share(inverse[j] @ keys[i].first_from_key, size)
            if share > _LOOP_OVERLAP:
                found.append((share, i, j))
    found.sort(reverse=True)
    count = dict.fromkeys(range(len(keys)), 0)
    chosen = []
    for _, i, j in found:
        if count[i] < _LOOPS_A_KEY:
            count[i] += 1
            chosen.append((i, j))
    return chosen


def _edge(picture: KeyFrame, key: KeyFrame, size: tuple[int, int]) -> Float64 | None:
    """(_POINTS, 4) points in both, spread by chance over those that agree."""
    guess = np.linalg.inv(key.first_from_key) @ picture.first_from_key
    link = track_corners(key.gray, key.points, picture.gray, guess, size)
    if link is None:
        link = match_features(key.features, picture.features, size)
        if link is None or _far_off(link, guess, size):
            return None
    chosen = np.random.default_rng(0).choice(len(link.points), _POINTS)
    here = link.points[chosen].astype(np.float64)
    return np.concatenate((here, apply_homography(link.key_from_frame, here)), axis=1)


def _far_off(link: Registration, guess: Float64, size: tuple[int, int]) -> bool:
    """Whether a match contradicts the chain so much that it must be of something alike."""
    shape = frame_corners(size)
    apart = np.linalg.norm(
        apply_homography(link.key_from_frame, shape) - apply_homography(guess, shape), axis=1
    )
    return bool(np.median(apart) > _LARGE_LOOP * max(size))
