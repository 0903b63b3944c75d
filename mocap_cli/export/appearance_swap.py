"""Appearance swap: the person of one video redrawn with the appearance of another's."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mocap_cli.export.appearance_model import AppearanceModel, SubjectBox
from mocap_cli.learning.data.decoding import foreground_share
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.data.subject import VideoSubject
from mocap_cli.plates.background import Background
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, Float32, Float64, UInt8
from mocap_cli.video.letterbox import Letterbox
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import write_video

_MIN_FRAMES = 16  # that the appearance is read from, where the video has as many
_MAX_EXAMPLE_SIDE = 960  # pixels of the longer side of the example
_REACH = 8  # unknown pixels are filled from up to 1/8 of the box away
_DARK = 24  # grey level of the bars around the examples


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """The appearance of a person, independent of the pose."""

    code: Tensor  # (1, ti)
    image: UInt8  # an example: one of the frames it was read from

    @staticmethod
    def read(
        model: AppearanceModel,
        video: Path,
        subject: VideoSubject | None = None,
        on_frame: Count = no_progress,
    ) -> "Appearance":
        """The appearance of a video's person, from frames spread over the video."""
        read: list[tuple[Tensor, UInt8]] = []
        stride = 1
        with open_video(video) as frames:
            for frame in frames:
                if frame.index % stride == 0:
                    square = None if subject is None else subject.square_at(frame.time)
                    code = model.encode(frame.image, square)[1]
                    read.append((code, _shrunk(frame.image)))
                if len(read) == 2 * _MIN_FRAMES:  # halve: the length is known at the end only
                    read, stride = read[::2], 2 * stride
                on_frame(frame.index + 1)
        # The median, so that a few frames without a person do not count.
        code = torch.stack([code for code, _ in read]).median(dim=0).values
        return Appearance(code, read[len(read) // 2][1])


def write_swap(
    model: AppearanceModel,
    video: Path,
    background: Background,
    appearance: Appearance,
    path: Path,
    *,
    subject: VideoSubject | None = None,
    start: float = 0.0,
    end: float | None = None,
    panel: bool = False,
    on_frame: Count = no_progress,
) -> int:
    """Write the video, from `start` to `end` in seconds, with this appearance of its person.

    Returns the number of frames. Size, timing and sound are those of the video; `panel` adds both
    originals beside it. `subject` is where the person is, for a model that takes squares.
    """
    done = 0
    with open_video(video, start, end) as frames:
        info = frames.info
        wide = replace(info, width=info.width + (info.width // 2 if panel else 0))
        with write_video(path, wide, start, end) as writer:
            for frame in frames:
                behind = background.at(frame.time, (info.width, info.height))
                square = None if subject is None else subject.square_at(frame.time)
                image = _redraw(model, frame.image, *behind, appearance, square)
                if panel:
                    image = np.concatenate((image, _column(frame.image, appearance.image)), axis=1)
                writer.write(image, frame.time)
                done = frame.index + 1
                on_frame(done)
    return done


def _redraw(
    model: AppearanceModel,
    image: UInt8,
    plate: UInt8,
    known: Bool,
    appearance: Appearance,
    square: Float64 | None = None,
) -> UInt8:
    """A frame with this appearance of its person over its background: Eq. 1 of docs/method.md.

    A frame without foreground is returned unchanged.
    """
    letterbox = model.letterbox(image)
    small = letterbox.without_bars(letterbox.apply(image))
    size = (small.shape[1], small.shape[0])
    small_plate = np.asarray(cv2.resize(plate, size, interpolation=cv2.INTER_AREA), np.uint8)
    small_known = cv2.resize(known.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if foreground_share(small, small_plate, small_known) < StoredClip.MIN_FOREGROUND:
        return image
    pose, _, box = model.encode(image, square)
    canvas = np.where(known[..., None], plate, image)
    rows, columns = _inside(box, canvas)
    canvas[rows, columns] = _fill_unknown(canvas[rows, columns], known[rows, columns])
    _composite(canvas, model.draw(pose, appearance.code), box)
    return canvas


def _fill_unknown(image: UInt8, known: Bool) -> UInt8:
    """The image with unknown pixels filled from known ones nearby, where there are any.

    Otherwise they would show the original person behind the redrawn one.
    """
    if known.all() or not known.any():
        return image
    reach = 2 * (max(image.shape[:2]) // _REACH) + 1
    weight = known.astype(np.float32)[..., None]
    near = cv2.blur(np.dstack((image * weight, weight)), (reach, reach))
    share = near[..., 3:]
    filled = near[..., :3] / np.maximum(share, 1e-6)
    return np.where(known[..., None] | (share < 1e-3), image, filled.round()).astype(np.uint8)


def _composite(canvas: UInt8, drawn: Float32, box: SubjectBox) -> None:
    """Blend a crop, colours 0..255 and a mask 0..1, into an image at its box."""
    rows, columns = _inside(box, canvas)
    under = canvas[rows, columns]
    if not under.size:
        return
    across, down = drawn.shape[1] / box.width, drawn.shape[0] / box.height
    crop_from_region = np.array(  # between the middles of pixels
        [
            [across, 0, (columns.start + 0.5 - box.left) * across - 0.5],
            [0, down, (rows.start + 0.5 - box.top) * down - 0.5],
        ]
    )
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP  # smooth, since a crop is enlarged
    size = (under.shape[1], under.shape[0])
    layer = cv2.warpAffine(
        drawn, crop_from_region, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    mask = layer[..., 3:].clip(0, 1)
    under[:] = np.clip(under + mask * (layer[..., :3] - under), 0, 255).round()


def _inside(box: SubjectBox, image: UInt8) -> tuple[slice, slice]:
    """Rows and columns that a box covers."""
    height, width = image.shape[:2]
    top, left = max(math.floor(box.top), 0), max(math.floor(box.left), 0)
    bottom = max(min(math.ceil(box.top + box.height), height), top)
    right = max(min(math.ceil(box.left + box.width), width), left)
    return slice(top, bottom), slice(left, right)


def _shrunk(image: UInt8) -> UInt8:
    scale = min(1.0, _MAX_EXAMPLE_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _column(motion: UInt8, example: UInt8) -> UInt8:
    """The original frame above, the example of the appearance below; half as wide as the video."""
    height, width = motion.shape[0], motion.shape[1] // 2
    above = _tile(motion, (width, height // 2))
    return np.concatenate((above, _tile(example, (width, height - height // 2))))


def _tile(image: UInt8, size: tuple[int, int]) -> UInt8:
    return Letterbox((image.shape[1], image.shape[0]), size).apply(image, _DARK)
