"""The spatial transformer: a detector of boxes, the crop of a box, and a crop pasted back.

Coordinates are those of `grid_sample`: -1..1 across the image, x right, y DOWN. A box is
(sx, sy, ux, uy): half its width and height, and its centre, so that (1, 1, 0, 0) is the image.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.model.backbones import Backbone, shrink

_CENTRE_REACH = 0.8  # largest distance of a box's centre from the middle of the image


class Detector(nn.Module):
    """Images to boxes; before training every box is the same, large and centred.

    The head "mean" is the paper's: four numbers from the mean over the last map. The head "map"
    trains in far fewer steps: each cell of the last two maps scores how much of the subject it
    contains, and the centre is the mean of the cells' positions, so what is learnt in one corner
    holds everywhere.
    """

    def __init__(
        self, backbone: Backbone, head: Literal["mean", "map"], side: int, smallest: float
    ) -> None:
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

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in 0..1 to boxes (N, 4)."""
        *_, fine, coarse = self.backbone(shrink(images, self.side))
        # bfloat16 has steps of 0.002 at 0.3: a quarter pixel of 256.
        with torch.autocast(images.device.type, enabled=False):
            return self._boxes(fine.float(), coarse.float())

    def _boxes(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """The last two maps to boxes (N, 4)."""
        if not self.places:
            return _box_from_raw(self.box(coarse.mean((2, 3))), self.smallest)
        fine_score, coarse_score = (
            place(features) for place, features in zip(self.places, (fine, coarse), strict=True)
        )
        score = fine_score + F.interpolate(coarse_score, fine.shape[-2:], mode="bilinear")
        weight = score.flatten(1).softmax(-1).view_as(score)  # (N, 1, h, w)
        centre = (weight.flatten(1)[..., None] * _cell_positions(fine)).sum(1)
        weight = F.adaptive_avg_pool2d(weight, (coarse.shape[2], coarse.shape[3]))
        weight = weight / weight.sum((2, 3), keepdim=True)
        raw = self.box((weight * coarse).sum((2, 3)))
        size = self.smallest + (1 - self.smallest) * raw.sigmoid()
        return torch.cat((size, centre), dim=-1)


def _box_from_raw(raw: Tensor, smallest: float) -> Tensor:
    """Unbounded (..., 4) to boxes: sizes from `smallest` to 1, centres within reach."""
    size = smallest + (1 - smallest) * raw[..., :2].sigmoid()
    return torch.cat((size, _CENTRE_REACH * raw[..., 2:].tanh()), dim=-1)


def _cell_positions(features: Tensor) -> Tensor:
    """x, y of the cells of a map, -1..1: (H * W, 2)."""
    _, _, H, W = features.shape
    y = (torch.arange(H, device=features.device) + 0.5) * (2 / H) - 1
    x = (torch.arange(W, device=features.device) + 0.5) * (2 / W) - 1
    return torch.stack((x.expand(H, W), y[:, None].expand(H, W)), dim=-1).flatten(0, 1)


def crop(images: Tensor, boxes: Tensor, side: int) -> Tensor:
    """What each box contains: (N, C, H, W) and (N, 4) to (N, C, side, side)."""
    size, centre = boxes[:, :2], boxes[:, 2:]
    return F.grid_sample(images, _grid(size, centre, (side, side)), "bilinear", "border", False)


def paste(crops: Tensor, boxes: Tensor, height: int, width: int, *, beyond: str) -> Tensor:
    """Crops back at the place of their boxes: (N, C, side, side) to (N, C, height, width).

    `beyond` fills the outside of the box: "border" repeats the crop's edge, "zeros" is empty.
    """
    size, centre = boxes[:, :2], boxes[:, 2:]
    grid = _grid(1 / size, -centre / size, (height, width))
    return F.grid_sample(crops, grid, "bilinear", beyond, False)


def _grid(size: Tensor, centre: Tensor, shape: tuple[int, int]) -> Tensor:
    """Sampling position of each pixel of `shape`: size * pixel + centre, (N, H, W, 2).

    In single precision even under autocast, which would round the positions to bfloat16.
    """
    with torch.autocast(size.device.type, enabled=False):
        size, centre = size.float(), centre.float()
        zero = torch.zeros_like(size[:, 0])
        theta = torch.stack(
            (size[:, 0], zero, centre[:, 0], zero, size[:, 1], centre[:, 1]), dim=-1
        ).unflatten(-1, (2, 3))
        return F.affine_grid(theta, [len(size), 1, *shape], False)
