"""Metrics log: the losses and times of every step, as JSON lines and for TensorBoard."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.learning.loop.distributed import Distributed


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The losses and times of one step."""

    step: int  # counts from 1 when it is done
    losses: Mapping[str, float]
    seconds: float
    data_seconds: float  # of them spent waiting for the batch


class PendingMetrics:
    """Steps whose losses are still on the device.

    Reading a number makes a GPU finish all queued work. So several steps are read together, and
    the time of a step is the time between two reads over the steps between them: what the host
    takes to queue a step says nothing.
    """

    def __init__(self, distributed: Distributed) -> None:
        self._distributed = distributed
        self._steps: list[tuple[int, float, dict[str, Tensor]]] = []
        self._since = time.perf_counter()

    def add(self, step: int, data_seconds: float, losses: dict[str, Tensor]) -> None:
        """Note a step without waiting for it."""
        self._steps.append((step, data_seconds, losses))

    def read(self) -> list[StepMetrics]:
        """Wait for the noted steps and return them; the first loss that is not finite raises."""
        values = [
            self._distributed.mean(torch.stack([v.detach().float() for v in losses.values()]))
            for _, _, losses in self._steps
        ]
        numbers = [value.tolist() for value in values]
        seconds = (time.perf_counter() - self._since) / max(len(self._steps), 1)
        metrics = []
        for (step, data_seconds, losses), row in zip(self._steps, numbers, strict=True):
            named = dict(zip(losses, row, strict=True))
            refuse_not_finite(step, named)
            metrics.append(StepMetrics(step, named, seconds, data_seconds))
        self._steps.clear()
        return metrics

    def restart_clock(self) -> None:
        """Leave out what was done since the last read, as validation and saving."""
        self._since = time.perf_counter()


def refuse_not_finite(step: int, losses: Mapping[str, float]) -> None:
    """Stop a run that diverged, before anything of it is saved."""
    for name, value in losses.items():
        if not abs(value) < float("inf"):
            raise MocapError(
                f"the loss {name!r} became {value} in step {step}",
                "lower the learning rate with --rate, and pass --resume to continue from the last"
                " checkpoint, if there is one",
            )


class MetricsLog:
    """Appends a line for every step and one for every validation."""

    NAME = "metrics.jsonl"

    def __init__(self, folder: Path, done: int, *, tensorboard: bool = False) -> None:
        self._board = _tensorboard_writer(folder, done) if tensorboard else None
        self._path = folder / self.NAME
        self._truncate(done)
        try:
            self._file = self._path.open("a", buffering=1)  # line by line: a kill loses no line
        except OSError as error:
            raise MocapError(
                f"cannot write {self._path}: {error.strerror}", "choose another -o"
            ) from error

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def log_step(self, metrics: StepMetrics) -> None:
        """Log one step."""
        times = {"seconds": metrics.seconds, "waited": metrics.data_seconds}
        self._write(metrics.step, {**metrics.losses, **times})

    def log_validation(self, step: int, held_out: float) -> None:
        """Log one validation on held-out frames."""
        self._write(step, {"held_out": held_out})

    @staticmethod
    def read(path: Path) -> list[dict[str, float]]:
        """All lines; those that a kill cut short, or that are damaged, are left out."""
        rows = []
        for line in path.read_bytes().splitlines():
            try:
                row = JsonObject.parse(line)
                row.number("step", 0, 1e9, int)
                rows.append({key: row.number(key, -1e30, 1e30) for key in row.values})
            except ValueError:
                continue
        return rows

    def _write(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step} | {name: float(f"{value:.6g}") for name, value in values.items()}
        self._file.write(json.dumps(row) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _truncate(self, done: int) -> None:
        """Drop the steps after the checkpoint of a resumed run: they are done again."""
        if self._path.is_file():
            rows = [row for row in self.read(self._path) if row["step"] <= done]
            with write_atomically(self._path) as aside:
                aside.write_text("".join(json.dumps(row) + "\n" for row in rows))


def import_tensorboard() -> Any:
    """The class of TensorBoard's writer, or an error before any work where there is none."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MocapError(
            "TensorBoard is not installed", "install tensorboard, or leave --tensorboard out"
        ) from error
    return SummaryWriter


def _tensorboard_writer(folder: Path, done: int) -> Any:
    """A writer of event files; steps after the checkpoint in older event files are purged.

    A purged step is hidden by TensorBoard, and the run writes it again.
    """
    return import_tensorboard()(str(folder), purge_step=done + 1 if done else None)
