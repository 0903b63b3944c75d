"""Tally: losses of some steps, read off the device together and checked to be numbers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.learning.loop.distributed import Distributed


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """What happened in one step."""

    step: int  # counts from 1 when it is done
    losses: Mapping[str, float]
    seconds: float  # of the step
    data_seconds: float  # seconds of them for the batch


@dataclass(slots=True)
class PendingMetrics:
    """Steps that were done and not yet told."""

    crew: Distributed
    _open: list[tuple[int, float, float, dict[str, Tensor]]] = field(default_factory=list)

    def add(self, step: int, began: float, waited: float, losses: dict[str, Tensor]) -> float:
        """Note a step; gives the seconds it took as far as this process can tell."""
        seconds = time.perf_counter() - began
        self._open.append((step, seconds, waited, losses))
        return seconds

    def flush(self, told: Callable[[StepMetrics], None]) -> None:
        """Tell of every open step, in order; the first loss that is no number is an error."""
        for step, seconds, waited, losses in self._open:
            values = self.crew.mean(torch.stack([v.detach().float() for v in losses.values()]))
            named = dict(zip(losses, values.tolist(), strict=True))
            refuse_not_finite(step, named)
            told(StepMetrics(step, named, seconds, waited))
        self._open.clear()


def refuse_not_finite(step: int, losses: Mapping[str, float]) -> None:
    """Stop a run that diverged, before anything of it is saved."""
    for name, value in losses.items():
        if not abs(value) < float("inf"):
            raise MocapError(
                f"the loss {name!r} became {value} in step {step}",
                "lower the learning rate with --rate, and give --resume to go on from the last"
                " checkpoint, if there is one",
            )
