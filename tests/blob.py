"""Tiny videos to learn from: somebody made of four discs waves before a spotted wall."""

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from mocap_cli.learning.data.dataset import TrainingClip
from mocap_cli.learning.data.sampling import Gaps
from mocap_cli.learning.data.store import StoredClip
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.backbones import Backbone
from mocap_cli.learning.model.model_config import ModelConfig

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
    path: Path,
    seed: int = 0,
    seconds: float = 4.0,
    size: tuple[int, int] = SIZE,
    *,
    nobody: bool = False,
) -> Path:
    """Write it as H.264; with `nobody` the wall alone."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", FPS, {"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for i in range(round(seconds * FPS)):
            image = wall(seed, size) if nobody else picture(seed, i / FPS, size)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts = i
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def scenes(seed: int = 0, frames: int = 60, take: str | None = None, view: int = 0) -> TrainingClip:
    """A clip as the store gives it, without a video."""
    times = np.arange(frames) / FPS
    stored = StoredClip(
        address="",
        frames=np.stack([picture(seed, t) for t in times]),
        plates=wall(seed)[None],
        known=np.ones((1, SIZE[1], SIZE[0]), bool),
        plate_of=np.zeros(frames, np.int64),
        times=times,
        moved=np.full(frames, 0.1),
        people=np.ones(frames, np.int64),
        picture=(0, 0, *SIZE),
        warnings=(),
    )
    return TrainingClip(f"blob{seed}.mp4", stored, take or f"blob{seed}", view)


TINY = ModelConfig(
    detector=Backbone.LITE,
    detector_head="map",
    detector_side=48,
    smallest=0.1,
    encoder=Backbone.LITE,
    crop=32,
    tv=16,
    ti=8,
    widths=(16, 16, 8, 8),
    depth=1,
    features=Backbone.LITE,
    features_side=48,
)


def settings(**changes: Any) -> Settings:
    """A run of a few seconds."""
    usual = Settings(
        steps=4,
        batch=2,
        rate=1e-3,
        save_every=2,
        check_every=4,
        gaps=Gaps(near=0.2, far=1.0),
        model=TINY,
    )
    return replace(usual, **changes)
