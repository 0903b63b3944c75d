"""NPZ files read as data, never as code, with one error for all their faults."""

import math
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

_BAD_HEADER = (
    EOFError, TypeError, AttributeError, OverflowError, SyntaxError, RecursionError, TokenError,
)  # fmt: skip
"""What numpy raises, besides ValueError, of a damaged header."""

_KINDS = {"number": "iuf", "whole": "iu", "flag": "b", "text": "U"}
_SEAL = "seal"  # name of the array that holds the SHA-256 over the others


def load_npz(path: Path, max_bytes: int = 1 << 32) -> dict[str, NDArray[Any]]:
    """All arrays of an NPZ; OSError where there is no file, ValueError where it is no NPZ.

    Arrays larger than `max_bytes` in all, or larger than their entries, are refused unread.
    """
    try:
        with ZipFile(path) as archive:
            _check_sizes(archive, max_bytes)
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (BadZipFile, zlib.error, KeyError, *_BAD_HEADER) as error:
        raise ValueError(str(error)) from error


def load_npy(path: Path) -> NDArray[Any]:
    """One array; ValueError where the file is shorter than its header claims, or is no NPY."""
    try:
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except _BAD_HEADER as error:
        raise ValueError(f"{path.name}: {error}") from error


def seal_of(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The array to store with others, by which `without_seal` knows that they are undamaged."""
    return {_SEAL: np.array(_digest(arrays))}


def without_seal(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays that were sealed; ValueError where any differs."""
    rest = {name: array for name, array in arrays.items() if name != _SEAL}
    if str(arrays.get(_SEAL)) != _digest(rest):
        raise ValueError("its arrays differ from what was written")
    return rest


def checked_array(
    arrays: Mapping[str, NDArray[Any]],
    name: str,
    shape: Sequence[int | None],
    kind: Literal["number", "whole", "flag", "text"] = "number",
    low: float = -1e6,
    high: float = 1e6,
    *,
    nan: bool = False,
) -> NDArray[Any]:
    """An array of that shape (None: any length), type and range; a ValueError names it."""
    if name not in arrays:
        raise ValueError(f"{name} is missing")
    array = arrays[name]
    same = (want in (None, have) for want, have in zip(shape, array.shape, strict=False))
    if array.ndim != len(shape) or not all(same):
        raise ValueError(f"{name} has the shape {array.shape}, not {tuple(shape)}")
    if array.dtype.kind not in _KINDS[kind]:
        raise ValueError(f"{name} holds {array.dtype}, not a {kind}")
    if kind in ("number", "whole"):
        good = (array >= low) & (array <= high)
        if not (good | np.isnan(array) if nan else good).all():
            raise ValueError(f"{name} holds a number that is not between {low:g} and {high:g}")
    return array


def _digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    whole = sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        whole.update(f"{name} {array.dtype.str} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


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
