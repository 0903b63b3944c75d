"""Plates: the background of every stored frame, and how much of the frame is not background."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.learning.data.store import StoredClip, StoreRecipe, image_file, map_images
from mocap_cli.plates.background import Background, read_background
from mocap_cli.plates.builder import BackgroundOptions, Progress, make_background
from mocap_cli.types import UInt8

_ARCHIVE_SUFFIX = ".background.npz"
"""How the archive that `mocap background` made of a video ends, beside the video."""

_SAME = 2  # levels that no eye tells apart
_DIFFERS = 28  # levels by which a colour is surely not the plate's: noise and shadows are below


def open_or_make_background(
    video: Path, kind: str, on_frame: Progress = lambda done: None
) -> Background:
    """What `mocap background` made of a video and left beside it, or what it would make."""
    beside = video.with_name(video.stem + _ARCHIVE_SUFFIX)
    if kind == "auto" and beside.is_file():
        return read_background(beside)
    options = BackgroundOptions(kind=kind)  # type: ignore[arg-type]
    return make_background(video, options, on_frame)


def add_plates(
    clip: StoredClip, background: Background, aside: Path, recipe: StoreRecipe
) -> StoredClip:
    """A decoded clip with what lies behind its frames; a plate that stays is written once."""
    left, top, width, height = clip.picture
    place = (slice(top, top + height), slice(left, left + width))
    plate, known = np.zeros_like(clip.frames[0]), np.ones(clip.frames.shape[1:3], bool)
    plate_of, moved = np.zeros(len(clip), np.int64), np.zeros(len(clip))
    count = 0
    with (
        image_file(aside, "plates").open("wb") as plates_file,
        image_file(aside, "known").open("wb") as known_file,
    ):
        for i, time in enumerate(clip.times):
            image, seen = background.at(float(time), (width, height))
            if not (count and _alike(image, plate[place]) and (seen == known[place]).all()):
                plate[place], known[place] = image, seen
                plates_file.write(plate.tobytes())
                known_file.write(known.tobytes())
                count += 1
            plate_of[i], moved[i] = count - 1, foreground_share(clip.frames[i], plate, known)
    shape = (count, recipe.height, recipe.width)
    return replace(
        clip,
        plates=map_images(aside, "plates", (*shape, 3)),
        known=map_images(aside, "known", shape).view(np.bool_),
        plate_of=plate_of,
        moved=moved,
        warnings=(*clip.warnings, *background.warnings),
    )


def _alike(image: UInt8, plate: UInt8) -> bool:
    """Whether only a camera's slowly changing exposure lies between the two, if anything."""
    return int(cv2.absdiff(image, np.ascontiguousarray(plate)).max()) <= _SAME


def foreground_share(frame: UInt8, plate: UInt8, known: NDArray[np.bool_]) -> float:
    """How much of what is known of a frame is something else than its plate, 0..1."""
    apart = np.abs(frame.astype(np.int16) - plate).max(axis=-1) > _DIFFERS
    return float((apart & known).sum() / max(known.sum(), 1))
