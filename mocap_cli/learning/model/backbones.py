"""Backbones: ImageNet networks that give feature maps at 1/4, 1/8 and 1/16 of the image.

Their normalisation keeps ImageNet's statistics (or is folded into the convolutions), so the maps
of an image depend on that image alone, in a batch of any size and on any number of machines.
"""

from typing import Any
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch import library as operator_library
from torch.nn import functional as F

from mocap_cli.errors import MocapError
from mocap_cli.weights import weight_path

_RESNETS = ("resnet18", "resnet50", "resnet101")

_LOSS_MAPS = 3
_LITE_POWERS = (64.0, 54.0, 42.0)  # mean squares of Lite0's maps over photographs; ResNets' are 1


class Backbone(nn.Module):
    """Images (N, 3, H, W) in 0..1 to maps at 1/4, 1/8 and 1/16 (and 1/32 of a ResNet)."""

    LITE = "lite0"  # the name of the one whose weights are bundled

    channels: tuple[int, ...]  # of each map

    @staticmethod
    def weights_available(name: str) -> bool:
        """Whether a backbone's ImageNet weights are on this machine or can be fetched."""
        try:
            Backbone.check_weights(name)
        except MocapError:
            return False
        return True

    @staticmethod
    def check_weights(name: str) -> None:
        """Refuse a backbone whose ImageNet weights are neither here nor can be fetched."""
        if name != Backbone.LITE:
            _imagenet_weights(_torchvision_models(), name)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps from fine to coarse."""
        raise NotImplementedError


def make_backbone(name: str, *, pretrained: bool = True, maps: int | None = None) -> Backbone:
    """The backbone of that name, with ImageNet weights or random ones; `maps` drops deeper ones."""
    if name in _RESNETS:
        return _ResNet(_torchvision_resnet(name, pretrained=pretrained), maps or 4)
    if name != Backbone.LITE:
        raise ValueError(f"unknown backbone {name!r}")
    lite = _EfficientNetLite()
    if pretrained:
        state = load_file(weight_path(f"{Backbone.LITE}.safetensors"))
        lite.load_state_dict({key: value.float() for key, value in state.items()})
    return lite


class LossNetwork(nn.Module):
    """Eq. 2, second half: the frozen network whose feature maps are compared."""

    def __init__(self, name: str, side: int, *, pretrained: bool = True) -> None:
        super().__init__()
        self.backbone, self.side = make_backbone(name, pretrained=pretrained, maps=_LOSS_MAPS), side
        self.powers = _LITE_POWERS if name == Backbone.LITE else (1.0,) * _LOSS_MAPS
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) in 0..1 to the first three maps, each of about unit power."""
        maps = self.backbone(shrink(images, self.side))
        return tuple(m / power**0.5 for m, power in zip(maps, self.powers, strict=True))


def shrink(images: Tensor, side: int) -> Tensor:
    """Images with their longer side reduced to `side` pixels; smaller ones stay as they are."""
    _, _, H, W = images.shape
    scale = side / max(H, W)
    if scale >= 1:
        return images
    size = (max(1, round(H * scale)), max(1, round(W * scale)))
    return F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)


class _EfficientNetLite(Backbone):
    """EfficientNet-Lite0 down to 1/16, with each normalisation folded into its convolution."""

    channels = (24, 40, 112)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2)
        self.blocks = nn.ModuleList(_InvertedResidual(*row) for row in _BLOCKS)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps after the last block of each resolution."""
        x = (images * 255 - 127) / 128  # the input range that the network was trained with
        x = F.relu6(_same_padding(x, self.stem))
        maps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in _ENDS:
                maps.append(x)
        return tuple(maps)


class _InvertedResidual(nn.ModuleList):
    """Expand, depthwise convolution, project; added to the input where shapes allow."""

    def __init__(self, enter: int, leave: int, expand: int, kernel: int, stride: int) -> None:
        wide = enter * expand
        depthwise = nn.Conv2d(wide, wide, kernel, stride, groups=wide)
        expansion = [nn.Conv2d(enter, wide, 1)] if expand > 1 else []
        super().__init__([*expansion, depthwise, nn.Conv2d(wide, leave, 1)])
        self.residual = enter == leave and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """(N, enter, H, W) to (N, leave, H / stride, W / stride)."""
        *before, projection = self
        y = x
        for convolution in before:
            y = F.relu6(_same_padding(y, convolution))
        y = projection(y)
        return x + y if self.residual else y


_BLOCKS = (  # channels in and out, expansion, kernel, stride
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
_ENDS = (2, 4, 10)  # last blocks at 1/4, 1/8 and 1/16


def _same_padding(x: Tensor, convolution: Any) -> Tensor:
    """The convolution with TensorFlow's "same" padding: an odd pixel goes right and below."""
    total = convolution.kernel_size[0] - convolution.stride[0]
    if total <= 0:
        return convolution(x)
    before, after = total // 2, total - total // 2
    if before == after:
        weight, bias = convolution.weight, convolution.bias
        return F.conv2d(x, weight, bias, convolution.stride, before, 1, convolution.groups)
    return convolution(F.pad(x, (before, after, before, after)))


class _ResNet(Backbone):
    """A ResNet whose batch normalisation keeps ImageNet's statistics while it trains."""

    def __init__(self, network: Any, maps: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        layers = [getattr(network, f"layer{i}") for i in (1, 2, 3, 4)]
        self.layers = nn.ModuleList(layers[:maps])
        widest = network.fc.in_features
        self.channels = (widest // 8, widest // 4, widest // 2, widest)[:maps]
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("spread", torch.tensor([0.229, 0.224, 0.225])[:, None, None])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps after each layer."""
        x = self.stem((images - self.mean) / self.spread)
        maps = []
        for layer in self.layers:
            x = layer(x)
            maps.append(x)
        return tuple(maps)

    def train(self, mode: bool = True) -> "_ResNet":
        """Train the weights; the normalisation's statistics stay."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self


def _torchvision_resnet(name: str, *, pretrained: bool) -> Any:
    models = _torchvision_models()
    network = models.get_model(name, weights=None)
    if pretrained:
        network.load_state_dict(_imagenet_weights(models, name))
    return network


def _imagenet_weights(models: Any, name: str) -> Any:
    weights = models.get_model_weights(name).IMAGENET1K_V1
    try:
        # The file's name holds the start of its SHA-256, which is checked after the download.
        return weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise MocapError(
            f"cannot fetch the ImageNet weights of {name}: {error}",
            "connect to the internet once, or pass --preset small, whose weights are bundled",
        ) from error


def _torchvision_models() -> Any:
    """torchvision.models, also where torchvision's compiled half does not fit this torch.

    The CUDA build next to a CPU torch lacks two operators that its import describes; declaring
    them is enough, since none of the networks here calls them.
    """
    try:
        from torchvision import models
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = operator_library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(library)
        from torchvision import models
    return models


_DECLARED: list[Any] = []  # a library that is garbage-collected takes its operators with it
