"""Homographies between two views of a rotating camera: fit, apply, and judge them."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Bool, Float32, Float64

_INLIER_PIXELS = 1.0  # of the reduced frame
_MIN_INLIERS = 12
_MIN_INLIER_RATIO = 0.25
_BEHIND = -1e6  # pixels, where a point behind the camera is put


def fit_homography(
    source: Float32, target: Float32, size: tuple[int, int]
) -> tuple[Float64, Bool] | None:
    """Fit (3, 3) from source to target points (N, 2) with MAGSAC, and which (N,) are inliers.

    None when too few points agree, or on a mapping that no camera makes.
    """
    if len(source) < _MIN_INLIERS:
        return None
    matrix, status = cv2.findHomography(
        source, target, cv2.USAC_MAGSAC, _INLIER_PIXELS, maxIters=500, confidence=0.999
    )
    if matrix is None or not _is_plausible(np.asarray(matrix, np.float64), size):
        return None
    inliers = np.asarray(status[:, 0] == 1)
    if inliers.sum() < _MIN_INLIERS or inliers.mean() < _MIN_INLIER_RATIO:
        return None
    refined, _ = cv2.findHomography(source[inliers], target[inliers], 0)
    refined = np.asarray(refined, np.float64)
    if refined.shape != (3, 3) or not _is_plausible(refined, size):
        return None
    return refined, inliers


def solve_homography(source: Float64, target: Float64) -> Float64:
    """Least-squares (3, 3) from source to target points (N, 2) that are all inliers."""
    x, y = source.T
    u, v = target.T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate(
        (
            np.stack((x, y, one, zero, zero, zero, -u * x, -u * y), axis=1),
            np.stack((zero, zero, zero, x, y, one, -v * x, -v * y), axis=1),
        )
    )
    scale = np.array([1, 1, 100, 1, 1, 100, 0.01, 0.01])
    found = np.linalg.lstsq(rows * scale, np.concatenate((u, v)), rcond=1e-9)[0] * scale
    return np.append(found, 1.0).reshape(3, 3)


def apply_homography(matrix: NDArray[np.floating], points: NDArray[np.floating]) -> Float64:
    """Map points (N, 2); those behind the camera land far outside of the frame."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    depth = mapped[..., 2:]
    return np.asarray(np.where(depth > 1e-9, mapped[..., :2] / np.maximum(depth, 1e-9), _BEHIND))


def _is_plausible(matrix: NDArray[np.floating], size: tuple[int, int]) -> bool:
    """Whether a camera can produce it: not mirrored, not folded, plausible zoom."""
    corners = apply_homography(matrix, frame_corners(size))
    if (corners < _BEHIND / 10).any():
        return False
    sides = np.roll(corners, -1, axis=0) - corners
    following = np.roll(sides, -1, axis=0)
    areas = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
    area = size[0] * size[1]
    return bool((areas > 0.05 * area).all() and (areas < 20 * area).all())


def frame_corners(size: tuple[int, int]) -> Float64:
    """(4, 2) the corners of a frame of that width and height, clockwise."""
    width, height = size
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def overlap_share(matrix: Float64, size: tuple[int, int]) -> float:
    """Share of a frame that a homography maps into another frame of the same size."""
    steps = (np.arange(8) + 0.5) / 8
    grid = np.stack(np.meshgrid(steps * size[0], steps * size[1]), axis=-1).reshape(-1, 2)
    mapped = apply_homography(matrix, grid)
    return float(((mapped >= 0) & (mapped < np.array(size))).all(axis=1).mean())


def roll_and_zoom(matrix: Float64, size: tuple[int, int]) -> tuple[float, float]:
    """Roll (radians) and magnification of a homography at the middle of the frame."""
    middle = np.array(size) / 2
    steps = np.array([[-8, 0], [8, 0], [0, -8], [0, 8]])
    arms = apply_homography(matrix, middle + steps)
    across, down = arms[1] - arms[0], arms[3] - arms[2]
    zoom = np.sqrt(abs(across[0] * down[1] - across[1] * down[0])) / 16
    return float(np.arctan2(across[1], across[0])), float(zoom)
