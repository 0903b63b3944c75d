"""Stack: the frames that a background is made from, kept on disk and read piece by piece."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.types import UInt8

_OCCLUDED = 1
"""Alpha where a person is: the frame has been there, but what is behind was not seen."""


class SampleStore:
    """Pictures (H, W, 4), RGB and 255 where no person is, else SEEN; gone after `with`."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._width, self._height = size
        with _room():
            self._file = tempfile.TemporaryFile(prefix="mocap-", buffering=0)  # noqa: SIM115 - closed by `with`
        self._count = 0

    def __enter__(self) -> "SampleStore":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, image: UInt8, free: UInt8 | None = None) -> None:
        """Put a picture (H, W, 3) on top, with 255 in `free` (H, W) where no person is."""
        alpha = (
            np.full(image.shape[:2], 255, np.uint8) if free is None else np.maximum(free, _OCCLUDED)
        )
        data = memoryview(np.dstack((image, alpha)).tobytes())
        with _room():
            while data:
                data = data[self._file.write(data) :]
        self._count += 1

    def rows(self, index: int, top: int, bottom: int) -> UInt8:
        """(bottom - top, W, 4) of one picture."""
        line = self._width * 4
        self._file.seek((index * self._height + top) * line)
        found = np.frombuffer(self._file.read((bottom - top) * line), np.uint8)
        return found.reshape(bottom - top, self._width, 4)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MocapError(
            f"cannot keep frames in a temporary file: {error.strerror or error}",
            "free some space, or set TMPDIR to a folder that has more",
        ) from error
