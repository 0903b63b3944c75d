"""The detector: where the subject is, learnt from redrawing alone."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.backbones import Backbone
from mocap_cli.learning.transformer import REACH, box_from_raw

Head = Literal["mean", "map"]


class Detector(nn.Module):
    """Pictures to boxes; before any training every box is the same, large and in the middle.

    The head "mean" is the paper's: four numbers from the mean over the last map. The head "map"
    learns in far fewer steps: every place of the map says how much of the subject it sees, and the
    centre is the mean of places, so what is learnt in one corner holds in all others.
    """

    def __init__(self, backbone: Backbone, head: Head, side: int, smallest: float) -> None:
        super().__init__()
        self.backbone, self.side, self.smallest = backbone, side, smallest
        channels = backbone.channels[-1]
        self.box = nn.Linear(channels, 4 if head == "mean" else 2)
        self.place = nn.Conv2d(channels, 1, 1, bias=False) if head == "map" else None
        nn.init.zeros_(self.box.weight)
        with torch.no_grad():
            self.box.bias.copy_(torch.tensor([0.5, 0.5, 0.0, 0.0])[: self.box.out_features])
        if self.place is not None:
            nn.init.zeros_(self.place.weight)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in 0..1 to boxes (N, 4)."""
        features = self.backbone(shrunk(pictures, self.side))[-1]
        if self.place is None:
            return box_from_raw(self.box(features.mean((2, 3))).float(), self.smallest)
        weight = self.place(features).float().flatten(1).softmax(-1)  # (N, H * W)
        seen = (features.flatten(2).float() * weight[:, None]).sum(-1)
        centre = (weight[..., None] * _places(features)).sum(1)
        raw = torch.cat((self.box(seen).float(), torch.zeros_like(centre)), dim=-1)
        size = box_from_raw(raw, self.smallest)[:, :2]
        return torch.cat((size, REACH * centre), dim=-1)


def _places(features: Tensor) -> Tensor:
    """x, y of every place of a map, -1..1: (H * W, 2)."""
    _, _, H, W = features.shape
    y = (torch.arange(H, device=features.device) + 0.5) * (2 / H) - 1
    x = (torch.arange(W, device=features.device) + 0.5) * (2 / W) - 1
    return torch.stack((x.expand(H, W), y[:, None].expand(H, W)), dim=-1).flatten(0, 1)


def shrunk(pictures: Tensor, side: int) -> Tensor:
    """Pictures with their longer side brought down to `side` pixels; smaller ones stay."""
    _, _, H, W = pictures.shape
    scale = side / max(H, W)
    if scale >= 1:
        return pictures
    size = (max(1, round(H * scale)), max(1, round(W * scale)))
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
