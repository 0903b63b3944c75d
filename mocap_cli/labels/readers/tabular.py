"""The JSON, CSV and NPZ that mocap writes as labels, and tables and arrays of the same layout."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.joint_names import (
    distinct_names,
    map_to_body,
    map_to_keypoints,
    unnamed_skeleton,
)
from mocap_cli.body.motion_json import read_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at
from mocap_cli.io.npz import load_npz
from mocap_cli.labels.labels import Labels, make_labels
from mocap_cli.types import Float64

_Arrays = Mapping[str, NDArray[Any]]

_AXES = {"x": 0, "y": 1, "z": 2}
_POSES = ("joints", "poses", "pose", "keypoints3d", "joints3d", "positions")
_POINTS = ("xy", "keypoints", "keypoints2d", "joints2d")
_NUMBERS, _TIMES = ("frames", "frame", "frame_numbers"), ("times", "time", "timestamps")
_MAX_NAMES = 1000
_MAX_BYTES = 1 << 29  # of an NPZ's arrays: an hour of joints at 250 frames a second


def _read_motion(path: Path) -> Labels:
    """A result of mocap, its joints in camera axes; joints that were filled in are uncertain."""
    motion = read_motion(path)
    names = [str(name) for name in motion.skeleton.names]
    joints = map_to_body(names, motion.joints.astype(np.float64), str(path))
    if motion.space == "world":
        joints = _to_camera(joints, motion.camera.world_from_camera.astype(np.float64))
    with damage_at(path, "source"):
        size = _size(motion.source.width, motion.source.height)
    return make_labels(
        path,
        str(motion.source.file),
        times=motion.times,
        joints=joints,
        xy=np.where(motion.score[..., None] > 0, motion.xy, np.nan).astype(np.float64),
        sigma=_sigma_of(names, motion.sigma.astype(np.float64)),
        in_camera=True,
        size=size,
    )


def _to_camera(joints: Float64, world_from_camera: Float64) -> Float64:
    """Joints (N, 19, 3) in the world to camera axes, by poses (N, 3, 4)."""
    rotation, place = world_from_camera[:, :, :3], world_from_camera[:, None, :, 3]
    return np.asarray((joints - place) @ rotation)  # on rows the transpose is undone


def _sigma_of(names: Sequence[str], sigma: Float64) -> Float64:
    """(N, P) errors of joints with these names as (N, 19) of the body's."""
    ours = np.full((len(sigma), len(BODY)), Labels.SESSION_SIGMA)
    for i, name in enumerate(names):
        if name in BODY.names:
            ours[:, BODY.index(name)] = np.where(sigma[:, i] > 0, sigma[:, i], Labels.SESSION_SIGMA)
    return ours


def _read_npz(path: Path) -> Labels:
    """Arrays of mocap, or `joints` (N, P, 3) or `xy` (N, P, 2) with `times` or `frames`."""
    with damage_at(path, hint="save it again as an NPZ of plain arrays"):
        arrays = load_npz(path, _MAX_BYTES)
        numbers = sum(array.size for array in arrays.values())
        if 8 * numbers > _MAX_BYTES:  # they become float64
            raise ValueError(f"it holds {numbers} numbers")
    poses, points = _first(arrays, _POSES), _first(arrays, _POINTS)
    if poses is None and points is None:
        raise MocapError(
            f"{path} holds no joints, only {', '.join(arrays)[:150]}",
            "call them joints (N, P, 3) or xy (N, P, 2), with joint_names and times or frames",
        )
    N = len(np.atleast_1d(poses if poses is not None else points))  # type: ignore[arg-type]
    with damage_at(path, hint="docs/labels.md lists names and shapes of the arrays"):
        joints = None if poses is None else _body(path, arrays, poses)
        space = str(arrays.get("space", ""))
        in_world = space == "world" and "world_from_camera" in arrays
        if joints is not None and in_world:
            joints = _to_camera(joints, _shaped(arrays, "world_from_camera", (N, 3, 4)))
        xy = None if points is None else _keypoints(path, arrays, points)
        when, sigma = _time_or_frame(arrays, N), _sigma(arrays, N)
        sized = "size_pixels" in arrays
        size = _size(*_shaped(arrays, "size_pixels", (2,))) if sized else None
    return make_labels(
        path,
        str(arrays["source"]) if "source" in arrays else path.stem,
        **when,
        joints=joints,
        xy=xy,
        sigma=sigma,
        in_camera=in_world or space == "camera",
        size=size,
    )


def _shaped(arrays: _Arrays, name: str, shape: tuple[int, ...]) -> Float64:
    """An array of numbers that must have that shape."""
    values = arrays[name]
    if values.shape != shape or values.dtype.kind not in "biuf":
        raise ValueError(f"{name} is {values.dtype} {values.shape}, not numbers {shape}")
    return values.astype(np.float64)


def _sigma(arrays: _Arrays, count: int) -> Float64 | None:
    if "sigma" not in arrays or "joint_names" not in arrays:
        return None
    names = _names(arrays, ("joint_names",))
    return _sigma_of(names, _shaped(arrays, "sigma", (count, len(names))))


def _names(arrays: _Arrays, keys: Sequence[str]) -> tuple[str, ...]:
    named = _first(arrays, keys)
    if named is None:
        return ()
    if named.size > _MAX_NAMES:
        raise ValueError(f"{keys[0]} has {named.size} names")
    return tuple(str(name) for name in np.atleast_1d(named).ravel())


def _size(width: float, height: float) -> tuple[int, int]:
    return int(width), int(height)


def _first(arrays: _Arrays, names: Sequence[str]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _body(path: Path, arrays: _Arrays, poses: NDArray[Any]) -> Float64:
    if poses.ndim != 3 or poses.shape[2] != 3 or poses.dtype.kind not in "biuf":
        raise ValueError(f"joints are {poses.dtype} {poses.shape}, not (frames, joints, 3)")
    names = _names(arrays, ("joint_names", "names")) or unnamed_skeleton(poses.shape[1], 3)
    return map_to_body(names, poses.astype(np.float64), str(path))


def _keypoints(path: Path, arrays: _Arrays, points: NDArray[Any]) -> Float64:
    if points.ndim != 3 or points.shape[2] not in (2, 3) or points.dtype.kind not in "biuf":
        raise ValueError(f"points are {points.dtype} {points.shape}, not (frames, points, 2)")
    names = _names(arrays, ("keypoint_names", "names")) or unnamed_skeleton(points.shape[1], 2)
    xy = points[..., :2].astype(np.float64)
    known = np.ones(xy.shape[:2], bool)
    if "score" in arrays:
        known = _shaped(arrays, "score", xy.shape[:2]) > 0
    elif points.shape[2] > 2:
        known = points[..., 2] > 0
    return map_to_keypoints(names, np.where(known[..., None], xy, np.nan), str(path))


def _time_or_frame(arrays: _Arrays, count: int) -> dict[str, Any]:
    for key, names in (("times", _TIMES), ("frames", _NUMBERS)):
        name = next((name for name in names if name in arrays), None)
        if name is not None and arrays[name].shape == (count,):
            values = _shaped(arrays, name, (count,))
            return {key: values if key == "times" else [int(value) for value in values]}
    given = [name for name in (*_TIMES, *_NUMBERS) if name in arrays]
    if not given:
        return {"frames": range(count)}
    raise ValueError(f"{given[0]} is {arrays[given[0]].shape} for {count} poses")


def _read_csv(path: Path) -> Labels:
    """A table with a row a joint (time, joint, x, y, z), or a row a frame (pelvis_x, pelvis_y)."""
    with damage_at(path), path.open(newline="", encoding="utf-8-sig") as file:
        rows = [{(k or "").strip(): v for k, v in row.items()} for row in csv.DictReader(file)]
    broken = bool(rows) and None in rows[-1].values()
    if broken:
        rows.pop()  # the number before the end may be cut as well
    if not rows:
        raise MocapError(f"{path} has no rows", "check that it was written to its end")
    labels = _long(path, rows) if {"joint", "x", "y"} <= rows[0].keys() else _wide(path, rows)
    return labels.with_notes(f"breaks off within row {len(rows) + 1}") if broken else labels


def _long(path: Path, rows: Sequence[Mapping[str, Any]]) -> Labels:
    clock = "time" if "time" in rows[0] else "frame"
    axes = [axis for axis in _AXES if axis in rows[0]]
    with damage_at(path):
        moments = {text: i for i, text in enumerate(dict.fromkeys(row[clock] for row in rows))}
        names = distinct_names(str(row["joint"]) for row in rows)
        if len(moments) * len(names) > _MAX_BYTES // 64:
            raise ValueError(f"{len(rows)} rows name {len(names)} joints at {len(moments)} times")
    index = {name: i for i, name in enumerate(names)}
    places = np.full((len(moments), len(names), len(axes)), np.nan)
    sigma = np.full((len(moments), len(names)), np.nan)
    for row in rows:
        at = moments[row[clock]], index[str(row["joint"])]
        places[at] = [_number(row.get(axis)) for axis in axes]
        sigma[at] = _number(row.get("sigma"))
    return _table(path, clock, [_number(t) for t in moments], names, places, sigma)


def _wide(path: Path, rows: Sequence[Mapping[str, Any]]) -> Labels:
    columns = list(rows[0])
    clock = next((c for c in ("time", "seconds", "times", "frame", "frames") if c in columns), None)
    parts = {
        c: (c[:-2], c[-1]) for c in columns if len(c) > 2 and c[-2] in "_. " and c[-1] in _AXES
    }
    if clock is None or not parts:
        raise MocapError(
            f"{path} is no table of joints: its columns are {', '.join(columns)[:120]}",
            "give time,joint,x,y,z as `mocap export` does, or time,pelvis_x,pelvis_y,...",
        )
    with damage_at(path):
        names = distinct_names(name for name, _ in parts.values())
    index = {name: i for i, name in enumerate(names)}
    depth = max(_AXES[axis] for _, axis in parts.values()) + 1
    places = np.full((len(rows), len(names), depth), np.nan)
    for i, row in enumerate(rows):
        for column, (name, axis) in parts.items():
            places[i, index[name], _AXES[axis]] = _number(row.get(column))
    moments = [_number(row[clock]) for row in rows]
    kind = "frame" if clock.startswith("frame") else "time"
    return _table(path, kind, moments, names, places, np.full(places.shape[:2], np.nan))


def _table(
    path: Path,
    clock: str,
    moments: Sequence[float],
    names: Sequence[str],
    places: Float64,
    sigma: Float64,
) -> Labels:
    if places.shape[2] < 2:
        raise MocapError(f"{path} has x without y", "give x, y and z, or x and y")
    if not np.isfinite(moments).all():
        raise MocapError(f"{path} has rows without a {clock}", f"give every row its {clock}")
    when: dict[str, Any] = {"times": np.array(moments)}
    if clock == "frame":
        when = {"frames": [int(moment) for moment in moments]}
    if places.shape[2] == 2:
        xy = map_to_keypoints(names, places, str(path))
        return make_labels(path, path.stem, **when, xy=xy)
    joints = map_to_body(names, places, str(path))
    return make_labels(path, path.stem, **when, joints=joints, sigma=_sigma_of(names, sigma))


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")


TABLE_READERS: Mapping[str, Callable[[Path], Labels]] = {
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".json": _read_motion,
}
