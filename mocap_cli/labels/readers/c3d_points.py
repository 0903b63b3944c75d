"""C3D points: the 3D point trajectories of a C3D file, read without trusting its own sizes.

Points that hold something else than positions (POINT:ANGLES and so on) are left out.

A file is a header of one 512-byte block, a parameter section and the frames (www.c3d.org). Every
count and offset is checked against the length of the file before memory is taken for it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mocap_cli.io.damage import damage_at
from mocap_cli.types import Float64

_BLOCK = 512  # bytes
_KEY = 0x50  # second byte of every C3D file
_INTEL, _DEC, _MIPS = 84, 85, 86  # processors: byte order and floating-point format
_MAX_LABELS = 512  # points; more are no body
_COMPUTED = ("ANGLES", "FORCES", "MOMENTS", "POWERS", "SCALARS")


@dataclass(frozen=True, slots=True, eq=False)
class _C3DPoints:
    """Point trajectories in the file's own unit."""

    names: tuple[str, ...]
    unit: str
    rate: float  # frames a second
    first: int  # number of the first frame, from 1
    promised: int  # frames that the header announces; the file may hold fewer
    positions: Float64  # (T, P, 3); NaN where the file marks a point invalid


def read_c3d_points(path: Path) -> _C3DPoints:
    """Read header, parameters and points; damage becomes one error that names the place."""
    with damage_at(path):
        data = path.read_bytes()
    with damage_at(path, "its header"):
        header = _Header.parse(data)
    with damage_at(path, "its parameter section"):
        parameters = dict(_parameters(data, header))
        names = _labels(parameters)
        unit = _text(parameters.get("POINT:UNITS", ["mm"]))[0]
    with damage_at(path, "its frames"):
        positions = _positions(data, header, parameters)
    first, promised = _frame_range(header, parameters)
    names, positions = _without_computed(names, positions, parameters)
    return _C3DPoints(names, unit, header.rate, first, promised, positions)


@dataclass(frozen=True, slots=True)
class _Header:
    parameter_block: int
    order: str  # "<" or ">"
    dec: bool  # floats in the format of VAX and PDP-11
    points: int
    analog: int  # numbers a frame, after the points
    first: int
    last: int
    scale: float  # below zero the points are stored as floats
    data_block: int
    rate: float

    @staticmethod
    def parse(data: bytes) -> "_Header":
        if len(data) < 2 * _BLOCK or data[1] != _KEY or not data[0]:
            raise ValueError("it does not begin like a C3D file")
        start = _BLOCK * (data[0] - 1)
        if start + 4 > len(data):
            raise ValueError("the file ends before the parameter section")
        order = ">" if data[start + 3] == _MIPS else "<"
        dec = data[start + 3] == _DEC
        points, analog, first, last = struct.unpack_from(f"{order}4H", data, 2)
        (block,) = struct.unpack_from(f"{order}H", data, 16)
        scale = float(_floats(data[12:16], order, dec=dec)[0])
        rate = float(_floats(data[20:24], order, dec=dec)[0])
        if not 0 < points <= _MAX_LABELS:
            raise ValueError(f"it announces {points} points")
        if not 0 < rate <= 1e5:
            raise ValueError(f"it announces {rate:g} frames a second")
        if block < 2 or last < first:
            raise ValueError("frame numbers or the data block are out of range")
        return _Header(data[0], order, dec, points, analog, first, last, scale, block, rate)


def _floats(data: bytes, order: str, *, dec: bool) -> Float64:
    """32-bit floats of any of the three processors."""
    if dec:  # two 16-bit words, the upper one first, with an exponent that is larger by 2
        words = np.frombuffer(data, "<u2").reshape(-1, 2)[:, ::-1]
        return np.ascontiguousarray(words).view("<f4").reshape(-1).astype(np.float64) / 4
    with np.errstate(invalid="ignore"):  # signalling NaN of damaged files
        return np.frombuffer(data, f"{order}f4").astype(np.float64)


def _parameters(data: bytes, header: _Header) -> Iterator[tuple[str, Any]]:
    """Pairs of GROUP:NAME and the value: texts as a list, numbers as a flat list."""
    at = _BLOCK * (header.parameter_block - 1) + 4
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Any]] = []
    while at + 2 <= len(data) and (length := abs(struct.unpack_from("b", data, at)[0])):
        (group,) = struct.unpack_from("b", data, at + 1)
        name = data[at + 2 : at + 2 + length].decode("latin-1").upper()
        where = at + 2 + length
        (step,) = struct.unpack_from(f"{header.order}H", data, where)
        if group < 0:
            groups[-group] = name
        else:
            found.append((group, name, _value(data, where + 2, header)))
        if step < 2:
            break
        at = where + step
    return ((f"{groups.get(group, '')}:{name}", value) for group, name, value in found)


def _value(data: bytes, at: int, header: _Header) -> Any:
    kind, dimensions = struct.unpack_from("bB", data, at)
    shape = list(data[at + 2 : at + 2 + dimensions])
    at += 2 + dimensions
    size = abs(kind) * int(np.prod(shape, dtype=np.int64)) if shape else abs(kind)
    raw = data[at : at + size]
    if len(raw) < size:
        raise ValueError(f"a value of {size} bytes reaches beyond the end of the file")
    if kind == -1:
        wide = shape[0] if shape else 1
        return [raw[i : i + wide].decode("latin-1").strip() for i in range(0, size, max(wide, 1))]
    if kind == 4:
        return _floats(raw, header.order, dec=header.dec).tolist()
    return np.frombuffer(raw, {1: "i1", 2: f"{header.order}i2"}[kind]).tolist()


def _text(value: Any) -> list[str]:
    if not value or not all(isinstance(v, str) for v in value):
        raise ValueError("names or units are no text")
    return list(value)


def _labels(parameters: dict[str, Any]) -> tuple[str, ...]:
    """POINT:LABELS, LABELS2, LABELS3 ...: a parameter holds 255 names at most."""
    if "POINT:LABELS" not in parameters:
        raise ValueError("it has no POINT:LABELS")
    names = _text(parameters["POINT:LABELS"])
    for number in range(2, _MAX_LABELS):
        if f"POINT:LABELS{number}" not in parameters:
            break
        names += _text(parameters[f"POINT:LABELS{number}"])
    return tuple(names)


def _without_computed(
    names: tuple[str, ...], positions: Float64, parameters: dict[str, Any]
) -> tuple[tuple[str, ...], Float64]:
    """The points that are positions: not those listed as angles, forces and so on."""
    listed = [parameters.get(f"POINT:{kind}") for kind in _COMPUTED]
    computed = {name for value in listed if isinstance(value, list) for name in value}
    count = positions.shape[1]
    kept = [i for i in range(count) if i >= len(names) or names[i] not in computed]
    named = tuple(names[i] for i in kept if i < len(names))
    return (*named, *names[count:]), positions[:, kept]


def _frame_range(header: _Header, parameters: dict[str, Any]) -> tuple[int, int]:
    """First frame and how many: 16 bits in the header, 32 in TRIAL where these are not enough."""
    start, end = header.first, header.last
    for name in ("ACTUAL_START_FIELD", "ACTUAL_END_FIELD"):
        words = parameters.get(f"TRIAL:{name}")
        if isinstance(words, list) and len(words) == 2 and all(isinstance(w, int) for w in words):
            value = (words[0] & 0xFFFF) | (words[1] & 0xFFFF) << 16
            start, end = (value, end) if name == "ACTUAL_START_FIELD" else (start, value)
    if end < start or start & 0xFFFF != header.first:
        return header.first, header.last - header.first + 1
    return start, end - start + 1


def _positions(data: bytes, header: _Header, parameters: dict[str, Any]) -> Float64:
    """(T, P, 3) of the whole frames that the file holds."""
    floats = header.scale < 0
    wide = 4 if floats else 2
    row = wide * (4 * header.points + header.analog)
    begin = _BLOCK * (header.data_block - 1)
    _, promised = _frame_range(header, parameters)
    count = min(promised, max(len(data) - begin, 0) // row)
    if not count:
        raise ValueError("the file ends before the first frame")
    raw = data[begin : begin + count * row]
    rows = np.frombuffer(raw, np.uint8).reshape(count, row)[:, : 4 * header.points * wide]
    flat = rows.tobytes()
    if floats:
        table = _floats(flat, header.order, dec=header.dec)
    else:
        table = np.frombuffer(flat, f"{header.order}i2").astype(np.float64)
    table = table.reshape(count, header.points, 4)
    places = table[..., :3] if floats else table[..., :3] * header.scale
    return np.where((table[..., 3:] >= 0) & (np.abs(places) < 1e9), places, np.nan)
