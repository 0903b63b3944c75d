"""Sight: what the picture says about where the body is, given its pose.

A keypoint's u is a plane through the camera's centre, and so is its v. A body of known pose is
pulled to where its joints lie on their planes. Distances are metres across the view, so that the
keypoints' errors and the pose's can be added up.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

MATCHED_NAMES = tuple(
    name for name in KEYPOINTS if name in BODY.names and not name.endswith("_toe")
)
MATCHED_JOINTS = [BODY.index(name) for name in MATCHED_NAMES]
_KEYPOINT_INDICES = [KEYPOINTS.index(name) for name in MATCHED_NAMES]
_LEAST_SCORE = 0.1
_JITTER = 0.01  # of the height: the usual error of a keypoint that is sure of itself
_SKIN = {"hip": 0.05, "shoulder": 0.03}  # metres between what pictures show and joint centres
_ACROSS = 0.5  # of a joint's expected error lies across the view; the rest is depth, unseen here
_MEMORY = 0.15  # seconds for which the pose's errors stay alike, so that frames repeat each other
_OUTLYING = 3.0  # expected errors beyond which a keypoint loses its say
_NEAREST = 0.2  # metres in front of the camera
_TYPICAL = 5.0  # metres away, when nothing tells


@dataclass(frozen=True, slots=True)
class KeypointPlanes:
    """The planes of every frame's keypoints, in the axes of the first frame's camera."""

    normals: Float64  # (T, K, 2, 3): normal @ point is how far off the plane a point is
    view: Float64  # (T, 3) where each frame's camera looks
    sigma: Float64  # (T, K) metres of expected error, infinite where nothing was seen
    independence: Float64  # (T,) how much of a frame is news, 0..1

    def offsets(self, points: Float64) -> Float64:
        """(T, K, 3) points to (T, K, 2) metres off their planes."""
        return np.asarray((self.normals @ points[..., None])[..., 0])

    def depths(self, points: Float64) -> Float64:
        """(T, K, 3) points to (T, K) metres in front of the camera."""
        return np.maximum(np.einsum("tki,ti->tk", points, self.view), _NEAREST)


def keypoint_planes(
    scene: PosedBody, xy: Float64, score: Float64, sigma: Float64, camera: Pinhole
) -> KeypointPlanes:
    """Keypoints (T, 21, 2) with scores, and the (T, 19) errors expected of the pose, as planes."""
    rays = camera.rays(xy[:, _KEYPOINT_INDICES])  # (T, K, 3), z is -1
    one, zero = np.ones(rays.shape[:2]), np.zeros(rays.shape[:2])
    planes = np.stack((one, zero, rays[..., 0], zero, one, rays[..., 1]), axis=-1)
    planes = (
        planes.reshape(*rays.shape[:2], 2, 3) @ scene.first_from_camera.transpose(0, 2, 1)[:, None]
    )
    seen = (score[:, _KEYPOINT_INDICES] > _LEAST_SCORE) & np.isfinite(rays).all(axis=-1)
    skin = np.array([_SKIN.get(name.split("_")[1], 0.0) for name in MATCHED_NAMES])
    jitter = _JITTER * scene.height / np.clip(score[:, _KEYPOINT_INDICES], _LEAST_SCORE, 1)
    spread = np.sqrt((_ACROSS * sigma[:, MATCHED_JOINTS]) ** 2 + skin**2 + jitter**2)
    return KeypointPlanes(
        normals=np.where(seen[..., None, None], planes, 0.0),
        view=-scene.first_from_camera[:, :, 2],
        sigma=np.where(seen, spread, np.inf),
        independence=scene.independence(_MEMORY),
    )


def add_reprojection(
    equations: TrajectoryEquations,
    sight: KeypointPlanes,
    body: Float64,
    path: Float64,
    *,
    near: bool = True,
) -> None:
    """Pull each frame of `path` (T, 3) to where the joints `body` (T, 19, 3) about it are seen.

    When the path is not yet `near` the truth, no keypoint is doubted.
    """
    points = path[:, None] + body[:, MATCHED_JOINTS]
    off = sight.offsets(points)  # (T, K, 2)
    size = np.linalg.norm(off, axis=-1) / sight.sigma
    weight = (
        sight.independence[:, None] / sight.sigma**2 / (1 + near * (size / _OUTLYING) ** 2) ** 2
    )
    # a plane drawn through a noisy pixel moves with depth: without this the body creeps nearer
    tilt = near * (off / sight.depths(points)[..., None])[..., None] * sight.view[:, None, None]
    rows = (sight.normals - tilt).reshape(len(path), -1, 3)  # (T, 2K, 3)
    weighted = (rows * np.repeat(weight, 2, axis=1)[..., None]).transpose(0, 2, 1)
    normal = weighted @ rows
    equations.blocks[0] += normal
    equations.right += (normal @ path[..., None] - weighted @ off.reshape(len(path), -1, 1))[..., 0]


def initial_trajectory(sight: KeypointPlanes, body: Float64) -> Float64:
    """(T, 3) each frame's best place by itself; frames with too little to see get their
    neighbours' place."""
    start = _TYPICAL * sight.view
    path = start.copy()
    for attempt in range(5):
        equations = TrajectoryEquations(len(path), 1)
        add_reprojection(equations, sight, body, path, near=attempt > 1)
        sure = np.linalg.eigvalsh(equations.blocks[0])[:, 0] > 1.0  # better than a metre
        block = equations.blocks[0] + np.eye(3) * 1e-9
        path = np.linalg.solve(block, equations.right[..., None])[..., 0]
        behind = np.einsum("ti,ti->t", path, sight.view) < 2 * _NEAREST
        path = np.where((behind | ~sure)[:, None], start, path)
    return _filled(path, sure & ~behind)


def _filled(path: Float64, sure: NDArray[np.bool_]) -> Float64:
    if not sure.any():
        return path
    frames = np.arange(len(path))
    return np.stack([np.interp(frames, frames[sure], axis[sure]) for axis in path.T], axis=1)
