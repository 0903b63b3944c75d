"""2D labels to 3D: lifted from one camera, or triangulated from several calibrated ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.joint_names import map_to_body
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at, read_json_object
from mocap_cli.labels.labels import Labels, body_height
from mocap_cli.tracking.estimate import Estimate, estimate_from_keypoints
from mocap_cli.tracking.person import DEFAULT_HEIGHT
from mocap_cli.types import Float64

_LABEL_SCORE = 0.9  # keypoint score of a label
_OTHER_SCORE = 0.3  # at most, of detected keypoints in a labelled frame
_LABEL_SIGMA = 0.02  # metres, of triangulated labels whose rays meet exactly
_LARGEST_NUMBER = 1e6  # of a calibration, in metres and pixels
_MAX_RAY_DISTANCE = 0.10  # metres, beyond which labels are not of one point


def lift_2d_labels(labels: Labels, estimate: Estimate, height: float | None = None) -> Labels:
    """Lift 2D labels, with the keypoints of all other frames, to a person of that height."""
    keypoints, at = estimate.keypoints, labels.frames
    xy, score = keypoints.xy.copy(), keypoints.score.copy()
    known = labels.has_2d
    xy[at] = np.where(known[..., None], labels.xy, xy[at])
    score[at] = np.where(known, _LABEL_SCORE, np.minimum(score[at], _OTHER_SCORE))
    # the lifter takes whole frames: an unknown point is put in the middle with a score of 0
    middle = np.nanmean(labels.xy, axis=1, keepdims=True)
    xy[at] = np.where(np.isfinite(xy[at]), xy[at], middle)
    score[at] = np.where(np.isfinite(score[at]), score[at], 0)
    labelled = replace(keypoints, xy=xy, score=score)
    pose = estimate_from_keypoints(labelled, estimate.camera, estimate.size, estimate.zoom).pose
    tall = height or DEFAULT_HEIGHT
    size = tall / (body_height(pose.joints[at]) or tall)
    note = f"{len(labels)} frames of 2D labels are lifted to 3D, of a person {tall:.2f} m tall"
    lifted = replace(
        labels, joints=pose.joints[at] * size, sigma=pose.sigma[at] * size, in_camera=True
    )
    return lifted.with_notes(note if height else f"{note}; --height sets it")


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedCamera:
    """One camera of several, in the world that they share."""

    pinhole: Pinhole
    world_from_camera: Float64  # (3, 4), the camera looking along its own -Z with Y up

    def rays(self, xy: Float64) -> Float64:
        """(..., 2) pixels to (..., 3) directions in the world, of length 1."""
        directions = self.pinhole.rays(xy) @ self.world_from_camera[:, :3].T
        return np.asarray(directions / np.linalg.norm(directions, axis=-1, keepdims=True))

    @staticmethod
    def read_all(path: Path) -> "dict[str, CalibratedCamera]":
        """Cameras by the stem of their videos, of a JSON object as docs/labels.md shows it."""
        cameras: dict[str, CalibratedCamera] = {}
        for name, given in read_json_object(path).items():
            with damage_at(path, f"camera {name}", "docs/labels.md shows a calibration"):
                x, y = given["centre"]
                pose = np.array(given["world_from_camera"], np.float64)
                camera = Pinhole(float(given["focal_pixels"]), (float(x), float(y)))
                if pose.shape != (3, 4):
                    raise ValueError(f"world_from_camera is {pose.shape}, not three rows of four")
                numbers = np.concatenate(((camera.focal, *camera.centre), pose.ravel()))
                if not (np.abs(numbers) < _LARGEST_NUMBER).all():
                    raise ValueError("a number is out of range")
                cameras[Path(name).stem] = CalibratedCamera(camera, pose)
        return cameras


def triangulate_labels(
    labels: Sequence[Labels], cameras: Mapping[str, CalibratedCamera]
) -> list[Labels]:
    """2D labels of the same frames in several views to joints in each camera's axes.

    A point needs two views at least; points whose rays miss each other are left out.
    """
    chosen = [
        (one, cameras[Path(one.video).stem]) for one in labels if Path(one.video).stem in cameras
    ]
    if len(chosen) < 2:
        raise MocapError(
            "triangulation needs labels of two calibrated videos",
            f"the calibration names {', '.join(cameras)}",
        )
    frames = np.unique(np.concatenate([one.frames for one, _ in chosen]))
    points, gap = _intersect_rays(*_camera_rays(frames, chosen))
    places = np.where((gap < _MAX_RAY_DISTANCE)[..., None], points, np.nan)
    joints = map_to_body(KEYPOINTS, places, "triangulated labels")
    sigma = np.full(joints.shape[:2], _LABEL_SIGMA)
    for i, name in enumerate(KEYPOINTS):
        if name in BODY.names:
            sigma[:, BODY.index(name)] += np.nan_to_num(gap[:, i])
    known = np.any(np.isfinite(joints[..., 0]), axis=1)
    note = f"{int(known.sum())} frames are triangulated from {len(chosen)} views"
    return [_in_camera_axes(one, view, frames, joints, sigma, note) for one, view in chosen]


def _in_camera_axes(
    one: Labels,
    view: CalibratedCamera,
    frames: NDArray[np.int64],
    joints: Float64,
    sigma: Float64,
    note: str,
) -> Labels:
    at = np.searchsorted(frames, one.frames)
    rotation, place = view.world_from_camera[:, :3], view.world_from_camera[:, 3]
    own = (joints[at] - place) @ rotation
    known = np.asarray(np.any(np.isfinite(own[..., 0]), axis=1))
    placed = replace(one, joints=own, sigma=sigma[at], in_camera=True)
    return placed.select(known).with_notes(note)


def _camera_rays(
    frames: NDArray[np.int64], chosen: Sequence[tuple[Labels, CalibratedCamera]]
) -> tuple[Float64, Float64]:
    """(V, N, 21, 3) directions and (V, 3) positions of cameras; NaN where unlabelled."""
    rays = np.full((len(chosen), len(frames), len(KEYPOINTS), 3), np.nan)
    for v, (one, view) in enumerate(chosen):
        rays[v, np.searchsorted(frames, one.frames)] = view.rays(one.xy)
    return rays, np.stack([view.world_from_camera[:, 3] for _, view in chosen])


def _intersect_rays(rays: Float64, places: Float64) -> tuple[Float64, Float64]:
    """Points (N, K, 3) nearest to lines through `places` (V, 3) along `rays` (V, N, K, 3).

    With their mean distance (N, K) from the lines; NaN where fewer than two lines are known.
    """
    known = np.asarray(np.isfinite(rays[..., 0]))  # (V, N, K)
    along = np.where(known[..., None], rays, 0.0)
    across = np.eye(3) - along[..., :, None] * along[..., None, :]  # (V, N, K, 3, 3)
    across = across * known[..., None, None]
    normal = across.sum(0) + 1e-9 * np.eye(3)
    right = (across @ places[:, None, None, :, None]).sum(0)
    points = np.linalg.solve(normal, right)[..., 0]
    missed = np.linalg.norm((across @ (points - places[:, None, None])[..., None])[..., 0], axis=-1)
    count = known.sum(0)
    gap = np.where(count > 1, missed.sum(0) / np.maximum(count, 1), np.nan)
    return np.where((count > 1)[..., None], points, np.nan), gap
