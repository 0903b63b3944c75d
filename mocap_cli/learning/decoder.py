"""The decoder: codes to the crop's colours and to the mask of what is drawn."""

import torch
from torch import Tensor, nn

from mocap_cli.learning.model.spatial_transformer import soft_window

_GROUP = 8  # channels normalised together, each picture alone


class Decoder(nn.Module):
    """Two codes to colours (N, 3, side, side) in 0..1 and a mask (N, 1, side, side).

    Each code becomes half of a small map; three blocks double it, up to eight times its side.
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
        """(N, tv), (N, ti) to colours and to a mask that ends softly before the crop does."""
        halves = [
            enter(code).unflatten(1, self.shape)
            for enter, code in zip(self.enter, (tv, ti), strict=True)
        ]
        drawn = self.leave(self.blocks(torch.cat(halves, dim=1))).float()
        mask = drawn[:, 3:].sigmoid() * soft_window(drawn.shape[-1], drawn.device)
        # Its highest point is always 1: a mask that vanished could never learn to come back.
        # Colours that no picture has would let a faint mask draw a strong subject.
        return drawn[:, :3].sigmoid(), mask / mask.amax((1, 2, 3), keepdim=True)


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
