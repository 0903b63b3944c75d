"""Overlay: the video with the tracked person drawn into every frame, for a person to judge."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.motion import Motion
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.export.original import refuse_other
from mocap_cli.export.views.figure import (
    MIDDLE,
    OUTLINE_COLOUR,
    Figure,
    Image,
    Layer,
    clip_box,
    draw_figure,
    line_width,
)
from mocap_cli.export.views.panel import PATH_COLOUR, TRAIL_SECONDS, Panel
from mocap_cli.video.reader import open_video
from mocap_cli.video.writer import write_video

_HAIR = 1e-6  # seconds: keeps rounding from dropping the first or the last frame
_FAINTEST, _STRONGEST = 0.15, 0.9  # opacity of the oldest and of the latest part of the trail


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayOptions:
    """What else to draw."""

    trail: bool = False  # the way that the centre of mass came
    panel: bool = False  # beside the video: from the side, from above, and joint angles


PLAIN = OverlayOptions()


def write_overlay(
    motion: Motion,
    video: Path,
    path: Path,
    on_frame: Callable[[int], None] = lambda done: None,
    extras: OverlayOptions = PLAIN,
) -> None:
    """Write the tracked span of the video as MP4, with its sound and the person drawn in.

    `on_frame` is told after each frame how many are done.
    """
    start, last = float(motion.times[0]), float(motion.times[-1])
    joints = project_joints(motion)
    with open_video(video, start - _HAIR, last + _HAIR) as frames:
        info = frames.info
        refuse_other(info, motion)
        panel = Panel(motion, info.height) if extras.panel else None
        wide = replace(info, width=info.width + (panel.width if panel else 0))
        with write_video(path, wide, start, last + 1 / info.fps) as writer:
            for frame in frames:
                image = frame.image.copy()
                t = int(np.abs(motion.times - frame.time).argmin())
                if extras.trail:
                    _draw_trail(image, motion, t)
                _draw_frame(image, motion, joints, t, frame.time)
                if panel:
                    image = np.concatenate((image, panel.draw(t)), axis=1)
                writer.write(image, frame.time)
                on_frame(frame.index + 1)


def project_joints(motion: Motion) -> NDArray[np.float64]:
    """(T, J, 2) displayed pixels of the 3D joints."""
    camera = motion.camera
    rotation, position = camera.world_from_camera[..., :3], camera.world_from_camera[..., 3]
    in_camera = np.einsum("tji,tkj->tki", rotation, motion.joints - position[:, None])
    return Pinhole(camera.focal_pixels, camera.centre).project(in_camera)


def _draw_trail(image: Image, motion: Motion, t: int) -> None:
    """Draw how the centre of mass came to where it is, as the camera sees that now."""
    first = int(np.searchsorted(motion.times, motion.times[t] - TRAIL_SECONDS))
    mass = centre_of_mass(motion.joints[first : t + 1])
    pose = motion.camera.world_from_camera[t].astype(np.float64)
    lens = Pinhole(motion.camera.focal_pixels, motion.camera.centre)
    way = lens.project((mass - pose[:, 3]) @ pose[:, :3])
    known = np.asarray(np.isfinite(way).all(axis=-1))
    if not known.any():
        return
    width = line_width(image, np.inf)
    low, high = way[known].min(axis=0), way[known].max(axis=0)
    corner, far = clip_box(image, low - 3 * width, high + 3 * width)
    if far[0] <= corner[0] or far[1] <= corner[1]:
        return
    layer = Layer(image, corner, far)
    for i in np.flatnonzero(known[1:] & known[:-1]).tolist():
        age = (motion.times[t] - motion.times[first + i + 1]) / TRAIL_SECONDS
        opacity = _STRONGEST + (_FAINTEST - _STRONGEST) * float(age)
        layer.line(way[i], way[i + 1], PATH_COLOUR, max(1, round(0.6 * width)), opacity)
    if known[-1]:
        layer.dot(way[-1], PATH_COLOUR, 2 * width, _STRONGEST)
    layer.blend()


def _draw_frame(
    image: Image, motion: Motion, joints: NDArray[np.float64], t: int, time: float
) -> None:
    """Draw what was tracked in frame `t`, and the time of the picture."""
    seen = bool(motion.detected[t])
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
    x, y, rim = round(24 * size), height - round(24 * size), max(1, round(2 * size))
    around = [(i, j) for i in (-rim, 0, rim) for j in (-rim, 0, rim) if i or j]
    # Not a thicker stroke: OpenCV 5 takes that for bold letters, which hide behind the white ones.
    for i, j in (*around, (0, 0)):
        at, colour = (x + i, y + j), OUTLINE_COLOUR if i or j else MIDDLE
        cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, rim, cv2.LINE_AA)
