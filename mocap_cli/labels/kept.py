"""Kept: what takes minutes to see in a video, seen once."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mocap_cli.arrays import read_arrays
from mocap_cli.files import written_whole
from mocap_cli.learning.digest import content_of

T = TypeVar("T")


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
    with suppress(OSError, ValueError, TypeError):
        return kind(**read_arrays(path))
    made = see()
    with written_whole(path) as aside, aside.open("wb") as file:
        np.savez(file, **{name: getattr(made, name) for name in kind.__annotations__})
    return made
