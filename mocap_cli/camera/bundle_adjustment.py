"""Bundle adjustment: rotations and focal lengths of a rotating camera from matched points.

Pixel (x, y), measured from the middle of its frame, lies in the direction
`rotation @ (x / focal, y / focal, 1)`: X right, Y down, Z ahead.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix
from scipy.sparse.linalg import spsolve
from scipy.spatial.transform import Rotation

from mocap_cli.types import Float64, Int64

_MAX_ITERATIONS = 40
_FIT_ITERATIONS = 6
_STEP = 1e-6  # of a parameter, for numerical derivatives
_ROBUST_PIXELS = 1.0  # residuals beyond this lose weight
_FOCAL_PRIOR = 0.3  # pixels per factor e off the initial focal length: breaks ties only
_BEHIND = 1e4  # pixels, the residual of a point behind the camera


@dataclass(frozen=True, slots=True)
class RotatingCameras:
    """Rotation and focal length of N frames taken from one place."""

    rotation: Float64  # (N, 3, 3) from the frame's axes to common axes
    focal: Float64  # (N,) pixels

    def __getitem__(self, chosen: Int64) -> "RotatingCameras":
        return RotatingCameras(self.rotation[chosen], self.focal[chosen])

    def updated(self, step: Float64) -> "RotatingCameras":
        """Apply small parameter steps (N, 4): rotation vector, logarithm of the focal length."""
        rotation = Rotation.from_rotvec(step[:, :3]).as_matrix()
        return RotatingCameras(
            self.rotation @ rotation, self.focal * np.exp(np.clip(step[:, 3], -0.5, 0.5))
        )

    def adjusted(self, pairs: "PointPairs") -> "RotatingCameras":
        """Fit all frames to all pairs together: Levenberg-Marquardt with a Cauchy loss."""
        cameras, damping, prior = self, 1e-3, np.log(self.focal)
        cost = _cost(cameras, pairs, prior)
        for _ in range(_MAX_ITERATIONS):
            hessian, gradient = _normal_equations(cameras, pairs, prior)
            diagonal = hessian.diagonal() + 1e-9
            places = np.arange(len(diagonal))
            damped = csc_matrix(hessian + coo_matrix((damping * diagonal, (places, places))))
            step = np.asarray(-spsolve(damped, gradient), np.float64).reshape(-1, 4)
            candidate = cameras.updated(step)
            lower = _cost(candidate, pairs, prior)
            if lower < cost:
                gained, cost, cameras = cost - lower, lower, candidate
                damping = max(damping / 10, 1e-9)
                if gained < 1e-7 * cost + 1e-12:
                    break
            elif (damping := damping * 10) > 1e8:
                break
        return cameras

    def fitted_to(self, fixed: "RotatingCameras", pairs: "PointPairs") -> "RotatingCameras":
        """Fit frame p to the fixed frame p, each on its own; `pairs.left` are the frames to fit."""
        cameras = self
        count = len(self.focal)
        for _ in range(_FIT_ITERATIONS):
            residuals, jacobian = _linearized(cameras, fixed, pairs, sides=("left",))
            weighted = (jacobian * _weights(residuals)[..., None]).reshape(count, -1, 4)
            hessian = weighted.transpose(0, 2, 1) @ jacobian.reshape(count, -1, 4)
            hessian += 1e-9 * np.eye(4)
            hessian[:, 3, 3] += 1e-3
            gradient = weighted.transpose(0, 2, 1) @ residuals.reshape(count, -1, 1)
            step = np.linalg.solve(hessian, gradient)[..., 0]
            cameras = cameras.updated(np.asarray(-step, np.float64))
        return cameras


@dataclass(frozen=True, slots=True)
class PointPairs:
    """Matched points of P pairs of frames, measured from the middle of the frames."""

    left: Int64  # (P,) frame numbers
    right: Int64  # (P,)
    left_points: Float64  # (P, N, 2) pixels
    right_points: Float64  # (P, N, 2); NaN in both where there are fewer points

    def residuals(self, left: RotatingCameras, right: RotatingCameras) -> Float64:
        """(P, N, 2) left points projected into the right frames, minus the right points; pixels."""
        right_from_left = np.einsum("pji,pjk->pik", right.rotation, left.rotation)
        ones = np.ones(self.left_points.shape[:2])
        flat = self.left_points / left.focal[:, None, None]
        rays = np.concatenate((flat, ones[..., None]), axis=-1) @ right_from_left.transpose(0, 2, 1)
        ahead = rays[..., 2:] > 0.05
        projected = right.focal[:, None, None] * rays[..., :2] / np.where(ahead, rays[..., 2:], 1)
        return np.asarray(np.where(ahead, projected - self.right_points, _BEHIND))


def cameras_from_homographies(key_from_frame: Float64, key: RotatingCameras) -> RotatingCameras:
    """First guess for frames from their homographies (N, 3, 3); frame middles are at (0, 0)."""
    matrix = key_from_frame / np.cbrt(np.linalg.det(key_from_frame))[:, None, None]
    middle = matrix[:, :2, :2] - matrix[:, :2, 2:] * matrix[:, 2:, :2] / matrix[:, 2:, 2:]
    zoom = np.sqrt(np.abs(np.linalg.det(middle))) / np.abs(matrix[:, 2, 2])
    # A rotated view is magnified towards its edge: undo that by how far it is rotated.
    offset = matrix[:, :2, 2] / matrix[:, 2, 2:] / key.focal[:, None]
    focal = key.focal * (1 + (offset**2).sum(axis=1)) ** 0.75 / zoom
    scaled = matrix.copy()
    scaled[:, :2, :2] *= (focal / key.focal)[:, None, None]
    scaled[:, :2, 2] /= key.focal[:, None]
    scaled[:, 2, :2] *= focal[:, None]
    u, _, v = np.linalg.svd(scaled)
    sign = np.linalg.det(u @ v)
    u[:, :, 2] *= sign[:, None]
    return RotatingCameras(key.rotation @ u @ v, focal)


def _linearized(
    left: RotatingCameras,
    right: RotatingCameras,
    pairs: PointPairs,
    sides: tuple[str, ...] = ("left", "right"),
) -> tuple[Float64, Float64]:
    """Residuals (P, N, 2) without NaN, and their Jacobian (P, N, 2, 4 parameters of each side)."""
    now = pairs.residuals(left, right)
    columns = []
    for side in sides:
        for axis in range(4):
            step = np.zeros((len(now), 4))
            step[:, axis] = _STEP
            moved_left = left.updated(step) if side == "left" else left
            moved_right = right.updated(step) if side == "right" else right
            moved = pairs.residuals(moved_left, moved_right)
            columns.append((moved - now) / _STEP)
    jacobian = np.stack(columns, axis=-1)
    unusable = ~(np.abs(now) < _BEHIND / 2)  # NaN as well
    return np.where(unusable, 0, now), np.where(unusable[..., None], 0, jacobian)


def _weights(residuals: Float64) -> Float64:
    """(P, N, 1) weights of a Cauchy loss."""
    square = (residuals**2).sum(axis=-1, keepdims=True)
    return np.asarray(1 / (1 + square / _ROBUST_PIXELS**2))


def _cost(cameras: RotatingCameras, pairs: PointPairs, prior: Float64) -> float:
    residuals = np.nan_to_num(pairs.residuals(cameras[pairs.left], cameras[pairs.right]))
    square = (residuals**2).sum(axis=-1) / _ROBUST_PIXELS**2
    penalty = _FOCAL_PRIOR**2 * ((np.log(cameras.focal) - prior) ** 2).sum()
    return float(_ROBUST_PIXELS**2 * np.log1p(square).sum() + penalty)


def _normal_equations(
    cameras: RotatingCameras, pairs: PointPairs, prior: Float64
) -> tuple[csc_matrix, Float64]:
    """Gauss-Newton Hessian and gradient of all frames' parameters."""
    size = 4 * len(cameras.focal)
    residuals, jacobian = _linearized(cameras[pairs.left], cameras[pairs.right], pairs)
    count = len(residuals)
    weighted = (jacobian * _weights(residuals)[..., None]).reshape(count, -1, 8)
    blocks = weighted.transpose(0, 2, 1) @ jacobian.reshape(count, -1, 8)
    gradients = (weighted.transpose(0, 2, 1) @ residuals.reshape(count, -1, 1))[..., 0]
    places = np.concatenate(
        (4 * pairs.left[:, None] + np.arange(4), 4 * pairs.right[:, None] + np.arange(4)), axis=1
    )
    rows = np.broadcast_to(places[:, :, None], blocks.shape).ravel()
    columns = np.broadcast_to(places[:, None, :], blocks.shape).ravel()
    hessian = coo_matrix((blocks.ravel(), (rows, columns)), (size, size)).tocsc()
    gradient = np.asarray(np.bincount(places.ravel(), gradients.ravel(), size), np.float64)
    focal = np.arange(3, size, 4)
    gradient[focal] += _FOCAL_PRIOR**2 * (np.log(cameras.focal) - prior)
    weight = np.full(len(focal), _FOCAL_PRIOR**2)
    return hessian + coo_matrix((weight, (focal, focal)), (size, size)).tocsc(), gradient
