"""Manifest: a list of clips as text, CSV, JSON lines or Parquet, several rows a video allowed."""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mocap_cli.clips.tables import read_parquet
from mocap_cli.errors import MocapError
from mocap_cli.io.inputs import refuse_url
from mocap_cli.keypoints.subject import Subject, parse_subject

_COLUMNS = "path, name, subject, height, start, end"
_HEIGHTS = (0.05, 3.0)  # metres
_SECONDS = (0.0, 1e9)

_Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRow:
    """One clip of a list; what is None is not in its row."""

    path: Path  # relative to the current folder, as on the command line
    name: str  # of its files in the output folder, without suffix
    subject: Subject | None = None
    height: float | None = None
    start: float | None = None
    end: float | None = None


def read_manifest(path: Path) -> list[ManifestRow]:
    """Read a list of clips: one path a line, or rows with the columns of docs/library.md."""
    refuse_url(path)
    try:
        rows = list(_read(path))
    except OSError as error:
        raise MocapError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError, csv.Error) as error:  # not UTF-8, not JSON
        raise MocapError(f"cannot read {path}: {error}", "give UTF-8 text") from error
    clips = []
    for number, row in rows:
        try:
            clips.append(_clip(row))
        except ValueError as error:
            raise MocapError(f"{path}, line {number}: {error}", "correct that line") from error
        except MocapError as error:
            raise MocapError(f"{path}, line {number}: {error.message}", error.hint) from error
    if not clips:
        raise MocapError(f"{path} lists no videos", f"give rows with {_COLUMNS}")
    return clips


def _read(path: Path) -> Iterator[tuple[int, _Row]]:
    """(line, row) of all rows that are not empty."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        yield from enumerate(read_parquet(path), 1)
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        if suffix == ".csv":
            table = csv.DictReader(file)
            if "path" not in (table.fieldnames or ()):
                raise MocapError(
                    f"{path} has no column path", f"begin it with a line of columns: {_COLUMNS}"
                )
            yield from ((table.line_num, row) for row in table)
        elif suffix == ".jsonl":
            yield from ((n, json.loads(line)) for n, line in enumerate(file, 1) if line.strip())
        else:
            lines = ((n, line.rstrip("\r\n")) for n, line in enumerate(file, 1))
            yield from ((n, {"path": line}) for n, line in lines if line.strip())


def _clip(row: _Row) -> ManifestRow:
    if not isinstance(row, Mapping) or not (text := _text(row, "path")):
        raise ValueError("it has no path")
    if not Path(text).name:
        raise ValueError(f"path is {text}, which is a folder")
    start, end = _number(row, "start", _SECONDS), _number(row, "end", _SECONDS)
    if start is not None and end is not None and end <= start:
        raise ValueError(f"end {end:g} is not after start {start:g}")
    subject = _text(row, "subject")
    return ManifestRow(
        path=Path(text),
        name=_name(row) or Path(text).stem + _span(start, end),
        subject=parse_subject(subject.split(";")) if subject else None,
        height=_number(row, "height", _HEIGHTS),
        start=start,
        end=end,
    )


def _text(row: _Row, column: str) -> str:
    value = row.get(column)
    return "" if value is None else str(value)


def _number(row: _Row, column: str, bounds: tuple[float, float]) -> float | None:
    if not (text := _text(row, column)):
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not bounds[0] <= value <= bounds[1]:
        raise ValueError(f"{column} is {text}, not a number from {bounds[0]:g} to {bounds[1]:g}")
    return value


def _name(row: _Row) -> str:
    """A name may be in a sub-folder, and not above the output folder."""
    name = _text(row, "name")
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or name.startswith(("/", "\\")) or ":" in name:
        raise ValueError(f"name is {name}, which leads out of the output folder")
    if name and not parts:
        raise ValueError(f"name is {name}, which is a folder")
    return name


def _span(start: float | None, end: float | None) -> str:
    """What tells the clips of one video apart, whichever others are in the list."""
    if start is None and end is None:
        return ""
    return f"_{start or 0:g}-{'end' if end is None else f'{end:g}'}"
