"""Key poses: the few frames that summarise a motion, and an image of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.views.canvas import DIM, FAINT, PALE, Colour, draw_dot, draw_line
from mocap_cli.export.views.figure import SIDE_COLOURS, Figure, draw_figure, limb_side
from mocap_cli.export.views.projection import OrthographicView, project_joints
from mocap_cli.export.views.source_video import check_source_video
from mocap_cli.types import Float64, UInt8
from mocap_cli.video.reader import open_video, probe

_INTERVAL = 0.1  # seconds between the frames that movement is measured on, longer than noise
_MAX_INTERVALS = 100_000  # in longer motions, and across long gaps, intervals are longer
_STILL = 0.03  # metres that a joint may shift in an interval while it counts as still
_CROP_MARGIN = 1.3  # size of a crop, in sizes of the person
_MIN_SCORE = 0.3  # score from which a keypoint is likely the person's
_VIEW_METRES = 2.3  # height of a drawing
_MIDDLE: Colour = (128, 137, 150)  # white would not show on the page


@dataclass(frozen=True, slots=True)
class KeyPoses:
    """Frames of a motion, each as an image."""

    motion: Motion
    frames: Sequence[int]

    @staticmethod
    def choose(motion: Motion, count: int) -> "KeyPoses":
        """About `count` frames, the first and the last included, with equal movement between them.

        Movement is that of the joints about the pelvis, rotations included; its path is not.
        """
        tracked = np.flatnonzero(motion.tracked)
        if len(tracked) <= count:
            return KeyPoses(motion, [int(t) for t in tracked])
        times = motion.times[tracked]
        interval = max(_INTERVAL, float(times[-1] - times[0]) / _MAX_INTERVALS)
        sampled = tracked[
            np.unique(np.searchsorted(times, np.arange(times[0], times[-1], interval)))
        ]
        sampled = np.unique(np.append(sampled, tracked[-1]))
        pose = motion.joints[sampled] - motion.joints[sampled, :1]
        moved = np.linalg.norm(np.diff(pose, axis=0), axis=-1).mean(axis=-1)
        still = _STILL / len(sampled)  # spreads the frames of a motionless clip evenly
        moved = np.concatenate(([0.0], np.cumsum(np.maximum(moved - _STILL, 0) + still)))
        targets = np.interp(np.linspace(0, moved[-1], count), moved, motion.times[sampled])
        nearest = np.abs(times[None] - targets[:, None]).argmin(axis=1)
        return KeyPoses(motion, [int(t) for t in tracked[np.unique(nearest)]])

    def crops(self, video: Path, size: tuple[int, int]) -> list[UInt8]:
        """Crops of these frames of the video with the person drawn in, all at one scale."""
        motion = self.motion
        check_source_video(probe(video), motion)
        joints = project_joints(motion)
        boxes = [_around(motion, joints, t) for t in self.frames]
        largest = np.max([high - low for low, high in boxes], axis=0) * _CROP_MARGIN
        scale = float((np.array(size) / np.maximum(largest, 1)).min())
        return [
            _draw_crop(
                motion, joints, t, _frame_at(video, motion, t), (low + high) / 2, scale, size
            )
            for t, (low, high) in zip(self.frames, boxes, strict=True)
        ]

    def drawings(self, view: OrthographicView, size: tuple[int, int]) -> list[UInt8]:
        """Drawings of the 3D joints around the centre of mass; the line below is the ground."""
        return [_draw_pose(self.motion, t, view, size) for t in self.frames]


def _around(motion: Motion, joints: Float64, t: int) -> tuple[Float64, Float64]:
    """The bounding box of the person in pixels of the video."""
    points = np.concatenate((joints[t], motion.xy[t][motion.score[t] > _MIN_SCORE]))
    points = points[np.isfinite(points).all(axis=-1)]
    if not len(points):
        points = np.array([[0, 0], [motion.source.width, motion.source.height]], np.float64)
    return points.min(axis=0), points.max(axis=0)


def _frame_at(video: Path, motion: Motion, t: int) -> UInt8:
    """The video frame nearest to a frame of the motion, which may have another rate."""
    time, reach = float(motion.times[t]), 1 / motion.source.fps
    with open_video(video, max(0.0, time - reach), time + reach) as frames:
        nearest = min(frames, key=lambda frame: abs(frame.time - time))
    return nearest.image


def _draw_crop(
    motion: Motion,
    joints: Float64,
    t: int,
    frame: UInt8,
    centre: Float64,
    scale: float,
    size: tuple[int, int],
) -> UInt8:
    shift = np.array(size) / 2 - scale * centre  # crop = scale * pixel + shift
    crop_from_frame = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    crop = np.asarray(
        cv2.warpAffine(frame, crop_from_frame, size, flags=interpolation, borderValue=PALE),
        np.uint8,
    )
    figure = Figure(
        (motion.xy[t] * scale + shift).astype(np.float32),
        motion.score[t],
        joints[t] * scale + shift,
        motion.contacts[t],
        bool(motion.detected[t]),
    )
    draw_figure(crop, figure)
    return crop


def _draw_pose(motion: Motion, t: int, view: OrthographicView, size: tuple[int, int]) -> UInt8:
    image: UInt8 = np.full((size[1], size[0], 3), PALE, np.uint8)
    joints = motion.joints[t].astype(np.float64)
    centre, scale = centre_of_mass(joints), size[1] / _VIEW_METRES
    flat = view.project(joints - centre)
    points = np.array(size) / 2 + scale * flat[:, :2] * (1, -1)
    ground = round(size[1] / 2 + scale * centre[1])
    if motion.space == "world" and 0 <= ground < size[1]:
        cv2.line(image, (0, ground), (size[0], ground), DIM, 1)
        image[ground + 1 :] = FAINT
    for bone in sorted(BODY.bones, key=lambda bone: flat[list(bone), 2].mean()):
        _draw_bone(image, points[list(bone)], bone, max(3, round(size[1] / 45)))
    return image


def _draw_bone(image: UInt8, ends: Float64, bone: tuple[int, int], width: int) -> None:
    side = limb_side(BODY.names[bone[0]], BODY.names[bone[1]])
    colour = _MIDDLE if side == "middle" else SIDE_COLOURS[side]
    draw_line(image, ends, PALE, width + 3)
    draw_line(image, ends, colour, width)
    if BODY.names[bone[1]] == "head":
        draw_dot(image, ends.mean(axis=0), 2.2 * width, colour)
