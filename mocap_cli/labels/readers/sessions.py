"""TRC, C3D and BVH of a motion-capture session as labels: another clock, another world."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.io import bvh as io_bvh
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


def read_bvh(path: Path) -> Labels:
    """Positions of the joints of a rig, by forward kinematics."""
    bvh = io_bvh.read_bvh(path)
    positions, _ = bvh.world_pose()
    times = np.arange(len(positions), dtype=np.float64) * bvh.period
    names = [joint.name for joint in bvh.joints]
    return _session_labels(path, times, names, positions, bvh.frames)
