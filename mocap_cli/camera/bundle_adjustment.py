"""Adjust: turns and focal lengths of a camera that stands, from points seen in pairs of pictures.

A picture sees the direction `turn @ ((x - cx) / f, (y - cy) / f, 1)`: X right, Y down, Z ahead.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

from mocap_cli.types import Float64, Int64

_ROUNDS = 40
_STEP = 1e-6  # of a parameter, to see what it changes
_ROBUST_PIXELS = 1.0  # beyond which a point loses weight
_FOCAL_TRUST = 0.3  # pixels that a focal length off by a factor e costs: only a tie-breaker
_BEHIND = 1e4  # pixels that a point off the view costs


@dataclass(frozen=True, slots=True)
class RotatingCameras:
    """Where N pictures look, and how far they are zoomed in."""

    rotation: Float64  # (N, 3, 3) from the picture's axes to common ones
    focal: Float64  # (N,) pixels

    def __getitem__(self, chosen: Int64) -> "RotatingCameras":
        return RotatingCameras(self.rotation[chosen], self.focal[chosen])

    def updated(self, change: Float64) -> "RotatingCameras":
        """Turned and zoomed by small parameters (N, 4)."""
        turn = Rotation.from_rotvec(change[:, :3]).as_matrix()
        return RotatingCameras(
            self.rotation @ turn, self.focal * np.exp(np.clip(change[:, 3], -0.5, 0.5))
        )


@dataclass(frozen=True, slots=True)
class PointPairs:
    """Points seen in two pictures, measured from the pictures' middles."""

    left: Int64  # (P,) which picture
    right: Int64  # (P,)
    left_points: Float64  # (P, N, 2) pixels
    right_points: Float64  # (P, N, 2); NaN in both where there are fewer points


def reprojection_residuals(
    left: RotatingCameras, right: RotatingCameras, pairs: PointPairs
) -> Float64:
    """(P, N, 2) how far the points of the left pictures miss those of the right, in pixels."""
    relative = np.einsum("pji,pjk->pik", right.rotation, left.rotation)
    ones = np.ones(pairs.left_points.shape[:2])
    flat = pairs.left_points / left.focal[:, None, None]
    rays = np.concatenate((flat, ones[..., None]), axis=-1) @ relative.transpose(0, 2, 1)
    ahead = rays[..., 2:] > 0.05
    there = right.focal[:, None, None] * rays[..., :2] / np.where(ahead, rays[..., 2:], 1)
    return np.asarray(np.where(ahead, there - pairs.right_points, _BEHIND))


def bundle_adjust(start: RotatingCameras, pairs: PointPairs) -> RotatingCameras:
    """Turn and zoom all pictures until all pairs agree: Levenberg-Marquardt, robust."""
    lenses, damping, prior = start, 1e-3, np.log(start.focal)
    cost = _cost(lenses, pairs, prior)
    for _ in range(_ROUNDS):
        normal, slope = _equations(lenses, pairs, prior)
        diagonal = normal.diagonal() + 1e-9
        eased = csc_matrix(normal + coo_matrix((damping * diagonal, _both(len(diagonal)))))
        change = np.asarray(-spsolve(eased, slope), np.float64).reshape(-1, 4)
        moved = lenses.updated(change)
        lower = _cost(moved, pairs, prior)
        if lower < cost:
            gained, cost, lenses = cost - lower, lower, moved
            damping = max(damping / 10, 1e-9)
            if gained < 1e-7 * cost + 1e-12:
                break
        elif (damping := damping * 10) > 1e8:
            break
    return lenses


def fit_to_fixed(
    start: RotatingCameras, fixed: RotatingCameras, pairs: PointPairs
) -> RotatingCameras:
    """Fit picture p to `fixed` picture p, each for itself: pairs.left is what moves."""
    lenses = start
    count = len(start.focal)
    for _ in range(6):
        miss, slopes = _slopes(lenses, fixed, pairs, sides=("left",))
        weight = _weights(miss)
        rows = (slopes * weight[..., None]).reshape(count, -1, 4)
        flat = slopes.reshape(count, -1, 4)
        normal = rows.transpose(0, 2, 1) @ flat + 1e-9 * np.eye(4)
        normal[:, 3, 3] += 1e-3
        right = rows.transpose(0, 2, 1) @ miss.reshape(count, -1, 1)
        change = np.linalg.solve(normal, right)[..., 0]
        lenses = lenses.updated(np.asarray(-change, np.float64))
    return lenses


def cameras_from_homographies(matrix: Float64, key: RotatingCameras) -> RotatingCameras:
    """First guess for pictures (N,) from how they lie in their keys: middles at (0, 0)."""
    matrix = matrix / np.cbrt(np.linalg.det(matrix))[:, None, None]
    middle = matrix[:, :2, :2] - matrix[:, :2, 2:] * matrix[:, 2:, :2] / matrix[:, 2:, 2:]
    zoom = np.sqrt(np.abs(np.linalg.det(middle))) / np.abs(matrix[:, 2, 2])
    # A turned view is enlarged towards its edge: undo that by how far it is turned.
    aside = matrix[:, :2, 2] / matrix[:, 2, 2:] / key.focal[:, None]
    focal = key.focal * (1 + (aside**2).sum(axis=1)) ** 0.75 / zoom
    scaled = matrix.copy()
    scaled[:, :2, :2] *= (focal / key.focal)[:, None, None]
    scaled[:, :2, 2] /= key.focal[:, None]
    scaled[:, 2, :2] *= focal[:, None]
    u, _, v = np.linalg.svd(scaled)
    sign = np.linalg.det(u @ v)
    u[:, :, 2] *= sign[:, None]
    return RotatingCameras(key.rotation @ u @ v, focal)


def _slopes(
    left: RotatingCameras,
    right: RotatingCameras,
    pairs: PointPairs,
    sides: tuple[str, ...] = ("left", "right"),
) -> tuple[Float64, Float64]:
    """(P, N, 2) misses without NaN, and how each changes with the 4 parameters of each side."""
    now = reprojection_residuals(left, right, pairs)
    count = len(now)
    slopes = []
    for side in sides:
        for axis in range(4):
            change = np.zeros((count, 4))
            change[:, axis] = _STEP
            moved_left = left.updated(change) if side == "left" else left
            moved_right = right.updated(change) if side == "right" else right
            slopes.append((reprojection_residuals(moved_left, moved_right, pairs) - now) / _STEP)
    slope = np.stack(slopes, axis=-1)
    hopeless = ~(np.abs(now) < _BEHIND / 2)
    return np.where(hopeless, 0, now), np.where(hopeless[..., None], 0, slope)


def _weights(miss: Float64) -> Float64:
    """(P, N, 1) Cauchy's: what is far off hardly counts."""
    square = (miss**2).sum(axis=-1, keepdims=True)
    return np.asarray(1 / (1 + square / _ROBUST_PIXELS**2))


def _cost(lenses: RotatingCameras, pairs: PointPairs, prior: Float64) -> float:
    miss = np.nan_to_num(reprojection_residuals(lenses[pairs.left], lenses[pairs.right], pairs))
    square = (miss**2).sum(axis=-1) / _ROBUST_PIXELS**2
    trust = _FOCAL_TRUST**2 * ((np.log(lenses.focal) - prior) ** 2).sum()
    return float(_ROBUST_PIXELS**2 * np.log1p(square).sum() + trust)


def _equations(
    lenses: RotatingCameras, pairs: PointPairs, prior: Float64
) -> tuple[csc_matrix, Float64]:
    """The normal equations of all pictures' parameters."""
    size = 4 * len(lenses.focal)
    miss, slopes = _slopes(lenses[pairs.left], lenses[pairs.right], pairs)
    count = len(miss)
    rows = (slopes * _weights(miss)[..., None]).reshape(count, -1, 8)
    blocks = rows.transpose(0, 2, 1) @ slopes.reshape(count, -1, 8)
    sides = (rows.transpose(0, 2, 1) @ miss.reshape(count, -1, 1))[..., 0]
    places = np.concatenate(
        (4 * pairs.left[:, None] + np.arange(4), 4 * pairs.right[:, None] + np.arange(4)), axis=1
    )
    at = np.broadcast_to(places[:, :, None], blocks.shape).ravel()
    to = np.broadcast_to(places[:, None, :], blocks.shape).ravel()
    normal = coo_matrix((blocks.ravel(), (at, to)), (size, size)).tocsc()
    slope = np.asarray(np.bincount(places.ravel(), sides.ravel(), size), np.float64)
    focal = np.arange(3, size, 4)
    slope[focal] += _FOCAL_TRUST**2 * (np.log(lenses.focal) - prior)
    pull = np.full(len(focal), _FOCAL_TRUST**2)
    return normal + coo_matrix((pull, (focal, focal)), (size, size)).tocsc(), slope


def _both(count: int) -> tuple[Int64, Int64]:
    places = np.arange(count)
    return places, places
