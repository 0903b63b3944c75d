"""Kept: what takes minutes to see in a video, seen once."""

import json
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from zipfile import BadZipFile

import numpy as np

from mocap_cli.files import written_whole
from mocap_cli.learning.digest import content_of

T = TypeVar("T")
_DAMAGED = (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile, zlib.error)


def seen_once(
    kind: type[T], video: Path, cache: Path | None, how: list[Any], see: Callable[[], T]
) -> T:
    """A dataclass of arrays that `see` makes of a video; from the cache if it was seen that way.

    `how` names all that it depends on beside the video. A damaged file is made anew.
    """
    if cache is None:
        return see()
    said = json.dumps([kind.__name__, content_of(video, cache), *how])
    path = cache / f"{sha256(said.encode()).hexdigest()[:32]}.{kind.__name__.lower()}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return kind(**{name: file[name] for name in file.files})
    except _DAMAGED:
        made = see()
    with written_whole(path) as aside, aside.open("wb") as file:
        np.savez(file, **{name: getattr(made, name) for name in kind.__annotations__})
    return made
