"""DeepLabCut's CSV tables: a head of scorer, bodyparts and coords, then a row a frame."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at

_Points = dict[str, tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class DeepLabCutRow:
    """One frame of a table."""

    line: int  # in the file
    image: tuple[str, ...]  # the cells that name the image; empty where rows are numbered
    number: str  # the first cell: the frame's number where rows are numbered
    points: _Points  # by body part: x, y and likelihood (1 where a person has labelled it)


def read_deeplabcut_rows(path: Path) -> list[DeepLabCutRow] | None:
    """The rows of a table; None where a CSV does not begin as DeepLabCut's do."""
    with damage_at(path), path.open(encoding="utf-8-sig", errors="replace") as file:
        if file.readline(1000).split(",")[0].strip() != "scorer":
            return None
    with damage_at(path), path.open(newline="", encoding="utf-8-sig") as file:
        rows = [(i, row) for i, row in enumerate(csv.reader(file), start=1) if row]
    head = {row[0]: row for _, row in rows[:5]}
    count = sum(k in head for k in ("scorer", "individuals", "bodyparts", "coords"))
    if "bodyparts" not in head or "coords" not in head:
        raise MocapError(f"{path} lacks the rows bodyparts and coords", "export it again")
    if len(set(head.get("individuals", ())) - {"individuals", "", "single"}) > 1:
        raise MocapError(
            f"{path} has several individuals", "export each of them to a file of its own"
        )
    return list(_rows(path, rows[count:], head["bodyparts"], head["coords"]))


def read_deeplabcut_table(path: Path) -> list[tuple[float, _Points]] | None:
    """Frame numbers and points of the table of a whole video; None where it is another CSV."""
    rows = read_deeplabcut_rows(path)
    if rows is None:
        return None
    found = []
    for row in rows:
        with damage_at(path, f"row {row.line}"):
            digits = "".join(c for c in row.image[-1] if c.isdigit()) if row.image else row.number
            found.append((float(digits), row.points))
    return found


def _rows(
    path: Path,
    rows: Sequence[tuple[int, Sequence[str]]],
    parts: Sequence[str],
    axes: Sequence[str],
) -> Iterator[DeepLabCutRow]:
    for line, row in rows:
        with damage_at(path, f"row {line}"):
            image = tuple(cell for cell in row[:3] if cell and not _is_number(cell))
            yield DeepLabCutRow(line, image, row[0], _points(row, parts, axes))


def _points(row: Sequence[str], parts: Sequence[str], axes: Sequence[str]) -> _Points:
    found: dict[str, dict[str, float]] = {}
    for cell, part, axis in zip(row, parts, axes, strict=False):
        if axis in ("x", "y", "likelihood") and _is_number(cell):
            found.setdefault(part, {})[axis] = float(cell)
    return {
        part: (v["x"], v["y"], v.get("likelihood", 1.0))
        for part, v in found.items()
        if "x" in v and "y" in v
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
