"""Journal: what a run tells, as lines of JSON, and for TensorBoard where that is wanted."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.learning.tally import StepMetrics

METRICS = "metrics.jsonl"

_Row = Mapping[str, float]


class MetricsLog:
    """Appends a line for every step, and one for every look at held-out frames."""

    def __init__(self, folder: Path, done: int, *, tensorboard: bool = False) -> None:
        self._board = _board(folder, done) if tensorboard else None
        self._path = folder / METRICS
        self._keep_until(done)
        try:
            self._file = self._path.open("a", buffering=1)  # a kill costs no whole line
        except OSError as error:
            raise MocapError(
                f"cannot write {self._path}: {error.strerror}", "choose another -o"
            ) from error

    def __enter__(self) -> "MetricsLog":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def log_step(self, told: StepMetrics) -> None:
        """One step."""
        times = {"seconds": told.seconds, "waited": told.data_seconds}
        self._write(told.step, {**told.losses, **times})

    def log_validation(self, step: int, held_out: float) -> None:
        """One look at held-out frames."""
        self._write(step, {"held_out": held_out})

    def _write(self, step: int, values: _Row) -> None:
        row = {"step": step} | {name: float(f"{value:.6g}") for name, value in values.items()}
        self._file.write(json.dumps(row) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def _keep_until(self, done: int) -> None:
        """Forget the steps after the checkpoint that a run goes on from: they come again."""
        if self._path.is_file():
            rows = [row for row in read_metrics(self._path) if row["step"] <= done]
            with write_atomically(self._path) as aside:
                aside.write_text("".join(json.dumps(row) + "\n" for row in rows))


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All lines; one that a kill cut short is left out."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _board(folder: Path, done: int) -> Any:
    """A writer of TensorBoard's event files; steps after the checkpoint in older ones are purged.

    A purged step is hidden by TensorBoard, and the run writes it again.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MocapError(
            "TensorBoard is not installed", "install tensorboard, or leave --tensorboard out"
        ) from error
    return SummaryWriter(str(folder), purge_step=done + 1 if done else None)
