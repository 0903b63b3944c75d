"""Figure: one person drawn into an image, with limbs, planted feet, box and 3D joints."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.export.views.canvas import Colour
from mocap_cli.types import Float32, Float64, UInt8

Side = Literal["left", "right", "middle"]

SIDE_COLOURS: dict[Side, Colour] = {  # left and right are the person's
    "left": (255, 150, 30),
    "right": (40, 165, 255),
    "middle": (240, 240, 240),
}
CONTACT_COLOUR: Colour = (90, 235, 110)
OUTLINE_COLOUR: Colour = (12, 12, 20)  # keeps bright lines legible on a bright background
_PALE: dict[Side, Colour] = {  # the 3D joints, which are inside the limbs where both agree
    "left": (255, 232, 205),
    "right": (205, 235, 255),
    "middle": (255, 255, 255),
}

_LIMBS: tuple[tuple[str, str], ...] = (
    ("left_eye", "nose"),
    ("right_eye", "nose"),
    ("left_ear", "left_eye"),
    ("right_ear", "right_eye"),
    ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            ("shoulder", "hip"),
            ("shoulder", "elbow"),
            ("elbow", "wrist"),
            ("hip", "knee"),
            ("knee", "ankle"),
            ("ankle", "heel"),
            ("ankle", "toe"),
            ("heel", "toe"),
        )
    ),
)
_HIDDEN_SCORE, _OPAQUE_SCORE = 0.15, 0.7  # limbs fade in between these scores
_PLANTED = 0.5
_SHIFT = 4  # OpenCV takes positions in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class Figure:
    """The person in one frame, in pixels; NaN where unknown."""

    xy: Float32  # (K, 2)
    score: Float32  # (K,) 0..1
    joints: Float64  # (J, 2) the 3D joints, projected into the image
    contacts: Float32  # (2,) left and right foot, 0..1
    detected: bool  # False when interpolated from neighbouring frames


class Layer:
    """Lines with opacity over a part of an image."""

    def __init__(self, image: UInt8, low: Float64, high: Float64) -> None:
        size = image.shape[1::-1]
        left, top = np.floor(np.clip(low, 0, size)).astype(int).tolist()
        right, bottom = np.ceil(np.clip(high, 0, size)).astype(int).tolist()
        self._image = image[top:bottom, left:right]
        self._corner = np.array((left, top))
        self._colour = self._image.copy()
        self._opacity = np.zeros(self._image.shape[:2], np.uint8)

    @property
    def empty(self) -> bool:
        """Whether the part is outside the image, so that there is nothing to draw on."""
        return self._image.size == 0

    def line(self, a: Float64, b: Float64, colour: Colour, width: int, opacity: float) -> None:
        """A straight line with round ends."""
        start, end = self._fixed(a), self._fixed(b)
        cv2.line(self._colour, start, end, colour, width, cv2.LINE_AA, _SHIFT)
        # Wider than the colour, so that its antialiased edge is kept.
        cv2.line(self._opacity, start, end, _level(opacity), width + 2, cv2.LINE_8, _SHIFT)

    def dot(self, at: Float64, colour: Colour, width: int, opacity: float) -> None:
        """A disc of diameter `width`."""
        centre, radius = self._fixed(at), round(width / 2 * (1 << _SHIFT))
        cv2.circle(self._colour, centre, radius, colour, -1, cv2.LINE_AA, _SHIFT)
        wider, level = radius + (1 << _SHIFT), _level(opacity)
        cv2.circle(self._opacity, centre, wider, level, -1, cv2.LINE_8, _SHIFT)

    def blend(self) -> None:
        """Blend the lines into the image."""
        opacity = cv2.merge([self._opacity] * 3)
        shown = cv2.multiply(self._colour, opacity, scale=1 / 255)
        kept = cv2.multiply(self._image, 255 - opacity, scale=1 / 255)
        cv2.add(shown, kept, dst=self._image)

    def _fixed(self, point: Float64) -> tuple[int, int]:
        """For OpenCV the middle of a pixel is at 0, for us at 0.5."""
        x, y = ((point - self._corner - 0.5) * (1 << _SHIFT)).round().astype(int).tolist()
        return x, y


def draw_figure(image: UInt8, figure: Figure) -> None:
    """Draw the person; nothing where there is none."""
    points = np.concatenate((figure.xy[figure.score > _HIDDEN_SCORE], figure.joints))
    points = points[np.isfinite(points).all(axis=-1)]
    if len(points) < 2:
        return
    low, high = points.min(axis=0), points.max(axis=0)
    size = float(np.linalg.norm(high - low))
    width = line_width(image, size)
    margin = 0.08 * size + 2 * width
    layer = Layer(image, low - margin - width, high + margin + width)
    if layer.empty:
        return
    _draw_box(layer, low - margin, high + margin, max(1, width // 2), figure.detected)
    _draw_feet(layer, figure, width)
    _draw_limbs(layer, figure, width)
    _draw_joints(layer, figure, max(1, width // 2))
    layer.blend()


def line_width(image: UInt8, size: float) -> int:
    """Line width in pixels, scaled to the image, thinner for a small person."""
    return max(1, round(min(min(image.shape[:2]) / 130, size / 45)))


def _draw_box(layer: Layer, low: Float64, high: Float64, width: int, detected: bool) -> None:
    """The four corners of the bounding box; faint in interpolated frames."""
    arm = 0.12 * float((high - low).max())
    for x, right in ((low[0], 1), (high[0], -1)):
        for y, down in ((low[1], 1), (high[1], -1)):
            corner = np.array((x, y))
            for along in ((right * arm, 0.0), (0.0, down * arm)):
                layer.line(
                    corner,
                    corner + along,
                    SIDE_COLOURS["middle"],
                    width,
                    0.75 if detected else 0.25,
                )


def _draw_feet(layer: Layer, figure: Figure, width: int) -> None:
    """A green sole under each planted foot, more opaque with higher probability."""
    for contact, side in zip(figure.contacts, ("left", "right"), strict=True):
        if contact > _PLANTED:
            (heel, toe), score = _ends(figure, f"{side}_heel", f"{side}_toe")
            if score > 0:
                layer.line(heel, toe, CONTACT_COLOUR, 3 * width, float(contact))


def _draw_limbs(layer: Layer, figure: Figure, width: int) -> None:
    drawn = [(names, *_ends(figure, *names)) for names in _LIMBS]
    drawn.sort(key=lambda limb: limb[-1])  # the most certain on top
    for names, (a, b), opacity in drawn:
        if opacity > 0:
            rim = _limb_width(names, width) + max(2, width // 2)
            layer.line(a, b, OUTLINE_COLOUR, rim, 0.7 * opacity)
    for names, (a, b), opacity in drawn:
        if opacity > 0:
            layer.line(a, b, SIDE_COLOURS[limb_side(*names)], _limb_width(names, width), opacity)


def _limb_width(names: tuple[str, str], width: int) -> int:
    face = any(name.endswith(("eye", "ear")) for name in names)
    return max(1, width // 2) if face else width


def _draw_joints(layer: Layer, figure: Figure, width: int) -> None:
    """The projected 3D joints: thin pale bones with a dot on each joint."""
    opacity = 0.9 if figure.detected else 0.4
    known = np.asarray(np.isfinite(figure.joints).all(axis=-1))
    for bone in BODY.bones:
        if known[list(bone)].all():
            a, b = bone
            colour = _PALE[limb_side(BODY.names[a], BODY.names[b])]
            layer.line(figure.joints[a], figure.joints[b], colour, max(1, width // 2), opacity)
    for joint in figure.joints[known]:
        layer.dot(joint, SIDE_COLOURS["middle"], max(2, round(1.5 * width)), opacity)


def _ends(figure: Figure, first: str, second: str) -> tuple[Float32, float]:
    """Both points of a limb, and its opacity by the lower of their scores."""
    chosen = [KEYPOINTS.index(first), KEYPOINTS.index(second)]
    points, score = figure.xy[chosen], float(figure.score[chosen].min())
    if not np.isfinite(points).all():
        return points, 0.0
    return points, float(np.clip((score - _HIDDEN_SCORE) / (_OPAQUE_SCORE - _HIDDEN_SCORE), 0, 1))


def limb_side(first: str, second: str) -> Side:
    """The side that a limb between two joints belongs to."""
    sides = {first.partition("_")[0], second.partition("_")[0]} & {"left", "right"}
    if len(sides) != 1:
        return "middle"
    return "left" if "left" in sides else "right"


def _level(opacity: float) -> int:
    return round(255 * min(1.0, opacity))
