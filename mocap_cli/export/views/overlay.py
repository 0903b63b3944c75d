"""Overlay: the video with the tracked person drawn into every frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.motion import Motion
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.export.views.figure import (
    OUTLINE_COLOUR,
    SIDE_COLOURS,
    Figure,
    Layer,
    draw_figure,
    line_width,
)
from mocap_cli.export.views.panel import PATH_COLOUR, TRAIL_SECONDS, Panel
from mocap_cli.export.views.projection import project_joints
from mocap_cli.export.views.source_video import open_source_video
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Float64, UInt8
from mocap_cli.video.writer import write_video

_FAINTEST, _STRONGEST = 0.15, 0.9  # opacity of the oldest and of the latest part of the trail


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayOptions:
    """What to draw in addition to the person."""

    trail: bool = False  # the path of the centre of mass
    panel: bool = False  # beside the video: side view, top view and joint angles


def write_overlay(
    motion: Motion,
    video: Path,
    path: Path,
    options: OverlayOptions | None = None,
    on_frame: Count = no_progress,
    others: Sequence[Motion] = (),
) -> None:
    """Write the tracked span of the video as MP4, with its sound and the person drawn in.

    `others` are further people at the same times; then each has a number. `on_frame` is called
    after each frame with the number of frames done.
    """
    options = options or OverlayOptions()
    start, last = float(motion.times[0]), float(motion.times[-1])
    people = [(person, project_joints(person)) for person in (motion, *others)]
    with open_source_video(video, motion) as frames:
        info = frames.info
        panel = Panel(motion, info.height) if options.panel else None
        wide = replace(info, width=info.width + (panel.width if panel else 0))
        with write_video(path, wide, start, last + 1 / info.fps) as writer:
            for frame in frames:
                image = frame.image.copy()
                t = int(np.abs(motion.times - frame.time).argmin())
                for number, (person, joints) in enumerate(people, start=1):
                    if options.trail:
                        _draw_trail(image, person, t)
                    _draw_person(image, person, joints[t], t)
                    if others:
                        _number(image, joints[t], number)
                _write_time(image, motion, t, frame.time, alone=not others)
                if panel:
                    image = np.concatenate((image, panel.draw(t)), axis=1)
                writer.write(image, frame.time)
                on_frame(frame.index + 1)


def _draw_trail(image: UInt8, motion: Motion, t: int) -> None:
    """Draw the latest path of the centre of mass, projected with the camera of this frame."""
    first = int(np.searchsorted(motion.times, motion.times[t] - TRAIL_SECONDS))
    mass = centre_of_mass(motion.joints[first : t + 1])
    pose = motion.camera.world_from_camera[t].astype(np.float64)
    lens = Pinhole(motion.camera.focal_pixels, motion.camera.centre)
    path = lens.project((mass - pose[:, 3]) @ pose[:, :3])
    known = np.asarray(np.isfinite(path).all(axis=-1))
    if not known.any():
        return
    width = line_width(image, np.inf)
    low, high = path[known].min(axis=0), path[known].max(axis=0)
    layer = Layer(image, low - 3 * width, high + 3 * width)
    if layer.empty:
        return
    for i in np.flatnonzero(known[1:] & known[:-1]).tolist():
        age = (motion.times[t] - motion.times[first + i + 1]) / TRAIL_SECONDS
        opacity = _STRONGEST + (_FAINTEST - _STRONGEST) * float(age)
        layer.line(path[i], path[i + 1], PATH_COLOUR, max(1, round(0.6 * width)), opacity)
    if known[-1]:
        layer.dot(path[-1], PATH_COLOUR, 2 * width, _STRONGEST)
    layer.blend()


def _draw_person(image: UInt8, motion: Motion, joints: Float64, t: int) -> None:
    """Draw the person in frame `t`, whose projected joints are (J, 2)."""
    detected = bool(motion.detected[t])
    draw_figure(image, Figure(motion.xy[t], motion.score[t], joints, motion.contacts[t], detected))


def _number(image: UInt8, joints: Float64, number: int) -> None:
    """Write the number of a person above their highest joint."""
    if np.isfinite(joints).all():
        size = min(image.shape[:2]) / 900
        highest = joints[joints[:, 1].argmin()]
        inside = np.clip(highest - 34 * size, 0, np.array(image.shape[1::-1]) - 1)
        _write(image, str(number), inside)


def _write_time(image: UInt8, motion: Motion, t: int, time: float, *, alone: bool) -> None:
    """The time of the video frame in the lower left corner; of one person alone also its state."""
    state = "" if motion.detected[t] else ("  interpolated" if motion.tracked[t] else "  no person")
    margin = 24 * min(image.shape[:2]) / 900
    at = np.array((margin, image.shape[0] - margin))
    _write(image, f"{time:.2f} s{state if alone else ''}", at)


def _write(image: UInt8, text: str, at: Float64) -> None:
    """Small text from `at` (2,) on, white with a dark outline."""
    size = min(image.shape[:2]) / 900
    (x, y), rim = at.round().astype(int).tolist(), max(1, round(2 * size))
    around = [(i, j) for i in (-rim, 0, rim) for j in (-rim, 0, rim) if i or j]
    # Not a thicker stroke, which OpenCV 5 draws as bold letters that the white ones hide.
    for i, j in (*around, (0, 0)):
        place, colour = (x + i, y + j), OUTLINE_COLOUR if i or j else SIDE_COLOURS["middle"]
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, rim, cv2.LINE_AA)
