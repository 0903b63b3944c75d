"""Checkpoint: everything needed to resume a run, in one sealed safetensors file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.json_fields import JsonObject, check_ranges
from mocap_cli.io.sealed import FileKind
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.model import Model

_KIND = FileKind(
    format="mocap-pretrain-1",
    noun="a checkpoint of `mocap pretrain`",
    hint="give a run of this version of mocap, or start again in another folder",
    missing_hint="leave --resume out to start a run",
    seal_required=False,
)
_MODEL, _AVERAGE, _ADAM = "model.", "mean.", "adam."
_ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """Steps, time and best loss of a run so far."""

    step: int  # steps done
    best: float | None = None  # lowest held-out loss so far
    best_step: int = 0
    seconds: float = 0.0  # of training, over all sessions

    def __post_init__(self) -> None:
        check_ranges(self, {"step": (0, 1e9), "best_step": (0, 1e9), "seconds": (0, 1e12)})

    def save(
        self,
        path: Path,
        model: Model,
        optimizer: torch.optim.Optimizer,
        settings: Settings,
        average: Model,
    ) -> None:
        """Write a checkpoint atomically; `average` is the model itself where there is none."""
        tensors = {_MODEL + name: value for name, value in model.trained_tensors().items()}
        if average is not model:
            tensors |= {_AVERAGE + name: value for name, value in average.trained_tensors().items()}
        for name, parameter in model.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{_ADAM}{key}.{name}"] = value.detach().cpu().contiguous()
        metadata = {"settings": settings.to_json(), "place": json.dumps(asdict(self))}
        _KIND.write(path, metadata, tensors)

    @staticmethod
    def load(
        path: Path, model: Model, optimizer: torch.optim.Optimizer, average: Model
    ) -> "RunState":
        """Restore model, average and optimizer; whatever does not fit is refused."""
        metadata, tensors = _KIND.read(path)
        _, state = _parse(path, metadata)
        try:
            model.restore_tensors(_with_prefix(tensors, _MODEL))
            if average is not model:
                average.restore_tensors(_with_prefix(tensors, _AVERAGE))
            _restore_optimizer(model, optimizer, _with_prefix(tensors, _ADAM))
        except (KeyError, ValueError, RuntimeError) as error:
            reason = _reason(error)
            raise MocapError(f"{path} does not fit this run: {reason}", _KIND.hint) from error
        return state


def read_checkpoint_state(path: Path) -> tuple[Settings, RunState]:
    """Settings and state of a run, without the tensors."""
    return _parse(path, _KIND.read_metadata(path))


def _restore_optimizer(
    model: Model, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    parameters = dict(model.named_parameters())
    for full_name, value in tensors.items():
        key, _, name = full_name.partition(".")
        parameter = parameters[name]
        if key not in _ADAM_STATE:
            raise ValueError(f"Adam has no state {key}")
        if key == "step":
            # The step counter stays on the CPU unless the optimizer is fused.
            fused = optimizer.defaults.get("fused")
            optimizer.state[parameter][key] = value.to(parameter.device if fused else "cpu")
            continue
        if value.shape != parameter.shape:
            raise ValueError(f"{full_name} is {tuple(value.shape)}")
        # In the memory format of the parameter: fused Adam walks both in memory order.
        optimizer.state[parameter][key] = torch.zeros_like(parameter).copy_(value)


def _parse(path: Path, metadata: Mapping[str, str]) -> tuple[Settings, RunState]:
    try:
        state = JsonObject.parse(metadata["place"]).of_type(RunState)
        return Settings.from_json(metadata["settings"]), state
    except (KeyError, ValueError) as error:
        raise MocapError(f"{path} has damaged metadata: {_reason(error)}", _KIND.hint) from error


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
