"""ONNX files: read nodes and constants, and write other numbers into the same constants.

Only what the bundled networks contain, so that the package `onnx` is not needed.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 10: "<f2"}
_INLINE = {4: "<f4", 7: "<i8"}  # fields of numbers that are not kept as raw bytes
_RAW = 9

_Field = tuple[int, int, Any, int]
"""Number, wire type, value and its position in the file."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of the graph."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class OnnxFile:
    """The graph of a file, in the order of computation."""

    nodes: tuple[Node, ...]
    constants: Mapping[str, NDArray[Any]]
    _data: bytes
    _positions: Mapping[str, int]

    @staticmethod
    def parse(data: bytes) -> "OnnxFile":
        """Read the bytes of a file."""
        view = memoryview(data)
        (graph,) = [(value, at) for n, _, value, at in _fields(view, 0) if n == 7]
        nodes, constants, positions = [], {}, {}
        for number, _, value, at in _fields(*graph):
            if number == 1:
                nodes.append(_node(value, at))
            elif number == 5:
                name, array, position = _tensor(value, at)
                constants[name] = array
                if position:
                    positions[name] = position
        return OnnxFile(tuple(nodes), constants, data, positions)

    @property
    def changeable(self) -> frozenset[str]:
        """Constants that can be written; others are kept as single numbers."""
        return frozenset(self._positions)

    def with_constants(self, changed: Mapping[str, NDArray[Any]]) -> bytes:
        """The bytes of the same file with other numbers of the same type and shape."""
        data = bytearray(self._data)
        for name, values in changed.items():
            old = self.constants[name]
            if values.shape != old.shape or values.dtype != old.dtype:
                raise ValueError(f"{name} is {values.dtype} {values.shape}")
            if name not in self.changeable:
                raise ValueError(f"{name} is not kept as a row of numbers")
            position, packed = self._positions[name], values.tobytes()
            data[position : position + len(packed)] = packed
        return bytes(data)


def _fields(view: memoryview, start: int) -> Iterator[_Field]:
    """The fields of a message whose first byte is at `start` of the file."""
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield number, wire, value, start + at
        else:
            length, at = (4, at) if wire == 5 else (8, at) if wire == 1 else _varint(view, at)
            yield number, wire, view[at : at + length], start + at
            at += length


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _integers(wire: int, value: Any) -> list[int]:
    """One integer, or a packed row of them."""
    if wire == 0:
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        found.append(_signed(number))
    return found


def _text(value: memoryview) -> str:
    return bytes(value).decode()


def _node(view: memoryview, start: int) -> Node:
    found = list(_fields(view, start))
    (kind,) = [_text(value) for n, _, value, _ in found if n == 4]
    inputs, outputs = (tuple(_text(v) for n, _, v, _ in found if n == part) for part in (1, 2))
    attributes = dict(_attribute(value, at) for n, _, value, at in found if n == 5)
    return Node(kind, inputs, outputs, attributes)


def _attribute(view: memoryview, start: int) -> tuple[str, Any]:
    name, value, row = "", None, []
    for number, wire, part, at in _fields(view, start):
        if number == 1:
            name = _text(part)
        elif number == 2:
            (value,) = struct.unpack("<f", part)
        elif number == 3:
            value = _signed(part)
        elif number == 4:
            value = _text(part)
        elif number == 5:
            value = _tensor(part, at)[1]
        elif number == 8:
            row += _integers(wire, part)
    return name, row or value


def _tensor(view: memoryview, start: int) -> tuple[str, NDArray[Any], int]:
    """Name, values and their position in the file; 0 where they are not one row of bytes."""
    dims: list[int] = []
    name, kind, packed, position = "", 1, memoryview(b""), 0
    for number, wire, value, at in _fields(view, start):
        if number == 1:
            dims += _integers(wire, value)
        elif number == 2:
            kind = value
        elif number == 8:
            name = _text(value)
        elif number == _RAW or (number == 4 and kind == 1):
            packed, position = value, at
        elif number in (4, 5, 7):
            packed = memoryview(np.array(_integers(wire, value), _DTYPES[kind]).tobytes())
    return name, np.frombuffer(packed, _DTYPES[kind]).reshape(dims), position
