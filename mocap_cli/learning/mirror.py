"""Mirror: left for right, so that every clip shows twice as many poses."""

import torch
from torch import Tensor

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices

_OTHER_SIDE = list(mirror_indices(KEYPOINTS))

_Mirrored = Tensor | None
"""(N,) which frames are mirrored; None: no one."""


def random_items(times: Tensor) -> Tensor:
    """About half of the items of (B, S) frames, all frames of an item alike: (N,)."""
    B, S = times.shape
    return (torch.rand(B, device=times.device) < 0.5).repeat_interleave(S)


def mirror(crops: Tensor, which: _Mirrored) -> Tensor:
    """Crops (N, C, H, W), some left for right."""
    return crops if which is None else torch.where(which.view(-1, 1, 1, 1), crops.flip(-1), crops)


def mirror_keypoints(placed: Tensor, which: _Mirrored) -> Tensor:
    """Keypoints (B, S, K, 2) of crops, -1..1: the mirrored left hand is a right one."""
    if which is None:
        return placed
    other = placed[:, :, _OTHER_SIDE] * placed.new_tensor((-1, 1))
    return torch.where(which.view(*placed.shape[:2], 1, 1), other, placed)
