"""Augmentation of crops: colour jitter, mirroring and displaced boxes.

Constants are cached on each device: copying them there anew would make a GPU wait in every step.
"""

import math
from functools import cache

import torch
from torch import Tensor

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices


def jitter_colours(crops: Tensor, strength: float) -> Tensor:
    """Random brightness, contrast, saturation and hue, drawn for each crop by itself."""
    N = len(crops)
    draw = torch.rand(N, 4, device=crops.device) * 2 - 1
    gain, contrast, saturation = (1 + strength * draw[:, :3]).unbind(-1)
    angle = strength * math.pi * draw[:, 3]
    matrix = _hue_rotation(angle, saturation) * gain[:, None, None]
    rotated = torch.einsum("nij,njhw->nihw", matrix.to(crops.dtype), crops)
    mean = rotated.mean((1, 2, 3), keepdim=True)
    return (mean + contrast[:, None, None, None] * (rotated - mean)).clamp(0, 1)


def _hue_rotation(angle: Tensor, saturation: Tensor) -> Tensor:
    """(N, 3, 3): colours rotated about grey by `angle` and scaled away from it by `saturation`."""
    cos, sin = (saturation * angle.cos())[:, None, None], (saturation * angle.sin())[:, None, None]
    grey = torch.full((3, 3), 1 / 3, device=angle.device)
    return grey + cos * (torch.eye(3, device=angle.device) - grey) + sin * _cross(angle.device)


@cache
def _cross(device: torch.device) -> Tensor:
    """The cross product with grey."""
    return (torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)).to(device)


def random_items(times: Tensor) -> Tensor:
    """About half of the items of (B, S) frames, all frames of an item alike: (N,)."""
    B, S = times.shape
    return (torch.rand(B, device=times.device) < 0.5).repeat_interleave(S)


def mirror(crops: Tensor, which: Tensor | None) -> Tensor:
    """Crops (N, C, H, W), those of `which` (N,) flipped left to right."""
    return crops if which is None else torch.where(which.view(-1, 1, 1, 1), crops.flip(-1), crops)


def mirror_keypoints(keypoints: Tensor, which: Tensor | None) -> Tensor:
    """Keypoints (B, S, K, 2) in crops, -1..1: the mirrored left hand is a right one."""
    if which is None:
        return keypoints
    x, y = keypoints.index_select(2, _other_side(keypoints.device)).split(1, dim=-1)
    return torch.where(which.view(*keypoints.shape[:2], 1, 1), torch.cat((-x, y), -1), keypoints)


@cache
def _other_side(device: torch.device) -> Tensor:
    return torch.tensor(list(mirror_indices(KEYPOINTS)), device=device)


def displace_boxes(boxes: Tensor, share: float) -> Tensor:
    """Boxes (N, 4) moved and scaled at random, by about that share of their size.

    The result carries no gradient: what is encoded there must not move the boxes.
    """
    if not share:
        return boxes
    size, centre = boxes.detach().split(2, dim=-1)
    scale, offset = (share * torch.randn_like(boxes)).split(2, dim=-1)
    return torch.cat((size * scale.exp(), centre + size * offset), dim=-1)
