"""Decoding: a video's frames, their backgrounds and the person count, written to the store once."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from mocap_cli.io.lock import only_process
from mocap_cli.io.video_cache import video_sha256
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.person_detector import PersonDetector
from mocap_cli.learning.data.store import ClipWriter, StoredClip, StoreRecipe
from mocap_cli.plates.background import Background, BackgroundKind, read_background
from mocap_cli.plates.builder import BackgroundBuilder, BackgroundOptions, make_background
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, UInt8
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.video.reader import Frame, VideoReader, open_video
from mocap_cli.workers.resources import with_one_blas_thread

_ARCHIVE_SUFFIX = ".background.npz"  # of what `mocap background` made, next to the video
_FPS_TOLERANCE = 0.01  # 29.97 frames a second count as thirty
_SAME_LEVELS = 2  # a plate that differs by no more is stored once
_FOREGROUND_LEVELS = 28  # a colour this far from the plate is neither noise nor a shadow
_SECONDS_BETWEEN_COUNTS = 1.0
_MIN_SCORE = 0.35  # of a person detection; people in the background score lower
_MIN_RELATIVE_SIZE = 0.5  # of the largest person; smaller ones are passers-by far away


@with_one_blas_thread
def store_video(video: Path, store: Path, recipe: StoreRecipe, on_frame: Count) -> str:
    """Decode a video unless the store has it already; returns its address.

    Of several processes one decodes, and the others wait for it.
    """
    address = recipe.address(video_sha256(video, store))
    if not StoredClip.is_stored(store, address):
        with only_process(store / f".{address}.lock", wait=True):
            if not StoredClip.is_stored(store, address):
                _store(video, store, address, recipe, on_frame)
    return address


def _store(video: Path, store: Path, address: str, recipe: StoreRecipe, on_frame: Count) -> None:
    with ClipWriter.store(store, address, recipe) as writer:
        background = _open_background(video, recipe.background)
        builder = None if background else _builder(recipe.background)
        clip = _decode(video, writer, recipe, builder, on_frame)
        if builder is not None:
            background = builder.build(video)
        assert background is not None
        writer.finish(_add_plates(clip, background, writer))


def open_or_make_background(video: Path, kind: str, on_frame: Count = no_progress) -> Background:
    """The background archive next to the video, or what `mocap background` would make."""
    saved = _open_background(video, kind)
    if saved is not None:
        return saved
    return make_background(video, BackgroundOptions(kind=cast(BackgroundKind, kind)), on_frame)


def _open_background(video: Path, kind: str) -> Background | None:
    archive = video.with_name(video.stem + _ARCHIVE_SUFFIX)
    return read_background(archive) if kind == "auto" and archive.is_file() else None


def _builder(kind: str) -> BackgroundBuilder:
    return BackgroundBuilder(BackgroundOptions(kind=cast(BackgroundKind, kind)))


def foreground_share(frame: UInt8, plate: UInt8, known: Bool) -> float:
    """Share of the pixels with a known background that differ from it, 0..1."""
    difference = np.abs(frame.astype(np.int16) - plate).max(axis=-1)
    foreground = (difference > _FOREGROUND_LEVELS) & known
    return float(foreground.sum() / max(known.sum(), 1))


def _decode(
    video: Path,
    writer: ClipWriter,
    recipe: StoreRecipe,
    builder: BackgroundBuilder | None,
    on_frame: Count,
) -> StoredClip:
    """Frames, times and person counts; the builder shares the pass, its backgrounds follow."""
    with open_video(video) as reader:
        letterbox = Letterbox((reader.info.width, reader.info.height), recipe.frame_size)
        counter, times, people = _PersonCounter(), [], []
        frames = reader if builder is None else _shared(reader, builder)
        stride = max(1, math.ceil(reader.info.fps / recipe.fps - _FPS_TOLERANCE))
        for frame in _subsampled(frames, stride, on_frame):
            writer.append("frames", letterbox.apply(frame.image))
            times.append(frame.time)
            people.append(counter.count(frame))
        warnings = reader.warnings
    shape = (recipe.height, recipe.width)
    return StoredClip(
        address="",
        frames=writer.images("frames", len(times)),
        plates=np.zeros((0, *shape, 3), np.uint8),
        known=np.zeros((0, *shape), bool),
        plate_of=np.zeros(len(times), np.int64),
        times=np.array(times),
        moved=np.zeros(len(times)),
        people=np.array(people, np.int64),
        picture=letterbox.rectangle,
        warnings=warnings,
    )


def _shared(reader: VideoReader, builder: BackgroundBuilder) -> Iterator[Frame]:
    """Pass every frame to the builder as well, which saves a second decoding."""
    for frame in reader:
        builder.add(frame.image, frame.time)
        yield frame


def _subsampled(frames: Iterable[Frame], stride: int, on_frame: Count) -> Iterator[Frame]:
    """Every n-th frame."""
    for done, frame in enumerate(frames):
        on_frame(done + 1)
        if done % stride == 0:
            yield frame


class _PersonCounter:
    """Counts people once a second; between detections the last count holds."""

    def __init__(self) -> None:
        self._detector = PersonDetector()
        self._due = 0.0
        self._count = -1

    def count(self, frame: Frame) -> int:
        """People about as large as the largest; the method learns from clips of one person."""
        if frame.time >= self._due:
            self._due = frame.time + _SECONDS_BETWEEN_COUNTS
            height, width = frame.image.shape[:2]
            people = self._detector.people(frame.image, [Crop.around_image(width, height)])
            sides = [person.crop.side for person in people if person.score > _MIN_SCORE]
            self._count = sum(side > _MIN_RELATIVE_SIZE * max(sides) for side in sides)
        return self._count


def _add_plates(clip: StoredClip, background: Background, writer: ClipWriter) -> StoredClip:
    """The clip with each frame's background; a plate that does not change is stored once."""
    left, top, width, height = clip.picture
    inside = (slice(top, top + height), slice(left, left + width))
    plate, known = np.zeros_like(clip.frames[0]), np.ones(clip.frames.shape[1:3], bool)
    plate_of, moved = np.zeros(len(clip), np.int64), np.zeros(len(clip))
    count = 0
    for i, time in enumerate(clip.times):
        image, visible = background.at(float(time), (width, height))
        same = count and _same_plate(image, plate[inside]) and (visible == known[inside]).all()
        if not same:
            plate[inside], known[inside] = image, visible
            writer.append("plates", plate)
            writer.append("known", known)
            count += 1
        plate_of[i], moved[i] = count - 1, foreground_share(clip.frames[i], plate, known)
    return replace(
        clip,
        plates=writer.images("plates", count),
        known=writer.images("known", count).view(np.bool_),
        plate_of=plate_of,
        moved=moved,
        warnings=(*clip.warnings, *background.warnings),
    )


def _same_plate(image: UInt8, plate: UInt8) -> bool:
    """Whether the two differ at most by a camera's slowly changing exposure."""
    return int(cv2.absdiff(image, np.ascontiguousarray(plate)).max()) <= _SAME_LEVELS
