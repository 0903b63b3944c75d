"""Read: labels of any form that people have, from a file or a folder of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mocap_cli.errors import MocapError
from mocap_cli.labels.labels import Labels
from mocap_cli.labels.readers.annotations import (
    is_deeplabcut,
    read_coco,
    read_cvat,
    read_deeplabcut,
    read_json_object,
    read_labelme,
)
from mocap_cli.labels.readers.sessions import read_bvh, read_c3d, read_trc
from mocap_cli.labels.readers.tabular import read_csv_labels, read_motion_labels, read_npz_labels

_READERS: Mapping[str, Callable[[Path], Labels]] = {
    ".npz": read_npz_labels,
    ".trc": read_trc,
    ".c3d": read_c3d,
    ".bvh": read_bvh,
}
_SUFFIXES = (*_READERS, ".csv", ".json", ".xml")
_NOT_LABELS = (".angles.csv", ".background.npz")


def read_labels(path: Path) -> list[Labels]:
    """All labels of a file or of a folder, one entry for every video that they are of."""
    if not path.exists():
        raise MocapError(f"there is no {path}", "check the path of --labels")
    paths = sorted(p for p in path.rglob("*") if _is_labels(p)) if path.is_dir() else [path]
    if not paths:
        raise MocapError(f"{path} holds no labels", f"give files of {', '.join(_SUFFIXES)}")
    labelme = [p for p in paths if p.suffix.lower() == ".json" and "shapes" in read_json_object(p)]
    found = [labels for p in paths if p not in labelme for labels in _read(p)]
    found += read_labelme(labelme) if labelme else []
    if not found:
        raise MocapError(f"{path} labels nothing yet", "label the person in some of its pictures")
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
        return read_deeplabcut(path) if is_deeplabcut(path) else [read_csv_labels(path)]
    if suffix == ".json":
        document = read_json_object(path)
        return (
            read_coco(path, document) if "annotations" in document else [read_motion_labels(path)]
        )
    raise MocapError(f"{path} is no form of labels", f"give files of {', '.join(_SUFFIXES)}")
