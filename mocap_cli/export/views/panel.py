"""Panel: beside the video the same person from the side and from above, and what joints do.

Both views follow the person; lines a metre apart show the way, and the ground is the bright one.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from mocap_cli.body.anatomy import centre_of_mass, standing_height
from mocap_cli.body.joint_angles import joint_angles
from mocap_cli.body.motion import Motion
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.skeleton import BODY
from mocap_cli.export.views.figure import CONTACT_COLOUR, LEFT, RIGHT, Colour, Image, limb_colour
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.smoothing import low_pass
from mocap_cli.types import Float64

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the panel

_WIDTH = 0.45  # of the picture's height
_SIDE_VIEW_END, _TOP_VIEW_END = (
    0.44,
    0.74,
)  # of the height down to which the two views reach; angles come below
_VIEW_HEIGHTS = 1.3  # standing heights that are as wide as a view
_FOLLOW_HZ = 0.7  # hertz: how fast the views follow the person
TRAIL_SECONDS, _PLOT_SECONDS = (
    1.5,
    1.5,
)  # seconds of the way of the centre of mass, and of angles around now
_LABEL_WIDTH = 0.24  # of the width, left of the plots
_PLOTTED = ("shoulder_elevation", "elbow_flexion", "hip_flexion", "knee_flexion")
_MIN_ANGLE, _MAX_ANGLE = -30.0, 180.0  # degrees that a plot shows
_BACKGROUND, _GRID, _INK, _GREY = (26, 28, 36), (52, 56, 68), (225, 228, 235), (140, 146, 160)
PATH_COLOUR: Colour = (255, 225, 70)  # of the centre of mass
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SHIFT = 4  # cv2 takes points in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at the world without perspective."""

    name: str
    right: tuple[float, float, float]  # of the world, on the screen
    up: tuple[float, float, float]

    def flat(self, points: Float64) -> Float64:
        """(..., 3) metres to (..., 3): right, up and towards the viewer."""
        axes = np.stack((self.right, self.up, np.cross(self.right, self.up)), axis=-1)
        return np.asarray(points @ axes)


FROM_SIDE = View("from the side", (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))  # from the camera's right
FROM_ABOVE = View("from above", (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))  # the camera is below


class Panel:
    """Draws the panel of a motion for one frame after another."""

    def __init__(self, motion: Motion, height: int) -> None:
        self.width = max(2, 2 * round(_WIDTH * height / 2))
        self._motion = motion
        self._joints = motion.joints.astype(np.float64)
        self._mass = centre_of_mass(self._joints)
        self._angles = joint_angles(motion)
        self._tall = _tall(motion)
        self._centre = _followed(motion, self._tall)
        self._line = max(1, round(height / 270))
        self._blank: Image = np.full((height, self.width, 3), _BACKGROUND, np.uint8)

    def draw(self, t: int) -> Image:
        """(H, W, 3) the panel at frame `t` of the motion."""
        image = self._blank.copy()
        height = len(image)
        middle, low = round(_SIDE_VIEW_END * height), round(_TOP_VIEW_END * height)
        self._draw_view(image, FROM_SIDE, (0, 0, self.width, middle), t)
        self._draw_view(image, FROM_ABOVE, (0, middle, self.width, low), t)
        self._draw_angles(image, (0, low, self.width, height), t)
        return image

    def _draw_view(self, image: Image, view: View, box: Box, t: int) -> None:
        left, top, right, bottom = box
        part = image[top:bottom, left:right]
        scale = min(part.shape[:2]) / (_VIEW_HEIGHTS * self._tall)  # pixels a metre
        middle = np.array((right - left, bottom - top)) / 2
        centre = view.flat(self._centre[t])[:2]

        def on_screen(points: Float64) -> Float64:
            flat = view.flat(points)
            return np.asarray(middle + scale * (flat[..., :2] - centre) * (1, -1))

        self._draw_grid(part, view, centre, scale)
        self._draw_way(part, on_screen(self._mass[self._lately(t)]))
        if self._motion.tracked[t]:
            self._draw_person(part, on_screen(self._joints[t]), view.flat(self._joints[t])[:, 2], t)
        cv2.line(part, (0, 0), (right - left, 0), _GRID, 1)
        _write(part, view.name, (2 * self._line, round(0.04 * self.width)), _GREY)

    def _draw_grid(self, part: Image, view: View, centre: Float64, scale: float) -> None:
        """A line every metre, and the ground."""
        height, width = part.shape[:2]
        for x in _metres(centre[0], width / scale):
            at = round(width / 2 + scale * (x - centre[0]))
            cv2.line(part, (at, 0), (at, height), _GRID, 1)
        for y in _metres(centre[1], height / scale):
            at = round(height / 2 - scale * (y - centre[1]))
            ground = y == 0 and view is FROM_SIDE and self._motion.space == "world"
            colour, thick = (_GREY, self._line) if ground else (_GRID, 1)
            cv2.line(part, (0, at), (width, at), colour, thick)

    def _draw_way(self, part: Image, points: Float64) -> None:
        for run in true_runs(np.isfinite(points[:, 0])):
            _polyline(part, points[run], PATH_COLOUR, max(1, self._line // 2))
        if len(points) and np.isfinite(points[-1]).all():
            _dot(part, points[-1], PATH_COLOUR, 1.2 * self._line)

    def _draw_person(self, part: Image, points: Float64, nearness: Float64, t: int) -> None:
        """Bones in the colours of their sides, the nearest last; paler where filled in."""
        for side, contact in zip(("left", "right"), self._motion.contacts[t], strict=True):
            if contact > 0.5:
                foot = points[[BODY.index(f"{side}_ankle"), BODY.index(f"{side}_toe")]]
                _polyline(part, foot, CONTACT_COLOUR, 3 * self._line)
        for a, b in sorted(BODY.bones, key=lambda bone: nearness[list(bone)].sum()):
            colour = np.array(limb_colour((BODY.names[a], BODY.names[b])))
            if not self._motion.detected[t]:
                colour = (colour + _BACKGROUND) // 2
            _polyline(part, points[[a, b]], tuple(colour.tolist()), self._line)
            _dot(part, points[b], tuple(colour.tolist()), 0.8 * self._line)

    def _draw_angles(self, image: Image, box: Box, t: int) -> None:
        """A row for every joint: left and right around now, and how much it is now."""
        left, top, right, bottom = box
        step = (bottom - top) / len(_PLOTTED)
        for row, name in enumerate(_PLOTTED):
            part = image[round(top + row * step) : round(top + (row + 1) * step), left:right]
            cv2.line(part, (0, 0), (right, 0), _GRID, 1)
            self._write_row(part, name, t)
            self._plot(part[:, round(_LABEL_WIDTH * self.width) :], name, t)

    def _plot(self, part: Image, name: str, t: int) -> None:
        height, width = part.shape[:2]
        now, times = self._motion.times[t], self._motion.times
        first, last = np.searchsorted(times, (now - _PLOT_SECONDS, now + _PLOT_SECONDS))
        x = width * (0.5 + (times[first:last] - now) / (2 * _PLOT_SECONDS))
        for level in (0.0, 90.0):
            y = round(float(_on_row(level, height)))
            cv2.line(part, (0, y), (width, y), _GRID, 1)
        for side, colour in (("left", LEFT), ("right", RIGHT)):
            angle = self._angles[f"{side}_{name}"][first:last]
            points = np.stack((x, _on_row(angle, height)), axis=-1)
            for run in true_runs(np.isfinite(angle)):
                _polyline(part, points[run], colour, max(1, self._line // 2))
        cv2.line(part, (width // 2, 0), (width // 2, height), _GREY, 1)

    def _write_row(self, part: Image, name: str, t: int) -> None:
        """Which joint, and below it how many degrees on the left and on the right."""
        high, low = round(0.42 * len(part)), round(0.85 * len(part))
        _write(part, name.partition("_")[0], (2 * self._line, high), _INK)
        for side, colour, place in (("left", LEFT, 0.0), ("right", RIGHT, _LABEL_WIDTH / 2)):
            angle = self._angles[f"{side}_{name}"][t]
            if np.isfinite(angle):
                at = (2 * self._line + round(place * self.width), low)
                _write(part, f"{angle:.0f}", at, colour)

    def _lately(self, t: int) -> slice:
        first = np.searchsorted(self._motion.times, self._motion.times[t] - TRAIL_SECONDS)
        return slice(int(first), t + 1)


def _tall(motion: Motion) -> float:
    tracked = motion.tracked
    if not tracked.any():
        return 1.7
    return max(0.1, standing_height(bone_lengths(motion.joints[tracked].astype(np.float64))))


def _followed(motion: Motion, tall: float) -> Float64:
    """(T, 3) the middle of the views: the ground stays in sight while the person is near it."""
    tracked, times = motion.tracked, motion.times
    if not tracked.any():
        return np.zeros((len(times), 3))
    pelvis = motion.joints[tracked, 0].astype(np.float64)
    path = np.stack([np.interp(times, times[tracked], axis) for axis in pelvis.T], axis=-1)
    if motion.space == "world":
        high, low = np.maximum(path[:, 1] - 0.75 * tall, 0), np.minimum(path[:, 1], 0)
        path[:, 1] = 0.6 * tall + high + low
    return low_pass(path, times, np.ones(len(times)), _FOLLOW_HZ)


def _metres(middle: float, span: float) -> range:
    """The whole metres within a span."""
    return range(math.ceil(middle - span / 2), math.floor(middle + span / 2) + 1)


def _on_row(angle: Float64 | float, height: int) -> Float64:
    return np.asarray(
        height * (0.94 - 0.88 * (np.asarray(angle) - _MIN_ANGLE) / (_MAX_ANGLE - _MIN_ANGLE))
    )


def _polyline(image: Image, points: Float64, colour: Colour, width: int) -> None:
    fixed = np.round((points - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(image, [fixed], False, colour, width, cv2.LINE_AA, _SHIFT)


def _dot(image: Image, at: Float64, colour: Colour, radius: float) -> None:
    x, y = np.round((at - 0.5) * (1 << _SHIFT)).astype(int).tolist()
    cv2.circle(image, (x, y), round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)


def _write(image: Image, text: str, at: tuple[int, int], colour: Colour) -> None:
    size = image.shape[1] / 900
    cv2.putText(image, text, at, _FONT, size, colour, max(1, round(2 * size)), cv2.LINE_AA)
