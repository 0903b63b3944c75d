"""Frame matching: register a frame to a key frame, whatever moves in front of the scene.

Corners are tracked by optical flow from a predicted homography; SIFT features match frames that
are too far apart for it. Both end in one robust homography.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from mocap_cli.camera.homography import apply_homography, fit_homography
from mocap_cli.types import Float32, Float64, UInt8

_MAX_CORNERS = 320
_MIN_POINTS = 12
_TILES = 6  # corners are detected tile by tile, so that a busy crowd does not have them all
_MIN_TILE = 3  # pixels; in less there is no corner that optical flow could track
_FLOW: dict[str, Any] = dict(winSize=(21, 21), maxLevel=3, criteria=(3, 20, 0.02))
_BORDER = 4  # pixels
_SIFT_FEATURES = 600
_SIFT_RATIO = 0.75  # Lowe's test: the best match against the second best


@dataclass(frozen=True, slots=True)
class Registration:
    """A frame registered to a key frame."""

    key_from_frame: Float64  # (3, 3) homography in reduced pixels
    points: Float32  # (N, 2) inliers, in the frame
    inlier_ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class SiftFeatures:
    """SIFT keypoints of a frame and their descriptors."""

    points: Float32  # (N, 2)
    descriptors: Float32  # (N, 128)

    @staticmethod
    def of(gray: UInt8, mask: UInt8 | None = None) -> "SiftFeatures":
        """The strongest SIFT features where `mask` is not 0."""
        keypoints, descriptors = cv2.SIFT.create(_SIFT_FEATURES).detectAndCompute(gray, mask)
        points = np.array([keypoint.pt for keypoint in keypoints], np.float32).reshape(-1, 2)
        found = np.zeros((0, 128)) if descriptors is None else descriptors
        return SiftFeatures(points, np.asarray(found, np.float32))

    def register(self, frame: "SiftFeatures", size: tuple[int, int]) -> Registration | None:
        """Register a frame by SIFT features, however far it lies from this one."""
        if min(len(self.points), len(frame.points)) < _MIN_POINTS:
            return None
        pairs = cv2.BFMatcher().knnMatch(frame.descriptors, self.descriptors, k=2)
        matches = [a for a, b in pairs if a.distance < _SIFT_RATIO * b.distance]
        points = frame.points[[match.queryIdx for match in matches]]
        key_points = self.points[[match.trainIdx for match in matches]]
        return _registration(points, key_points, size)


def detect_corners(gray: UInt8, mask: UInt8 | None = None) -> Float32:
    """(N, 2) corners to track, from all over the frame where `mask` is not 0."""
    height, width = gray.shape
    per_tile = _MAX_CORNERS // _TILES**2 + 4
    response = cv2.cornerMinEigenVal(gray, 5)
    found: list[Float32] = []
    for rows in np.array_split(np.arange(height), _TILES):
        for columns in np.array_split(np.arange(width), _TILES):
            if min(len(rows), len(columns)) < _MIN_TILE:
                continue
            tile = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            inside = None if mask is None else np.ascontiguousarray(mask[tile])
            some = cv2.goodFeaturesToTrack(gray[tile], per_tile, 0.05, 6, mask=inside, blockSize=5)
            if some is not None:
                offset = np.array((columns[0], rows[0]), np.float32)
                found.append(np.asarray(some[:, 0] + offset, np.float32))
    if not found:
        return np.zeros((0, 2), np.float32)
    points = np.concatenate(found)
    strength = response[points[:, 1].astype(int), points[:, 0].astype(int)]
    # A tile without texture has corners too, made of noise alone.
    return np.asarray(points[strength > max(2e-5, 0.002 * float(strength.max()))], np.float32)


def track_corners(
    key_gray: UInt8,
    key_points: Float32,
    gray: UInt8,
    key_from_frame: Float64,
    size: tuple[int, int],
) -> Registration | None:
    """Track a key frame's corners into a frame, starting from a predicted homography."""
    predicted = apply_homography(np.linalg.inv(key_from_frame), key_points)
    inside = np.asarray(
        ((predicted > _BORDER) & (predicted < np.array(size) - _BORDER)).all(axis=1)
    )
    if inside.sum() < _MIN_POINTS:
        return None
    start = key_points[inside]
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        key_gray, gray, start, predicted[inside].astype(np.float32), flags=4, **_FLOW
    )
    tracked = np.asarray(
        (status[:, 0] == 1) & (found > 0).all(axis=1) & (found < np.array(size)).all(axis=1)
    )
    return _registration(found[tracked], start[tracked], size)


def _registration(
    points: Float32, key_points: Float32, size: tuple[int, int]
) -> Registration | None:
    fitted = fit_homography(points, key_points, size)
    if fitted is None:
        return None
    matrix, inliers = fitted
    return Registration(matrix, np.asarray(points[inliers], np.float32), float(np.mean(inliers)))
