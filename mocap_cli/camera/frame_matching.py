"""Match: the homography between two pictures of one scene, whatever moves in front of it."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float32, Float64, UInt8

_MAX_CORNERS = 320
_MIN_INLIERS = 12
_TILES = 6  # corners are taken tile by tile, so that a busy crowd does not have them all
_WINDOW: dict[str, Any] = dict(winSize=(21, 21), maxLevel=3, criteria=(3, 20, 0.02))
_NEAR_PIXELS = 1.0  # of the reduced picture, within which a point agrees with a homography
_SIFT_FEATURES = 600
_SIFT_RATIO = 0.75


@dataclass(frozen=True, slots=True)
class Registration:
    """How a picture lies in a key picture, and the points that say so."""

    key_from_frame: Float64  # (3, 3), maps (x, y, 1) of the reduced pictures
    points: Float32  # (N, 2) in the picture, all of them agreeing
    inlier_ratio: float  # of the points that were found again: how many agree
    spread: float  # 0..1, share of the picture over which the agreeing points are spread


def detect_corners(gray: UInt8, free: UInt8 | None = None) -> Float32:
    """(N, 2) points worth following, from all over the picture where `free` is not 0."""
    height, width = gray.shape
    each = _MAX_CORNERS // _TILES**2 + 4
    response = cv2.cornerMinEigenVal(gray, 5)
    found: list[Float32] = []
    for rows in np.array_split(np.arange(height), _TILES):
        for columns in np.array_split(np.arange(width), _TILES):
            if min(len(rows), len(columns)) < 3:
                continue  # a picture of a few pixels has no corners that could be found again
            part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            mask = None if free is None else np.ascontiguousarray(free[part])
            some = cv2.goodFeaturesToTrack(gray[part], each, 0.05, 6, mask=mask, blockSize=5)
            if some is not None:
                corner = np.array((columns[0], rows[0]), np.float32)
                found.append(np.asarray(some[:, 0] + corner, np.float32))
    if not found:
        return np.zeros((0, 2), np.float32)
    points = np.concatenate(found)
    strength = response[points[:, 1].astype(int), points[:, 0].astype(int)]
    # A flat tile has its corners as well, made of noise alone.
    return np.asarray(points[strength > max(2e-5, 0.002 * float(strength.max()))], np.float32)


def track_corners(
    key: UInt8, points: Float32, picture: UInt8, key_from_picture: Float64, size: tuple[int, int]
) -> Registration | None:
    """Find the corners of a key picture again, beginning where a guess says they are."""
    guess = apply_homography(np.linalg.inv(key_from_picture), points)
    inside = np.asarray(((guess > 4) & (guess < np.array(size) - 4)).all(axis=1))
    if inside.sum() < _MIN_INLIERS:
        return None
    start = points[inside]
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        key, picture, start, guess[inside].astype(np.float32), flags=4, **_WINDOW
    )
    good = np.asarray(
        (status[:, 0] == 1) & (found > 0).all(axis=1) & (found < np.array(size)).all(axis=1)
    )
    return fit_homography(start[good], found[good], size)


def fit_homography(
    key_points: Float32, points: Float32, size: tuple[int, int]
) -> Registration | None:
    """The homography on which most points agree, if enough of them do."""
    if len(points) < _MIN_INLIERS:
        return None
    matrix, inliers = cv2.findHomography(
        points, key_points, cv2.USAC_MAGSAC, _NEAR_PIXELS, maxIters=500, confidence=0.999
    )
    if matrix is None or not is_plausible(np.asarray(matrix, np.float64), size):
        return None
    chosen = inliers[:, 0] == 1
    if chosen.sum() < _MIN_INLIERS or chosen.mean() < 0.25:
        return None
    refined, _ = cv2.findHomography(points[chosen], key_points[chosen], 0)
    refined = np.asarray(refined, np.float64)
    if refined.shape != (3, 3) or not is_plausible(refined, size):
        return None
    span = np.ptp(points[chosen], axis=0) / np.array(size)
    return Registration(
        refined,
        np.asarray(points[chosen], np.float32),
        float(chosen.mean()),
        float(span.prod()),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SiftFeatures:
    """What SIFT finds worth remembering in a picture."""

    points: Float32  # (N, 2)
    descriptors: Float32  # (N, 128)


def detect_features(gray: UInt8, free: UInt8 | None = None) -> SiftFeatures:
    """The strongest SIFT features where `free` is not 0."""
    marks, words = cv2.SIFT.create(_SIFT_FEATURES).detectAndCompute(gray, free)
    points = np.array([mark.pt for mark in marks], np.float32).reshape(-1, 2)
    found = np.zeros((0, 128)) if words is None else words
    return SiftFeatures(points, np.asarray(found, np.float32))


def match_features(
    key: SiftFeatures, picture: SiftFeatures, size: tuple[int, int]
) -> Registration | None:
    """The homography between two pictures however far apart, by their SIFT features."""
    if min(len(key.points), len(picture.points)) < _MIN_INLIERS:
        return None
    pairs = cv2.BFMatcher().knnMatch(picture.descriptors, key.descriptors, k=2)
    kept = [a for a, b in pairs if a.distance < _SIFT_RATIO * b.distance]
    here = picture.points[[match.queryIdx for match in kept]]
    there = key.points[[match.trainIdx for match in kept]]
    return fit_homography(there, here, size)


def apply_homography(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> Float64:
    """(N, 2) points through a homography; those behind the view become far away."""
    high = points @ matrix[:, :2].T + matrix[:, 2]
    depth = high[..., 2:]
    return np.asarray(np.where(depth > 1e-9, high[..., :2] / np.maximum(depth, 1e-9), -1e6))


def is_plausible(matrix: NDArray[np.floating], size: tuple[int, int]) -> bool:
    """Whether a camera could have made it: not mirrored, not folded, no zoom beyond reason."""
    shape = apply_homography(matrix, frame_corners(size))
    if (shape < -1e5).any():
        return False
    sides = np.roll(shape, -1, axis=0) - shape
    after = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    area = size[0] * size[1]
    return bool((turns > 0.05 * area).all() and (turns < 20 * area).all())


def frame_corners(size: tuple[int, int]) -> Float64:
    """(4, 2) the corners of a picture, clockwise."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def overlap_share(matrix: Float64, size: tuple[int, int]) -> float:
    """The share of a picture that a homography puts within another picture of its size."""
    steps = (np.arange(8) + 0.5) / 8
    grid = np.stack(np.meshgrid(steps * size[0], steps * size[1]), axis=-1).reshape(-1, 2)
    there = apply_homography(matrix, grid)
    return float(((there >= 0) & (there < np.array(size))).all(axis=1).mean())


def roll_and_zoom(matrix: Float64, size: tuple[int, int]) -> tuple[float, float]:
    """How far a homography rolls its middle (radians) and how much it enlarges it."""
    middle = np.array(size) / 2
    steps = np.array([[-8, 0], [8, 0], [0, -8], [0, 8]])
    arms = apply_homography(matrix, middle + steps)
    across, down = arms[1] - arms[0], arms[3] - arms[2]
    zoom = np.sqrt(abs(across[0] * down[1] - across[1] * down[0])) / 16
    return float(np.arctan2(across[1], across[0])), float(zoom)
