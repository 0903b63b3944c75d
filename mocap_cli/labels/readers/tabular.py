"""Our own JSON, CSV and NPZ as labels, and tables and arrays that others wrote alike."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import read_motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.errors import MocapError
from mocap_cli.io.npz import load_npz
from mocap_cli.labels.labels import MOCAP_SIGMA, Labels, make_labels
from mocap_cli.labels.readers.joint_names import map_to_body, map_to_keypoints, unnamed_skeleton
from mocap_cli.types import Float64

_AXES = {"x": 0, "y": 1, "z": 2}
_POSES = ("joints", "poses", "pose", "keypoints3d", "joints3d", "positions")
_POINTS = ("xy", "keypoints", "keypoints2d", "joints2d")
_NUMBERS, _TIMES = ("frames", "frame", "frame_numbers"), ("times", "time", "timestamps")


def read_motion_labels(path: Path) -> Labels:
    """A motion of ours, its joints turned into the camera's axes; what was filled in is unsure."""
    motion = read_motion(path)
    joints = map_to_body(motion.skeleton.names, motion.joints.astype(np.float64), str(path))
    if motion.space == "world":
        pose = motion.camera.world_from_camera.astype(np.float64)
        joints = (joints - pose[:, None, :, 3]) @ pose[:, :, :3]  # the transpose turns rows back
    return make_labels(
        path,
        motion.source.file,
        times=motion.times,
        joints=joints,
        xy=np.where(motion.score[..., None] > 0, motion.xy, np.nan).astype(np.float64),
        sigma=_sigma_of(motion.skeleton.names, motion.sigma.astype(np.float64)),
        in_camera=True,
        size=(motion.source.width, motion.source.height),
    )


def _sigma_of(names: Sequence[str], sigma: Float64) -> Float64:
    """(N, P) errors of joints with these names, for ours."""
    ours = np.full((len(sigma), len(BODY)), MOCAP_SIGMA)
    for i, name in enumerate(names):
        if name in BODY.names:
            ours[:, BODY.index(name)] = np.where(sigma[:, i] > 0, sigma[:, i], MOCAP_SIGMA)
    return ours


def read_npz_labels(path: Path) -> Labels:
    """Arrays of ours, or `joints` (N, P, 3) or `xy` (N, P, 2) with `times` or `frames`."""
    try:
        arrays = load_npz(path)
    except (OSError, ValueError) as error:
        raise MocapError(f"{path} is not an NPZ of plain arrays: {error}", "save it anew") from None
    poses, points = _first(arrays, _POSES), _first(arrays, _POINTS)
    if poses is None and points is None:
        raise MocapError(
            f"{path} holds no joints, only {', '.join(arrays)[:150]}",
            "call them joints (N, P, 3) or xy (N, P, 2), with joint_names and times or frames",
        )
    N = len(poses if poses is not None else points)  # type: ignore[arg-type]
    sigma = arrays.get("sigma")
    names = [str(n) for n in arrays["joint_names"]] if "joint_names" in arrays else []
    joints = None if poses is None else _body(path, arrays, poses)
    camera = _camera_poses(arrays)
    if joints is not None and camera is not None:
        joints = (joints - camera[:, None, :, 3]) @ camera[:, :, :3]
    return make_labels(
        path,
        str(arrays["source"]) if "source" in arrays else path.stem,
        **_time_or_frame(path, arrays, N),
        joints=joints,
        xy=None if points is None else _keypoints(path, arrays, points),
        sigma=_sigma_of(names, sigma.astype(np.float64)) if sigma is not None and names else None,
        in_camera=camera is not None or str(arrays.get("space", "")) == "camera",
        size=_size(arrays),
    )


def _camera_poses(arrays: Mapping[str, NDArray[Any]]) -> Float64 | None:
    """(N, 3, 4) where the file says that its joints are in the world."""
    if str(arrays.get("space", "")) != "world" or "world_from_camera" not in arrays:
        return None
    return arrays["world_from_camera"].astype(np.float64)


def _size(arrays: Mapping[str, NDArray[Any]]) -> tuple[int, int] | None:
    if "size_pixels" not in arrays:
        return None
    width, height = arrays["size_pixels"].tolist()
    return int(width), int(height)


def _first(arrays: Mapping[str, NDArray[Any]], names: Sequence[str]) -> NDArray[Any] | None:
    return next((arrays[name] for name in names if name in arrays), None)


def _body(path: Path, arrays: Mapping[str, NDArray[Any]], poses: NDArray[Any]) -> Float64:
    if poses.ndim != 3 or poses.shape[2] != 3:
        raise MocapError(f"joints of {path} are {poses.shape}", "give (frames, joints, 3)")
    named = _first(arrays, ("joint_names", "names"))
    names = [str(n) for n in named] if named is not None else unnamed_skeleton(poses.shape[1], 3)
    return map_to_body(names, poses.astype(np.float64), str(path))


def _keypoints(path: Path, arrays: Mapping[str, NDArray[Any]], points: NDArray[Any]) -> Float64:
    if points.ndim != 3 or points.shape[2] not in (2, 3):
        raise MocapError(f"points of {path} are {points.shape}", "give (frames, points, 2)")
    named = _first(arrays, ("keypoint_names", "names"))
    names = [str(n) for n in named] if named is not None else unnamed_skeleton(points.shape[1], 2)
    xy = points[..., :2].astype(np.float64)
    sure = arrays["score"] if "score" in arrays else points[..., 2] if points.shape[2] > 2 else None
    known = np.ones(xy.shape[:2], bool) if sure is None else np.asarray(sure) > 0
    return map_to_keypoints(names, np.where(known[..., None], xy, np.nan), str(path))


def _time_or_frame(path: Path, arrays: Mapping[str, NDArray[Any]], count: int) -> dict[str, Any]:
    times, numbers = _first(arrays, _TIMES), _first(arrays, _NUMBERS)
    for name, values in (("times", times), ("frames", numbers)):
        if values is not None and values.shape == (count,):
            return {name: values.astype(np.float64 if name == "times" else np.int64)}
    if times is None and numbers is None:
        return {"frames": np.arange(count)}
    raise MocapError(f"{path} has {count} poses but another number of times", "write it anew")


def read_csv_labels(path: Path) -> Labels:
    """A table with a row a joint (time, joint, x, y, z), or a row a frame (pelvis_x, pelvis_y)."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MocapError(f"cannot read {path} as a table: {error}", "save it as CSV") from error
    if not rows:
        raise MocapError(f"{path} has no rows", "look whether it was written to its end")
    if {"joint", "x", "y"} <= rows[0].keys():
        return _long(path, rows)
    return _wide(path, [{(k or "").strip(): v for k, v in row.items()} for row in rows])


def _long(path: Path, rows: Sequence[Mapping[str, Any]]) -> Labels:
    clock = "time" if "time" in rows[0] else "frame"
    axes = [axis for axis in _AXES if axis in rows[0]]
    moments = {text: i for i, text in enumerate(dict.fromkeys(row[clock] for row in rows))}
    names = list(dict.fromkeys(str(row["joint"]) for row in rows))
    places = np.full((len(moments), len(names), len(axes)), np.nan)
    sigma = np.full((len(moments), len(names)), np.nan)
    for row in rows:
        at = moments[row[clock]], names.index(str(row["joint"]))
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
    names = list(dict.fromkeys(name for name, _ in parts.values()))
    deep = max(_AXES[axis] for _, axis in parts.values()) + 1
    places = np.full((len(rows), len(names), deep), np.nan)
    for i, row in enumerate(rows):
        for column, (name, axis) in parts.items():
            places[i, names.index(name), _AXES[axis]] = _number(row.get(column))
    moments = [_number(row[clock]) for row in rows]
    kind = "frame" if clock.lower().startswith("frame") else "time"
    return _table(path, kind, moments, names, places, np.full(places.shape[:2], np.nan))


def _table(
    path: Path,
    clock: str,
    moments: Sequence[float],
    names: Sequence[str],
    places: Float64,
    sigma: Float64,
) -> Labels:
    if not np.isfinite(moments).all():
        raise MocapError(f"{path} has rows without a {clock}", f"give every row its {clock}")
    when: dict[str, Any] = {"times": np.array(moments)}
    if clock == "frame":
        when = {"frames": np.array(moments).astype(np.int64)}
    if places.shape[2] == 2:
        return make_labels(path, path.stem, **when, xy=map_to_keypoints(names, places, str(path)))
    body = map_to_body(names, places, str(path))
    return make_labels(path, path.stem, **when, joints=body, sigma=_sigma_of(names, sigma))


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")
