"""Damage in files of other programs: parse errors as one line that names the file and the place."""

import csv
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import orjson

from mocap_cli.errors import MocapError

INCOMPLETE_HINT = "check that the file was copied completely, or export it again"

_PARSE_ERRORS = (
    ValueError, TypeError, LookupError, OverflowError, csv.Error, struct.error, ParseError,
)  # fmt: skip
"""What Python and numpy raise when a document does not have the structure that is expected."""


@contextmanager
def damage_at(path: Path, place: str = "", hint: str = INCOMPLETE_HINT) -> Iterator[None]:
    """Turn any parse error of the block into a MocapError that names the file and the place."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "check the path and your access to it"
        raise MocapError(f"cannot read {path}: {reason}", hint) from error
    except _PARSE_ERRORS as error:
        where = f" at {_printable(place)}" if place else ""
        raise MocapError(f"{path} is damaged{where}: {_reason(error)}", hint) from error


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object."""
    with damage_at(path):
        document = orjson.loads(path.read_bytes())
    if not isinstance(document, dict):
        raise MocapError(f"{path} is no label file", "give one of the formats in docs/labels.md")
    return document


def _reason(error: Exception) -> str:
    """The first line of an error; a missing key by its name."""
    if isinstance(error, KeyError) and error.args:
        return f"{_printable(str(error.args[0]))} is missing"
    return _printable(str(error).partition("\n")[0]) or type(error).__name__


def _printable(text: str) -> str:
    """At most 120 characters without control sequences: file contents reach the terminal here."""
    return "".join(c if c.isprintable() else "?" for c in text[:120])
