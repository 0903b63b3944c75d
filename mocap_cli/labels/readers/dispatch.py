"""Reading labels of any supported format, from a file or a folder of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mocap_cli.errors import MocapError
from mocap_cli.io.damage import damage_at, read_json_object
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.annotations import read_annotations, read_labelme
from mocap_cli.labels.readers.sessions import SESSION_READERS
from mocap_cli.labels.readers.tabular import TABLE_READERS

_READERS = {**TABLE_READERS, **SESSION_READERS}
_SUFFIXES = (".npz", *SESSION_READERS, ".csv", ".json", ".xml")
_NOT_LABELS = (".angles.csv", ".background.npz")
_OF_CAMERAS = ("cameras.json", "calibration.json")  # may lie beside videos and labels


def read_labels(path: Path) -> list[Labels]:
    """All labels of a file or of a folder, one entry for every video that they are of."""
    with damage_at(path):
        if not path.exists():
            raise MocapError(f"there is no {path}", "check the path of --labels")
        paths = sorted(p for p in path.rglob("*") if _is_labels(p)) if path.is_dir() else [path]
    if not paths:
        raise MocapError(f"{path} holds no labels", f"give files of {', '.join(_SUFFIXES)}")
    found: list[Labels] = []
    labelme: list[tuple[Path, Mapping[str, Any]]] = []
    for one in paths:
        document = read_json_object(one) if one.suffix.lower() == ".json" else None
        if document is not None and "shapes" in document:
            labelme.append((one, document))  # one file an image: those of a video go together
        else:
            found += _read(one, document)
    found += read_labelme(labelme) if labelme else []
    if not found:
        raise MocapError(f"{path} labels nothing yet", "label the person in some of its images")
    return found


def _is_labels(path: Path) -> bool:
    name = path.name.lower()
    known = path.suffix.lower() in _SUFFIXES and name not in _OF_CAMERAS
    known = known and not name.endswith(_NOT_LABELS)
    return known and path.is_file() and not name.startswith(".")


def _read(path: Path, document: Mapping[str, Any] | None) -> list[Labels]:
    annotated = read_annotations(path, document)
    if annotated is not None:
        return annotated
    suffix = path.suffix.lower()
    if suffix in _READERS:
        return [_READERS[suffix](path)]
    raise MocapError(f"{path} is no label format", f"give files of {', '.join(_SUFFIXES)}")
