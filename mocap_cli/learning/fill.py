"""Fill: decode a video into the store, once, at training size."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.learning.crowd import Crowd
from mocap_cli.learning.digest import content_of
from mocap_cli.learning.plates import median_plates, moved_shares
from mocap_cli.learning.store import (
    Recipe,
    Stored,
    address_of,
    folder_written_whole,
    frames_file,
    is_stored,
    map_frames,
    save_clip,
)
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import Frame, open_video

UInt8 = NDArray[np.uint8]

_ROUND_TO = 8  # pixels; the networks halve their pictures some times
_EARLY = 0.01  # of a frame's time that stamps may come before their turn


def fill(video: Path, store: Path, recipe: Recipe, on_frame: Callable[[int], None]) -> str:
    """Decode a video unless it is in the store already; returns its address."""
    address = address_of(content_of(video, store), recipe)
    if not is_stored(store, address):
        with folder_written_whole(store / address) as aside:
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


def _decoded(video: Path, aside: Path, recipe: Recipe, on_frame: Callable[[int], None]) -> Stored:
    with open_video(video) as reader, frames_file(aside).open("wb") as file:
        info = reader.info
        place = fitted((info.width, info.height), (recipe.width, recipe.height))
        crowd, times, people = Crowd(), [], []
        for frame in thinned(reader, recipe.fps, on_frame):
            canvas = framed(frame.image, place, recipe)
            file.write(canvas.tobytes())
            times.append(frame.time)
            people.append(crowd.at(frame))
        warnings = reader.warnings
    frames = map_frames(aside, (len(times), recipe.height, recipe.width, 3))
    plates = median_plates(frames)
    return Stored(
        address="",
        frames=frames,
        plates=plates.images,
        known=plates.known,
        plate_of=plates.of_frame,
        times=np.array(times),
        moved=moved_shares(frames, plates),
        people=np.array(people, np.int64),
        picture=place,
        warnings=warnings,
    )


def thinned(
    frames: Iterable[Frame], fps: float, on_frame: Callable[[int], None]
) -> Iterable[Frame]:
    """At most `fps` of the frames a second, each with its own time."""
    due = 0.0
    for done, frame in enumerate(frames, 1):
        on_frame(done)
        if frame.time >= due - _EARLY / fps:
            due = max(due + 1 / fps, frame.time)
            yield frame


def fitted(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height of a picture as large as fits, in the middle."""
    scale = min(into[0] / size[0], into[1] / size[1])
    width, height = (min(round(s * scale), i) for s, i in zip(size, into, strict=True))
    if into[0] - width < _ROUND_TO and into[1] - height < _ROUND_TO:
        return (0, 0, *into)  # rounding must not leave a rim
    return ((into[0] - width) // 2, (into[1] - height) // 2, width, height)


def framed(image: UInt8, place: tuple[int, int, int, int], recipe: Recipe) -> UInt8:
    """The picture at its place in a black frame of training size."""
    left, top, width, height = place
    canvas = np.zeros((recipe.height, recipe.width, 3), np.uint8)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    canvas[top : top + height, left : left + width] = small
    return canvas
