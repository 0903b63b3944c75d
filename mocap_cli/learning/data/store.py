"""Frame store: clips decoded once to training size and memory-mapped from then on.

The folder of a clip is named after the video's content and the recipe; it appears whole or not at
all.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import aside_of, make_folder
from mocap_cli.io.json_fields import JsonObject
from mocap_cli.io.npz import checked_array, load_npy
from mocap_cli.types import Bool, Float64, Int64, UInt8

_VERSION = 1
_MAX_FRAMES = 100_000_000  # the files must be as large as that comes to
_HEAD = "clip.json"
_SMALL = ("plate_of", "times", "moved", "people")  # fields of StoredClip with a file of their own
_REMAKE = "remove that folder; the clip is then decoded again"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecipe:
    """How clips are stored; together with a video's content it gives the clip's address."""

    width: int  # pixels of every stored frame
    height: int
    fps: float = 15.0  # at most; frames keep their own times
    background: str = "auto"  # a kind of `mocap background`

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 16 or self.fps <= 0:
            raise ValueError("frames need 16 pixels or more and a positive frame rate")

    @property
    def frame_size(self) -> tuple[int, int]:
        """Width and height of stored frames."""
        return self.width, self.height

    def address(self, content: str) -> str:
        """Folder name of a video with that SHA-256 when stored by this recipe."""
        text = json.dumps([_VERSION, content, asdict(self)], sort_keys=True)
        return sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StoredClip:
    """One clip of the store; frames and backgrounds stay on the disk until they are read."""

    address: str
    frames: UInt8  # (N, H, W, 3) RGB, letterboxed
    plates: UInt8  # (P, H, W, 3) backgrounds
    known: Bool  # (P, H, W) where the background is known
    plate_of: Int64  # (N,) index of each frame's background
    times: Float64  # (N,) seconds since the video's start
    moved: Float64  # (N,) 0..1 foreground share: pixels that differ from the background
    people: Int64  # (N,) person count at the last detection; -1: not counted
    picture: tuple[int, int, int, int]  # left, top, width, height of the image in the frame
    warnings: tuple[str, ...]

    MIN_FOREGROUND: ClassVar[float] = 0.002  # `moved` below which a frame is empty

    def __len__(self) -> int:
        return len(self.times)

    @staticmethod
    def is_stored(store: Path, address: str) -> bool:
        """Whether the clip is in the store."""
        return (store / address / _HEAD).is_file()

    @classmethod
    def open(cls, store: Path, address: str) -> "StoredClip":
        """Memory-map a stored clip."""
        folder = store / address
        try:
            head = JsonObject.read(folder / _HEAD)
            frames = head.numbers("frames", (4,), 1, _MAX_FRAMES, null=False)
            count, height, width, _ = (int(number) for number in frames)
            plates = head.number("plates", 1, _MAX_FRAMES, int)
            left, top, *size = head.numbers("picture", (4,), 0, max(width, height), null=False)
            return cls(
                address=address,
                frames=_map_images(folder, "frames", (count, height, width, 3)),
                plates=_map_images(folder, "plates", (plates, height, width, 3)),
                known=_map_images(folder, "known", (plates, height, width)).view(np.bool_),
                picture=(int(left), int(top), int(size[0]), int(size[1])),
                warnings=head.texts("warnings"),
                **_open_small(folder, count, plates),
            )
        except (OSError, ValueError) as error:
            raise MocapError(f"{folder} is damaged: {error}", _REMAKE) from error


class ClipWriter:
    """Appends frames and backgrounds to a clip that is being stored."""

    def __init__(self, folder: Path, recipe: StoreRecipe) -> None:
        self._folder, self._shape = folder, (recipe.height, recipe.width)

    @classmethod
    @contextmanager
    def store(cls, store: Path, address: str, recipe: StoreRecipe) -> Iterator["ClipWriter"]:
        """Write a clip to a temporary folder and rename it when the block succeeds."""
        folder = store / address
        try:
            make_folder(store)
            aside = aside_of(folder)
            aside.mkdir()
        except OSError as error:
            raise MocapError(
                f"cannot write {store}: {error.strerror}", "choose another --store"
            ) from error
        try:
            yield cls(aside, recipe)
            if not folder.exists():  # another process may have stored the same clip meanwhile
                aside.rename(folder)
        except OSError as error:
            raise MocapError(
                f"cannot write {folder}: {error.strerror or error}",
                "free some space, or choose another --store",
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def append(self, name: str, image: UInt8 | Bool) -> None:
        """Append one image to `frames`, `plates` or `known`."""
        with _image_file(self._folder, name).open("ab") as file:
            file.write(image.tobytes())

    def images(self, name: str, count: int) -> UInt8:
        """Memory-map what was appended so far: (count, H, W[, 3])."""
        channels = () if name == "known" else (3,)
        return _map_images(self._folder, name, (count, *self._shape, *channels))

    def finish(self, clip: StoredClip) -> None:
        """Write everything but the images, which are already there."""
        for name in _SMALL:
            np.save(_array_file(self._folder, name), getattr(clip, name), allow_pickle=False)
        head = {
            "version": _VERSION,
            "frames": list(clip.frames.shape),
            "plates": len(clip.plates),
            "picture": list(clip.picture),
            "warnings": list(clip.warnings),
        }
        (self._folder / _HEAD).write_text(json.dumps(head))


def _image_file(folder: Path, name: str) -> Path:
    """Raw images, one after another, without a header."""
    return folder / f"{name}.u8"


def _open_small(folder: Path, frames: int, plates: int) -> dict[str, NDArray[Any]]:
    """The arrays of `_SMALL`, checked."""
    found = {name: load_npy(_array_file(folder, name)) for name in _SMALL}
    checked_array(found, "plate_of", (frames,), "whole", 0, plates - 1)
    checked_array(found, "people", (frames,), "whole", -1)
    checked_array(found, "moved", (frames,), low=0, high=1)
    times = checked_array(found, "times", (frames,), low=-1e9, high=1e9)
    if (np.diff(times) < 0).any():
        raise ValueError("times do not rise")
    return found


def _map_images(folder: Path, name: str, shape: tuple[int, ...]) -> UInt8:
    return np.memmap(_image_file(folder, name), np.uint8, "r", shape=shape)


def _array_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
