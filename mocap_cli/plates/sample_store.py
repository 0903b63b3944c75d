"""Sample store: the frames that a background is made from, on disk and read in pieces."""

import tempfile

import numpy as np

from mocap_cli.io.records import room_for_temporary
from mocap_cli.types import UInt8

_OCCLUDED = 1
"""Alpha where a person hides the background."""


class SampleStore:
    """RGBA frames (H, W, 4), alpha 255 where no person is; deleted when the `with` block ends."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._width, self._height = size
        with room_for_temporary():
            self._file = tempfile.TemporaryFile(prefix="mocap-", buffering=0)  # noqa: SIM115 - closed by `with`
        self._count = 0

    def __enter__(self) -> "SampleStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def add(self, image: UInt8, mask: UInt8 | None = None) -> None:
        """Append a frame (H, W, 3); `mask` (H, W) is 255 where no person is, else 0."""
        alpha = (
            np.full(image.shape[:2], 255, np.uint8) if mask is None else np.maximum(mask, _OCCLUDED)
        )
        data = memoryview(np.dstack((image, alpha)).tobytes())
        with room_for_temporary():
            while data:
                data = data[self._file.write(data) :]
        self._count += 1

    def rows(self, index: int, top: int, bottom: int) -> UInt8:
        """(bottom - top, W, 4) rows of one frame."""
        line = self._width * 4
        self._file.seek((index * self._height + top) * line)
        found = np.frombuffer(self._file.read((bottom - top) * line), np.uint8)
        return found.reshape(bottom - top, self._width, 4)
