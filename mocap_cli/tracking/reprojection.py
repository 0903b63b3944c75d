"""Reprojection: keypoints as constraints on where a body of known pose is, and on the pose.

A keypoint's u is a plane through the camera's centre, and so is its v. A body is pulled to where
its joints lie on their planes. Distances are metres across the view, so that the errors of the
keypoints and of the pose can be added up.
"""

from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.bone_lengths import with_bone_lengths
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import low_pass
from mocap_cli.types import Bool, Float64

_NAMES = tuple(name for name in KEYPOINTS if name in BODY.names and not name.endswith("_toe"))
_JOINTS = [BODY.index(name) for name in _NAMES]
_KEYPOINTS = [KEYPOINTS.index(name) for name in _NAMES]
_LEAST_SCORE = 0.1
_JITTER = 0.01  # of the height: the usual error of a keypoint with a score of 1
_SURFACE = {"hip": 0.05, "shoulder": 0.03}  # metres between keypoints and joint centres
_ACROSS = 0.5  # of a joint's sigma lies across the view; the rest is depth, not visible here
_CORRELATION = 0.15  # seconds over which errors of the pose stay alike
_OUTLIER = 3.0  # sigmas from which a keypoint is weighted down
_WALKING = 100.0  # times the sigma of keypoints seen by a camera that walks
_NEAREST = 0.2  # metres in front of the camera
_TYPICAL = 5.0  # metres away, to start from

_PULL = 0.75  # of the distance from a joint to its keypoint
_SURFACE_PULL = 0.75  # of that for hips and shoulders, whose keypoints lie beside the joints
_FAR = 0.12  # metres beyond which a keypoint is more likely wrong than the pose
_CUTOFF = 6.0  # hertz; keypoints jitter, poses do not
_PULLS = _PULL * np.array(
    [_SURFACE_PULL if name.endswith(("hip", "shoulder")) else 1.0 for name in _NAMES]
)


@dataclass(frozen=True, slots=True)
class KeypointPlanes:
    """The planes of every frame's keypoints, in the axes of the first frame's camera."""

    normals: Float64  # (T, K, 2, 3): normal @ (point - eye) is the distance from the plane
    eye: Float64  # (T, 3) each frame's camera
    view: Float64  # (T, 3) direction in which each frame's camera looks
    sigma: Float64  # (T, K) metres, infinite without a keypoint
    independence: Float64  # (T,) 0..1, see PosedBody.independence

    @staticmethod
    def of(
        body: PosedBody, xy: Float64, score: Float64, sigma: Float64, camera: Pinhole
    ) -> "KeypointPlanes":
        """From keypoints (T, 21, 2), their scores, and the sigma (T, 19) of the pose in metres."""
        rays = camera.rays(xy[:, _KEYPOINTS])  # (T, K, 3), z is -1
        one, zero = np.ones(rays.shape[:2]), np.zeros(rays.shape[:2])
        planes = np.stack((one, zero, rays[..., 0], zero, one, rays[..., 1]), axis=-1)
        planes = planes.reshape(*rays.shape[:2], 2, 3)
        planes = planes @ body.first_from_camera.transpose(0, 2, 1)[:, None]
        found = (score[:, _KEYPOINTS] > _LEAST_SCORE) & np.isfinite(rays).all(axis=-1)
        surface = np.array([_SURFACE.get(name.split("_")[1], 0.0) for name in _NAMES])
        jitter = _JITTER * body.height / np.clip(score[:, _KEYPOINTS], _LEAST_SCORE, 1)
        whole = np.sqrt((_ACROSS * sigma[:, _JOINTS]) ** 2 + surface**2 + jitter**2)
        return KeypointPlanes(
            normals=np.where(found[..., None, None], planes, 0.0),
            eye=np.zeros((len(xy), 3)),
            view=-body.first_from_camera[:, :, 2],
            sigma=np.where(found, whole, np.inf),
            independence=body.independence(_CORRELATION),
        )

    def seen_from(self, eye: Float64) -> "KeypointPlanes":
        """The same planes for a camera that moves along `eye` (T, 3)."""
        return replace(self, eye=eye)

    def loosened(self, walks: Bool) -> "KeypointPlanes":
        """The same planes, hardly a constraint in frames (T,) in which the camera walks."""
        return replace(self, sigma=self.sigma * np.where(walks, _WALKING, 1.0)[:, None])

    def add_to(
        self, equations: TrajectoryEquations, body: PosedBody, path: Float64, *, near: bool = True
    ) -> None:
        """Add the reprojection errors of the body at `path` (T, 3).

        Outliers are weighted down once the path is `near` the truth.
        """
        points = path[:, None] + body.pose[:, _JOINTS]
        off = self._offsets(points)  # (T, K, 2)
        size = np.linalg.norm(off, axis=-1) / self.sigma
        robust = (1 + near * (size / _OUTLIER) ** 2) ** 2
        weight = self.independence[:, None] / self.sigma**2 / robust
        # A plane drawn through a noisy pixel moves with depth: without this the body creeps nearer.
        tilt = near * (off / self._depths(points)[..., None])[..., None] * self.view[:, None, None]
        rows = (self.normals - tilt).reshape(len(path), -1, 3)  # (T, 2K, 3)
        weighted = (rows * np.repeat(weight, 2, axis=1)[..., None]).transpose(0, 2, 1)
        normal, residual = weighted @ rows, off.reshape(len(path), -1, 1)
        equations.blocks[0] += normal
        equations.right += (normal @ path[..., None] - weighted @ residual)[..., 0]

    def initial_path(self, body: PosedBody) -> Float64:
        """(T, 3) the best place of each frame by itself; interpolated where keypoints are few."""
        start = _TYPICAL * self.view
        path = start.copy()
        for attempt in range(5):
            equations = TrajectoryEquations(len(path), 1)
            self.add_to(equations, body, path, near=attempt > 1)
            certain = np.linalg.eigvalsh(equations.blocks[0])[:, 0] > 1.0  # better than a metre
            block = equations.blocks[0] + np.eye(3) * 1e-9
            path = np.linalg.solve(block, equations.right[..., None])[..., 0]
            behind = np.einsum("ti,ti->t", path, self.view) < 2 * _NEAREST
            path = np.where((behind | ~certain)[:, None], start, path)
        return _interpolated(path, certain & ~behind)

    def _offsets(self, points: Float64) -> Float64:
        """(T, K, 3) points to (T, K, 2) metres from their planes."""
        return np.asarray((self.normals @ (points - self.eye[:, None])[..., None])[..., 0])

    def _depths(self, points: Float64) -> Float64:
        """(T, K, 3) points to (T, K) metres in front of the camera."""
        return np.maximum(np.einsum("tki,ti->tk", points - self.eye[:, None], self.view), _NEAREST)

    def fit_pose(self, body: PosedBody, path: Float64, lengths: Float64) -> PosedBody:
        """The body at `path` with its joints moved across the view towards their keypoints."""
        joints = body.joints_at(path)
        off = self._offsets(joints[:, _JOINTS])  # (T, K, 2)
        weight = (1 / self.sigma) / (1 / self.sigma).max(initial=1e-9)  # 0 without a keypoint
        pull = _PULLS * weight / (1 + (np.linalg.norm(off, axis=-1) / _FAR) ** 2)
        across = body.first_from_camera[:, :, :2]  # (T, 3, 2) right and up in the image
        steps = -np.einsum("tk,tkr,tir->tki", pull, off, across)
        for segment in body.segments:
            flat = steps[segment].reshape(segment.stop - segment.start, -1)
            smooth = low_pass(flat, body.times[segment], np.ones(len(flat)), _CUTOFF)
            steps[segment] = smooth.reshape(steps[segment].shape)
        joints[:, _JOINTS] += steps
        pose = with_bone_lengths(joints - joints[:, :1], lengths)
        return replace(body, pose=pose - centre_of_mass(pose)[:, None])


def _interpolated(path: Float64, known: Bool) -> Float64:
    if not known.any():
        return path
    frames = np.arange(len(path))
    return np.stack([np.interp(frames, frames[known], axis[known]) for axis in path.T], axis=1)
