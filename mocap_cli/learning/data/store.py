"""Store: the frames of clips at training size, decoded once and mapped from the disk ever after."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.errors import MocapError
from mocap_cli.io.atomic import aside_of
from mocap_cli.types import UInt8

_VERSION = 1
_HEAD = "clip.json"
_SMALL = ("plate_of", "times", "moved", "people")
_REMAKE = "remove that folder; the clip is then decoded again"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRecipe:
    """How clips are stored; with a video's content it gives the clip's address."""

    width: int  # pixels of every stored frame
    height: int
    fps: float = 15.0  # at most; frames keep their own times
    background: str = "auto"  # as `mocap background` names its kinds

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 16 or self.fps <= 0:
            raise ValueError("store frames of 16 pixels and more, and some of them a second")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StoredClip:
    """One clip in the store; the large arrays stay on the disk until they are looked at."""

    address: str
    frames: UInt8  # (N, H, W, 3) RGB, the picture in the middle and black around it
    plates: UInt8  # (P, H, W, 3) backgrounds
    known: NDArray[np.bool_]  # (P, H, W) where they are known
    plate_of: NDArray[np.int64]  # (N,) which plate lies behind a frame
    times: NDArray[np.float64]  # (N,) seconds since the video's start
    moved: NDArray[np.float64]  # (N,) 0..1 share of the picture that is not its plate
    people: NDArray[np.int64]  # (N,) seen at the nearest look; -1 where nobody looked
    picture: tuple[int, int, int, int]  # left, top, width, height of the picture in the frame
    warnings: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.times)


def clip_address(content: str, recipe: StoreRecipe) -> str:
    """Where a video of that SHA-256 lies when stored by that recipe."""
    text = json.dumps([_VERSION, content, asdict(recipe)], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:32]


def is_stored(store: Path, address: str) -> bool:
    """Whether the whole clip is there; folders appear whole or not at all."""
    return (store / address / _HEAD).is_file()


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to fill aside, and rename it when the block ends well."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = aside_of(folder)
        aside.mkdir()
    except OSError as error:
        raise MocapError(
            f"cannot write {folder.parent}: {error.strerror}", "choose another --store"
        ) from error
    try:
        yield aside
        if not folder.exists():  # else somebody was faster and made the same
            aside.rename(folder)
    except OSError as error:
        raise MocapError(
            f"cannot write {folder}: {error.strerror or error}",
            "free some space, or choose another --store",
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def save_clip(aside: Path, clip: StoredClip) -> None:
    """Write all of a clip but its pictures, which were appended one after another."""
    for name in _SMALL:
        np.save(_array(aside, name), getattr(clip, name), allow_pickle=False)
    head = {
        "version": _VERSION,
        "frames": list(clip.frames.shape),
        "plates": len(clip.plates),
        "picture": list(clip.picture),
        "warnings": list(clip.warnings),
    }
    (aside / _HEAD).write_text(json.dumps(head))


def open_clip(store: Path, address: str) -> StoredClip:
    """Map a stored clip."""
    folder = store / address
    try:
        head = json.loads((folder / _HEAD).read_text())
        count, height, width, _ = head["frames"]
        plates = map_images(folder, "plates", (int(head["plates"]), height, width, 3))
        small = {name: np.load(_array(folder, name), allow_pickle=False) for name in _SMALL}
        return StoredClip(
            address=address,
            frames=map_images(folder, "frames", (count, height, width, 3)),
            plates=plates,
            known=map_images(folder, "known", plates.shape[:3]).view(np.bool_),
            picture=tuple(head["picture"]),
            warnings=tuple(head["warnings"]),
            **small,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MocapError(f"{folder} is damaged: {error}", _REMAKE) from error


def image_file(folder: Path, name: str) -> Path:
    """Where pictures lie one after another, without a head."""
    return folder / f"{name}.u8"


def map_images(folder: Path, name: str, shape: tuple[int, ...]) -> UInt8:
    """Pictures of a clip, read from the disk as they are looked at."""
    return np.memmap(image_file(folder, name), np.uint8, "r", shape=shape)


def _array(folder: Path, name: str) -> Path:
    return folder / f"{name}.npy"
