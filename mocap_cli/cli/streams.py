"""Standard streams: what cannot be shown stops no work; results that cannot be written do."""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mocap_cli.errors import MocapError

_STDERR = 2


def guard_streams() -> None:
    """Open streams that are closed, and guard those that may be full; those of tests are kept."""
    _take_free_numbers()
    sys.stdout = _guarded(sys.stdout, sys.__stdout__, _Output)
    sys.stderr = _guarded(sys.stderr, sys.__stderr__, _Messages)


def _take_free_numbers() -> None:
    """Give a closed stdin, stdout or stderr to /dev/null: else a file or a pipe gets its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(number, True)
    os.close(number)


class _Raw(io.RawIOBase):
    """The file below a text stream."""

    def __init__(self, stream: TextIO) -> None:
        self._raw = getattr(stream.buffer, "raw", stream.buffer)  # no buffer under python -u

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())


class _Messages(_Raw):
    """Drops what cannot be written: the disk that a log is on is full, the terminal is gone."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        with suppress(OSError):
            if (written := self._raw.write(data)) is not None:
                return int(written)
        return len(data)


class _Output(_Raw):
    """Says once that it cannot be written; the rest is dropped."""

    _failed = False

    def write(self, data: bytes) -> int | None:  # type: ignore[override]
        if self._failed:
            return len(data)
        try:
            return self._raw.write(data)
        except OSError as error:
            self._failed = True
            if isinstance(error, BrokenPipeError):  # nobody reads on, as with `| head`
                raise
            text = f"cannot write to the output: {error.strerror}"
            raise MocapError(text, "free some space, or send it elsewhere") from error


def _guarded(stream: TextIO | None, original: TextIO | None, kind: type[_Raw]) -> TextIO:
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    if stream is not original:
        return stream
    buffer = io.BufferedWriter(kind(stream))
    # By lines: what fails, fails while the command runs, and not when Python ends.
    return io.TextIOWrapper(buffer, stream.encoding, stream.errors, line_buffering=True)
