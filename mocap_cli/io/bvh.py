"""Reader of BVH files: the joints of a rig, their channels and their world poses."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.errors import MocapError
from mocap_cli.types import Float64

_CHANNEL = re.compile(r"[xyz](position|rotation)")
_MAX_PERIOD = 100.0  # seconds from one frame to the next


@dataclass(frozen=True, slots=True)
class _BvhJoint:
    """A joint, or the end of a last bone, which has no channels."""

    name: str
    parent: int  # index of a joint before it; -1 for the root
    offset: Float64  # (3,) from the parent at rest, in the file's unit
    channels: tuple[str, ...]  # such as "xrotation", in the order of the file


@dataclass(frozen=True, slots=True)
class _Bvh:
    """The contents of a BVH file."""

    joints: tuple[_BvhJoint, ...]  # parents first; (J,) below
    values: Float64  # (T, C) the channels of all joints in their order; degrees, the file's unit
    period: float  # seconds from one frame to the next
    frames: int  # that the header announces; a truncated file has fewer

    def index(self, name: str) -> int:
        """The position of a joint in `joints`; ValueError when there is none of that name."""
        return [joint.name for joint in self.joints].index(name)

    def rest_positions(self) -> Float64:
        """(J, 3) positions with all rotations zero, the root at its offset."""
        rest = np.zeros((len(self.joints), 3))
        for i, joint in enumerate(self.joints):
            rest[i] = joint.offset + (rest[joint.parent] if joint.parent >= 0 else 0)
        return rest

    def world_pose(self) -> tuple[Float64, Float64]:
        """(T, J, 3) positions and (T, J, 3, 3) rotations of all joints in the world."""
        shape = (len(self.values), len(self.joints))
        positions, rotations = np.zeros((*shape, 3)), np.zeros((*shape, 3, 3))
        column = 0
        for i, joint in enumerate(self.joints):
            values = self.values[:, column : column + len(joint.channels)]
            column += len(joint.channels)
            shift, rotation = _local_position(joint, values), _local_rotation(joint, values)
            if joint.parent >= 0:
                parent = rotations[:, joint.parent]
                shift = positions[:, joint.parent] + (parent @ shift[..., None])[..., 0]
                rotation = parent @ rotation
            positions[:, i], rotations[:, i] = shift, rotation
        return positions, rotations


def _local_position(joint: _BvhJoint, values: Float64) -> Float64:
    """(T, 3) from the parent: position channels replace the offset, they do not add to it."""
    shift = np.tile(joint.offset, (len(values), 1))
    for column, channel in enumerate(joint.channels):
        if channel.endswith("position"):
            shift[:, "xyz".index(channel[0])] = values[:, column]
    return shift


def _local_rotation(joint: _BvhJoint, values: Float64) -> Float64:
    """(T, 3, 3) from the parent: the channels turn about the axes that the ones before turned."""
    columns = [i for i, channel in enumerate(joint.channels) if channel.endswith("rotation")]
    if not columns:
        return np.tile(np.eye(3), (len(values), 1, 1))
    order = "".join(joint.channels[i][0].upper() for i in columns)
    return np.asarray(Rotation.from_euler(order, values[:, columns], degrees=True).as_matrix())


def read_bvh(path: Path) -> _Bvh:
    """Read a BVH file; a truncated one gives the frames that are complete."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise MocapError(f"cannot read {path}: {error.strerror}", "check the path") from error
    try:
        return _parse(text)
    except ValueError as error:
        raise MocapError(
            f"{path} is not a valid BVH file: {error}", "check that it was copied completely"
        ) from error


def _parse(text: str) -> _Bvh:
    head, *body = re.split(r"(?m)^\s*MOTION\s*$", text, maxsplit=1)
    joints = _parse_hierarchy(head)
    lines = [line for line in "".join(body).splitlines() if line.strip()]
    if len(lines) < 3:
        raise ValueError("it has no frames")
    frames, period = int(_header(lines[0], "Frames")), _header(lines[1], "Frame Time")
    if not 0 < period <= _MAX_PERIOD:
        raise ValueError(f"its Frame Time is {period:g} s")
    width = sum(len(joint.channels) for joint in joints)
    rows = [row for line in lines[2:] if len(row := line.split()) == width]
    values = np.array(rows, np.float64).reshape(len(rows), width)
    if not (values.size and np.isfinite(values).all()):
        raise ValueError(f"it has no frames of {width} numbers, one for each channel")
    return _Bvh(joints, values, period, frames)


def _header(line: str, key: str) -> float:
    """The number of a line such as `Frames: 12`."""
    name, _, number = line.partition(":")
    if " ".join(name.split()).lower() != key.lower():
        raise ValueError(f'"{key}:" is missing')
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"its {key} is {value}")
    return value


def _parse_hierarchy(text: str) -> tuple[_BvhJoint, ...]:
    names: list[str] = []
    parents: list[int] = []
    offsets: dict[int, Float64] = {}
    channels: dict[int, tuple[str, ...]] = {}
    blocks: list[int] = []  # the joints whose braces are open
    for line in re.sub(r"([{}])", r"\n\1\n", text).splitlines():
        match line.split():
            case ["ROOT" | "JOINT", *name]:
                parents.append(blocks[-1] if blocks else -1)
                names.append(" ".join(name))
            case ["End", *_] if blocks:
                parents.append(blocks[-1])
                names.append(f"{names[blocks[-1]]}End")
            case ["{"] if names:
                blocks.append(len(names) - 1)
            case ["}"] if blocks:
                blocks.pop()
            case ["OFFSET", *numbers] if names:
                offsets[len(names) - 1] = _offset(numbers)
            case ["CHANNELS", _, *given] if names:
                channels[len(names) - 1] = _channels(given)
            case [] | ["HIERARCHY"]:
                pass
            case _:
                raise ValueError(f"its hierarchy has the line {line.strip()[:40]!r}")
    if parents.count(-1) != 1:
        raise ValueError("its hierarchy has no root, or several")
    zero = np.zeros(3)
    return tuple(
        _BvhJoint(name, parent, offsets.get(i, zero), channels.get(i, ()))
        for i, (name, parent) in enumerate(zip(names, parents, strict=True))
    )


def _offset(numbers: Sequence[str]) -> Float64:
    offset = np.array(numbers, np.float64)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise ValueError(f"its hierarchy has an OFFSET of {' '.join(numbers)[:40]!r}")
    return offset


def _channels(given: Sequence[str]) -> tuple[str, ...]:
    channels = tuple(channel.lower() for channel in given)
    if len(set(channels)) < len(channels) or not all(map(_CHANNEL.fullmatch, channels)):
        raise ValueError(f"its hierarchy has the CHANNELS {' '.join(given)[:40]!r}")
    return channels
