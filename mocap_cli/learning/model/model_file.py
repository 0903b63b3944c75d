"""Model file: a trained model on disk, with its configuration, as sealed safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.io.sealed import FileKind
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_config import ModelConfig

_KIND = FileKind(
    format="mocap-model-1",
    noun="a model",
    hint="give a model that `mocap pretrain` of this version wrote, or train it again",
    seal_required=False,
)


def save_model(path: Path, model: Model, meta: Mapping[str, Any]) -> None:
    """Write weights, configuration and `meta` (numbers, texts, lists, mappings)."""
    metadata = {"config": json.dumps(asdict(model.config)), "meta": json.dumps(dict(meta))}
    _KIND.write(path, metadata, model.trained_tensors())


def open_model(path: Path, *, device: str = "cpu") -> tuple[Model, dict[str, Any]]:
    """The model on that device, for inference, and its `meta`."""
    metadata, tensors = _KIND.read(path)
    try:
        config = JsonObject.parse(metadata["config"]).of_type(ModelConfig)
        meta = JsonObject.parse(metadata["meta"]).values
        with torch.device("meta"):  # so that a file cannot ask for memory it does not fill
            model = Model(config, pretrained=False, loss_network=False)
        model.restore_tensors(tensors, assign=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise MocapError(f"{path} does not hold a whole model: {reason}", _KIND.hint) from error
    return model.to(device).eval(), meta
