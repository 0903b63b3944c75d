"""Checkpoint: all that going on needs, in one safetensors file; reading it runs nothing."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.learning.loop.settings import Settings, settings_from_json, settings_to_json
from mocap_cli.learning.model.model import Model
from mocap_cli.learning.model.model_file import restore_tensors, trained_tensors
from mocap_cli.tensors import write_tensors

_FORMAT = "mocap-pretrain-1"
_MODEL, _MEAN, _ADAM = "model.", "mean.", "adam."
_HINT = "give a run of this version of mocap, or begin anew in another folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """How far a run has come."""

    step: int  # steps done
    best: float | None = None  # the least held-out loss so far
    best_step: int = 0
    seconds: float = 0.0  # of training, over all sittings


def save_checkpoint(
    path: Path,
    model: Model,
    optimizer: torch.optim.Optimizer,
    settings: Settings,
    place: RunState,
    mean: Model,
) -> None:
    """Write it aside and rename it, so that a kill leaves the one before.

    `mean` holds the running mean of the weights, or is the model where none is kept.
    """
    tensors = {_MODEL + name: value for name, value in trained_tensors(model).items()}
    if mean is not model:
        tensors |= {_MEAN + name: value for name, value in trained_tensors(mean).items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{_ADAM}{key}.{name}"] = value.detach().cpu().contiguous()
    header = {
        "format": _FORMAT,
        "settings": settings_to_json(settings),
        "place": json.dumps(asdict(place)),
        "sha256": _digest(tensors),
    }
    write_tensors(path, tensors, header)


def read_checkpoint_state(path: Path) -> tuple[Settings, RunState]:
    """How far the run of a checkpoint came, without its tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            return _read_header(path, file.metadata() or {})
    except FileNotFoundError as error:
        raise MocapError(f"there is no {path}", "leave --resume out to begin a run") from error
    except (OSError, SafetensorError) as error:
        raise MocapError(f"{path} is not a checkpoint: {_brief(error)}", _HINT) from error


def load_checkpoint(
    path: Path, model: Model, optimizer: torch.optim.Optimizer, mean: Model
) -> tuple[Settings, RunState]:
    """Put model, mean and optimizer back to where they were; whatever does not fit is refused."""
    settings, place = read_checkpoint_state(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        digest = (file.metadata() or {}).get("sha256")
    if digest != _digest(tensors):
        raise MocapError(f"{path} is damaged: its SHA-256 is not the one it tells", _HINT)
    try:
        restore_tensors(model, _under(tensors, _MODEL))
        if mean is not model:
            restore_tensors(mean, _under(tensors, _MEAN))
        _fill_optimizer(model, optimizer, _under(tensors, _ADAM))
    except (KeyError, ValueError, RuntimeError) as error:
        raise MocapError(f"{path} does not fit this run: {_brief(error)}", _HINT) from error
    return settings, place


def _fill_optimizer(
    model: Model, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    parameters = dict(model.named_parameters())
    for full, value in tensors.items():
        key, _, name = full.partition(".")
        parameter = parameters[name]
        if key not in ("step", "exp_avg", "exp_avg_sq"):
            raise ValueError(f"Adam keeps no {key}")
        if value.shape not in (parameter.shape, torch.Size([])):
            raise ValueError(f"{full} is {tuple(value.shape)}")
        # A step counter stays on the CPU unless the optimizer is fused.
        fused = optimizer.defaults.get("fused")
        device = "cpu" if key == "step" and not fused else parameter.device
        optimizer.state[parameter][key] = value.to(device)


def _read_header(path: Path, header: Mapping[str, str]) -> tuple[Settings, RunState]:
    if header.get("format") != _FORMAT:
        raise MocapError(f"{path} is not a checkpoint of `mocap pretrain`", _HINT)
    try:
        return settings_from_json(header["settings"]), RunState(**json.loads(header["place"]))
    except (KeyError, TypeError, ValueError) as error:
        raise MocapError(f"{path} has a damaged head: {_brief(error)}", _HINT) from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    whole = sha256()
    for name in sorted(tensors):
        whole.update(name.encode())
        whole.update(tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
