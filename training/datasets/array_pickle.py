"""Pickles of numpy arrays read as data: no object that they name is ever called."""

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at

_NUMBERS = re.compile(r"[biuf][1248]")
_ODD_ERRORS = (
    pickle.UnpicklingError, EOFError, AttributeError, MemoryError, RecursionError,
)  # fmt: skip


def read_array_pickle(path: Path) -> dict[str, Any]:
    """A pickled dictionary of arrays, numbers, texts and lists of them, of Python 2 or 3.

    Arrays are rebuilt from their bytes by stand-ins for numpy's classes. A file that names
    anything else is refused: unpickling it would run code of its author.
    """
    with damage_at(path), path.open("rb") as file:
        try:
            document = _plain(_ArrayUnpickler(file, path).load())
        except _ODD_ERRORS as error:
            raise ValueError(str(error) or type(error).__name__) from error
        if not isinstance(document, dict):
            raise ValueError("it is no dictionary")
        return document


class _DType:
    """Stands in for numpy.dtype; keeps what describes plain numbers."""

    __slots__ = ("code", "order")

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "|"

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]

    def decode(self, content: str | bytes) -> NDArray[Any]:
        """The numbers in a text of one byte a character, as Python 2 has them, or in bytes."""
        if not _NUMBERS.fullmatch(self.code) or self.order not in ("<", ">", "|", "="):
            raise ValueError(f"an array is of {self.code!r}, not of numbers")
        raw = content.encode("latin-1") if isinstance(content, str) else bytes(content)
        return np.frombuffer(raw, np.dtype(self.order + self.code))


class _Array:
    """Stands in for numpy.ndarray; anything but plain numbers becomes None."""

    __slots__ = ("value",)

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        if _NUMBERS.fullmatch(dtype.code):
            numbers = dtype.decode(content)
            self.value = numbers.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _DType, content: str | bytes) -> float:
    return float(dtype.decode(content)[0])


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for _codecs.encode: bytes in pickles that Python 3 wrote for Python 2."""
    if encoding not in ("latin1", "latin-1"):
        raise ValueError(f"bytes are encoded as {encoding}")
    return text.encode("latin-1")


_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    **{
        (f"numpy.{core}.multiarray", name): stand_in
        for core in ("core", "_core")
        for name, stand_in in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin-1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise MocapError(
                f"{self._path} is refused: it holds more than arrays ({module}.{name})"[:200],
                "use the file as the owners of the data set distribute it",
            ) from None


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.value
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
