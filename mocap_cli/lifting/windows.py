"""Windows: the lifter's input, keypoints as rays independent of place, size and lens.

The same code serves training and tracking. In every frame a virtual camera is rotated to look at
the person; rays are in units of the person's size in the window.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.types import Bool, Float32

_TORSO = [
    KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
]
_LEAST_SCORE = 0.1
"""Keypoints with a lower score are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class KeypointWindows:
    """2D keypoints of a batch of windows, as rays of the (assumed) camera."""

    rays: Float32  # (B, T, K, 2) tangents, right and up of the optical axis
    score: Float32  # (B, T, K) 0..1
    times: Float32  # (B, T) seconds
    valid: Bool  # (B, T) frames that exist

    def features(self) -> tuple[Float32, Float32]:
        """The network's input (B, T, FEATURES), and rotations camera_from_view (B, T, 3, 3)."""
        confident = (self.score > _LEAST_SCORE) & self.valid[..., None]
        weight = self.score * confident
        centre = _centre(self.rays, weight, confident)  # (B, T, 2)
        rotation = _look_at(centre)  # (B, T, 3, 3)
        ahead = np.concatenate((self.rays, -np.ones_like(self.rays[..., :1])), axis=-1)
        ahead = ahead @ rotation  # the transposed rotation applied to rows
        flat = np.asarray(ahead[..., :2] / np.maximum(-ahead[..., 2:], 0.1), np.float32)
        size = _size(flat, weight)  # (B, 1, 1, 1)
        xy = np.where(confident[..., None], flat / size, np.float32(0)).clip(-4, 4)
        middle = _middle(centre, self.valid)
        path = ((centre - middle) / size[..., 0]).clip(-8, 8)
        B, T, K = self.score.shape
        scale = np.broadcast_to(np.log(size[..., 0]), (B, T, 1))
        parts = (xy.reshape(B, T, K * 2), weight, path, scale)
        return np.concatenate(parts, axis=-1) * self.valid[..., None], rotation


def _centre(rays: Float32, weight: Float32, confident: Bool) -> Float32:
    """(B, T, 2) the torso's middle, or that of all keypoints; the mean in frames without any."""
    torso = np.zeros_like(weight)
    torso[..., _TORSO] = 1
    w = (weight + np.float32(1e-6)) * torso + np.float32(1e-3) * weight
    each = (np.nan_to_num(rays) * w[..., None]).sum(2) / w.sum(2, keepdims=True)
    some = confident.any(-1, keepdims=True).astype(np.float32)
    mean = (each * some).sum(1, keepdims=True) / np.maximum(some.sum(1, keepdims=True), 1)
    return np.where(some > 0, each, mean)


def _size(flat: Float32, weight: Float32) -> Float32:
    """(B, 1, 1, 1) the 80th percentile of the keypoints' spread in the window, as a tangent."""
    square = np.square(np.nan_to_num(flat)).sum(-1)
    spread = (square * weight).sum(-1) / np.maximum(weight.sum(-1), np.float32(1e-6))
    spread[weight.sum(-1) <= 1.0] = np.nan  # not detected
    with warnings.catch_warnings():  # windows without anybody
        warnings.simplefilter("ignore", RuntimeWarning)
        typical = np.nan_to_num(np.nanquantile(spread, 0.8, axis=1), nan=1.0).astype(np.float32)
    return np.asarray(np.sqrt(np.maximum(typical, np.float32(1e-8)))[:, None, None, None])


def _middle(path: Float32, valid: Bool) -> Float32:
    """(B, 1, 2) the median of the path over the window's frames, the lower of two in the middle."""
    ordered = np.sort(np.where(valid[..., None], path, np.float32(np.inf)), axis=1)
    count = valid.sum(axis=1)
    chosen = np.take_along_axis(ordered, (np.maximum(count - 1, 0) // 2)[:, None, None], axis=1)
    return np.where(np.isfinite(chosen), chosen, np.float32(0))


def _look_at(centre: Float32) -> Float32:
    """The smallest rotations (..., 3, 3) of a camera so that it looks along (x, y, -1)."""
    ahead = np.concatenate((centre, -np.ones_like(centre[..., :1])), axis=-1)
    ahead = ahead / np.linalg.norm(ahead, axis=-1, keepdims=True)
    a, b, c = np.moveaxis(ahead, -1, 0)  # the rotation takes (0, 0, -1) to (a, b, c)
    k = 1 / (1 - c)
    rows = (
        np.stack((1 - a * a * k, -a * b * k, -a), axis=-1),
        np.stack((-a * b * k, 1 - b * b * k, -b), axis=-1),
        np.stack((a, b, -c), axis=-1),
    )
    return np.stack(rows, axis=-2)
