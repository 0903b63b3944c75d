"""The encoder: a crop to its time-variant and time-invariant codes."""

import math

import torch
from torch import Tensor, nn

from mocap_cli.learning.model.backbones import Backbone


class Encoder(nn.Module):
    """Crops (N, 3, side, side) to codes; the two encoders share all but their output layers."""

    def __init__(self, backbone: Backbone, side: int, tv: int, ti: int) -> None:
        super().__init__()
        self.backbone = backbone
        cells = (side // 16) ** 2 if len(backbone.channels) == 3 else 1
        features = backbone.channels[-1] * cells
        self.pooled = cells == 1
        self.varying = nn.Linear(features, tv)
        self.steady = nn.Linear(features, ti) if ti else None

    def features(self, crops: Tensor) -> Tensor:
        """What both codes are read from: (N, features)."""
        last = self.backbone(crops)[-1]
        # A deep backbone knows much at one place; a shallow one must keep where it saw what.
        return last.mean((2, 3)) if self.pooled else last.flatten(1)

    def time_variant(self, crops: Tensor) -> Tensor:
        """(N, tv)."""
        return self.varying(self.features(crops))

    def time_invariant(self, crops: Tensor) -> Tensor:
        """(N, ti); nothing at all where the code is not split."""
        if self.steady is None:
            return crops.new_zeros(len(crops), 0)
        return self.steady(self.features(crops))


def jitter_colours(crops: Tensor, strength: float) -> Tensor:
    """Crops in other colours: brightness, contrast, saturation and hue, drawn for each alone."""
    N = len(crops)
    draw = torch.rand(N, 4, device=crops.device) * 2 - 1
    gain, contrast, saturation = (1 + strength * draw[:, :3]).unbind(-1)
    angle = strength * math.pi * draw[:, 3]
    turn = _hue_turn(angle, saturation) * gain[:, None, None]
    turned = torch.einsum("nij,njhw->nihw", turn.to(crops.dtype), crops)
    middle = turned.mean((1, 2, 3), keepdim=True)
    return (middle + contrast[:, None, None, None] * (turned - middle)).clamp(0, 1)


def _hue_turn(angle: Tensor, saturation: Tensor) -> Tensor:
    """(N, 3, 3): colours turned about grey by `angle` and stretched from it by `saturation`."""
    cos, sin = (saturation * angle.cos())[:, None, None], (saturation * angle.sin())[:, None, None]
    grey = torch.full((3, 3), 1 / 3, device=angle.device)
    cross = torch.tensor([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=angle.device) / math.sqrt(3)
    return grey + cos * (torch.eye(3, device=angle.device) - grey) + sin * cross
