"""Backbones: networks that know ImageNet, giving maps at a quarter, an eighth, a sixteenth.

Their normalisation stays as ImageNet left it (or is folded into the convolutions), so what a
picture gives depends on that picture alone: the same on one machine as on many.
"""

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.learning.imagenet import open_resnet
from mocap_cli.weights import weight_path

LITE = "lite0"
RESNETS = ("resnet18", "resnet50", "resnet101")


class Backbone(nn.Module):
    """Pictures (N, 3, H, W) in 0..1 to maps at 1/4, 1/8 and 1/16 (and 1/32 where there is one)."""

    channels: tuple[int, ...]  # of each map

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Maps from fine to coarse."""
        raise NotImplementedError


class _EfficientNetLite(Backbone):
    """EfficientNet-Lite0 down to a sixteenth, each normalisation folded into its convolution."""

    channels = (24, 40, 112)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        self.blocks = nn.ModuleList(_InvertedResidual(*row) for row in _BLOCKS)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Maps after the last block of each size."""
        x = (pictures * 255 - 127) / 128  # what the network was trained on
        x = F.relu6(_same(x, self.stem))
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in _ENDS:
                maps.append(x)
        return tuple(maps)


class _InvertedResidual(nn.ModuleList):
    """Widen, look around in each channel, narrow; added to what came where shapes allow."""

    def __init__(self, enter: int, leave: int, widen: int, kernel: int, stride: int) -> None:
        wide = enter * widen
        around = nn.Conv2d(wide, wide, kernel, stride, groups=wide)
        widening = [nn.Conv2d(enter, wide, 1)] if widen > 1 else []
        super().__init__([*widening, around, nn.Conv2d(wide, leave, 1)])
        self.adds = enter == leave and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, enter, H, W) to (N, leave, H / stride, W / stride)."""
        *before, last = self
        y = x
        for convolution in before:
            y = F.relu6(_same(y, convolution))
        y = last(y)
        return x + y if self.adds else y


_BLOCKS = (  # channels in and out, times wider between, kernel, stride
    (32, 16, 1, 3, 1),
    (16, 24, 6, 3, 2),
    (24, 24, 6, 3, 1),
    (24, 40, 6, 5, 2),
    (40, 40, 6, 5, 1),
    (40, 80, 6, 3, 2),
    (80, 80, 6, 3, 1),
    (80, 80, 6, 3, 1),
    (80, 112, 6, 5, 1),
    (112, 112, 6, 5, 1),
    (112, 112, 6, 5, 1),
)
_ENDS = (2, 4, 10)


def _same(x: Tensor, convolution: Any) -> Tensor:
    """The convolution with as much border as keeps the size, the odd pixel right and below."""
    total = convolution.kernel_size[0] - convolution.stride[0]
    if total <= 0:
        return convolution(x)
    before, after = total // 2, total - total // 2
    if before == after:
        weight, bias = convolution.weight, convolution.bias
        return F.conv2d(x, weight, bias, convolution.stride, before, 1, convolution.groups)
    return convolution(F.pad(x, (before, after, before, after)))


class _ResNet(Backbone):
    """A ResNet; its normalisation keeps ImageNet's means and spreads while it trains."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        self.layers = nn.ModuleList([getattr(network, f"layer{i}") for i in (1, 2, 3, 4)])
        widest = network.fc.in_features
        self.channels = (widest // 8, widest // 4, widest // 2, widest)
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Maps after layers 1 to 4."""
        x = self.stem((pictures - self.mean) / self.spread)
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> "_ResNet":
        """Train the weights; the normalisation's statistics stand."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def make_backbone(name: str, *, taught: bool = True) -> Backbone:
    """The backbone of that name, with ImageNet's weights unless a checkpoint will fill it."""
    if name in RESNETS:
        return _ResNet(open_resnet(name, taught=taught))
    if name != LITE:
        raise ValueError(f"no backbone is called {name!r}")
    lite = _EfficientNetLite()
    if taught:
        state = load_file(weight_path(f"{LITE}.safetensors"))
        lite.load_state_dict({key: value.float() for key, value in state.items()})
    return lite
