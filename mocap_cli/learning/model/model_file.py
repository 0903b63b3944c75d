"""Model file: a trained model on disk, with its configuration, as sealed safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.sealed import FileKind
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import ModelConfig

_KIND = FileKind(
    format="mocap-model-1",
    noun="a model",
    hint="give a model that `mocap pretrain` of this version wrote, or train it again",
    seal_required=False,
)
_FROZEN = "features."  # the loss network: ImageNet's weights, the same in every model


def save_model(path: Path, model: Model, meta: Mapping[str, Any]) -> None:
    """Write weights, configuration and `meta` (numbers, texts, lists, mappings)."""
    metadata = {"config": json.dumps(asdict(model.config)), "meta": json.dumps(dict(meta))}
    _KIND.write(path, metadata, trained_tensors(model))


def open_model(path: Path, *, device: str = "cpu") -> tuple[Model, dict[str, Any]]:
    """The model on that device, for inference, and its `meta`."""
    metadata, tensors = _KIND.read(path)
    try:
        config = json.loads(metadata["config"])
        meta: dict[str, Any] = json.loads(metadata["meta"])
        config["widths"] = tuple(config["widths"])
        with torch.device("meta"):  # so that a file cannot ask for memory it does not fill
            model = Model(ModelConfig(**config), pretrained=False, loss_network=False)
        restore_tensors(model, tensors, assign=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise MocapError(f"{path} does not hold a whole model: {reason}", _KIND.hint) from error
    return model.to(device).eval(), meta


def trained_tensors(model: Model) -> dict[str, Tensor]:
    """What training changes, by name; each tensor contiguous and on the CPU."""
    state = model.state_dict().items()
    return {k: v.cpu().contiguous() for k, v in state if not k.startswith(_FROZEN)}


def restore_tensors(model: Model, tensors: Mapping[str, Tensor], *, assign: bool = False) -> None:
    """Restore `trained_tensors`: copied into place, or with `assign` used as they are.

    Missing, unknown, misshapen or non-finite tensors are a ValueError.
    """
    wanted = {k: v for k, v in model.state_dict().items() if not k.startswith(_FROZEN)}
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())
        raise ValueError(f"{len(odd)} tensors missing or unknown, such as {odd[0]}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape or value.dtype != wanted[name].dtype:
            raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    model.load_state_dict(dict(tensors), strict=False, assign=assign)
