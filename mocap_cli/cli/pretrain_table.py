"""Live: a table of what a run is doing, redrawn in place; silent where nobody watches."""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from rich.live import Live
from rich.table import Table

from mocap_cli.cli.progress import stderr_console
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.tally import StepMetrics

_MEAN_OF = 50  # steps


class StopRequest:
    """Ctrl-C and the like: the first asks the loop to stop, the second stops at once."""

    def __init__(self) -> None:
        self.signal_number = 0

    def __call__(self) -> bool:
        """Whether somebody asked."""
        return self.signal_number > 0

    def handle_signal(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.signal_number:
            raise KeyboardInterrupt
        self.signal_number = number


class _Progress:
    """The last steps of a run as a table."""

    def __init__(self, settings: Settings, live: Live) -> None:
        self._settings, self._live = settings, live
        self._steps: deque[StepMetrics] = deque(maxlen=_MEAN_OF)
        self._held_out: tuple[int, float] | None = None
        self._drawn = 0.0

    def told(self, told: StepMetrics) -> None:
        """One step was done."""
        self._steps.append(told)
        if time.monotonic() - self._drawn > 0.5 or told.step == self._settings.steps:
            self._drawn = time.monotonic()
            self._live.update(self._table())

    def checked(self, step: int, held_out: float) -> None:
        """Held-out frames were looked at."""
        self._held_out = (step, held_out)

    def _table(self) -> Table:
        last, steps = self._steps[-1], self._settings.steps
        seconds = sum(t.seconds for t in self._steps) / len(self._steps)
        waited = sum(t.data_seconds for t in self._steps) / len(self._steps) / max(seconds, 1e-9)
        stage = "gravity" if last.step <= self._settings.fall_steps else self._settings.method
        table = Table(title=f"{stage}: step {last.step} of {steps}", title_justify="left")
        table.add_column("what")
        table.add_column("now", justify="right")
        for name, value in _means(list(self._steps)).items():
            table.add_row(name, f"{value:.4f}")
        if self._held_out is not None:
            table.add_row(f"held out, step {self._held_out[0]}", f"{self._held_out[1]:.4f}")
        table.add_row("steps/s", f"{1 / max(seconds, 1e-9):.2f}")
        table.add_row("waited for data", f"{waited:.1%}")
        table.add_row("time left", format_duration((steps - last.step) * seconds))
        return table


@contextmanager
def training_table(settings: Settings, quiet: bool) -> Iterator[_Progress]:
    """The table while the block runs."""
    screen = stderr_console()
    if quiet or not screen.is_terminal:
        screen.quiet = True
    with Live(console=screen, transient=True, refresh_per_second=2) as live:
        yield _Progress(settings, live)


def format_duration(seconds: float) -> str:
    """As people say it: 3 d 4 h, 2 h 5 min, 40 s."""
    for size, name, smaller, rest in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // smaller)} {rest}"
    return f"{seconds:.0f} s"


def _means(steps: list[StepMetrics]) -> Mapping[str, float]:
    """Of the losses of the last step, each over the steps that had it."""
    names = steps[-1].losses
    rows = {name: [t.losses[name] for t in steps if name in t.losses] for name in names}
    return {name: sum(values) / len(values) for name, values in rows.items()}
