"""Tables: rows as CSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.origin import MARK
from mocap_cli.io.remote import write_remotely
from mocap_cli.io.url import is_url

_SUFFIXES = (".csv", ".jsonl", ".parquet")


def check_table(path: Path) -> None:
    """Refuse, before any work, a table that could not be written after it."""
    if path.suffix.lower() not in _SUFFIXES:
        raise MocapError(
            f"cannot write {path}: a table is {', '.join(_SUFFIXES)}", "choose one of these"
        )
    if path.suffix.lower() == ".parquet":
        _pyarrow(path)


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that have these columns; None is an empty cell."""
    with (write_remotely if is_url(path) else write_atomically)(path) as aside:
        if path.suffix.lower() == ".parquet":
            arrow, parquet = _pyarrow(path)
            table = arrow.table({name: [row[name] for row in rows] for name in columns})
            parquet.write_table(table.replace_schema_metadata({"creator": MARK}), aside)
            return
        with aside.open("w", encoding="utf-8", newline="") as file:
            if path.suffix.lower() == ".csv":
                writer = csv.DictWriter(file, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            else:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_parquet(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    arrow, parquet = _pyarrow(path)
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except arrow.ArrowException as error:
        raise MocapError(f"cannot read {path}: {error}", "give a Parquet file") from error
    return rows


def _pyarrow(path: Path) -> tuple[Any, Any]:
    """The library that reads and writes Parquet, which is not one of our dependencies."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MocapError(
            f"{path}: Parquet needs pyarrow", "pip install pyarrow, or take .csv"
        ) from error
    return pyarrow, pyarrow.parquet
