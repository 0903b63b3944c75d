"""Clicks to 3D: lifted from one camera, or triangulated from several that are calibrated."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.labels.labels import Labels, body_height
from mocap_cli.labels.readers.joint_names import map_to_body
from mocap_cli.tracking.estimate import Estimate, estimate_from_keypoints
from mocap_cli.tracking.place import DEFAULT_HEIGHT
from mocap_cli.types import Float64

_LABEL_SCORE = 0.9  # how sure the lifter may be of what a person clicked
_LABEL_SIGMA = 0.02  # by which triangulated clicks are off where rays meet exactly
_MAX_RAY_DISTANCE = 0.10  # metres between rays, beyond which clicks are not of one point


def lift_2d_labels(labels: Labels, estimate: Estimate, height: float | None = None) -> Labels:
    """Clicks amid the keypoints of all frames through the lifter, as tall as the person is."""
    seen, at = estimate.keypoints, labels.frames
    xy, score = seen.xy.copy(), seen.score.copy()
    known = labels.has_2d
    xy[at] = np.where(known[..., None], labels.xy, xy[at])
    score[at] = np.where(known, _LABEL_SCORE, np.minimum(score[at], 0.3))
    # a frame is known as a whole: what nobody knows stands in the middle and does not count
    middle = np.nanmean(labels.xy, axis=1, keepdims=True)
    xy[at] = np.where(np.isfinite(xy[at]), xy[at], middle)
    score[at] = np.where(np.isfinite(score[at]), score[at], 0)
    clicks = Keypoints(times=seen.times, xy=xy, score=score, detected=seen.detected, cut=seen.cut)
    pose = estimate_from_keypoints(clicks, estimate.camera, estimate.size, estimate.zoom).pose
    tall = height or DEFAULT_HEIGHT
    size = tall / (body_height(pose.joints[at]) or tall)
    note = f"{len(labels)} frames of clicks are lifted to 3D, of a person {tall:.2f} m tall"
    right = replace(
        labels, joints=pose.joints[at] * size, sigma=pose.sigma[at] * size, in_camera=True
    )
    return right.with_notes(note if height else f"{note}; --height sets it")


@dataclass(frozen=True, slots=True, eq=False)
class CalibratedCamera:
    """One camera of several: pixels to rays in the room that all of them share."""

    focal: float  # pixels
    centre: tuple[float, float]
    world_from_camera: Float64  # (3, 4), the camera looking along its own -Z with Y up

    def rays(self, xy: Float64) -> Float64:
        """(..., 2) pixels to (..., 3) directions in the room, of length 1."""
        x = (xy[..., 0] - self.centre[0]) / self.focal
        y = -(xy[..., 1] - self.centre[1]) / self.focal
        directions = np.stack((x, y, -np.ones_like(x)), axis=-1) @ self.world_from_camera[:, :3].T
        return np.asarray(directions / np.linalg.norm(directions, axis=-1, keepdims=True))


def read_calibration(path: Path) -> dict[str, CalibratedCamera]:
    """Cameras by the name of their videos: {"a.mp4": {"focal_pixels", "centre",
    "world_from_camera"}}."""
    try:
        document = json.loads(path.read_text())
        return {
            Path(name).stem: CalibratedCamera(
                float(c["focal_pixels"]),
                (float(c["centre"][0]), float(c["centre"][1])),
                np.array(c["world_from_camera"], np.float64).reshape(3, 4),
            )
            for name, c in document.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MocapError(
            f"{path} is no calibration: {error}", "docs/labels.md shows one"
        ) from error


def triangulate_labels(
    labels: Sequence[Labels], views: Mapping[str, CalibratedCamera]
) -> list[Labels]:
    """Clicks of the same frames in several views to joints, in each camera's own axes.

    A point wants two views at least; points whose rays miss each other are left out.
    """
    chosen = [(one, views[Path(one.video).stem]) for one in labels if Path(one.video).stem in views]
    if len(chosen) < 2:
        raise MocapError(
            "triangulation wants labels of two calibrated videos",
            f"the calibration names {', '.join(views)}",
        )
    frames = np.unique(np.concatenate([one.frames for one, _ in chosen]))
    points, off = _intersect_rays(*_camera_rays(frames, chosen))
    places = np.where((off < _MAX_RAY_DISTANCE)[..., None], points, np.nan)
    joints = map_to_body(KEYPOINTS, places, "triangulated clicks")
    sigma = np.full(joints.shape[:2], _LABEL_SIGMA)
    for i, name in enumerate(KEYPOINTS):
        if name in BODY.names:
            sigma[:, BODY.index(name)] += np.nan_to_num(off[:, i])
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
    turn, place = view.world_from_camera[:, :3], view.world_from_camera[:, 3]
    seen = (joints[at] - place) @ turn
    known = np.asarray(np.any(np.isfinite(seen[..., 0]), axis=1))
    right = replace(one, joints=seen, sigma=sigma[at], in_camera=True)
    return right.select(known).with_notes(note)


def _camera_rays(
    frames: NDArray[np.int64], chosen: Sequence[tuple[Labels, CalibratedCamera]]
) -> tuple[Float64, Float64]:
    """(V, N, 21, 3) directions and (V, 3) places of cameras; NaN where nothing was clicked."""
    rays = np.full((len(chosen), len(frames), len(KEYPOINTS), 3), np.nan)
    for v, (one, view) in enumerate(chosen):
        rays[v, np.searchsorted(frames, one.frames)] = view.rays(one.xy)
    return rays, np.stack([view.world_from_camera[:, 3] for _, view in chosen])


def _intersect_rays(rays: Float64, places: Float64) -> tuple[Float64, Float64]:
    """Points (N, K, 3) nearest to lines through `places` (V, 3) along `rays` (V, N, K, 3), and how
    far the lines pass them by (N, K); NaN where fewer than two lines are known."""
    known = np.asarray(np.isfinite(rays[..., 0]))  # (V, N, K)
    along = np.where(known[..., None], rays, 0.0)
    across = np.eye(3) - along[..., :, None] * along[..., None, :]  # (V, N, K, 3, 3)
    across = across * known[..., None, None]
    normal = across.sum(0) + 1e-9 * np.eye(3)
    right = (across @ places[:, None, None, :, None]).sum(0)
    points = np.linalg.solve(normal, right)[..., 0]
    missed = np.linalg.norm((across @ (points - places[:, None, None])[..., None])[..., 0], axis=-1)
    count = known.sum(0)
    off = np.where(count > 1, missed.sum(0) / np.maximum(count, 1), np.nan)
    return np.where((count > 1)[..., None], points, np.nan), off
