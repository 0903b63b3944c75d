"""NPZ files read as data, never as code, with one error for all their faults."""

import math
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray


def load_npz(path: Path, max_bytes: int = 1 << 32) -> dict[str, NDArray[Any]]:
    """All arrays of an NPZ; OSError where there is no file, ValueError where it is no NPZ.

    Arrays larger than `max_bytes` in all, or larger than their entries, are refused unread.
    """
    try:
        with ZipFile(path) as archive:
            _check_sizes(archive, max_bytes)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (BadZipFile, zlib.error, EOFError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error


def _check_sizes(archive: ZipFile, max_bytes: int) -> None:
    """Compare what the headers claim with what the entries hold, before memory is taken for it."""
    total = sum(entry.file_size for entry in archive.infolist())
    if total > max_bytes:
        raise ValueError(
            f"its arrays take {total / 2**20:.0f} MB, at most {max_bytes >> 20} are read"
        )
    for entry in archive.infolist():
        with archive.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = {1: np.lib.format.read_array_header_1_0, 2: np.lib.format.read_array_header_2_0}
            shape, _, dtype = read[version[0]](file)
            claimed = math.prod(shape) * dtype.itemsize
        if claimed > entry.file_size:
            raise ValueError(f"{entry.filename} claims {claimed} bytes but has {entry.file_size}")
