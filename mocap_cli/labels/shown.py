"""Shown: where labels lie in the picture, and how far beside what the tracker sees there."""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import nearest_rotation
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.labels.examples import size_ratio
from mocap_cli.labels.witness import Witness

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

SAME = [(BODY.index(n), KEYPOINTS.index(n)) for n in BODY.names
        if n in KEYPOINTS and not n.endswith("toe")]  # fmt: skip
"""Joints and keypoints that are the same place on the body."""
_JOINTS, _POINTS = ([pair[i] for pair in SAME] for i in (0, 1))
_FEWEST = 4  # points that both know, below which a frame tells nothing
_FARTHEST = 1.5  # bodies: further off is no worse, so that single frames cannot decide


def projected(joints: Float64, xy: Float64, score: Float64, camera: Pinhole) -> Float64:
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
    found = (share > 0).sum(axis=1) >= _FEWEST
    normal[~found] = np.eye(3)
    place = np.linalg.solve(normal + 1e-9 * np.eye(3), right[..., None])[..., 0]
    place[~found] = np.nan
    return np.asarray(camera.project(body + place[:, None]), np.float64)


def as_points(pixels: Float64) -> Float64:
    """Joints in the picture (N, 19, 2) as keypoints (N, 21, 2); NaN where none is the same."""
    points = np.full((len(pixels), len(KEYPOINTS), 2), np.nan)
    points[:, _POINTS] = pixels[:, _JOINTS]
    return points


def beside(xy: Float64, seen: Float64) -> Float64:
    """(N,) how far points are off, in sizes of the body that is seen; NaN where unknown."""
    size = np.linalg.norm(seen - seen.mean(axis=1, keepdims=True), axis=-1).mean(axis=1)
    apart = np.linalg.norm(xy - seen, axis=-1)
    known = np.isfinite(apart)
    mean = np.where(known, apart, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    off = np.where(known.sum(axis=1) >= _FEWEST, mean / np.maximum(size, 1e-6), np.nan)
    return np.asarray(np.minimum(off, _FARTHEST), np.float64)


def beside_at(
    joints: Float64 | None, xy: Float64 | None, witness: Witness, frames: NDArray[np.int64]
) -> Float64:
    """(N,) how far 3D labels in camera axes, or clicks, are off the keypoints of those frames.

    NaN where the tracker is not certain; 1 is the body's own size.
    """
    seen, sure = witness.seen.xy[frames].astype(np.float64), witness.certain[frames]
    if xy is None:
        assert joints is not None
        score = witness.seen.score[frames].astype(np.float64)
        xy = as_points(projected(joints, seen, score, witness.camera))
    return np.where(sure, beside(xy, seen), np.nan)


def apart_at(joints: Float64, witness: Witness, frames: NDArray[np.int64]) -> Float64:
    """(N,) how far 3D labels are off the lifted pose, in bodies; NaN where it is not certain."""
    theirs = witness.pose.joints[frames]
    ours = joints - joints[:, :1]
    theirs = theirs * size_ratio(ours, theirs)
    known = np.isfinite(ours[..., 0]) & np.isfinite(theirs[..., 0])
    off = np.where(known, np.linalg.norm(ours - theirs, axis=-1), 0).sum(axis=1)
    size = np.where(known, np.linalg.norm(theirs, axis=-1), 0).sum(axis=1)
    good = (known.sum(axis=1) >= _FEWEST) & witness.certain[frames]
    return np.where(good, np.minimum(off / np.maximum(size, 1e-6), _FARTHEST), np.nan)


def turned(joints: Float64, witness: Witness, frames: NDArray[np.int64]) -> Float64:
    """Joints about the pelvis turned, all frames alike, to lie as they are seen.

    That is by a camera that does not turn.
    """
    theirs = np.where(witness.sure[:, None, None], witness.pose.joints, np.nan)[frames]
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
