"""Filmed patterns whose camera and whose background are known to the pixel."""

import functools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Float64 = NDArray[np.float64]

SIZE = (320, 240)
FOCAL = 300.0


@functools.cache
def wall(width: int = 1400, height: int = 700, seed: int = 0) -> UInt8:
    """Blots of all sizes: texture everywhere."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for blur in (2, 5, 12, 30):
        noise = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
        soft = cv2.GaussianBlur(noise, (0, 0), blur)
        total += soft / soft.std()
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def turned(degrees: float, zoom: float = 1.0, roll: float = 0.0, tilt: float = 0.0) -> Float64:
    """(3, 3) from a frame's pixels to rays of a camera turned that far to the right."""
    a, r, t = np.radians((degrees, roll, tilt))
    yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    pitch = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    spin = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    focal = FOCAL * zoom
    lens = np.array([[focal, 0, SIZE[0] / 2], [0, focal, SIZE[1] / 2], [0, 0, 1]])
    return np.asarray(yaw @ pitch @ spin @ np.linalg.inv(lens))


def seen(texture: UInt8, rays_from_frame: Float64, size: tuple[int, int] = SIZE) -> UInt8:
    """A texture wound round the camera, 300 pixels a radian, as the camera sees it."""
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    rays = np.stack((x, y, np.ones_like(x)), axis=-1) @ rays_from_frame.T
    across = FOCAL * np.arctan2(rays[..., 0], rays[..., 2]) + texture.shape[1] / 2 - 0.5
    down = FOCAL * rays[..., 1] / np.hypot(rays[..., 0], rays[..., 2]) + texture.shape[0] / 2 - 0.5
    maps = across.astype(np.float32), down.astype(np.float32)
    return np.asarray(cv2.remap(texture, *maps, cv2.INTER_LINEAR), np.uint8)


def with_subject(picture: UInt8, x: int, y: int, width: int = 40, height: int = 90) -> UInt8:
    """A red block in front of it, where somebody might be."""
    result = picture.copy()
    result[max(y, 0) : y + height, max(x, 0) : max(x + width, 0)] = (220, 20, 30)
    return result


def write_clip(path: Path, pictures: Sequence[UInt8], fps: int = 25) -> Path:
    """A lossless video of them."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "bgr0"
        stream.codec_context.time_base = Fraction(1, fps)
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = index
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def psnr(found: UInt8, truth: UInt8, where: NDArray[np.bool_]) -> float:
    """Decibels on some pixels."""
    error = (found[where].astype(np.float64) - truth[where]) ** 2
    return float(10 * np.log10(255**2 / max(error.mean(), 1e-9)))
