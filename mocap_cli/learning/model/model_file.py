"""A trained model on disk: safetensors with everything about it in the header, never a pickle."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.learning.model.model import Model, ModelConfig
from mocap_cli.tensors import write_tensors

_FORMAT = "mocap-model-1"
_FROZEN = "features."  # ImageNet's, the same for everybody: not worth a place in the file
_HINT = "give a model that `mocap pretrain` of this version wrote, or train it again"


def save_model(path: Path, model: Model, meta: Mapping[str, Any]) -> None:
    """Write weights, configuration and what `meta` tells (numbers, texts, lists, mappings)."""
    header = {
        "format": _FORMAT,
        "config": json.dumps(asdict(model.config)),
        "meta": json.dumps(dict(meta)),
    }
    write_tensors(path, trained_tensors(model), header)


def open_model(path: Path, *, learns: bool = False) -> tuple[Model, dict[str, Any]]:
    """The model and its `meta`; `learns` adds what only training on needs."""
    header, tensors = _read(path)
    try:
        settings = json.loads(header["config"])
        meta: dict[str, Any] = json.loads(header["meta"])
        settings["widths"] = tuple(settings["widths"])
        with torch.device("meta"):  # so that a file cannot ask for memory it does not fill
            model = Model(ModelConfig(**settings), taught=False, learns=False)
        restore_tensors(model, tensors, assign=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise MocapError(f"{path} does not hold a whole model: {_brief(error)}", _HINT) from error
    if learns:
        model.learn_on()
    return model.eval(), meta


def trained_tensors(model: Model) -> dict[str, Tensor]:
    """What training changes, by name, each tensor packed and on the CPU."""
    state = model.state_dict().items()
    return {k: v.cpu().contiguous() for k, v in state if not k.startswith(_FROZEN)}


def restore_tensors(model: Model, tensors: Mapping[str, Tensor], *, assign: bool = False) -> None:
    """Put back what `learnt` gave: copied into place, or with `assign` taken as they are.

    Tensors that are missing, foreign, misshapen or not finite are a ValueError.
    """
    wanted = {k: v for k, v in model.state_dict().items() if not k.startswith(_FROZEN)}
    if wanted.keys() != tensors.keys():
        odd = sorted(wanted.keys() ^ tensors.keys())
        raise ValueError(f"{len(odd)} tensors missing or foreign, such as {odd[0]}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape or value.dtype != wanted[name].dtype:
            raise ValueError(f"{name} is {value.dtype} {tuple(value.shape)}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite")
    model.load_state_dict(dict(tensors), strict=False, assign=assign)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, str] = file.metadata() or {}
            if header.get("format") != _FORMAT:
                raise MocapError(f"{path} is not a model of this program", _HINT)
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise MocapError(f"there is no {path}", "check the path") from error
    except (OSError, SafetensorError) as error:
        raise MocapError(f"{path} is not a model: {_brief(error)}", _HINT) from error


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
