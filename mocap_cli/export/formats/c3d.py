"""C3D: joints in millimetres, joint angles and foot events, for Visual3D, Mokka, MATLAB and Vicon.

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

from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import uniform_motion
from mocap_cli.export.formats.foot_events import foot_events
from mocap_cli.io.atomic import write_atomically

_BLOCK = 512  # bytes
_MM = 1000.0
_MAX_FRAMES = 0xFFFF  # that the header can count; more are in POINT:LONG_FRAMES
_INTEL = 84
_FLOATS = -1.0  # a negative scale marks floats

_ANGLES = {
    "TrunkAngles": ("trunk_flexion", "trunk_left_bend", "trunk_left_turn"),
    "TrunkInclination": ("trunk_inclination",),
    "NeckAngles": ("neck_flexion", "neck_left_turn"),
    **{
        f"{side[0].upper()}{label}": tuple(
            f"{'-' * name.startswith('-')}{side}_{name.removeprefix('-')}" for name in names
        )
        for side in ("left", "right")
        for label, names in (
            ("HipAngles", ("hip_flexion", "-hip_abduction", "hip_internal_rotation")),
            ("KneeAngles", ("knee_flexion",)),
            ("AnkleAngles", ("ankle_dorsiflexion",)),
            ("ShoulderElevation", ("shoulder_elevation", "shoulder_plane")),
            ("ElbowAngles", ("elbow_flexion",)),
        )
    },
}
"""Labels of points that hold angles, and what is in x, y and z; the hip's y is adduction."""

_EVENTS = {
    "Foot Strike": (1, "the foot is put down"),
    "Foot Off": (2, "the foot is lifted"),
}
"""The icon and the description of each event."""
_CONTEXTS = ("Left", "Right", "General")
_MAX_EVENTS = 255  # that a parameter can list

_Parameters = Mapping[str, Mapping[str, NDArray[Any] | Sequence[str]]]


def write_c3d(motion: Motion, path: Path) -> None:
    """Write each joint as a point at a constant rate; frames without a person are invalid."""
    motion, rate = uniform_motion(motion)
    T, points = len(motion.times), _points(motion)
    first = 1 + round(float(motion.times[0]) * rate)
    if not 1 <= first <= _MAX_FRAMES + 1 - T:
        first = 1  # the header has no room for the number
    last = min(first + T - 1, _MAX_FRAMES)
    parameters = _parameters(motion, rate, first)
    data_block = 2 + _blocks(_table(parameters, 0, 0))
    header = struct.pack(
        "<BBHHHHHfHHf", 2, 0x50, points.shape[1], 0, first, last, 0, _FLOATS, data_block, 1, rate
    )
    table = _table(parameters, data_block, data_block - 2)
    with write_atomically(path) as aside:
        aside.write_bytes(b"".join(map(_padded, (header, table, points.tobytes()))))


def _points(motion: Motion) -> NDArray[np.float32]:
    """(T, J + A, 4) millimetres or degrees, and the residual: 0 for computed points, -1 if invalid.

    As in Vicon's files, an angle is a point of up to three degrees.
    """
    J, found = motion.joints.shape[1], joint_angles(motion)
    points = np.zeros((len(motion.times), J + len(_ANGLES), 4), "<f4")
    points[:, :J, :3] = _MM * np.nan_to_num(motion.joints)
    for row, names in enumerate(_ANGLES.values(), start=J):
        for axis, name in enumerate(names):
            sign = -1 if name.startswith("-") else 1
            points[:, row, axis] = sign * np.nan_to_num(found[name.removeprefix("-")])
    points[~motion.tracked, :, 3] = -1
    return points


def _parameters(motion: Motion, rate: float, first: int) -> _Parameters:
    T, J = motion.joints.shape[:2]
    last = first + T - 1
    meanings = [", ".join(f"{axis} {name}" for axis, name in zip("xyz", names, strict=False))
                for names in _ANGLES.values()]  # fmt: skip
    words = np.array([(n & 0xFFFF, n >> 16) for n in (first, last)], "<u2").view("<i2")
    zero, one = _int16(0), np.array([1.0], "<f4")
    point: dict[str, NDArray[Any] | Sequence[str]] = {
        "USED": _int16(J + len(_ANGLES)),
        "SCALE": np.array([_FLOATS], "<f4"),
        "RATE": np.array([rate], "<f4"),
        "DATA_START": zero,  # set by _table, once its size is known
        "FRAMES": _int16(min(T, _MAX_FRAMES)),
        "LABELS": (*motion.skeleton.names, *_ANGLES),
        "DESCRIPTIONS": [*["centre of the joint"] * J, *meanings],
        "UNITS": ["mm"],
        "ANGLES": tuple(_ANGLES),
        "ANGLE_UNITS": ["deg"],
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
        **_events(motion, (first - 1) / rate - float(motion.times[0])),
    }


def _events(motion: Motion, shift: float) -> _Parameters:
    """The groups of foot events; `shift` is from times of the video to times since frame 1."""
    events = foot_events(motion)[:_MAX_EVENTS]
    used: dict[str, NDArray[Any] | Sequence[str]] = {"USED": _int16(len(events))}
    if events:
        minutes = np.array([divmod(max(event.time + shift, 0.0), 60) for event in events], "<f4")
        used |= {
            "CONTEXTS": [event.side for event in events],
            "LABELS": [event.name for event in events],
            "DESCRIPTIONS": [_EVENTS[event.name][1] for event in events],
            "TIMES": minutes,
            "SUBJECTS": [""] * len(events),
            "ICON_IDS": np.array([_EVENTS[event.name][0] for event in events], "<i2"),
            "GENERIC_FLAGS": np.zeros(len(events), "i1"),
        }
    contexts: dict[str, NDArray[Any] | Sequence[str]] = {
        "USED": _int16(len(_CONTEXTS)),
        "ICON_IDS": np.arange(len(_CONTEXTS), dtype="<i2"),
        "LABELS": _CONTEXTS,
        "DESCRIPTIONS": [f"{side} side" for side in _CONTEXTS],
    }
    return {"EVENT": used, "EVENT_CONTEXT": contexts}


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
        size, shape = value.dtype.itemsize, value.shape[::-1]  # the first dimension runs fastest
        shape = (len(shape), *shape) if value.size > 1 else (0,)
        return struct.pack(f"<b{len(shape)}B", size, *shape) + value.tobytes()
    width = max(1, *(len(text) for text in value))
    letters = "".join(text.ljust(width) for text in value).encode("ascii")
    return struct.pack("<bBBB", -1, 2, width, len(value)) + letters


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _blocks(data: bytes) -> int:
    return len(_padded(data)) // _BLOCK
