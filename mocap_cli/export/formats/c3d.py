"""C3D: the joints as marker paths in millimetres, for Visual3D, Mokka, MATLAB and Vicon's readers.

A file is a header, a table of parameters and the frames, in blocks of 512 bytes, little end first
(www.c3d.org). Frames are numbered from the beginning of the video.
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

BLOCK = 512  # bytes
MM = 1000.0
MOST = 0xFFFF  # frames that the header can count; more stand in LONG_FRAMES
_INTEL = 84
_FLOATS = -1.0  # a scale below zero says that the numbers are floats in millimetres

Parameters = Mapping[str, Mapping[str, NDArray[Any] | Sequence[str]]]


def write_c3d(motion: Motion, path: Path) -> None:
    """Write every joint as a point at a constant rate; frames without a person are invalid."""
    motion, rate = uniform_motion(motion)
    T, J = motion.joints.shape[:2]
    first = 1 + round(float(motion.times[0]) * rate)
    if first + T - 1 > MOST:
        first = 1
    last = min(first + T - 1, MOST)
    parameters = _parameters(motion, rate, first)
    data_block = 2 + _blocks(_table(parameters, 0, 0))
    header = struct.pack(
        "<BBHHHHHfHHf", 2, 0x50, J, 0, first, last, 0, _FLOATS, data_block, 1, rate
    )
    table = _table(parameters, data_block, data_block - 2)
    with write_atomically(path) as aside:
        aside.write_bytes(b"".join(map(_padded, (header, table, _points(motion).tobytes()))))


def _points(motion: Motion) -> NDArray[np.float32]:
    """(T, J, 4) millimetres, and a residual of 0: what is computed, not measured; -1 is nobody."""
    points = np.zeros((*motion.joints.shape[:2], 4), "<f4")
    points[..., :3] = MM * np.nan_to_num(motion.joints)
    points[~motion.tracked, :, 3] = -1
    return points


def _parameters(motion: Motion, rate: float, first: int) -> Parameters:
    T, J = motion.joints.shape[:2]
    last = first + T - 1
    words = np.array([(n & 0xFFFF, n >> 16) for n in (first, last)], "<u2").view("<i2")
    nothing, one = _whole(0), np.array([1.0], "<f4")
    point: dict[str, NDArray[Any] | Sequence[str]] = {
        "USED": _whole(J),
        "SCALE": np.array([_FLOATS], "<f4"),
        "RATE": np.array([rate], "<f4"),
        "DATA_START": nothing,  # filled in once the table's size is known
        "FRAMES": _whole(min(T, MOST)),
        "LABELS": motion.skeleton.names,
        "DESCRIPTIONS": ["centre of the joint"] * J,
        "UNITS": ["mm"],
        "X_SCREEN": ["+X"],
        "Y_SCREEN": ["+Y"],
    }
    if T > MOST:
        point["LONG_FRAMES"] = np.array([T], "<f4")
    return {
        "POINT": point,
        "ANALOG": {"USED": nothing, "GEN_SCALE": one, "RATE": np.array([rate], "<f4")},
        "FORCE_PLATFORM": {"USED": nothing},
        "TRIAL": {
            "ACTUAL_START_FIELD": words[0],
            "ACTUAL_END_FIELD": words[1],
            "CAMERA_RATE": np.array([rate], "<f4"),
        },
        "MANUFACTURER": {"COMPANY": ["mocap"], "SOFTWARE": ["mocap"]},
    }


def _whole(number: int) -> NDArray[np.int16]:
    return np.array([number], "<u2").view("<i2")


def _table(parameters: Parameters, data_block: int, blocks: int) -> bytes:
    """The section of parameters, where the frames begin at that block."""
    parts = [bytes((1, 0x50, blocks, _INTEL))]
    for number, (group, entries) in enumerate(parameters.items(), start=1):
        parts.append(_entry(group, -number, b"\0"))
        for name, value in entries.items():
            kept = _whole(data_block) if name == "DATA_START" else value
            parts.append(_entry(name, number, _encoded(kept) + b"\0"))
    return b"".join(parts) + b"\0\0"


def _entry(name: str, number: int, content: bytes) -> bytes:
    """A name, whose it is, how far it is to the next entry, and what it says."""
    return struct.pack("<bb", len(name), number) + name.encode() + (
        struct.pack("<h", len(content) + 2) + content
    )  # fmt: skip


def _encoded(value: NDArray[Any] | Sequence[str]) -> bytes:
    """Kind, dimensions and the data of a parameter: texts, whole numbers or floats."""
    if isinstance(value, np.ndarray):
        size = value.dtype.itemsize
        shape = (1, len(value)) if len(value) > 1 else (0,)
        return struct.pack(f"<b{len(shape)}B", size, *shape) + value.tobytes()
    width = max(len(text) for text in value)
    letters = "".join(text.ljust(width) for text in value).encode("ascii")
    return struct.pack("<bBBB", -1, 2, width, len(value)) + letters


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % BLOCK)


def _blocks(data: bytes) -> int:
    return len(_padded(data)) // BLOCK
