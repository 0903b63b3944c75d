"""Binary FBX 7.4: a tree of named nodes with values, and its encoding."""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 7400
_MAGIC = b"Kaydara FBX Binary  \x00\x1a\x00"
_RECORD = struct.Struct("<IIIB")  # end, number of values, bytes of values, bytes of the name
_ARRAYS = {"float64": b"d", "float32": b"f", "int64": b"l", "int32": b"i"}
_COMPRESSED = 128  # bytes: smaller arrays are stored as they are
_SECOND_TYPES = {"int": "Integer", "double": "Number", "KTime": "Time", "Vector3D": "Vector"}
# The footer and the ID are enciphered from the creation time; these three belong together.
_CREATED = "1970-01-01 10:00:00:000"
_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
_FOOTER = bytes.fromhex("fabcab09d0c8d466b176fb831cf7267e")
_END = bytes.fromhex("f85a8c6adef5d97eece90ce3758f290b")


class Long(int):
    """An integer of 64 bits: object IDs and times. Plain ones have 32."""


@dataclass(frozen=True, slots=True)
class Node:
    """A named node, its values and its children."""

    name: str
    values: tuple[Any, ...] = ()  # bool, int, Long, float, str, bytes, arrays
    children: tuple["Node", ...] = ()


def node(name: str, *values: Any, children: Iterable[Node] = ()) -> Node:
    """A node with these values."""
    return Node(name, values, tuple(children))


def prop(name: str, kind: str, *values: Any) -> Node:
    """A property of a `properties` node: its name, its types, if it can be animated, its value."""
    flags = "A" if kind in ("Lcl Translation", "Lcl Rotation", "Number") else ""
    return node("P", name, kind, _SECOND_TYPES.get(kind, ""), flags, *values)


def properties(*given: Node) -> Node:
    """The node that holds the properties of an object."""
    return node("Properties70", children=given)


def encode_fbx(nodes: Iterable[Node]) -> bytes:
    """The whole file, given its nodes below the header extension."""
    file = bytearray(_MAGIC + struct.pack("<I", VERSION))
    for part in (*_header(), *nodes):
        _append(file, part)
    file += bytes(_RECORD.size) + _FOOTER + bytes(4)
    file += bytes(16 - len(file) % 16) + struct.pack("<I", VERSION) + bytes(120) + _END
    return bytes(file)


def _header() -> Iterable[Node]:
    stamp = zip(
        ("Version", "Year", "Month", "Day", "Hour", "Minute", "Second", "Millisecond"),
        (1000, 1970, 1, 1, 10, 0, 0, 0),
        strict=True,
    )
    yield node(
        "FBXHeaderExtension",
        children=(
            node("FBXHeaderVersion", 1003),
            node("FBXVersion", VERSION),
            node("EncryptionType", 0),
            node("CreationTimeStamp", children=[node(name, value) for name, value in stamp]),
            node("Creator", "mocap"),
        ),
    )
    yield node("FileId", _ID)
    yield node("CreationTime", _CREATED)
    yield node("Creator", "mocap")


def _append(file: bytearray, part: Node) -> None:
    """Append a node and its children; it begins with where it ends."""
    start, name = len(file), part.name.encode("ascii")
    values = b"".join(map(_value, part.values))
    file += bytes(_RECORD.size) + name + values
    for child in part.children:
        _append(file, child)
    if part.children or not part.values:  # some readers expect a list in a node without values
        file += bytes(_RECORD.size)
    _RECORD.pack_into(file, start, len(file), len(part.values), len(values), len(name))


def _value(value: Any) -> bytes:
    """A letter for the type, and the value."""
    match value:
        case bool():
            return struct.pack("<c?", b"C", value)
        case Long():
            return struct.pack("<cq", b"L", value)
        case int():
            return struct.pack("<ci", b"I", value)
        case float():
            return struct.pack("<cd", b"D", value)
        case str():
            text = value.encode()
            return struct.pack("<cI", b"S", len(text)) + text
        case bytes():
            return struct.pack("<cI", b"R", len(value)) + value
    return _array(value)


def _array(values: NDArray[Any]) -> bytes:
    data = np.ascontiguousarray(values.reshape(-1)).tobytes()
    packed = zlib.compress(data, 1) if len(data) > _COMPRESSED else data
    kind, deflated = _ARRAYS[values.dtype.name], int(len(data) > _COMPRESSED)
    return struct.pack("<cIII", kind, values.size, deflated, len(packed)) + packed
