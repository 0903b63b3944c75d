"""Shown: where labels lie in the picture, and how far beside what the tracker sees there."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import nearest_rotation
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.labels.fitting.examples import bone_scale
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float64

_SHARED_POINTS = [(BODY.index(n), KEYPOINTS.index(n)) for n in BODY.names
        if n in KEYPOINTS and not n.endswith("toe")]  # fmt: skip
"""Joints and keypoints that are the same place on the body."""
_JOINTS, _POINTS = ([pair[i] for pair in _SHARED_POINTS] for i in (0, 1))
_MIN_POINTS = 4  # points that both know, below which a frame tells nothing
_MAX_DISTANCE = 1.5  # bodies: further off is no worse, so that single frames cannot decide


def project_onto_keypoints(
    joints: Float64, xy: Float64, score: Float64, camera: Pinhole
) -> Float64:
    """Pixels (N, 19, 2) of joints (N, 19, 3) of which only the place of the pelvis is not known.

    The pelvis is put where the joints lie best on the rays of their keypoints (N, 21, 2).
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
    """Joints in the picture (N, 19, 2) as keypoints (N, 21, 2); NaN where none is the same."""
    points = np.full((len(pixels), len(KEYPOINTS), 2), np.nan)
    points[:, _POINTS] = pixels[:, _JOINTS]
    return points


def keypoint_distance(xy: Float64, seen: Float64) -> Float64:
    """(N,) how far points are off, in sizes of the body that is seen; NaN where unknown."""
    size = np.linalg.norm(seen - seen.mean(axis=1, keepdims=True), axis=-1).mean(axis=1)
    apart = np.linalg.norm(xy - seen, axis=-1)
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    off = np.where(known.sum(axis=1) >= _MIN_POINTS, mean / np.maximum(size, 1e-6), np.nan)
    return np.asarray(np.minimum(off, _MAX_DISTANCE), np.float64)


def reprojection_error(
    joints: Float64 | None, xy: Float64 | None, estimate: Estimate, frames: NDArray[np.int64]
) -> Float64:
    """(N,) how far 3D labels in camera axes, or clicks, are off the keypoints of those frames.

    NaN where the tracker is not certain; 1 is the body's own size.
    """
    seen, sure = estimate.keypoints.xy[frames].astype(np.float64), estimate.reliable[frames]
    if xy is None:
        assert joints is not None
        score = estimate.keypoints.score[frames].astype(np.float64)
        xy = joints_as_keypoints(project_onto_keypoints(joints, seen, score, estimate.camera))
    return np.where(sure, keypoint_distance(xy, seen), np.nan)


def pose_distance(joints: Float64, estimate: Estimate, frames: NDArray[np.int64]) -> Float64:
    """(N,) how far 3D labels are off the lifted pose, in bodies; NaN where it is not certain."""
    theirs = estimate.pose.joints[frames]
    ours = joints - joints[:, :1]
    theirs = theirs * bone_scale(ours, theirs)
    known = np.isfinite(ours[..., 0]) & np.isfinite(theirs[..., 0])
    off = np.where(known, np.linalg.norm(ours - theirs, axis=-1), 0).sum(axis=1)
    size = np.where(known, np.linalg.norm(theirs, axis=-1), 0).sum(axis=1)
    good = (known.sum(axis=1) >= _MIN_POINTS) & estimate.reliable[frames]
    return np.where(good, np.minimum(off / np.maximum(size, 1e-6), _MAX_DISTANCE), np.nan)


def rotate_to_camera(joints: Float64, estimate: Estimate, frames: NDArray[np.int64]) -> Float64:
    """Joints about the pelvis turned, all frames alike, to lie as they are seen.

    That is by a camera that does not turn.
    """
    theirs = np.where(estimate.confident[:, None, None], estimate.pose.joints, np.nan)[frames]
    joints = joints - joints[:, :1]
    known = np.isfinite(joints[..., 0]) & np.isfinite(theirs[..., 0])
    if not known.any():
        return joints
    turn = nearest_rotation(theirs[known].T @ joints[known])
    for _ in range(5):  # frames that the tracker has wrong shall not tilt the others
        off = np.linalg.norm(joints[known] @ turn.T - theirs[known], axis=-1)
        weight = 1 / (1 + (off / max(float(np.median(off)), 1e-6)) ** 2)
        turn = nearest_rotation((weight[:, None] * theirs[known]).T @ joints[known])
    return np.asarray(joints @ turn.T)
