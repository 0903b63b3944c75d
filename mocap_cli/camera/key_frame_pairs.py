"""Key frame pairs: which key frames overlap, and points matched between them."""

import itertools

import numpy as np

from mocap_cli.camera.bundle_adjustment import PointPairs
from mocap_cli.camera.frame_matching import Registration, match_features, track_corners
from mocap_cli.camera.homography import apply_homography, frame_corners, overlap_share
from mocap_cli.camera.key_frames import KeyFrame
from mocap_cli.types import Float64

_POINTS = 160  # per pair of key frames
_LOOPS_PER_KEY = 8
_LOOP_OVERLAP = 0.25
_LARGEST_DRIFT = 0.15  # of the frame, by which chained homographies may be off in a loop


def match_key_frames(keys: list[KeyFrame], first: int, size: tuple[int, int]) -> PointPairs:
    """Match each key frame to its parent and to those where the camera came back.

    `first` is the index of keys[0] among all key frames, `size` that of the reduced frames.
    """
    wanted = [(i, key.parent - first) for i, key in enumerate(keys) if key.parent >= 0]
    wanted += _loops(keys, set(wanted), size)
    rows = [
        (i, j, found)
        for i, j in wanted
        if (found := _matched_points(keys[i], keys[j], size)) is not None
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
    """Pairs of key frames that overlap though neither was registered to the other."""
    found: list[tuple[float, int, int]] = []
    inverse = [np.linalg.inv(key.first_from_key) for key in keys]
    for j, i in itertools.combinations(range(len(keys)), 2):
        if (i, j) not in linked:
            share = overlap_share(inverse[j] @ keys[i].first_from_key, size)
            if share > _LOOP_OVERLAP:
                found.append((share, i, j))
    found.sort(reverse=True)
    count = dict.fromkeys(range(len(keys)), 0)
    chosen = []
    for _, i, j in found:
        if count[i] < _LOOPS_PER_KEY:
            count[i] += 1
            chosen.append((i, j))
    return chosen


def _matched_points(frame: KeyFrame, key: KeyFrame, size: tuple[int, int]) -> Float64 | None:
    """(_POINTS, 4) random inliers: x, y in the frame and x, y in the key frame."""
    guess = np.linalg.inv(key.first_from_key) @ frame.first_from_key
    found = track_corners(key.gray, key.points, frame.gray, guess, size)
    if found is None:
        found = match_features(key.features, frame.features, size)
        if found is None or _contradicts(found, guess, size):
            return None
    chosen = np.random.default_rng(0).choice(len(found.points), _POINTS)
    points = found.points[chosen].astype(np.float64)
    return np.concatenate((points, apply_homography(found.key_from_frame, points)), axis=1)


def _contradicts(found: Registration, guess: Float64, size: tuple[int, int]) -> bool:
    """Whether a match is so far from the chained homography that it must be a look-alike."""
    corners = frame_corners(size)
    matched = apply_homography(found.key_from_frame, corners)
    distance = np.linalg.norm(matched - apply_homography(guess, corners), axis=1)
    return bool(np.median(distance) > _LARGEST_DRIFT * max(size))
