"""What a frozen ImageNet network makes of a picture: the second half of Eq. 2."""

from torch import Tensor, nn

from mocap_cli.learning.detector import shrink
from mocap_cli.learning.model.backbones import LITE, make_backbone

_POWERS = {LITE: (64.0, 54.0, 42.0)}
"""Mean squares of the maps over photographs; ResNets' maps are about 1 as they are."""


class LossNetwork(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 to three maps, each of about unit power; nothing is learnt."""

    def __init__(self, name: str, side: int, *, taught: bool = True) -> None:
        super().__init__()
        self.backbone, self.side = make_backbone(name, taught=taught), side
        self.powers = _POWERS.get(name, (1.0, 1.0, 1.0))
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Layers 1 to 3."""
        maps = self.backbone(shrink(pictures, self.side))[:3]
        return tuple(m / power**0.5 for m, power in zip(maps, self.powers, strict=True))
