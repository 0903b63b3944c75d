"""Overlay: the video with the tracked person drawn into every frame, for a person to judge."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.export.figure import Figure, Image, draw_figure
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import write_video

_HAIR = 1e-6  # seconds: keeps rounding from dropping the first or the last frame


def write_overlay(
    motion: Motion, video: Path, path: Path, on_frame: Callable[[int], None] = lambda done: None
) -> None:
    """Write the tracked span of the video as MP4, with its sound and the person drawn in.

    `on_frame` is told after each frame how many are done.
    """
    start, last = float(motion.times[0]), float(motion.times[-1])
    joints = seen_joints(motion)
    with open_video(video, start - _HAIR, last + _HAIR) as frames:
        info = frames.info
        if (info.width, info.height) != (motion.source.width, motion.source.height):
            raise MocapError(
                f"{video} is {info.width}x{info.height}, but the motion was tracked in"
                f" {motion.source.file} of {motion.source.width}x{motion.source.height}",
                "give the video that the motion was made from",
            )
        with write_video(path, info, start, last + 1 / info.fps) as writer:
            for frame in frames:
                image = frame.image.copy()
                draw_frame(image, motion, joints, frame.time)
                writer.write(image, frame.time)
                on_frame(frame.index + 1)


def seen_joints(motion: Motion) -> NDArray[np.float64]:
    """(T, J, 2) displayed pixels of the 3D joints."""
    camera = motion.camera
    rotation, position = camera.world_from_camera[..., :3], camera.world_from_camera[..., 3]
    in_camera = np.einsum("tji,tkj->tki", rotation, motion.joints - position[:, None])
    return Pinhole(camera.focal_pixels, camera.centre).project(in_camera)


def draw_frame(image: Image, motion: Motion, joints: NDArray[np.float64], time: float) -> None:
    """Draw what was tracked nearest to that time, and the time itself."""
    t = int(np.abs(motion.times - time).argmin())
    seen = bool(motion.seen[t])
    draw_figure(
        image,
        Figure(motion.xy[t], motion.score[t], joints[t], motion.contacts[t], seen),
    )
    state = "" if seen else ("  filled in" if motion.tracked[t] else "  nobody")
    _write(image, f"{time:.2f} s{state}")


def _write(image: Image, text: str) -> None:
    """Small letters in the lower left corner, white with a dark rim."""
    height, width = image.shape[:2]
    size = min(height, width) / 900
    at = (round(24 * size), height - round(24 * size))
    for colour, stroke in (((12, 12, 20), 5), ((240, 240, 240), 2)):
        thickness = max(1, round(stroke * size))
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
