"""The screen: progress, summaries and errors for people, all on stderr."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
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

_CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
_CONTROLS |= dict.fromkeys(range(127, 160), 65533)


def stderr_console() -> Console:
    """Where people read; no line is folded, so that one error stays one line."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def harmless(text: str) -> str:
    """The same without control characters, which in a file's name would steer the terminal."""
    return text.translate(_CONTROLS)


def _harmless(text: Text) -> Text:
    text.plain = harmless(text.plain)  # one character for each, so that styles stay in place
    return text


def show_error(error: MocapError) -> None:
    """What is wrong, and the way out."""
    stderr_console().print(Text.assemble(("error: ", "bold red"), harmless(error.message)))
    if error.hint:
        stderr_console().print(Text.assemble(("hint: ", "cyan"), harmless(error.hint)))


def show_failures(failures: Mapping[Path, str], jobs: int, plural: str) -> None:
    """A table of the inputs that gave nothing, and why."""
    table = Table(title=f"{len(failures)} of {jobs} {plural} failed", title_justify="left")
    table.add_column(plural.removesuffix("s"), overflow="fold")
    table.add_column("why", overflow="fold")
    for video, why in failures.items():
        table.add_row(Text(harmless(str(video))), Text(harmless(why)))
    Console(stderr=True, highlight=False).print(table)


class _Speed(ProgressColumn):
    """How fast frames, or whatever is counted, are done."""

    def render(self, task: Task) -> Text:
        """The speed, once there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} {task.fields['unit']}/s" if speed else "", style="cyan")


class ProgressBar:
    """One bar on the screen; call it with the number of frames done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def __call__(self, done: int) -> None:
        """Move to that frame."""
        self._progress.update(self._task, completed=done)


class ProgressDisplay:
    """The bars of a command, one after another, and what is said between them."""

    def __init__(self, progress: Progress, quiet: bool) -> None:
        self._progress = progress
        self._quiet = quiet

    def show(self, text: Text) -> None:
        """Print above the bars, unless silence was asked for."""
        if not self._quiet:
            self._progress.console.print(_harmless(text))

    @contextmanager
    def bar(self, label: str, frames: int | None, unit: str = "frames") -> Iterator[ProgressBar]:
        """A bar that is there while the block runs."""
        # The label is text: the brackets of clip[b].mp4 are no markup.
        task = self._progress.add_task("", label=Text(harmless(label)), total=frames, unit=unit)
        try:
            yield ProgressBar(self._progress, task)
        finally:
            self._progress.remove_task(task)


@contextmanager
def progress_display(quiet: bool) -> Iterator[ProgressDisplay]:
    """Progress on a terminal; silent otherwise."""
    screen = stderr_console()
    progress = Progress(
        _Label(""),
        BarColumn(),
        TaskProgressColumn(),
        _Speed(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=quiet or not screen.is_terminal,
    )
    with progress:
        yield ProgressDisplay(progress, quiet)


class _Label(TextColumn):
    def render(self, task: Task) -> Text:
        label: Text = task.fields["label"]
        return label
