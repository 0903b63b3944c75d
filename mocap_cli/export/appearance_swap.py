"""Swap: a video's person redrawn, frame by frame, in the looks of another video's."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mocap_cli.export.appearance_model import AppearanceModel, SubjectBox
from mocap_cli.learning.data.dataset import MIN_FOREGROUND
from mocap_cli.learning.data.decoding import foreground_share
from mocap_cli.learning.data.letterbox import letterbox_rectangle
from mocap_cli.plates.background import Background
from mocap_cli.types import Float32
from mocap_cli.video.probe import Image
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import write_video

_Progress = Callable[[int], None]

_MIN_FRAMES = 16  # frames at least that looks are read from, where the video has as many
_MAX_EXAMPLE_SIDE = 960  # pixels of the longer side of the picture kept of them
_REACH = 8  # times a hole's surroundings go into the box: how far they are looked for
_DARK = 24  # grey around them


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """What somebody looks like, whatever they do."""

    code: Tensor  # (1, ti)
    image: Image  # one of the frames that it was read from


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The part of a video to redraw, in seconds."""

    start: float = 0.0
    end: float | None = None


def read_appearance(
    painter: AppearanceModel, video: Path, on_frame: _Progress = lambda done: None
) -> Appearance:
    """Somebody's looks, from frames spread over a whole video."""
    read: list[tuple[Tensor, Image]] = []
    every = 1
    with open_video(video) as frames:
        for frame in frames:
            if frame.index % every == 0:
                read.append((painter.encode(frame.image)[1], _shrunk(frame.image)))
            if (
                len(read) == 2 * _MIN_FRAMES
            ):  # go on with half: how long it is shows only at its end
                read, every = read[::2], 2 * every
            on_frame(frame.index + 1)
    # The median, so that a few frames in which nobody was found do not count.
    code = torch.stack([code for code, _ in read]).median(dim=0).values
    return Appearance(code, read[len(read) // 2][1])


def write_swap(
    painter: AppearanceModel,
    video: Path,
    background: Background,
    looks: Appearance,
    path: Path,
    span: Span,
    *,
    panel: bool = False,
    on_frame: _Progress = lambda done: None,
) -> int:
    """Write the video with its person in those looks; the number of frames.

    Size, timing and sound are the video's own; `panel` adds both originals beside it.
    """
    done = 0
    with open_video(video, span.start, span.end) as frames:
        info = frames.info
        wide = replace(info, width=info.width + (info.width // 2 if panel else 0))
        with write_video(path, wide, span.start, span.end) as writer:
            for frame in frames:
                behind = background.at(frame.time, (info.width, info.height))
                image = _redraw(painter, frame.image, *behind, looks)
                if panel:
                    image = np.concatenate((image, _column(frame.image, looks.image)), axis=1)
                writer.write(image, frame.time)
                done = frame.index + 1
                on_frame(done)
    return done


def _redraw(
    painter: AppearanceModel,
    image: Image,
    plate: Image,
    known: NDArray[np.bool_],
    looks: Appearance,
) -> Image:
    """A frame with its person in those looks over its background: Eq. 1 of docs/method.md.

    A frame that is all background stays as it is: nobody is there to be redrawn.
    """
    small = painter.prepare(image).content
    size = (small.shape[1], small.shape[0])
    small_plate = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA), np.uint8)
    sure = cv2.resize(known.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if foreground_share(small, small_plate, sure) < MIN_FOREGROUND:
        return image
    pose, _, box = painter.encode(image)
    canvas = np.where(known[..., None], plate, image)
    rows, columns = _inside(box, canvas)
    canvas[rows, columns] = _fill_unknown(canvas[rows, columns], known[rows, columns])
    _composite(canvas, painter.draw(pose, looks.code), box)
    return canvas


def _fill_unknown(picture: Image, known: NDArray[np.bool_]) -> Image:
    """A picture with what is not known filled from around it, as far as something is near.

    Left as it was, it would show the person whom another is drawn over.
    """
    if known.all() or not known.any():
        return picture
    reach = 2 * (max(picture.shape[:2]) // _REACH) + 1
    weight = known.astype(np.float32)[..., None]
    near = cv2.blur(np.dstack((picture * weight, weight)), (reach, reach))
    share = near[..., 3:]
    filled = near[..., :3] / np.maximum(share, 1e-6)
    return np.where(known[..., None] | (share < 1e-3), picture, filled.round()).astype(np.uint8)


def _composite(canvas: Image, drawn: Float32, box: SubjectBox) -> None:
    """Draw a crop, colours 0..255 and a mask 0..1, into a picture where its box is."""
    rows, columns = _inside(box, canvas)
    under = canvas[rows, columns]
    if not under.size:
        return
    across, down = drawn.shape[1] / box.width, drawn.shape[0] / box.height
    crop_from_region = np.array(  # from middles of pixels to middles of pixels
        [
            [across, 0, (columns.start + 0.5 - box.left) * across - 0.5],
            [0, down, (rows.start + 0.5 - box.top) * down - 0.5],
        ]
    )
    how = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP  # smooth: a crop has few pixels, a video many
    size = (under.shape[1], under.shape[0])
    layer = cv2.warpAffine(
        drawn, crop_from_region, size, flags=how, borderMode=cv2.BORDER_REPLICATE
    )
    mask = layer[..., 3:].clip(0, 1)
    under[:] = np.clip(under + mask * (layer[..., :3] - under), 0, 255).round()


def _inside(box: SubjectBox, picture: Image) -> tuple[slice, slice]:
    """Rows and columns that a box touches."""
    height, width = picture.shape[:2]
    top, left = max(math.floor(box.top), 0), max(math.floor(box.left), 0)
    bottom = max(min(math.ceil(box.top + box.height), height), top)
    right = max(min(math.ceil(box.left + box.width), width), left)
    return slice(top, bottom), slice(left, right)


def _shrunk(image: Image) -> Image:
    scale = min(1.0, _MAX_EXAMPLE_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _column(motion: Image, looks: Image) -> Image:
    """Whose motion it is above, whose looks below, half as wide as the video."""
    height, width = motion.shape[0], motion.shape[1] // 2
    above = _tile(motion, (width, height // 2))
    return np.concatenate((above, _tile(looks, (width, height - height // 2))))


def _tile(image: Image, size: tuple[int, int]) -> Image:
    """A picture as large as fits in the middle of a dark one."""
    left, top, width, height = letterbox_rectangle((image.shape[1], image.shape[0]), size)
    tile = np.full((size[1], size[0], 3), _DARK, np.uint8)
    tile[top : top + height, left : left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA
    )
    return tile
