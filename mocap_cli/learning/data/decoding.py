"""Fill: decode a video into the store, once, at training size."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from mocap_cli.io.video_cache import video_sha256
from mocap_cli.learning.crowd import PersonCounter
from mocap_cli.learning.data.frame_plates import add_plates, open_or_make_background
from mocap_cli.learning.data.store import (
    StoredClip,
    StoreRecipe,
    atomic_folder,
    clip_address,
    image_file,
    is_stored,
    map_images,
    save_clip,
)
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import Frame, VideoReader, open_video

_ROUND_TO = 8  # pixels; the networks halve their pictures some times
_NEARLY = 0.01  # 29.97 frames a second are thirty


def store_video(
    video: Path, store: Path, recipe: StoreRecipe, on_frame: Callable[[int], None]
) -> str:
    """Decode a video unless it is in the store already; returns its address."""
    address = clip_address(video_sha256(video, store), recipe)
    if not is_stored(store, address):
        with atomic_folder(store / address) as aside:
            save_clip(aside, _decoded(video, aside, recipe, on_frame))
    return address


def frame_size(infos: Iterable[VideoInfo], side: int) -> tuple[int, int]:
    """Width and height to store at: the shape that most seconds of video have, side the longer."""
    seconds: Counter[tuple[int, int]] = Counter()
    for info in infos:
        scale = side / max(info.width, info.height)
        shape = (_rounded(info.width * scale), _rounded(info.height * scale))
        seconds[shape] += round(1000 * (info.duration or 0.001))
    return max(seconds, key=lambda shape: (seconds[shape], shape))


def _rounded(length: float) -> int:
    return max(16, round(length / _ROUND_TO) * _ROUND_TO)


def _decoded(
    video: Path, aside: Path, recipe: StoreRecipe, on_frame: Callable[[int], None]
) -> StoredClip:
    with open_video(video) as reader, image_file(aside, "frames").open("wb") as file:
        info = reader.info
        letterbox = Letterbox((info.width, info.height), (recipe.width, recipe.height))
        crowd, times, people = PersonCounter(), [], []
        for frame in _subsampled(reader, recipe.fps, on_frame):
            file.write(letterbox.apply(frame.image).tobytes())
            times.append(frame.time)
            people.append(crowd.count(frame))
        warnings = reader.warnings
    shape = (len(times), recipe.height, recipe.width, 3)
    clip = StoredClip(
        address="",
        frames=map_images(aside, "frames", shape),
        plates=np.zeros((0, *shape[1:]), np.uint8),
        known=np.zeros((0, *shape[1:3]), bool),
        plate_of=np.zeros(len(times), np.int64),
        times=np.array(times),
        moved=np.zeros(len(times)),
        people=np.array(people, np.int64),
        picture=letterbox.rectangle,
        warnings=warnings,
    )
    background = open_or_make_background(video, recipe.background, on_frame)
    return add_plates(clip, background, aside, recipe)


def _subsampled(
    reader: VideoReader, fps: float, on_frame: Callable[[int], None]
) -> Iterator[Frame]:
    """Every so manieth frame, so that no more than `fps` a second are left, evenly spaced."""
    stride = max(1, math.ceil(reader.info.fps / fps - _NEARLY))
    for done, frame in enumerate(reader):
        on_frame(done + 1)
        if done % stride == 0:
            yield frame
