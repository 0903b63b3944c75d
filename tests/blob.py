"""Tiny videos to learn from: somebody made of four discs waves before a spotted wall."""

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FPS = 15
SIZE = (96, 64)  # width, height


def wall(seed: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """A background that no two seeds share."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (size[1] // 8, size[0] // 8, 3))
    return np.repeat(np.repeat(coarse, 8, 0), 8, 1).astype(np.uint8)


def picture(seed: int, time: float, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """The wall with the figure before it."""
    image = wall(seed, size)
    y, x = np.mgrid[: size[1], : size[0]]
    middle = size[0] / 2 + size[0] / 4 * math.sin(0.8 * time + seed)
    colours = np.random.default_rng(seed + 100).integers(0, 255, (4, 3))
    parts = [(0.0, 0.0, 9), (0.0, -13.0, 5)]
    parts += [(13 * math.cos(a), 13 * math.sin(a), 5) for a in (2 * time, math.pi - 3 * time)]
    for colour, (across, down, radius) in zip(colours, parts, strict=True):
        disc = (x - middle - across) ** 2 + (y - size[1] / 2 - down) ** 2 < radius**2
        image[disc] = colour
    return image


def film_blob(
    path: Path, seed: int = 0, seconds: float = 4.0, size: tuple[int, int] = SIZE
) -> Path:
    """Write it as H.264."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", FPS, {"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for i in range(round(seconds * FPS)):
            frame = av.VideoFrame.from_ndarray(picture(seed, i / FPS, size), "rgb24")
            frame.pts = i
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
