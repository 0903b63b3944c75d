"""Letterboxing: an image scaled to fit a frame of another shape, with black bars."""

import cv2
import numpy as np

from mocap_cli.types import UInt8

_ROUND_TO = 8  # pixels; narrower bars are only a rounding of the frame's size


def letterbox_rectangle(
    size: tuple[int, int], frame_size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, width and height of the largest centred image of that shape; sizes are (w, h)."""
    scale = min(frame_size[0] / size[0], frame_size[1] / size[1])
    width, height = (min(round(s * scale), f) for s, f in zip(size, frame_size, strict=True))
    if frame_size[0] - width < _ROUND_TO and frame_size[1] - height < _ROUND_TO:
        return (0, 0, *frame_size)  # no bars that only rounding made
    return ((frame_size[0] - width) // 2, (frame_size[1] - height) // 2, width, height)


def letterbox(
    image: UInt8, rectangle: tuple[int, int, int, int], frame_size: tuple[int, int]
) -> UInt8:
    """The image resized into its rectangle of a black frame of (width, height)."""
    left, top, width, height = rectangle
    canvas = np.zeros((frame_size[1], frame_size[0], 3), np.uint8)
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    canvas[top : top + height, left : left + width] = resized
    return canvas
