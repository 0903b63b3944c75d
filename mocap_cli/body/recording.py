"""Recording: the video of a motion, and its camera in every frame."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.io.json_fields import JsonObject
from mocap_cli.types import Float32

LARGEST = 1e6
"""Seconds, metres, pixels: a larger number in a file is damage."""

_MAX_NAME = 765  # bytes of a file name: 255, each of which may have become U+FFFD


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The video that a motion was tracked in."""

    file: str  # its name, without folders
    fps: float  # mean rate over the tracked span
    width: int  # pixels as displayed, after the rotation flag
    height: int
    frames: int
    rotation: int  # degrees counter-clockwise that a player rotates the stored image

    @staticmethod
    def of_json(fields: JsonObject) -> "Source":
        """Read the object of a motion file; a ValueError names the wrong key."""
        return Source(
            file=fields.text("file", max_bytes=_MAX_NAME),
            fps=fields.number("fps", 1e-6, LARGEST),
            width=fields.number("width", 1, 100_000, int),
            height=fields.number("height", 1, 100_000, int),
            frames=fields.number("frames", 1, 1_000_000_000, int),
            rotation=fields.number("rotation", -360, 360, int),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """The camera of each frame: a pinhole looking along its own -Z with Y up."""

    focal_pixels: float
    centre: tuple[float, float]  # principal point, displayed pixels
    world_from_camera: Float32  # (T, 3, 4), metres: rotation and position of the camera

    @staticmethod
    def of_json(fields: JsonObject, frames: int) -> "Camera":
        """Read the object of a motion file; a ValueError names the wrong key."""
        x, y = fields.numbers("centre", (2,), -LARGEST, LARGEST, null=False).tolist()
        pose = fields.numbers("world_from_camera", (frames, 3, 4), -LARGEST, LARGEST)
        return Camera(
            focal_pixels=fields.number("focal_pixels", 1e-3, LARGEST),
            centre=(x, y),
            world_from_camera=pose.astype(np.float32),
        )
