"""The detector: where the subject is, learnt from redrawing alone."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.model.backbones import Backbone
from mocap_cli.learning.model.spatial_transformer import box_from_raw

Head = Literal["mean", "map"]


class Detector(nn.Module):
    """Pictures to boxes; before any training every box is the same, large and in the middle.

    The head "mean" is the paper's: four numbers from the mean over the last map. The head "map"
    learns in far fewer steps: every place of the last two maps says how much of the subject it
    sees, and the centre is the mean of places, so what is learnt in one corner holds in all others.
    """

    def __init__(self, backbone: Backbone, head: Head, side: int, smallest: float) -> None:
        super().__init__()
        self.backbone, self.side, self.smallest = backbone, side, smallest
        fine, coarse = backbone.channels[-2:]
        self.box = nn.Linear(coarse, 4 if head == "mean" else 2)
        self.places = nn.ModuleList(
            nn.Conv2d(channels, 1, 1, bias=False) for channels in (fine, coarse) if head == "map"
        )
        for layer in (self.box, *self.places):
            nn.init.zeros_(layer.weight)
        with torch.no_grad():
            self.box.bias.copy_(torch.tensor([0.5, 0.5, 0.0, 0.0])[: self.box.out_features])

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) in 0..1 to boxes (N, 4)."""
        *_, fine, coarse = self.backbone(shrink(pictures, self.side))
        if not self.places:
            return box_from_raw(self.box(coarse.mean((2, 3))).float(), self.smallest)
        seen_finely, seen_coarsely = (
            place(features).float()
            for place, features in zip(self.places, (fine, coarse), strict=True)
        )
        seen = seen_finely + F.interpolate(seen_coarsely, fine.shape[-2:], mode="bilinear")
        weight = seen.flatten(1).softmax(-1).view_as(seen)  # (N, 1, h, w)
        centre = (weight.flatten(1)[..., None] * _places(fine)).sum(1)
        there = F.adaptive_avg_pool2d(weight, coarse.shape[-2:])
        there = there / there.sum((2, 3), keepdim=True)
        raw = self.box((there * coarse.float()).sum((2, 3))).float()
        size = self.smallest + (1 - self.smallest) * raw.sigmoid()
        return torch.cat((size, centre), dim=-1)


def _places(features: Tensor) -> Tensor:
    """x, y of every place of a map, -1..1: (H * W, 2)."""
    _, _, H, W = features.shape
    y = (torch.arange(H, device=features.device) + 0.5) * (2 / H) - 1
    x = (torch.arange(W, device=features.device) + 0.5) * (2 / W) - 1
    return torch.stack((x.expand(H, W), y[:, None].expand(H, W)), dim=-1).flatten(0, 1)


def shrink(pictures: Tensor, side: int) -> Tensor:
    """Pictures with their longer side brought down to `side` pixels; smaller ones stay."""
    _, _, H, W = pictures.shape
    scale = side / max(H, W)
    if scale >= 1:
        return pictures
    size = (max(1, round(H * scale)), max(1, round(W * scale)))
    return F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
