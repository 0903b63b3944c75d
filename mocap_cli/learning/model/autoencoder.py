"""Encoder and decoder: a crop to its two codes, and two codes back to a crop with a mask."""

import torch
from torch import Tensor, nn

from mocap_cli.learning.model.backbones import Backbone

_GROUP = 8  # channels normalised together, each image by itself
_LEAST_LOGIT = -60.0  # of a mask's highest point; further down the sigmoid would underflow


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
        """What both codes are computed from: (N, features)."""
        last = self.backbone(crops)[-1]
        # A deep backbone has wide receptive fields; a shallow one must keep where it found what.
        return last.mean((2, 3)) if self.pooled else last.flatten(1)

    def codes(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Both codes of the same crops, with one pass through the backbone."""
        features = self.features(crops)
        return self.varying(features), self._steady(features)

    def time_variant(self, crops: Tensor) -> Tensor:
        """(N, tv)."""
        return self.varying(self.features(crops))

    def time_invariant(self, crops: Tensor) -> Tensor:
        """(N, ti); of length 0 where the code is not split."""
        if self.steady is None:
            return crops.new_zeros(len(crops), 0)
        return self._steady(self.features(crops))

    def _steady(self, features: Tensor) -> Tensor:
        return features[:, :0] if self.steady is None else self.steady(features)


class Decoder(nn.Module):
    """Two codes to colours (N, 3, side, side) in 0..1 and a mask (N, 1, side, side).

    Each code becomes half of the channels of a small map; three blocks double its side.
    """

    def __init__(
        self,
        codes: tuple[int, int],
        widths: tuple[int, int, int, int],
        side: int,
        depth: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shape = (widths[0] // 2, side // 8, side // 8)  # of each half
        half = self.shape[0] * self.shape[1] * self.shape[2]
        self.enter = nn.ModuleList(
            nn.Sequential(nn.Linear(code, half), nn.Dropout(dropout), nn.ReLU()) for code in codes
        )
        self.blocks = nn.Sequential(
            *(_block(widths[i], widths[i + 1], depth) for i in range(3)),
        )
        self.leave = nn.Conv2d(widths[3], 4, 3, padding=1)

    def forward(self, tv: Tensor, ti: Tensor) -> tuple[Tensor, Tensor]:
        """(N, tv), (N, ti) to colours, and a mask that fades out before the crop's edge."""
        halves = [
            enter(code).unflatten(1, self.shape)
            for enter, code in zip(self.enter, (tv, ti), strict=True)
        ]
        decoded = self.leave(self.blocks(torch.cat(halves, dim=1))).float()
        # Unbounded colours would let a faint mask draw a strong subject.
        return decoded[:, :3].sigmoid(), _mask(decoded[:, 3:])


def _mask(logits: Tensor) -> Tensor:
    """(N, 1, side, side) logits to a mask with a soft edge whose highest point is 1.

    A mask that vanished could never come back, so it is divided by its maximum. Logits that are
    low everywhere are raised together first: their ratios stay, and 0 / 0 cannot occur.
    """
    window = _soft_window(logits.shape[-1], logits.device)
    peak = (logits.detach() + window.log()).amax((1, 2, 3), keepdim=True)
    mask = (logits + (_LEAST_LOGIT - peak).clamp(min=0)).sigmoid() * window
    return mask / mask.amax((1, 2, 3), keepdim=True)


def _soft_window(side: int, device: torch.device | None = None) -> Tensor:
    """A window (side, side) that is 1 in the middle and falls smoothly to 0 at the edge."""
    axis = (torch.arange(side, device=device) + 0.5) * (2 / side) - 1
    radius = (axis[:, None] ** 4 + axis[None, :] ** 4).sqrt().clamp(max=1 - 1e-6)
    return torch.exp(1 - 1 / (1 - radius))


def _block(enter: int, leave: int, depth: int) -> nn.Sequential:
    """Twice the side, then `depth` convolutions."""
    layers: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)]
    for i in range(depth):
        layers += [
            nn.Conv2d(enter if i == 0 else leave, leave, 3, padding=1, bias=False),
            nn.GroupNorm(max(1, leave // _GROUP), leave),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
