"""Clip board: how far many clips are, as a live table or as plain lines in a log."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from rich.live import Live
from rich.table import Table
from rich.text import Text

from mocap_cli.cli.display import SECONDS_PER_LINE, Display, format_duration, printable
from mocap_cli.workers.job import Job, Result, Status

_REDRAW_SECONDS = 0.5
_MAX_ROWS = 12  # of clips in progress


@dataclass(slots=True)
class _Running:
    """A clip in progress."""

    stage: str = ""
    done: int = 0
    total: int | None = None
    frames: int = 0  # of the video

    @property
    def share(self) -> float:
        """0..1 of its frames."""
        return self.frames / max(self.total or self.frames, self.frames, 1)


class ClipBoard:
    """Counts clips and frames; `with` draws them while the block runs."""

    def __init__(self, clips: Sequence[Job], display: Display, counted: str) -> None:
        self._clips, self._display, self._counted = clips, display, counted
        self._running: dict[int, _Running] = {}
        self._bytes = [_size(clip) for clip in clips]
        self._counts: Counter[Status] = Counter()
        self._worked = self._passed = 0.0  # bytes of clips: done or failed, and skipped
        self._frames = 0
        self._began = self._drawn = time.monotonic()
        self._live: Live | None = None
        self._open = ExitStack()

    def __enter__(self) -> "ClipBoard":
        if self._display.draws:
            self._live = self._open.enter_context(self._display.live_table())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def show(self, number: int, stage: str, done: int, total: int | None) -> None:
        """Take the progress of a clip."""
        running = self._running.setdefault(number, _Running())
        running.stage, running.done = stage, done
        if stage == self._counted:
            running.frames, running.total = done, total
        self._draw()

    def done(self, number: int, result: Result[Any], line: str) -> None:
        """Take the result of a clip, and print a line about it."""
        running = self._running.pop(number, None)
        self._counts[result.status] += 1
        if result.status == "skipped" or (result.status == "exported" and self._counted):
            self._passed += self._bytes[number]
        else:
            self._worked += self._bytes[number]
            self._frames += result.frames or (running.frames if running else 0)
        console = self._live.console if self._live is not None else None
        self._display.show(Text(line, "red" if result.status == "failed" else ""), console)
        self._draw()

    def _draw(self) -> None:
        now = time.monotonic()
        if now - self._drawn < (_REDRAW_SECONDS if self._live is not None else SECONDS_PER_LINE):
            return
        self._drawn = now
        if self._live is not None:
            self._live.update(self._table())
        else:
            self._display.note(f"clips: {', '.join(self._numbers())}")

    def _numbers(self) -> list[str]:
        done = sum(self._counts.values())
        seconds = time.monotonic() - self._began
        frames = self._frames + sum(running.frames for running in self._running.values())
        numbers: tuple[Status, ...] = ("failed", "skipped")
        parts = [f"{done} of {len(self._clips)} done ({done / len(self._clips):.0%})"]
        parts += [f"{self._counts[s]} {s}" for s in numbers if self._counts[s]]
        parts.append(f"{frames / max(seconds, 1e-3):.0f} frames/s in all")
        if (left := self._seconds_left(seconds)) is not None:
            parts.append(f"{format_duration(left)} left")
        return parts

    def _seconds_left(self, seconds: float) -> float | None:
        """By the sizes of the files: their lengths are not known yet."""
        running = sum(self._bytes[n] * clip.share for n, clip in self._running.items())
        worked = self._worked + running
        left = sum(self._bytes) - worked - self._passed
        return max(left, 0.0) / worked * seconds if worked else None

    def _table(self) -> Table:
        table = Table(box=None, show_header=False)
        table.add_row(Text(", ".join(self._numbers()), "bold"))
        for number, clip in list(self._running.items())[:_MAX_ROWS]:
            count = f" {clip.done} of {clip.total}" if clip.done and clip.total else ""
            name = self._clips[number].source.name
            table.add_row(Text(printable(f"  {name}: {clip.stage}{count}"), "cyan"))
        return table


def _size(clip: Job) -> int:
    with suppress(OSError):
        return max(clip.source.stat().st_size, 1)
    return 1
