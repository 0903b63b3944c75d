"""Cache of what takes minutes to compute from a video, in a folder, by the video's content."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.lock import only_process
from mocap_cli.io.npz import load_npz, seal_of, without_seal

_T = TypeVar("_T")
_HASHES = "hashes"
_SHA256 = re.compile("[0-9a-f]{64}")
_PACKAGE = Path(__file__).parents[1]


def cached(
    kind: type[_T], video: Path, cache: Path | None, key: list[Any], compute: Callable[[], _T]
) -> _T:
    """A dataclass of arrays that `compute` makes of a video, from the cache where it is there.

    `key` names everything that it depends on besides the video's content. A damaged file is
    computed again. Of several processes one computes, and the others wait for it.
    """
    if cache is None:
        return compute()
    name = kind.__name__.strip("_").lower()
    text = json.dumps([kind.__name__, video_sha256(video, cache), *key])
    path = cache / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.{name}.npz"
    found = _read(kind, path)
    if found is None:
        with only_process(cache / f".{path.stem}.lock", wait=True):
            found = _read(kind, path)
            return _write(path, compute()) if found is None else found
    return found


def _read(kind: type[_T], path: Path) -> _T | None:
    with suppress(OSError, ValueError, TypeError):
        return kind(**without_seal(load_npz(path)))
    return None


def _write(path: Path, computed: _T) -> _T:
    names = type(computed).__annotations__
    arrays: dict[str, Any] = {name: np.asarray(getattr(computed, name)) for name in names}
    with write_atomically(path) as aside, aside.open("wb") as file:
        np.savez(file, **{**arrays, **seal_of(arrays)})
    return computed


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def video_sha256(video: Path, store: Path) -> str:
    """The SHA-256 of a video, remembered in the store while size and time of change stay.

    Each has a file of its own: no file grows with the number of videos.
    """
    try:
        state = video.stat()
        key = f"{video.resolve()}|{state.st_size}|{state.st_mtime_ns}"
        path = store / _HASHES / hashlib.sha256(os.fsencode(key)).hexdigest()[:32]
        if (remembered := _remembered(path)) is not None:
            return remembered
        computed = file_sha256(video)
    except OSError as error:
        raise MocapError(f"cannot read {video}: {error.strerror}", "check the path") from error
    with write_atomically(path) as aside:
        aside.write_text(computed)
    return computed


def _remembered(path: Path) -> str | None:
    """The hash in a file; None where there is none, or something else."""
    with suppress(OSError, ValueError):
        if _SHA256.fullmatch(text := path.read_text()):
            return text
    return None


def source_hash(*packages: str) -> str:
    """A SHA-256 of the source of some of our packages, so that changed code misses the cache."""
    whole = hashlib.sha256()
    for package in packages:
        for path in sorted((_PACKAGE / package).glob("*.py")):
            whole.update(f"{package}/{path.name}\0".encode() + path.read_bytes())
    return whole.hexdigest()
