"""Projection of labels into the image, and their distance from what the tracker detected."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.rotation import nearest_rotation
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.labels.labels import Labels, bone_scale
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64, Int64

_SHARED_POINTS = [(BODY.index(n), KEYPOINTS.index(n)) for n in BODY.names
        if n in KEYPOINTS and not n.endswith("toe")]  # fmt: skip
"""Joints and keypoints that are the same point of the body."""
_JOINTS, _POINTS = ([pair[i] for pair in _SHARED_POINTS] for i in (0, 1))
_MIN_POINTS = 4  # known in both, below which a frame is not compared
_MAX_DISTANCE = 1.5  # body sizes: bounds the effect of single frames


def _project_onto_keypoints(
    joints: Float64, xy: Float64, score: Float64, camera: Pinhole
) -> Float64:
    """Pixels (N, 19, 2) of joints (N, 19, 3) whose distance from the camera is unknown.

    The pelvis is placed where the joints are nearest to the rays of their keypoints (N, 21, 2).
    """
    rays = camera.rays(xy[:, _POINTS])[..., :2]  # (N, P, 2)
    body = joints - joints[:, :1]
    held = body[:, _JOINTS]
    known = np.isfinite(held[..., 0]) & np.isfinite(rays[..., 0])
    share = np.where(known, np.nan_to_num(score[:, _POINTS]), 0.0)
    rays, held = np.where(known[..., None], rays, 0), np.where(known[..., None], held, 0)
    # x + rx z = 0 and y + ry z = 0 for every joint: least squares with the pelvis (X, Y, Z)
    normal, right = np.zeros((len(body), 3, 3)), np.zeros((len(body), 3))
    for axis in (0, 1):
        row = np.zeros((*known.shape, 3))
        row[..., axis], row[..., 2] = 1, rays[..., axis]
        off = held[..., axis] + rays[..., axis] * held[..., 2]
        normal += np.einsum("np,npi,npj->nij", share, row, row)
        right -= np.einsum("np,npi,np->ni", share, row, off)
    found = (share > 0).sum(axis=1) >= _MIN_POINTS
    normal[~found] = np.eye(3)
    place = np.linalg.solve(normal + 1e-9 * np.eye(3), right[..., None])[..., 0]
    place[~found] = np.nan
    return np.asarray(camera.project(body + place[:, None]), np.float64)


def joints_as_keypoints(pixels: Float64) -> Float64:
    """Pixels of joints (N, 19, 2) as those of keypoints (N, 21, 2); NaN where none is the same."""
    points = np.full((len(pixels), len(KEYPOINTS), 2), np.nan)
    points[:, _POINTS] = pixels[:, _JOINTS]
    return points


def _keypoint_distance(xy: Float64, keypoints: Float64) -> Float64:
    """(N,) mean distance of points from keypoints, in body sizes; NaN where unknown."""
    size = np.linalg.norm(keypoints - keypoints.mean(axis=1, keepdims=True), axis=-1).mean(axis=1)
    distance = np.linalg.norm(xy - keypoints, axis=-1)
    known = np.isfinite(distance)
    mean = np.where(known, distance, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    enough = known.sum(axis=1) >= _MIN_POINTS
    relative = np.where(enough, mean / np.maximum(size, 1e-6), np.nan)
    return np.asarray(np.minimum(relative, _MAX_DISTANCE), np.float64)


def reprojection_error(
    joints: Float64 | None, xy: Float64 | None, estimate: Estimate, frames: Int64
) -> Float64:
    """(N,) distance of 3D labels in camera axes, or of 2D labels, from the keypoints of frames.

    In body sizes; NaN where the tracker is not reliable.
    """
    keypoints = estimate.keypoints if joints is None else estimate.steady_keypoints
    detected = keypoints.xy[frames].astype(np.float64)
    if joints is not None:
        score = keypoints.score[frames].astype(np.float64)
        projected = _project_onto_keypoints(joints, detected, score, estimate.camera)
        xy = joints_as_keypoints(projected)
    assert xy is not None
    return np.where(estimate.reliable[frames], _keypoint_distance(xy, detected), np.nan)


def pose_distance(joints: Float64, estimate: Estimate, frames: Int64) -> Float64:
    """(N,) distance of 3D labels from the lifted pose, in body sizes; NaN where not reliable."""
    lifted = estimate.pose.joints[frames]
    labelled = joints - joints[:, :1]
    lifted = lifted * bone_scale(labelled, lifted)
    known = np.isfinite(labelled[..., 0]) & np.isfinite(lifted[..., 0])
    distance = np.where(known, np.linalg.norm(labelled - lifted, axis=-1), 0).sum(axis=1)
    size = np.where(known, np.linalg.norm(lifted, axis=-1), 0).sum(axis=1)
    good = (known.sum(axis=1) >= _MIN_POINTS) & estimate.reliable[frames]
    relative = np.minimum(distance / np.maximum(size, 1e-6), _MAX_DISTANCE)
    return np.where(good, relative, np.nan)


def rotate_to_camera(joints: Float64, estimate: Estimate, frames: Int64) -> Float64:
    """Joints about the pelvis, all frames rotated alike to fit the lifted poses.

    That assumes a camera that does not rotate.
    """
    confident = estimate.keypoints.confident[:, None, None]
    lifted = np.where(confident, estimate.pose.joints, np.nan)[frames]
    joints = joints - joints[:, :1]
    known = np.isfinite(joints[..., 0]) & np.isfinite(lifted[..., 0])
    if not known.any():
        return joints
    rotation = nearest_rotation(lifted[known].T @ joints[known])
    for _ in range(5):  # reweighted, so that frames with wrong poses do not tilt the others
        residual = np.linalg.norm(joints[known] @ rotation.T - lifted[known], axis=-1)
        weight = 1 / (1 + (residual / max(float(np.median(residual)), 1e-6)) ** 2)
        rotation = nearest_rotation((weight[:, None] * lifted[known]).T @ joints[known])
    return np.asarray(joints @ rotation.T)


def labelled_keypoints(labels: Labels, estimate: Estimate) -> Float64:
    """Pixels (N, 21, 2) of 2D labels, and of 3D labels projected to where the tracker sees them.

    The labels must be aligned; NaN where neither is known.
    """
    overlay = LabelOverlay.of(labels, estimate)
    own = labels.has_2d[..., None]
    return np.where(own, overlay.xy, joints_as_keypoints(overlay.joints))


@dataclass(frozen=True, slots=True, eq=False)
class LabelOverlay:
    """Labels in image pixels, and the tracker's keypoints."""

    xy: Float64  # (N, 21, 2) 2D labels; NaN where there are none
    joints: Float64  # (N, 19, 2) projected 3D labels; NaN where there are none
    keypoints: Float64  # (N, 21, 2)
    errors: Float64  # (N,) body sizes between label and keypoints; NaN where unknown

    @staticmethod
    def of(labels: Labels, estimate: Estimate) -> "LabelOverlay":
        """Image positions of labels whose frames are known."""
        at, steady = labels.frames, estimate.steady_keypoints
        keypoints = estimate.keypoints.xy[at].astype(np.float64)
        score = steady.score[at].astype(np.float64)
        known = labels.has_2d
        centre = np.array(estimate.camera.centre)
        zoom = np.ones(len(at)) if estimate.zoom is None else estimate.zoom[at]
        zoom = zoom[:, None, None]
        own = (labels.xy - centre) / zoom + centre
        points = np.where(known[..., None], own, steady.xy[at].astype(np.float64))
        joints = labels.joints if labels.in_camera else np.full_like(labels.joints, np.nan)
        projected = _project_onto_keypoints(
            joints, points, np.where(known, 1.0, score), estimate.camera
        )
        projected = (projected - centre) * zoom + centre
        drawn = np.where(known[..., None], labels.xy, joints_as_keypoints(projected))
        confident = estimate.keypoints.confident[at]
        errors = np.where(confident, _keypoint_distance(drawn, keypoints), np.nan)
        return LabelOverlay(labels.xy, projected, keypoints, errors)
