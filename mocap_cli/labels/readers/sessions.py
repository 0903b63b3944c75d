"""TRC, C3D and BVH of a motion-capture session as labels: another time base, another world."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mocap_cli.body.joint_names import distinct_names, map_to_body
from mocap_cli.errors import MocapError
from mocap_cli.io.bvh import read_bvh
from mocap_cli.io.damage import INCOMPLETE_HINT, damage_at
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.labels.readers.c3d_points import read_c3d_points
from mocap_cli.types import Float64

_METRES = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "in": 0.0254, "dm": 0.1}
_LONGEST_GAP = 3600.0  # seconds between two frames of a session


def _read_trc(path: Path) -> Labels:
    """Markers at joint centres, in the unit that the file states."""
    with damage_at(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    with damage_at(path, "its header (lines 1 to 4)"):
        head = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=False))
        scale = _scale(head.get("Units", "mm"))
        promised = int(float(head["NumFrames"]))
        names = [name for name in lines[3].split("\t")[2:] if name.strip()]
        distinct_names(names)
    rows = [(i, cells) for i, line in enumerate(lines[5:], start=6)
            if len(cells := line.split("\t")) > 2]  # fmt: skip
    if not rows:
        raise MocapError(f"{path} holds no frames", INCOMPLETE_HINT)
    width = 2 + 3 * len(names)
    table = np.array([[_number(c) for c in (row + [""] * width)[:width]] for _, row in rows])
    _check_times(path, table[:, 1], [number for number, _ in rows])
    positions = scale * table[:, 2:].reshape(len(table), len(names), 3)
    return _session_labels(path, table[:, 1], names, positions, promised)


def _check_times(path: Path, times: Float64, lines: Sequence[int]) -> None:
    """Times must rise, without a gap that no session has: one wild number ruins the alignment."""
    steps = np.diff(times)
    wrong = np.flatnonzero(~((steps > 0) & (steps < _LONGEST_GAP)))
    if not np.isfinite(times[0]) or len(wrong):
        at = 0 if not np.isfinite(times[0]) else int(wrong[0]) + 1
        after = f" after {times[at - 1]:g} s" if at else ""
        raise MocapError(
            f"{path} is damaged at line {lines[at]}: the time is {times[at]:g} s{after}",
            "correct or delete that line",
        )


def _read_c3d(path: Path) -> Labels:
    """Points at joint centres; points that the file marks invalid are left out."""
    points = read_c3d_points(path)
    with damage_at(path, "POINT:UNITS"):
        scale = _scale(points.unit)
    count = points.positions.shape[1]
    if len(points.names) < count:
        raise MocapError(
            f"{path} names {len(points.names)} of its {count} points", "export it with all names"
        )
    times = (points.first - 1 + np.arange(len(points.positions))) / points.rate
    return _session_labels(
        path, times, points.names[:count], scale * points.positions, points.promised
    )


def _read_bvh_session(path: Path) -> Labels:
    """Joint positions of a rig, by forward kinematics."""
    motion = read_bvh(path)
    with damage_at(path):
        positions, _ = motion.world_pose()
    times = np.arange(len(positions), dtype=np.float64) * motion.period
    names = [joint.name for joint in motion.joints]
    return _session_labels(path, times, names, positions, motion.frames)


def _scale(unit: str) -> float:
    """Metres in a unit."""
    found = _METRES.get(unit.strip().lower())
    if found is None:
        raise ValueError(f"the unit {unit!r} is none of {', '.join(_METRES)}")
    return found


def _session_labels(
    path: Path, times: Float64, names: Sequence[str], positions: Float64, promised: int
) -> Labels:
    notes: tuple[str, ...] = ()
    if len(times) < promised:
        notes = (f"the file breaks off at frame {len(times)} of {promised}; those are used",)
    joints = map_to_body(names, positions, str(path))
    return make_labels(path, path.stem, times=times, joints=joints, synchronous=False, notes=notes)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


SESSION_READERS: Mapping[str, Callable[[Path], Labels]] = {
    ".trc": _read_trc,
    ".c3d": _read_c3d,
    ".bvh": _read_bvh_session,
}
