"""Checked values of a JSON document: type, range and shape; a ValueError names the key."""

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import orjson

from mocap_cli.types import Bool, Float64

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          dict: "an object", list: "a list"}  # fmt: skip
_MAX_BYTES = 4000  # of a text
_MAX_FILE = 1 << 30  # bytes of a file; a result of half a million frames
_LARGEST = 2.0**63  # of numbers whose fields name no range
_T = TypeVar("_T")
_MAX_SHOWN = 40  # characters of a wrong value in an error


def short_repr(value: Any) -> str:
    """A value for an error message: on one line, without control characters, and short."""
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def check_ranges(value: object, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse a dataclass with a number outside of its range, both ends included."""
    for name, (low, high) in ranges.items():
        found = getattr(value, name)
        numbers = found if isinstance(found, tuple) else (found,)
        if not all(low <= number <= high for number in numbers):
            raise ValueError(f"{name} is {short_repr(found)}, not between {low:g} and {high:g}")


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object of a JSON document; each method reads one key."""

    values: dict[str, Any]
    name: str = ""  # of the object in the document, such as "camera."

    @staticmethod
    def parse(text: str | bytes) -> "JsonObject":
        """The object that a text holds; a ValueError where it holds none."""
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"it is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ValueError("it holds no JSON object")
        return JsonObject(document)

    @staticmethod
    def read(path: Path) -> "JsonObject":
        """The object of a file; an OSError where it cannot be read."""
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is a folder, a pipe or a device, not a file")
        if (size := status.st_size) > _MAX_FILE:
            raise ValueError(f"it has {size >> 20} MB, more than {_MAX_FILE >> 20}")
        return JsonObject.parse(path.read_bytes())

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

    def items(self, key: str) -> list["JsonObject"]:
        """A list of objects."""
        rows = {str(i): item for i, item in enumerate(self.get(key, list))}
        return [JsonObject(rows, f"{self.name}{key}.").child(i) for i in rows]

    def of_type(self, kind: type[_T]) -> _T:
        """A dataclass whose fields have these names and types; those left out keep defaults."""
        known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
        if odd := self.values.keys() - known:
            raise ValueError(f"{self.name}{short_repr(min(odd))} is unknown")
        hints = get_type_hints(kind)
        try:
            return kind(**{key: self._typed(key, hints[key]) for key in self.values})
        except TypeError as error:  # a field without a default is missing
            raise ValueError(str(error).partition("() ")[2] or str(error)) from error

    def _typed(self, key: str, hint: Any) -> Any:
        """One value of the type that an annotation names."""
        origin, inner = get_origin(hint), get_args(hint)
        if hint in (int, float):
            return self.number(key, -_LARGEST, _LARGEST, hint)
        if origin is Literal:
            if (text := self.text(key)) not in inner:
                raise self._wrong(key, text, f"not one of {', '.join(inner)}")
            return text
        if origin in (Union, UnionType):
            return None if self.values[key] is None else self._typed(key, inner[0])
        if origin is tuple:
            items = {str(i): item for i, item in enumerate(self.get(key, list))}
            if inner[-1] is not ... and len(items) != len(inner):
                raise ValueError(f"{self.name}{key} has {len(items)} values, not {len(inner)}")
            row = JsonObject(items, f"{self.name}{key}.")
            return tuple(row._typed(i, inner[0]) for i in items)
        if isinstance(hint, type) and is_dataclass(hint):
            return self.child(key).of_type(hint)
        return self.text(key) if hint is str else self.get(key, hint)

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
