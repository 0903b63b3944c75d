"""C3D: the joints as point trajectories in millimetres, for Visual3D, Mokka, MATLAB and Vicon.

A file is a header, a table of parameters and the frames, in little-endian blocks of 512 bytes
(www.c3d.org). Frames are counted from the start of the video.

Not written by ezc3d, which reads our labels: of a file that it wrote itself it reads no more than
65,535 frames, it stores whole numbers of two words as floats, and it adds groups of its own.
"""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import uniform_motion
from mocap_cli.io.atomic import write_atomically

_BLOCK = 512  # bytes
_MM = 1000.0
_MAX_FRAMES = 0xFFFF  # that the header can count; more are in POINT:LONG_FRAMES
_INTEL = 84
_FLOATS = -1.0  # a negative scale marks floats

_Parameters = Mapping[str, Mapping[str, NDArray[Any] | Sequence[str]]]


def write_c3d(motion: Motion, path: Path) -> None:
    """Write each joint as a point at a constant rate; frames without a person are invalid."""
    motion, rate = uniform_motion(motion)
    T, J = motion.joints.shape[:2]
    first = 1 + round(float(motion.times[0]) * rate)
    if not 1 <= first <= _MAX_FRAMES + 1 - T:
        first = 1  # the header has no room for the number
    last = min(first + T - 1, _MAX_FRAMES)
    parameters = _parameters(motion, rate, first)
    data_block = 2 + _blocks(_table(parameters, 0, 0))
    header = struct.pack(
        "<BBHHHHHfHHf", 2, 0x50, J, 0, first, last, 0, _FLOATS, data_block, 1, rate
    )
    table = _table(parameters, data_block, data_block - 2)
    with write_atomically(path) as aside:
        aside.write_bytes(b"".join(map(_padded, (header, table, _points(motion).tobytes()))))


def _points(motion: Motion) -> NDArray[np.float32]:
    """(T, J, 4) millimetres, and the residual: 0 for computed points, -1 for invalid ones."""
    points = np.zeros((*motion.joints.shape[:2], 4), "<f4")
    points[..., :3] = _MM * np.nan_to_num(motion.joints)
    points[~motion.tracked, :, 3] = -1
    return points


def _parameters(motion: Motion, rate: float, first: int) -> _Parameters:
    T, J = motion.joints.shape[:2]
    last = first + T - 1
    words = np.array([(n & 0xFFFF, n >> 16) for n in (first, last)], "<u2").view("<i2")
    zero, one = _int16(0), np.array([1.0], "<f4")
    point: dict[str, NDArray[Any] | Sequence[str]] = {
        "USED": _int16(J),
        "SCALE": np.array([_FLOATS], "<f4"),
        "RATE": np.array([rate], "<f4"),
        "DATA_START": zero,  # set by _table, once its size is known
        "FRAMES": _int16(min(T, _MAX_FRAMES)),
        "LABELS": motion.skeleton.names,
        "DESCRIPTIONS": ["centre of the joint"] * J,
        "UNITS": ["mm"],
        "X_SCREEN": ["+X"],
        "Y_SCREEN": ["+Y"],
    }
    if T > _MAX_FRAMES:
        point["LONG_FRAMES"] = np.array([T], "<f4")
    return {
        "POINT": point,
        "ANALOG": {"USED": zero, "GEN_SCALE": one, "RATE": np.array([rate], "<f4")},
        "FORCE_PLATFORM": {"USED": zero},
        "TRIAL": {
            "ACTUAL_START_FIELD": words[0],
            "ACTUAL_END_FIELD": words[1],
            "CAMERA_RATE": np.array([rate], "<f4"),
        },
        "MANUFACTURER": {"COMPANY": ["mocap"], "SOFTWARE": ["mocap"]},
    }


def _int16(number: int) -> NDArray[np.int16]:
    return np.array([number], "<u2").view("<i2")


def _table(parameters: _Parameters, data_block: int, blocks: int) -> bytes:
    """The parameter section of so many blocks, with the block at which the frames start."""
    parts = [bytes((1, 0x50, blocks, _INTEL))]
    for number, (group, entries) in enumerate(parameters.items(), start=1):
        parts.append(_entry(group, -number, b"\0"))
        for name, value in entries.items():
            content = _int16(data_block) if name == "DATA_START" else value
            parts.append(_entry(name, number, _encoded(content) + b"\0"))
    return b"".join(parts) + b"\0\0"


def _entry(name: str, number: int, content: bytes) -> bytes:
    """A group (negative number) or parameter: name, number, offset of the next entry, content."""
    return struct.pack("<bb", len(name), number) + name.encode() + (
        struct.pack("<h", len(content) + 2) + content
    )  # fmt: skip


def _encoded(value: NDArray[Any] | Sequence[str]) -> bytes:
    """Type, dimensions and data of a parameter: texts, whole numbers or floats."""
    if isinstance(value, np.ndarray):
        size = value.dtype.itemsize
        shape = (1, len(value)) if len(value) > 1 else (0,)
        return struct.pack(f"<b{len(shape)}B", size, *shape) + value.tobytes()
    width = max(len(text) for text in value)
    letters = "".join(text.ljust(width) for text in value).encode("ascii")
    return struct.pack("<bBBB", -1, 2, width, len(value)) + letters


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _blocks(data: bytes) -> int:
    return len(_padded(data)) // _BLOCK
