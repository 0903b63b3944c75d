"""The table of a training run, redrawn in place; plain lines where there is no terminal."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import FrameType

from rich.live import Live
from rich.table import Table

from mocap_cli.cli.display import Display, format_duration, stderr_console
from mocap_cli.learning.loop.metrics_log import StepMetrics
from mocap_cli.learning.loop.settings import Settings

_AVERAGED_STEPS = 50


class StopRequest:
    """Ctrl-C, SIGTERM and SIGHUP: the first ends the loop after its step, the second at once."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.signal_number > 0

    def handle_signal(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.signal_number:
            raise KeyboardInterrupt
        self.signal_number = number


class TrainingTable:
    """The metrics of the last steps; plain lines of progress where there is no terminal."""

    def __init__(self, settings: Settings, display: Display) -> None:
        self._settings = settings
        self._steps: deque[StepMetrics] = deque(maxlen=_AVERAGED_STEPS)
        self._held_out: tuple[int, float] | None = None
        self._drawn = time.monotonic()
        self._live: Live | None = None
        self._count: Callable[[int], None] = lambda done: None
        self._open = ExitStack()
        if display.draws:
            live = Live(console=stderr_console(), transient=True, refresh_per_second=2)
            self._live = self._open.enter_context(live)
        else:
            self._count = self._open.enter_context(display.bar("training", settings.steps))

    def close(self) -> None:
        """Remove the table from the terminal."""
        self._open.close()

    def log_step(self, metrics: StepMetrics) -> None:
        """Take the metrics of a step, and draw if it is time."""
        self._steps.append(metrics)
        self._count(metrics.step)
        last = metrics.step == self._settings.steps
        if self._live is not None and (time.monotonic() - self._drawn > 0.5 or last):
            self._drawn = time.monotonic()
            self._live.update(self._table())

    def log_validation(self, step: int, held_out: float) -> None:
        """Take the loss on held-out frames."""
        self._held_out = (step, held_out)

    def _seconds(self) -> float:
        """Mean seconds of a step."""
        return max(sum(m.seconds for m in self._steps) / len(self._steps), 1e-9)

    def _table(self) -> Table:
        last, steps = self._steps[-1], self._settings.steps
        waited = sum(m.data_seconds for m in self._steps) / len(self._steps) / self._seconds()
        stage = "free fall" if last.step <= self._settings.fall_steps else self._settings.method
        table = Table(title=f"{stage}: step {last.step} of {steps}", title_justify="left")
        table.add_column("metric")
        table.add_column("value", justify="right")
        for name, value in _means(list(self._steps)).items():
            table.add_row(name, f"{value:.4f}")
        if self._held_out is not None:
            table.add_row(f"validation, step {self._held_out[0]}", f"{self._held_out[1]:.4f}")
        table.add_row("steps/s", f"{1 / self._seconds():.2f}")
        table.add_row("waiting for data", f"{waited:.1%}")
        table.add_row("time left", format_duration((steps - last.step) * self._seconds()))
        return table


def _means(steps: list[StepMetrics]) -> Mapping[str, float]:
    """Each loss of the last step, averaged over the steps that have it."""
    names = steps[-1].losses
    rows = {name: [t.losses[name] for t in steps if name in t.losses] for name in names}
    return {name: sum(values) / len(values) for name, values in rows.items()}
