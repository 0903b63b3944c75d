"""Checked values of a JSON document: type, range and shape; a ValueError names the key."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np

from mocap_cli.types import Bool, Float64

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          dict: "an object", list: "a list"}  # fmt: skip
_MAX_BYTES = 4000  # of a text
_MAX_SHOWN = 40  # characters of a wrong value in an error


def short_repr(value: Any) -> str:
    """A value for an error message: on one line, without control characters, and short."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object of a JSON document; each method reads one key."""

    values: dict[str, Any]
    name: str = ""  # of the object in the document, such as "camera."

    def get(self, key: str, *kinds: type) -> Any:
        """The value, which must be of one of these types; the error names the last."""
        if key not in self.values:
            raise ValueError(f"{self.name}{key} is missing")
        value = self.values[key]
        if type(value) not in kinds:  # isinstance takes true for a number
            raise self._wrong(key, value, f"not {_KINDS[kinds[-1]]}")
        return value

    def child(self, key: str) -> "JsonObject":
        """An object within this one."""
        return JsonObject(self.get(key, dict), f"{self.name}{key}.")

    def text(self, key: str, max_bytes: int = _MAX_BYTES) -> str:
        """A text of at most so many bytes."""
        value: str = self.get(key, str)
        size = len(value.encode())
        if size > max_bytes:
            raise ValueError(f"{self.name}{key} has {size} bytes, more than {max_bytes}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        items = {str(i): item for i, item in enumerate(self.get(key, list))}
        return tuple(JsonObject(items, f"{self.name}{key}.").text(i) for i in items)

    def number(self, key: str, low: float, high: float, kind: type = float) -> Any:
        """A number between two bounds, both included; a whole one with `kind=int`."""
        value = self.get(key, int, kind)
        if not low <= value <= high:
            raise self._wrong(key, value, f"not between {low:g} and {high:g}")
        return value

    def flags(self, key: str, count: int) -> Bool:
        """A list of so many values true or false."""
        return self._array(key, (count,), (bool,)).astype(np.bool_)

    def numbers(
        self, key: str, shape: Sequence[int | None], low: float, high: float, *, null: bool = True
    ) -> Float64:
        """Nested lists of numbers of that shape (None: any length); null becomes NaN."""
        kinds = (int, NoneType, float) if null else (int, float)
        values = self._array(key, shape, kinds).astype(np.float64)
        wild = values[(values < low) | (values > high)]
        if len(wild):
            raise ValueError(
                f"{self.name}{key} holds {wild[0]:g}, which is not between {low:g} and {high:g}"
            )
        return values

    def _array(self, key: str, shape: Sequence[int | None], kinds: Sequence[type]) -> Any:
        value = self.get(key, list)
        try:
            items = np.array(value, dtype=object)
        except ValueError:  # lists of different lengths within each other
            items = np.array(None, dtype=object)
        same = (want in (None, have) for want, have in zip(shape, items.shape, strict=False))
        if items.ndim != len(shape) or not all(same):
            size = " x ".join("T" if n is None else str(n) for n in shape)
            raise ValueError(f"{self.name}{key} is not a nested list of {size} values")
        flat = items.ravel().tolist()
        if not set(map(type, flat)) <= set(kinds):
            odd = next(item for item in flat if type(item) not in kinds)
            raise ValueError(f"{self.name}{key} holds {short_repr(odd)}, not {_KINDS[kinds[-1]]}")
        return items

    def _wrong(self, key: str, value: Any, what: str) -> ValueError:
        return ValueError(f"{self.name}{key} is {short_repr(value)}, {what}")
