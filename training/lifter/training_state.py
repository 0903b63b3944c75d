"""A lifter that learns: its running mean, its optimizers, and the checkpoint they go on from."""

import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor
from torch.optim import AdamW, Muon, Optimizer

from mocap_cli.io.atomic import write_atomically
from mocap_cli.learning.loop.ema import update_ema
from mocap_cli.lifting.network import Lifter
from training.lifter.batches import ADAM_RATE_FACTOR, TrainConfig

_EMA_DECAY = 0.999
"""Share of the running mean of the weights that a step keeps."""


@dataclass(frozen=True, slots=True)
class TrainingState:
    """All that a run carries from step to step."""

    model: Lifter
    averaged: Lifter  # what is shipped
    optimizers: tuple[Optimizer, ...]

    @classmethod
    def new(cls, model: Lifter, config: TrainConfig) -> Self:
        """A network about to learn."""
        model.calibration.fill_(Lifter.INITIAL_LOG_SIGMA)  # set anew when the weights are
        averaged = copy.deepcopy(model).eval()
        return cls(model, averaged, _make_optimizers(model, config))

    def step(self, loss: Tensor, pace: float, step: int) -> None:
        """Learn from one batch, at a share of the rate."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = pace * group["initial_lr"]
            optimizer.step()
        update_ema(self.averaged, self.model, _EMA_DECAY, step)

    def save(self, folder: Path, step: int, config: TrainConfig) -> None:
        """Write all that `resume` needs."""
        with write_atomically(folder / "last.pt") as aside:
            torch.save(
                {
                    "step": step,
                    "model": self.model.state_dict(),
                    "averaged": self.averaged.state_dict(),
                    "optimizers": [o.state_dict() for o in self.optimizers],
                    "size": asdict(self.model.config),
                    "config": asdict(config),
                },
                aside,
            )

    def resume(self, folder: Path) -> int:
        """Go on from the folder's checkpoint; the steps that it has done."""
        path = folder / "last.pt"
        if not path.exists():
            return 0
        saved = torch.load(path, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.averaged.load_state_dict(saved["averaged"])
        for optimizer, state in zip(self.optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        return int(saved["step"])


def _make_optimizers(model: Lifter, config: TrainConfig) -> tuple[Optimizer, ...]:
    """Muon for the matrices inside, Adam for what enters, what leaves and all vectors.

    With Adam for all, the error that Muon comes to in 500 steps took about 2,000.
    """
    inside = [p for p in model.blocks.parameters() if p.ndim == 2]
    outside = [p for p in model.parameters() if not any(p is q for q in inside)]
    decay = config.weight_decay
    groups = (
        {"params": inside, "initial_lr": config.rate},
        {"params": outside, "initial_lr": ADAM_RATE_FACTOR * config.rate},
    )
    return (
        Muon([groups[0]], config.rate, decay, adjust_lr_fn="match_rms_adamw"),
        AdamW([groups[1]], ADAM_RATE_FACTOR * config.rate, weight_decay=decay),
    )
