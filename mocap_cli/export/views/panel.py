"""Panel: a column beside the video with the person from the side and from above, and joint angles.

Both views follow the person; the grid lines are one metre apart, and the ground is the bright one.
"""

import math

import cv2
import numpy as np

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.views.canvas import Box, Colour, draw_dot, draw_line
from mocap_cli.export.views.figure import CONTACT_COLOUR, SIDE_COLOURS, Side, limb_side
from mocap_cli.export.views.projection import OrthographicView
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.smoothing import low_pass
from mocap_cli.types import Float64, UInt8

_WIDTH = 0.45  # of the height of the video
_SIDE_VIEW_END, _TOP_VIEW_END = 0.44, 0.74  # of the height; the angles are below
_NOSE = 0.08  # of the standing height, from the middle of the head in the direction it faces
_VIEW_HEIGHTS = 1.3  # width of a view in standing heights of the person
_FOLLOW_HZ = 0.7  # cutoff of the path that the views follow
TRAIL_SECONDS = 1.5  # of the path of the centre of mass before the current frame
_PLOT_SECONDS = 1.5  # before and after the current frame
_LABEL_WIDTH = 0.24  # of the width, left of the plots
_PLOTTED = ("shoulder_elevation", "elbow_flexion", "hip_flexion", "knee_flexion")
_MIN_ANGLE, _MAX_ANGLE = -30.0, 180.0  # degrees that a plot shows
_BACKGROUND, _GRID, _INK, _GREY = (26, 28, 36), (52, 56, 68), (225, 228, 235), (140, 146, 160)
PATH_COLOUR: Colour = (255, 225, 70)  # of the centre of mass
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SIDES: tuple[Side, Side] = ("left", "right")
_NAMES = {OrthographicView.SIDE: "side view", OrthographicView.TOP: "top view"}


class Panel:
    """Draws the panel of a motion frame by frame."""

    def __init__(self, motion: Motion, height: int) -> None:
        self.width = max(2, 2 * round(_WIDTH * height / 2))
        self._motion = motion
        self._joints = motion.joints.astype(np.float64)
        self._mass = centre_of_mass(self._joints)
        self._angles = joint_angles(motion)
        self._height = _standing_height(motion)
        self._noses = _noses(motion, _NOSE * self._height)
        self._centre = _followed(motion, self._height)
        self._line = max(1, round(height / 270))
        self._blank: UInt8 = np.full((height, self.width, 3), _BACKGROUND, np.uint8)

    def draw(self, t: int) -> UInt8:
        """(H, W, 3) the panel at frame `t` of the motion."""
        image = self._blank.copy()
        height = len(image)
        middle, low = round(_SIDE_VIEW_END * height), round(_TOP_VIEW_END * height)
        self._draw_view(image, OrthographicView.SIDE, (0, 0, self.width, middle), t)
        self._draw_view(image, OrthographicView.TOP, (0, middle, self.width, low), t)
        self._draw_angles(image, (0, low, self.width, height), t)
        return image

    def _draw_view(self, image: UInt8, view: OrthographicView, box: Box, t: int) -> None:
        left, top, right, bottom = box
        part = image[top:bottom, left:right]
        scale = min(part.shape[:2]) / (_VIEW_HEIGHTS * self._height)  # pixels a metre
        middle = np.array((right - left, bottom - top)) / 2
        centre = view.project(self._centre[t])[:2]

        def on_screen(points: Float64) -> Float64:
            flat = view.project(points)
            return np.asarray(middle + scale * (flat[..., :2] - centre) * (1, -1))

        self._draw_grid(part, view, centre, scale)
        self._draw_path(part, on_screen(self._mass[self._latest(t)]))
        if self._motion.tracked[t]:
            self._draw_person(
                part, on_screen(self._joints[t]), view.project(self._joints[t])[:, 2], t
            )
            if np.isfinite(self._noses[t]).all():
                draw_line(part, on_screen(self._noses[t]), SIDE_COLOURS["middle"], self._line)
        cv2.line(part, (0, 0), (right - left, 0), _GRID, 1)
        _write(part, _NAMES[view], (2 * self._line, round(0.04 * self.width)), _GREY)

    def _draw_grid(
        self, part: UInt8, view: OrthographicView, centre: Float64, scale: float
    ) -> None:
        """Lines one metre apart, and the ground."""
        height, width = part.shape[:2]
        for x in _metres(centre[0], width / scale):
            at = round(width / 2 + scale * (x - centre[0]))
            cv2.line(part, (at, 0), (at, height), _GRID, 1)
        for y in _metres(centre[1], height / scale):
            at = round(height / 2 - scale * (y - centre[1]))
            ground = y == 0 and view is OrthographicView.SIDE and self._motion.space == "world"
            colour, thick = (_GREY, self._line) if ground else (_GRID, 1)
            cv2.line(part, (0, at), (width, at), colour, thick)

    def _draw_path(self, part: UInt8, points: Float64) -> None:
        for run in true_runs(np.isfinite(points[:, 0])):
            draw_line(part, points[run], PATH_COLOUR, max(1, self._line // 2))
        if len(points) and np.isfinite(points[-1]).all():
            draw_dot(part, points[-1], 1.2 * self._line, PATH_COLOUR)

    def _draw_person(self, part: UInt8, points: Float64, nearness: Float64, t: int) -> None:
        """Bones in the colours of their sides, the nearest last; darker in interpolated frames."""
        for side, contact in zip(_SIDES, self._motion.contacts[t], strict=True):
            if contact > 0.5:
                foot = points[[BODY.index(f"{side}_ankle"), BODY.index(f"{side}_toe")]]
                draw_line(part, foot, CONTACT_COLOUR, 3 * self._line)
        for a, b in sorted(BODY.bones, key=lambda bone: nearness[list(bone)].sum()):
            colour = SIDE_COLOURS[limb_side(BODY.names[a], BODY.names[b])]
            if not self._motion.detected[t]:
                colour = _mixed(colour, _BACKGROUND)
            draw_line(part, points[[a, b]], colour, self._line)
            draw_dot(part, points[b], 0.8 * self._line, colour)

    def _draw_angles(self, image: UInt8, box: Box, t: int) -> None:
        """A row for each joint: left and right around the current frame, and their values in it."""
        left, top, right, bottom = box
        step = (bottom - top) / len(_PLOTTED)
        for row, name in enumerate(_PLOTTED):
            part = image[round(top + row * step) : round(top + (row + 1) * step), left:right]
            cv2.line(part, (0, 0), (right, 0), _GRID, 1)
            self._write_row(part, name, t)
            self._plot(part[:, round(_LABEL_WIDTH * self.width) :], name, t)

    def _plot(self, part: UInt8, name: str, t: int) -> None:
        height, width = part.shape[:2]
        now, times = self._motion.times[t], self._motion.times
        first, last = np.searchsorted(times, (now - _PLOT_SECONDS, now + _PLOT_SECONDS))
        x = width * (0.5 + (times[first:last] - now) / (2 * _PLOT_SECONDS))
        for level in (0.0, 90.0):
            y = round(float(_on_row(level, height)))
            cv2.line(part, (0, y), (width, y), _GRID, 1)
        for side in _SIDES:
            angle = self._angles[f"{side}_{name}"][first:last]
            points = np.stack((x, _on_row(angle, height)), axis=-1)
            for run in true_runs(np.isfinite(angle)):
                draw_line(part, points[run], SIDE_COLOURS[side], max(1, self._line // 2))
        cv2.line(part, (width // 2, 0), (width // 2, height), _GREY, 1)

    def _write_row(self, part: UInt8, name: str, t: int) -> None:
        """The name of the joint, and below it the degrees on the left and on the right."""
        high, low = round(0.42 * len(part)), round(0.85 * len(part))
        _write(part, name.partition("_")[0], (2 * self._line, high), _INK)
        for side, offset in zip(_SIDES, (0.0, _LABEL_WIDTH / 2), strict=True):
            angle = self._angles[f"{side}_{name}"][t]
            if np.isfinite(angle):
                at = (2 * self._line + round(offset * self.width), low)
                _write(part, f"{angle:.0f}", at, SIDE_COLOURS[side])

    def _latest(self, t: int) -> slice:
        first = np.searchsorted(self._motion.times, self._motion.times[t] - TRAIL_SECONDS)
        return slice(int(first), t + 1)


def _standing_height(motion: Motion) -> float:
    tracked = motion.tracked
    if not tracked.any():
        return 1.7
    return max(0.1, standing_height(bone_lengths(motion.joints[tracked].astype(np.float64))))


def _noses(motion: Motion, length: float) -> Float64:
    """(T, 2, 3) lines from the middle of the head in the direction it faces; NaN if unknown."""
    ends = np.full((len(motion.times), 2, 3), np.nan)
    if motion.facing is not None:
        neck, crown = (motion.joints[:, BODY.index(name)] for name in ("neck", "head"))
        ends[:] = ((neck + crown) / 2)[:, None]
        ends[:, 1] += length * motion.facing.direction
    return ends


def _followed(motion: Motion, height: float) -> Float64:
    """(T, 3) the middle of the views; the ground stays in view while the person is near it."""
    tracked, times = motion.tracked, motion.times
    if not tracked.any():
        return np.zeros((len(times), 3))
    pelvis = motion.joints[tracked, 0].astype(np.float64)
    path = np.stack([np.interp(times, times[tracked], axis) for axis in pelvis.T], axis=-1)
    if motion.space == "world":
        high, low = np.maximum(path[:, 1] - 0.75 * height, 0), np.minimum(path[:, 1], 0)
        path[:, 1] = 0.6 * height + high + low
    return low_pass(path, times, np.ones(len(times)), _FOLLOW_HZ)


def _metres(middle: float, span: float) -> range:
    """The whole metres within a span."""
    return range(math.ceil(middle - span / 2), math.floor(middle + span / 2) + 1)


def _on_row(angle: Float64 | float, height: int) -> Float64:
    return np.asarray(
        height * (0.94 - 0.88 * (np.asarray(angle) - _MIN_ANGLE) / (_MAX_ANGLE - _MIN_ANGLE))
    )


def _mixed(one: Colour, other: Colour) -> Colour:
    """The colour halfway between two."""
    red, green, blue = ((a + b) // 2 for a, b in zip(one, other, strict=True))
    return red, green, blue


def _write(image: UInt8, text: str, at: tuple[int, int], colour: Colour) -> None:
    size = image.shape[1] / 900
    cv2.putText(image, text, at, _FONT, size, colour, max(1, round(2 * size)), cv2.LINE_AA)
