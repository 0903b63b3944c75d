"""Records: rows of one NumPy type, in a temporary file once they are many.

What is known of every frame goes here, so that memory does not grow with the length of a video.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError

_IN_MEMORY = 4 << 20  # bytes: short videos never touch the disk


class Records:
    """Appends and reads rows of `dtype`; the file goes with the object."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._dtype, self._count = dtype, 0
        self._file = SpooledTemporaryFile(_IN_MEMORY, prefix="mocap-")  # noqa: SIM115 - closed below
        weakref.finalize(self, _close, self._file)

    def __len__(self) -> int:
        return self._count

    def append(self, fields: tuple[Any, ...]) -> int:
        """Add a row; returns its number."""
        row = np.array(fields, self._dtype)
        with room_for_temporary():
            self._file.seek(self._count * row.itemsize)
            self._file.write(row.tobytes())
        self._count += 1
        return self._count - 1

    def __getitem__(self, number: int) -> np.void:
        with room_for_temporary():  # what is buffered is written first
            self._file.seek(number * self._dtype.itemsize)
            found = self._file.read(self._dtype.itemsize)
        return np.void(np.frombuffer(found, self._dtype)[0])

    def read(self) -> NDArray[np.void]:
        """(N,) all rows."""
        with room_for_temporary():
            self._file.seek(0)
            return np.frombuffer(self._file.read(), self._dtype)


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # the disk is full, and the file is of no use to anybody
        file.close()


@contextmanager
def room_for_temporary() -> Iterator[None]:
    """Say in one line that a temporary file cannot be written."""
    try:
        yield
    except OSError as error:
        raise MocapError(
            f"cannot keep frames in a temporary file: {error.strerror or error}",
            "free some space, or set TMPDIR to a folder that has more",
        ) from error
