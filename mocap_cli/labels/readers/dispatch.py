"""Reading labels of any supported format, from a file or a folder of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.annotations import (
    read_coco,
    read_cvat,
    read_deeplabcut,
    read_json_object,
    read_labelme,
)
from mocap_cli.labels.readers.damage import damage_at
from mocap_cli.labels.readers.sessions import SESSION_READERS
from mocap_cli.labels.readers.tabular import (
    read_csv_labels,
    read_motion_labels,
    read_npz_labels,
)

_READERS: Mapping[str, Callable[[Path], Labels]] = {".npz": read_npz_labels, **SESSION_READERS}
_SUFFIXES = (*_READERS, ".csv", ".json", ".xml")
_NOT_LABELS = (".angles.csv", ".background.npz")


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
        if one.suffix.lower() != ".json":
            found += _read(one)
            continue
        document = read_json_object(one)
        if "shapes" in document:  # one file an image: all files of a video are read together
            labelme.append((one, document))
        elif "annotations" in document:
            found += read_coco(one, document)
        else:
            found.append(read_motion_labels(one))
    found += read_labelme(labelme) if labelme else []
    if not found:
        raise MocapError(f"{path} labels nothing yet", "label the person in some of its images")
    return found


def _is_labels(path: Path) -> bool:
    known = path.suffix.lower() in _SUFFIXES and not path.name.lower().endswith(_NOT_LABELS)
    return known and path.is_file() and not path.name.startswith(".")


def _read(path: Path) -> list[Labels]:
    suffix = path.suffix.lower()
    if suffix in _READERS:
        return [_READERS[suffix](path)]
    if suffix == ".xml":
        return read_cvat(path)
    if suffix == ".csv":
        annotated = read_deeplabcut(path)
        return [read_csv_labels(path)] if annotated is None else annotated
    raise MocapError(f"{path} is no label format", f"give files of {', '.join(_SUFFIXES)}")
