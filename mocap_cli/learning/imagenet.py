"""ResNets of torchvision with ImageNet's weights, fetched once and checked by their hash."""

from typing import Any
from urllib.error import URLError

from torch import library as registry

from mocap_cli.errors import MocapError


def open_resnet(name: str, *, taught: bool) -> Any:
    """torchvision's network of that name; `taught` fills it with ImageNet's weights."""
    models = _models()
    network = models.get_model(name, weights=None)
    if taught:
        network.load_state_dict(_state(models, name))
    return network


def weights_available(name: str) -> bool:
    """Whether ImageNet's weights for that network are here or can be fetched."""
    try:
        _state(_models(), name)
    except MocapError:
        return False
    return True


def _state(models: Any, name: str) -> Any:
    weights = models.get_model_weights(name).IMAGENET1K_V1
    try:
        # The file's name holds the start of its SHA-256, which is checked when it arrives.
        return weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise MocapError(
            f"cannot fetch the ImageNet weights of {name}: {error}",
            "connect to the internet once, or pass --preset small, whose weights are here",
        ) from error


def _models() -> Any:
    """torchvision.models, also where torchvision's compiled half does not fit this torch.

    The build for CUDA beside a torch for the CPU lacks two operators that its import describes;
    naming them is enough, since none of the networks here calls them.
    """
    try:
        from torchvision import models
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        library = registry.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        from torchvision import models
    return models


_KEPT: list[Any] = []  # a library that is dropped takes its operators with it
