"""Key poses: the few frames that tell a motion, and a picture of each."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.original import refuse_other
from mocap_cli.export.views.canvas import DIM, FAINT, PALE, Colour, Image
from mocap_cli.export.views.figure import Figure, draw_figure, limb_colour
from mocap_cli.export.views.overlay import project_joints
from mocap_cli.types import Float64
from mocap_cli.video.reader import open_video, probe

_INTERVAL = 0.1  # seconds between the frames that movement is measured on: noise is no movement
_STILL = 0.03  # metres a joint may move in a beat without having moved
_CROP_MARGIN = 1.3  # times the person that a picture shows: some air around
_MIN_SCORE = 0.3  # score from which a keypoint is likely the person's
_VIEW_METRES = 2.3  # metres that a drawn figure's picture is high
_MIDDLE: Colour = (128, 137, 150)
_SHIFT = 4  # cv2 takes points in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class View:
    """A look at the world without perspective."""

    name: str
    right: tuple[float, float, float]  # of the world, on the picture
    up: tuple[float, float, float]


FROM_CAMERA = View("as filmed", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
FROM_SIDE = View("from the camera's right", (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))


def key_frames(motion: Motion, count: int) -> list[int]:
    """About `count` frames with as much movement between any two neighbours, first and last too.

    Movement is what joints do about the pelvis and how the body turns, not where it goes.
    """
    tracked = np.flatnonzero(motion.tracked)
    if len(tracked) <= count:
        return [int(t) for t in tracked]
    times = motion.times[tracked]
    beat = tracked[np.unique(np.searchsorted(times, np.arange(times[0], times[-1], _INTERVAL)))]
    beat = np.unique(np.append(beat, tracked[-1]))
    pose = motion.joints[beat] - motion.joints[beat, :1]
    moved = np.linalg.norm(np.diff(pose, axis=0), axis=-1).mean(axis=-1)
    still = _STILL / len(beat)  # an even share, so that a motionless clip is shown evenly
    way = np.concatenate(([0.0], np.cumsum(np.maximum(moved - _STILL, 0) + still)))
    wanted = np.interp(np.linspace(0, way[-1], count), way, motion.times[beat])
    nearest = np.abs(times[None] - wanted[:, None]).argmin(axis=1)
    return [int(t) for t in tracked[np.unique(nearest)]]


def crop_key_poses(
    motion: Motion, frames: list[int], video: Path, size: tuple[int, int]
) -> list[Image]:
    """The person in these frames of the video with the skeleton drawn in, all at one scale."""
    refuse_other(probe(video), motion)
    joints = project_joints(motion)
    boxes = [_around(motion, joints, t) for t in frames]
    largest = np.max([high - low for low, high in boxes], axis=0) * _CROP_MARGIN
    scale = float((np.array(size) / np.maximum(largest, 1)).min())
    return [
        _film_picture(motion, joints, t, _frame_at(video, motion, t), (low + high) / 2, scale, size)
        for t, (low, high) in zip(frames, boxes, strict=True)
    ]


def _around(motion: Motion, joints: Float64, t: int) -> tuple[Float64, Float64]:
    """The box around a person in pixels of the video."""
    points = np.concatenate((joints[t], motion.xy[t][motion.score[t] > _MIN_SCORE]))
    points = points[np.isfinite(points).all(axis=-1)]
    if not len(points):
        points = np.array([[0, 0], [motion.source.width, motion.source.height]], np.float64)
    return points.min(axis=0), points.max(axis=0)


def _frame_at(video: Path, motion: Motion, t: int) -> Image:
    """The frame of the video nearest to a frame of the motion, which may have another rate."""
    time, reach = float(motion.times[t]), 1 / motion.source.fps
    with open_video(video, max(0.0, time - reach), time + reach) as frames:
        nearest = min(frames, key=lambda frame: abs(frame.time - time))
    return nearest.image


def _film_picture(
    motion: Motion,
    joints: Float64,
    t: int,
    frame: Image,
    centre: Float64,
    scale: float,
    size: tuple[int, int],
) -> Image:
    move = np.array(size) / 2 - scale * centre  # picture = scale * pixel + move
    turn = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = np.asarray(
        cv2.warpAffine(frame, turn, size, flags=smooth, borderMode=cv2.BORDER_CONSTANT,
                       borderValue=PALE),
        np.uint8,
    )  # fmt: skip
    figure = Figure(
        (motion.xy[t] * scale + move).astype(np.float32),
        motion.score[t],
        joints[t] * scale + move,
        motion.contacts[t],
        bool(motion.detected[t]),
    )
    draw_figure(picture, figure)
    return picture


def draw_key_poses(
    motion: Motion, frames: list[int], view: View, size: tuple[int, int]
) -> list[Image]:
    """The 3D figure of each frame about its centre of mass; the line below is the ground."""
    return [_drawn_picture(motion, t, view, size) for t in frames]


def _drawn_picture(motion: Motion, t: int, view: View, size: tuple[int, int]) -> Image:
    picture: Image = np.full((size[1], size[0], 3), PALE, np.uint8)
    joints = motion.joints[t].astype(np.float64)
    centre, scale = centre_of_mass(joints), size[1] / _VIEW_METRES
    axes = np.stack((view.right, view.up, np.cross(view.right, view.up)), axis=-1)
    flat = (joints - centre) @ axes
    points = np.array(size) / 2 + scale * flat[:, :2] * (1, -1)
    ground = round(size[1] / 2 + scale * centre[1])
    if motion.space == "world" and 0 <= ground < size[1]:
        cv2.line(picture, (0, ground), (size[0], ground), DIM, 1)
        picture[ground + 1 :] = FAINT
    for bone in sorted(BODY.bones, key=lambda bone: flat[list(bone), 2].mean()):
        _draw_bone(picture, points[list(bone)], bone, max(3, round(size[1] / 45)))
    return picture


def _draw_bone(picture: Image, ends: Float64, bone: tuple[int, int], width: int) -> None:
    colour = limb_colour((BODY.names[bone[0]], BODY.names[bone[1]]))
    colour = _MIDDLE if len(set(colour)) == 1 else colour  # white is for pictures
    start, end = ((ends - 0.5) * (1 << _SHIFT)).round().astype(int).tolist()
    cv2.line(picture, start, end, PALE, width + 3, cv2.LINE_AA, _SHIFT)
    cv2.line(picture, start, end, colour, width, cv2.LINE_AA, _SHIFT)
    if BODY.names[bone[1]] == "head":
        middle = ((ends.mean(axis=0) - 0.5) * (1 << _SHIFT)).round().astype(int).tolist()
        radius = round(2.2 * width * (1 << _SHIFT))
        cv2.circle(picture, middle, radius, colour, -1, cv2.LINE_AA, _SHIFT)
