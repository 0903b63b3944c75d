"""Windows: the lifter's input, keypoints as rays independent of place, size and lens.

The same code serves training and tracking. In every frame a virtual camera is rotated to look at
the person; rays are in units of the person's size in the window.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mocap_cli.body.skeleton import KEYPOINTS

_TORSO = tuple(
    KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
)
_LEAST_SCORE = 0.1
"""Keypoints with a lower score are left out."""


@dataclass(frozen=True, slots=True)
class KeypointWindows:
    """2D keypoints of a batch of windows, as rays of the (assumed) camera."""

    rays: Tensor  # (B, T, K, 2) tangents, right and up of the optical axis
    score: Tensor  # (B, T, K) 0..1
    times: Tensor  # (B, T) seconds
    valid: Tensor  # (B, T) frames that exist

    def features(self) -> tuple[Tensor, Tensor]:
        """The network's input (B, T, FEATURES), and rotations camera_from_view (B, T, 3, 3)."""
        confident = (self.score > _LEAST_SCORE) & self.valid[..., None]
        weight = self.score * confident
        centre = _centre(self.rays, weight, confident)  # (B, T, 2)
        rotation = _look_at(centre)  # (B, T, 3, 3)
        ahead = torch.cat((self.rays, -torch.ones_like(self.rays[..., :1])), dim=-1)
        ahead = ahead @ rotation  # the transposed rotation applied to rows
        flat = ahead[..., :2] / -ahead[..., 2:].clamp(max=-0.1)
        size = _size(flat, weight)  # (B, 1, 1, 1)
        xy = torch.where(confident[..., None], flat / size, 0.0).clamp(-4, 4)
        middle = _median(centre, self.valid)
        path = ((centre - middle) / size[..., 0]).clamp(-8, 8)
        B, T, K = self.score.shape
        parts = (
            xy.reshape(B, T, K * 2),
            weight,
            path,
            size[..., 0].log().expand(B, T, 1),
        )
        return torch.cat(parts, dim=-1) * self.valid[..., None], rotation


def _centre(rays: Tensor, weight: Tensor, confident: Tensor) -> Tensor:
    """(B, T, 2) the torso's middle, or that of all keypoints; the mean in frames without any."""
    torso = torch.zeros_like(weight)
    torso[..., _TORSO] = 1
    w = (weight + 1e-6) * torso + 1e-3 * weight
    each = (rays.nan_to_num() * w[..., None]).sum(2) / w.sum(2, keepdim=True)
    some = confident.any(-1, keepdim=True).to(each.dtype)
    mean = (each * some).sum(1, keepdim=True) / some.sum(1, keepdim=True).clamp(min=1)
    return torch.where(some > 0, each, mean)


def _size(flat: Tensor, weight: Tensor) -> Tensor:
    """(B, 1, 1, 1) the 80th percentile of the keypoints' spread in the window, as a tangent."""
    spread = ((flat.nan_to_num() ** 2).sum(-1) * weight).sum(-1) / weight.sum(-1).clamp(min=1e-6)
    detected = weight.sum(-1) > 1.0
    spread = torch.where(detected, spread, torch.nan)
    typical = torch.nanquantile(spread, 0.8, dim=1).nan_to_num(1.0)
    return typical.clamp(min=1e-8).sqrt()[:, None, None, None]


def _median(path: Tensor, valid: Tensor) -> Tensor:
    """(B, 1, 2) the middle of the path over the window's frames."""
    kept = torch.where(valid[..., None], path, torch.nan)
    return torch.nanmedian(kept, dim=1, keepdim=True).values.nan_to_num()


def _look_at(centre: Tensor) -> Tensor:
    """The smallest rotations (..., 3, 3) of a camera so that it looks along (x, y, -1)."""
    x, y = centre.unbind(-1)
    ahead = torch.stack((x, y, -torch.ones_like(x)), dim=-1)
    ahead = ahead / ahead.norm(dim=-1, keepdim=True)
    a, b, c = ahead.unbind(-1)  # the rotation takes (0, 0, -1) to (a, b, c)
    k = 1 / (1 - c)
    rows = (
        torch.stack((1 - a * a * k, -a * b * k, -a), dim=-1),
        torch.stack((-a * b * k, 1 - b * b * k, -b), dim=-1),
        torch.stack((a, b, -c), dim=-1),
    )
    return torch.stack(rows, dim=-2)
