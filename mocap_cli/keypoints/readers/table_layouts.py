"""Tables of 2D detectors: DeepLabCut's CSV, MediaPipe's landmarks as CSV, and NPZ arrays."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mocap_cli.body.joint_names import distinct_names
from mocap_cli.io.damage import damage_at
from mocap_cli.io.npz import load_npz
from mocap_cli.keypoints.readers.deeplabcut import read_deeplabcut_table
from mocap_cli.keypoints.readers.people import UNSCORED, FilePeople, PersonRow
from mocap_cli.types import Float64

_SCORES = ("visibility", "v", "score", "likelihood", "confidence", "conf", "c", "presence", "p")
_AXES = {"x": 0, "y": 1, **dict.fromkeys(_SCORES, 2)}
_AXIS = "|".join((*_AXES, "z"))
_NAMED = re.compile(rf"^(?P<name>.+)[_. -](?P<axis>{_AXIS})$", re.IGNORECASE)
_NUMBERED = re.compile(rf"^(?P<axis>{_AXIS})[_. -]?(?P<name>\d+)$", re.IGNORECASE)
_ONLY_NUMBER = re.compile(r"^\D*?(\d+)$")
_FRAMES = ("frame", "frames", "frame_id", "frame_index", "frame_number")
_SECONDS = {"time": 1.0, "seconds": 1.0, "times": 1.0, "timestamp": 1.0, "timestamp_ms": 1000.0}
_POINT = ("landmark", "joint", "keypoint", "name", "landmark_id", "landmark_index", "index")
_PERSON = ("person", "person_id", "track_id", "id")
_MAX_BYTES = 1 << 29  # of an NPZ's arrays


def read_csv_people(path: Path) -> FilePeople | None:
    """DeepLabCut's tables, and a row a frame or a row a point; None where it is none of them."""
    table = read_deeplabcut_table(path)
    if table is not None:
        with damage_at(path):
            return _deeplabcut(path, table)
    with damage_at(path), path.open(newline="", encoding="utf-8-sig") as file:
        rows = [{(k or "").strip(): v for k, v in row.items()} for row in csv.DictReader(file)]
    columns = list(rows[0]) if rows else []
    point = next((c for c in _POINT if c in columns), None)
    with damage_at(path):
        if point is not None and {"x", "y"} <= set(columns):
            return _row_a_point(path, rows, point)
        named = {c: m for c in columns if (m := _NUMBERED.match(c) or _NAMED.match(c))}
        return _row_a_frame(path, rows, named) if named else None


def read_npz_people(path: Path) -> FilePeople | None:
    """Arrays xy (N, P, 2) with score, keypoint_names, times or frames; None without xy."""
    with damage_at(path):
        arrays = load_npz(path, _MAX_BYTES)
        xy = arrays.get("xy", arrays.get("keypoints"))
        if xy is None:
            return None
        if xy.ndim != 3 or xy.shape[2] not in (2, 3) or xy.dtype.kind not in "iuf":
            raise ValueError(f"xy is {xy.dtype} {xy.shape}, not (frames, points, 2)")
        score = np.asarray(arrays.get("score", xy[..., 2] if xy.shape[2] == 3 else UNSCORED))
        points = np.dstack((xy[..., 0], xy[..., 1], np.broadcast_to(score, xy.shape[:2])))
        timed = "times" in arrays
        moments = arrays.get("times", arrays.get("frames", np.arange(len(xy))))
        kept = np.asarray(arrays.get("seen", np.ones(len(xy), np.bool_)))
        if moments.shape != (len(xy),) or kept.shape != (len(xy),):
            raise ValueError(f"times or seen do not have one value for each of {len(xy)} frames")
        names = [str(n) for n in arrays["keypoint_names"]] if "keypoint_names" in arrays else None
        rows = [PersonRow(float(moments[i]), points[i], 0) for i in np.flatnonzero(kept)]
        return FilePeople.of(rows, str(path), names, in_seconds=timed)


def _deeplabcut(
    path: Path, table: Sequence[tuple[float, Mapping[str, tuple[float, float, float]]]]
) -> FilePeople:
    names = distinct_names(name for _, points in table for name in points)
    rows = []
    for number, found in table:
        points = np.full((len(names), 3), np.nan)
        for name, values in found.items():
            points[names.index(name)] = values
        rows.append(PersonRow(number, points, 0))
    return FilePeople.of(rows, str(path), names)


def _row_a_frame(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, re.Match[str]]
) -> FilePeople:
    """A row a frame: nose_x, nose_y, nose_visibility, or x0, y0, z0, v0."""
    names = distinct_names(match["name"] for match in columns.values())
    cells = [
        (column, names.index(match["name"]), _AXES[match["axis"].lower()])
        for column, match in columns.items()
        if match["axis"].lower() in _AXES
    ]
    people, timed = [], False
    for i, row in enumerate(rows):
        moment, timed = _moment(row, i)
        points = np.full((len(names), 3), np.nan)
        points[:, 2] = UNSCORED
        for column, at, axis in cells:
            points[at, axis] = _number(row[column])
        people.append(PersonRow(moment, points, _person(row)))
    return _with_names(path, people, names, timed)


def _row_a_point(path: Path, rows: Sequence[Mapping[str, Any]], point: str) -> FilePeople:
    """A row a point: frame, landmark, x, y, visibility."""
    names = distinct_names(str(row[point]) for row in rows)
    score = next((column for column in _SCORES if column in rows[0]), None)
    found: dict[tuple[float, int], Float64] = {}
    timed = False
    for i, row in enumerate(rows):
        moment, timed = _moment(row, i)
        points = found.setdefault((moment, _person(row)), np.full((len(names), 3), np.nan))
        sure = _number(row[score]) if score else UNSCORED
        points[names.index(str(row[point]))] = _number(row["x"]), _number(row["y"]), sure
    people = [PersonRow(moment, points, who) for (moment, who), points in found.items()]
    return _with_names(path, people, names, timed)


def _with_names(
    path: Path, people: Sequence[PersonRow], names: Sequence[str], timed: bool
) -> FilePeople:
    """Points that are only numbered are put in the order of their numbers."""
    numbers = [match[1] for name in names if (match := _ONLY_NUMBER.match(name))]
    if len(set(numbers)) < len(names):
        return FilePeople.of(people, str(path), names, in_seconds=timed, first=None)
    order = np.argsort([int(number) for number in numbers])
    ordered = [PersonRow(p.moment, p.points[order], p.track) for p in people]
    return FilePeople.of(ordered, str(path), in_seconds=timed, first=None)


def _moment(row: Mapping[str, Any], index: int) -> tuple[float, bool]:
    """Number of the frame, or its time in seconds and True."""
    for column in _FRAMES:
        if column in row:
            return float(row[column]), False
    for column, unit in _SECONDS.items():
        if column in row:
            return float(row[column]) / unit, True
    return float(index), False


def _person(row: Mapping[str, Any]) -> int:
    """The number of the person; one person alone is number 0."""
    column = next((c for c in _PERSON if c in row), None)
    return int(float(row[column])) if column else 0


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return float("nan")
