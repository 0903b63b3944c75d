"""What a command shows: progress, summaries and errors on stderr, JSON on stdout."""

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mocap_cli.errors import MocapError
from mocap_cli.progress import Count, count_stage, no_progress
from mocap_cli.progress import Progress as ProgressCallback

Line = tuple[str, str]
"""A label and what it labels."""

_LABEL_WIDTH = 10
_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_CONTROLS |= dict.fromkeys(range(127, 160), 0xFFFD)
_CONTROLS |= dict.fromkeys(
    (0x61C, *range(0x200E, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD
)
SECONDS_PER_LINE = 10.0  # between progress lines where stderr is not a terminal


@dataclass(frozen=True, slots=True)
class Report:
    """The summary of one result: a headline and labelled lines for people, data for --json."""

    head: str
    lines: Sequence[Line] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    brief: str = ""  # the whole in one line, among many; else the headline is

    def text(self) -> Text:
        """The headline in bold, and the lines below it."""
        text = Text(printable(self.head), style="bold")
        for label, line in self.lines:
            style = "yellow" if label == "warning" else "cyan"
            text.append("\n")
            text.append(f"  {label:<{_LABEL_WIDTH}}", style=f"not bold {style}")
            text.append(printable(line), style="not bold")
        return text


def _stderr_console() -> Console:
    """The console for people; lines are not wrapped, so that one error stays one line."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """The text without control characters: in the name of a file they would steer the terminal."""
    return text.translate(_CONTROLS)


def show_error(error: MocapError) -> None:
    """Print what is wrong and how to mend it."""
    _stderr_console().print(Text.assemble(("error: ", "bold red"), printable(error.message)))
    if error.hint:
        _stderr_console().print(Text.assemble(("hint: ", "cyan"), printable(error.hint)))


class Display:
    """The screen of one command, from its first progress bar to its JSON summary."""

    def __init__(self, command: str, *, quiet: bool, as_json: bool) -> None:
        self._command, self._quiet, self.as_json = command, quiet, as_json
        self._console = _stderr_console()
        self._bars = Progress(
            _Label(""),
            BarColumn(),
            TaskProgressColumn(),
            _Speed(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self.draws,
        )
        self._results: list[Mapping[str, Any]] = []
        self._failures: list[Mapping[str, Any]] = []

    @property
    def draws(self) -> bool:
        """Whether bars and tables are drawn: on a terminal, unless --quiet."""
        return self._console.is_terminal and not self._quiet

    def report(self, report: Report) -> None:
        """Print a summary, or keep it for the JSON."""
        self.keep(report)
        if not (self._quiet or self.as_json):
            self._console.print(report.text())

    def keep(self, report: Report) -> None:
        """Keep a summary for the JSON, without printing it."""
        self._results.append(report.data)

    def note(self, text: str) -> None:
        """Print a remark that belongs to no single result."""
        if not self._quiet:
            self._console.print(Text(printable(text)))

    def fail(self, source: Path, message: str, hint: str) -> None:
        """Keep a failure for the JSON."""
        self._failures.append({"input": str(source), "error": message, "hint": hint})

    def show_failures(self, inputs: int, plural: str) -> None:
        """Print a table of the inputs that failed, and why."""
        title = f"{len(self._failures)} of {inputs} {plural} failed"
        table = Table(title=title, title_justify="left")
        table.add_column(plural.removesuffix("s"), overflow="fold")
        table.add_column("error", overflow="fold")
        for failure in self._failures:
            lines = filter(None, (failure["error"], failure["hint"]))
            table.add_row(Text(printable(failure["input"])), Text(printable("\n".join(lines))))
        Console(stderr=True, highlight=False).print(table)

    def show(self, text: Text, console: Console | None = None) -> None:
        """Print a table or another text that is part of the summary, above a live table's too."""
        if not (self._quiet or self.as_json):
            (console or self._console).print(Text(printable(text.plain), text.style))

    def live_table(self) -> Live:
        """A place for a table that is redrawn twice a second, and removed at the end."""
        return Live(console=_stderr_console(), transient=True, refresh_per_second=2)

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Count]:
        """A bar of one stage, called with the amount done."""
        with self.progress("") as progress:
            yield count_stage(progress, label, total)

    @contextmanager
    def progress(self, label: str) -> Iterator[ProgressCallback]:
        """A progress callback for one input: a bar for each stage, or plain lines."""
        if self._quiet:
            yield no_progress
        elif self.draws:
            bars = _StageBars(self._bars, label)
            try:
                yield bars
            finally:
                bars.close()
        else:
            yield _PlainLines(self._console, label)

    def __enter__(self) -> "Display":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()
        if self.as_json:
            summary = {
                "command": self._command,
                "results": self._results,
                "failures": self._failures,
            }
            sys.stdout.write(json.dumps(_plain(summary), indent=2) + "\n")


class _StageBars:
    """One bar at a time: the stage that reports."""

    def __init__(self, bars: Progress, label: str) -> None:
        self._bars, self._label = bars, label
        self._stage = ""
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Move the bar of that stage."""
        if stage != self._stage or self._task is None:
            self.close()
            # The label is text: the brackets of clip[b].mp4 are no markup.
            label = Text(printable(": ".join(filter(None, (self._label, stage)))))
            self._stage, self._task = stage, self._bars.add_task("", label=label, total=total)
        self._bars.update(self._task, completed=done, total=total)

    def close(self) -> None:
        """Remove the bar."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None


class _PlainLines:
    """A line every ten seconds, for logs; work that takes less prints none."""

    def __init__(self, console: Console, label: str) -> None:
        self._console, self._label = console, label
        self._stage, self._began = "", time.monotonic()
        self._printed = self._began

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Print how far that stage is, if it is time."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._began = stage, now
        if now - self._printed < SECONDS_PER_LINE:
            return
        self._printed = now
        counted = _progress_text(done, total, now - self._began) if done or total else ""
        text = ": ".join(filter(None, (self._label, stage, counted)))
        self._console.print(Text(printable(text)))


def _progress_text(done: int, total: int | None, seconds: float) -> str:
    """`120 of 400 (30%), 12/s, 23 s left`, as far as it is known."""
    speed = done / seconds if seconds > 0 else 0.0
    parts = [f"{done} of {total} ({done / total:.0%})" if total else f"{done}"]
    if speed:
        parts.append(f"{speed:.0f}/s" if speed >= 10 else f"{speed:.2g}/s")
    if speed and total:
        parts.append(f"{format_duration(max(total - done, 0) / speed)} left")
    return ", ".join(parts)


def format_duration(seconds: float) -> str:
    """Two units at most: 3 d 4 h, 2 h 5 min, 40 s."""
    for size, name, smaller, rest in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            return f"{int(seconds // size)} {name} {int(seconds % size // smaller)} {rest}"
    return f"{seconds:.0f} s"


class _Speed(ProgressColumn):
    """How much is done each second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed else "", style="cyan")


class _Label(TextColumn):
    def render(self, task: Task) -> Text:
        label: Text = task.fields["label"]
        return label


def _plain(value: Any) -> Any:
    """The same in types that JSON has: no NaN, no arrays' numbers, no paths."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
