"""Kept: what takes minutes to see in a video, seen once."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mocap_cli.io.atomic import write_atomically
from mocap_cli.io.npz import load_npz
from mocap_cli.learning.data.content_hash import video_sha256

_T = TypeVar("_T")


def cached(
    kind: type[_T], video: Path, cache: Path | None, how: list[Any], see: Callable[[], _T]
) -> _T:
    """A dataclass of arrays that `see` makes of a video; from the cache if it was seen that way.

    `how` names all that it depends on beside the video. A damaged file is made anew.
    """
    if cache is None:
        return see()
    said = json.dumps([kind.__name__, video_sha256(video, cache), *how])
    path = cache / f"{sha256(said.encode()).hexdigest()[:32]}.{kind.__name__.lower()}.npz"
    with suppress(OSError, ValueError, TypeError):
        return kind(**load_npz(path))
    made = see()
    with write_atomically(path) as aside, aside.open("wb") as file:
        np.savez(file, **{name: getattr(made, name) for name in kind.__annotations__})
    return made
