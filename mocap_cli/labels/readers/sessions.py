"""TRC, C3D and BVH of a motion-capture session as labels: another clock, another world."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.labels.readers.joint_names import map_to_body
from mocap_cli.types import Float64

_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254, "dm": 0.1}
_INCOMPLETE_HINT = "look whether it was copied to its end"


def read_trc(path: Path) -> Labels:
    """Markers of joints, with the unit that the file tells."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
        scale = _METRES[head.get("Units", "mm").strip().lower()]
        promised = int(float(head["NumFrames"]))
        names = [name for name in lines[3].split("\t")[2:] if name.strip()]
    except (IndexError, KeyError, ValueError) as error:
        raise MocapError(f"{path} is no TRC: its head is damaged", _INCOMPLETE_HINT) from error
    rows = [cells for line in lines[5:] if len(cells := line.split("\t")) > 2]
    wide = 2 + 3 * len(names)
    values = [[_number(c) for c in (r + [""] * wide)[:wide]] for r in rows]
    if not values:
        raise MocapError(f"{path} holds no frames", _INCOMPLETE_HINT)
    table = np.array(values)
    places = scale * table[:, 2:].reshape(len(table), len(names), 3)
    return _session_labels(path, table[:, 1], names, places, promised)


def read_c3d(path: Path) -> Labels:
    """Points of joints, by ezc3d; points that the file calls invalid are left out."""
    import ezc3d

    try:
        file = ezc3d.c3d(str(path))
        point = file["parameters"]["POINT"]
        names = [str(name) for name in point["LABELS"]["value"]]
        places, header = file["data"]["points"][:3], file["header"]["points"]
        scale = _METRES[str(point["UNITS"]["value"][0]).strip().lower()]
        rate, first = float(header["frame_rate"]), int(header["first_frame"])
    except (RuntimeError, OSError, KeyError, ValueError, IndexError) as error:
        raise MocapError(f"{path} is no C3D that can be read: {error}", _INCOMPLETE_HINT) from error
    places = scale * np.moveaxis(np.asarray(places, np.float64), (0, 1, 2), (2, 1, 0))
    times = (first + np.arange(len(places))) / rate
    return _session_labels(path, times, names[: places.shape[1]], places, _promised(path))


def _promised(path: Path) -> int:
    """How many frames the head of a C3D tells; the reader gives those that are there."""
    head = path.read_bytes()[:10]
    first, last = struct.unpack("<HH", head[6:10])
    return int(last - first + 1)


def _session_labels(
    path: Path, times: Float64, names: Sequence[str], places: Float64, promised: int
) -> Labels:
    notes: tuple[str, ...] = ()
    if len(times) < promised:
        notes = (f"it breaks off at frame {len(times)} of {promised}; those are used",)
    body = map_to_body(names, places, str(path))
    return make_labels(path, path.stem, times=times, joints=body, synchronous=False, notes=notes)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@dataclass(slots=True)
class _Joint:
    name: str
    parent: int  # -1 for the root
    offset: Float64
    channels: tuple[str, ...] = ()


def read_bvh(path: Path) -> Labels:
    """Where the joints of a rig are, by its own bones and turns."""
    head, found, body = path.read_text(encoding="utf-8", errors="replace").partition("MOTION")
    joints = _hierarchy(head)
    lines = [line for line in body.splitlines() if line.strip()]
    width = sum(len(joint.channels) for joint in joints)
    try:
        promised = int(lines[0].split(":")[1])
        period = float(lines[1].split(":")[1])
        rows = [row for line in lines[2:] if len(row := line.split()) == width]
        values = np.array(rows, np.float64).reshape(len(rows), width)
    except (IndexError, ValueError) as error:
        raise MocapError(f"{path} is no BVH: {error}", _INCOMPLETE_HINT) from error
    if not (found and joints and len(values)):
        raise MocapError(f"{path} is no BVH with frames", _INCOMPLETE_HINT)
    places = _joint_positions(joints, values)
    names = [joint.name for joint in joints]
    times = np.arange(len(values), dtype=np.float64) * period
    return _session_labels(path, times, names, places, promised)


def _hierarchy(text: str) -> list[_Joint]:
    joints: list[_Joint] = []
    open_: list[int] = []
    for line in text.splitlines():
        match line.split():
            case ["ROOT" | "JOINT", *name]:
                joints.append(_Joint(" ".join(name), open_[-1] if open_ else -1, np.zeros(3)))
            case ["End", *_]:
                above = joints[open_[-1]].name
                joints.append(_Joint(f"{above}End", open_[-1], np.zeros(3)))
            case ["{"]:
                open_.append(len(joints) - 1)
            case ["}"] if open_:
                open_.pop()
            case ["OFFSET", *numbers] if joints:
                joints[-1].offset = np.array(numbers, np.float64)
            case ["CHANNELS", _, *channels]:
                joints[-1].channels = tuple(channel.lower() for channel in channels)
            case _:
                pass
    return joints


def _joint_positions(joints: Sequence[_Joint], values: Float64) -> Float64:
    """(T, P, 3) in the file's unit; an ending has no turn of its own."""
    T = len(values)
    turns: list[Float64] = []
    places = np.zeros((T, len(joints), 3))
    column = 0
    for i, joint in enumerate(joints):
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        shift = np.tile(joint.offset, (T, 1))
        moved = [k for k, c in enumerate(joint.channels) if c.endswith("position")]
        for k in moved:
            axis = "xyz".index(joint.channels[k][0])
            # a root's OFFSET is where it rests, and its positions say where it is instead
            shift[:, axis] = own[:, k]
        turn = _joint_rotations(joint, own)
        if joint.parent < 0:
            places[:, i], world = shift, turn
        else:
            parent = turns[joint.parent]
            places[:, i] = places[:, joint.parent] + (parent @ shift[..., None])[..., 0]
            world = parent @ turn
        turns.append(world)
    return places


def _joint_rotations(joint: _Joint, own: Float64) -> Float64:
    spins = [k for k, c in enumerate(joint.channels) if c.endswith("rotation")]
    if not spins:
        return np.tile(np.eye(3), (len(own), 1, 1))
    order = "".join(joint.channels[k][0].upper() for k in spins)
    return Rotation.from_euler(order, own[:, spins], degrees=True).as_matrix().astype(np.float64)
