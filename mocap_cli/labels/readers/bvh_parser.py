"""BVH parser: the joints and channel values of a BVH file, and where that puts the joints."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.errors import MocapError
from mocap_cli.labels.readers.damage import INCOMPLETE_HINT, damage_at
from mocap_cli.types import Float64

_MAX_JOINTS = 1000
_LONGEST_PERIOD = 10.0  # seconds a frame
_LARGEST = 1e9  # in any unit
_CHANNELS = {f"{axis}{kind}" for axis in "xyz" for kind in ("position", "rotation")}


@dataclass(frozen=True, slots=True, eq=False)
class BvhJoint:
    """A joint of the hierarchy, or an end site."""

    name: str
    parent: int  # -1 for a root; parents come first
    offset: Float64  # (3,) from the parent, in the file's unit
    channels: tuple[str, ...]  # "xposition", "zrotation" ..., in the order of the values


@dataclass(frozen=True, slots=True, eq=False)
class BvhMotion:
    """A whole BVH file."""

    joints: tuple[BvhJoint, ...]
    values: Float64  # (T, C) the channels of all joints side by side
    period: float  # seconds a frame
    promised: int  # frames that the file announces; it may hold fewer

    def positions(self) -> Float64:
        """(T, P, 3) positions of all joints in the file's unit."""
        T, column = len(self.values), 0
        positions = np.zeros((T, len(self.joints), 3))
        rotations: list[Float64] = []
        for i, joint in enumerate(self.joints):
            own = self.values[:, column : column + len(joint.channels)]
            column += len(joint.channels)
            shift = np.tile(joint.offset, (T, 1))
            for k, channel in enumerate(joint.channels):
                if channel.endswith("position"):
                    # positions replace the offset: a root's offset is only where it rests
                    shift[:, "xyz".index(channel[0])] = own[:, k]
            rotation = _rotations(joint, own)
            if joint.parent < 0:
                positions[:, i] = shift
            else:
                parent = rotations[joint.parent]
                positions[:, i] = positions[:, joint.parent] + (parent @ shift[..., None])[..., 0]
                rotation = parent @ rotation
            rotations.append(rotation)
        return positions


def parse_bvh(path: Path) -> BvhMotion:
    """Parse a file; rows that are cut off are left out, other damage is an error with its line."""
    with damage_at(path):
        text = path.read_text(encoding="utf-8", errors="replace")
    head, found, body = text.partition("MOTION")
    if not found:
        raise MocapError(f"{path} is no BVH file: it has no MOTION section", INCOMPLETE_HINT)
    joints = _hierarchy(path, head)
    first = head.count("\n") + 1
    lines = [(i, line) for i, line in enumerate(body.split("\n"), start=first) if line.strip()]
    width = sum(len(joint.channels) for joint in joints)
    with damage_at(path, "the lines Frames: and Frame Time:"):
        promised = int(lines[0][1].split(":")[1])
        period = float(lines[1][1].split(":")[1])
        if not 0 < period <= _LONGEST_PERIOD:
            raise ValueError(f"the frame time is {period:g} s")
    rows = []
    for number, line in lines[2:]:
        if len(row := line.split()) == width:
            with damage_at(path, f"line {number}"):
                rows.append(_values(row))
    if not (rows and width):
        raise MocapError(f"{path} holds no frames", INCOMPLETE_HINT)
    return BvhMotion(tuple(joints), np.stack(rows), period, promised)


def _values(row: list[str]) -> Float64:
    values = np.array(row, np.float64)
    if not (np.abs(values) < _LARGEST).all():
        raise ValueError("a value is no number or out of range")
    return values


def _hierarchy(path: Path, text: str) -> Sequence[BvhJoint]:
    joints: list[BvhJoint] = []
    nesting: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        with damage_at(path, f"line {number}"):
            _read_line(line.split(), joints, nesting)
        if len(joints) > _MAX_JOINTS:
            raise MocapError(f"{path} has more than {_MAX_JOINTS} joints", "give the rig of a body")
    if not joints:
        raise MocapError(f"{path} is no BVH file: it has no ROOT", INCOMPLETE_HINT)
    return joints


def _read_line(words: list[str], joints: list[BvhJoint], nesting: list[int]) -> None:
    match words:
        case ["ROOT" | "JOINT", *name]:
            parent = nesting[-1] if nesting else -1
            joints.append(BvhJoint(" ".join(name), parent, np.zeros(3), ()))
        case ["End", *_]:
            if not nesting:
                raise ValueError("an end site without a joint")
            name_above = joints[nesting[-1]].name
            joints.append(BvhJoint(f"{name_above}End", nesting[-1], np.zeros(3), ()))
        case ["{"]:
            if not joints:
                raise ValueError("a brace without a joint")
            nesting.append(len(joints) - 1)
        case ["}"] if nesting:
            nesting.pop()
        case ["OFFSET", *numbers] if joints:
            offset = np.array(numbers, np.float64)
            if offset.shape != (3,) or not np.isfinite(offset).all():
                raise ValueError("OFFSET wants three numbers")
            joints[-1] = BvhJoint(joints[-1].name, joints[-1].parent, offset, joints[-1].channels)
        case ["CHANNELS", _, *given] if joints:
            channels = tuple(channel.lower() for channel in given)
            if not _CHANNELS.issuperset(channels) or len(set(channels)) < len(channels):
                raise ValueError(f"unknown channels {' '.join(given)}")
            joints[-1] = BvhJoint(joints[-1].name, joints[-1].parent, joints[-1].offset, channels)
        case _:
            pass


def _rotations(joint: BvhJoint, own: Float64) -> Float64:
    """(T, 3, 3) rotation of a joint relative to its parent; an end site has none of its own."""
    columns = [k for k, channel in enumerate(joint.channels) if channel.endswith("rotation")]
    if not columns:
        return np.tile(np.eye(3), (len(own), 1, 1))
    order = "".join(joint.channels[k][0].upper() for k in columns)
    angles = own[:, columns]
    return Rotation.from_euler(order, angles, degrees=True).as_matrix().astype(np.float64)
