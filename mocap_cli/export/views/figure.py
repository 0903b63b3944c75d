"""Draw one person into a picture: limbs, planted feet, the box, and the 3D joints on top."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY, KEYPOINTS

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
_Point = NDArray[np.float64]

LEFT: Colour = (255, 150, 30)  # the person's left: orange
RIGHT: Colour = (40, 165, 255)  # the person's right: blue
MIDDLE: Colour = (240, 240, 240)
_PALE: dict[Colour, Colour] = {  # the 3D joints, which lie within the limbs where both agree
    LEFT: (255, 232, 205),
    RIGHT: (205, 235, 255),
    MIDDLE: (255, 255, 255),
}
CONTACT_COLOUR: Colour = (90, 235, 110)
OUTLINE_COLOUR: Colour = (12, 12, 20)  # a dark rim keeps bright lines legible on bright ground

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
_HIDDEN_SCORE, _OPAQUE_SCORE = (
    0.15,
    0.7,
)  # scores at which a point vanishes and at which it is opaque
_PLANTED = 0.5
_SHIFT = 4  # cv2 takes points in sixteenths of a pixel


@dataclass(frozen=True, slots=True)
class Figure:
    """What is known of the person in one frame; pixels, NaN where nothing is known."""

    xy: NDArray[np.float32]  # (K, 2)
    score: NDArray[np.float32]  # (K,) 0..1
    joints: NDArray[np.float64]  # (J, 2) the 3D joints as the camera sees them
    contacts: NDArray[np.float32]  # (2,) left and right foot, 0..1
    detected: bool  # False when it was filled in from its neighbours


class Layer:
    """Lines with opacity, laid over the part of a picture that they may touch."""

    def __init__(self, image: Image, corner: tuple[int, int], far: tuple[int, int]) -> None:
        self._picture = image[corner[1] : far[1], corner[0] : far[0]]
        self._corner = np.array(corner)
        self._colour = self._picture.copy()
        self._opacity = np.zeros(self._picture.shape[:2], np.uint8)

    def line(self, a: _Point, b: _Point, colour: Colour, width: int, opacity: float) -> None:
        """A straight line with round ends."""
        start, end = self._fixed(a), self._fixed(b)
        cv2.line(self._colour, start, end, colour, width, cv2.LINE_AA, _SHIFT)
        # Wider, so that the soft rim of the colour is shown whole.
        cv2.line(self._opacity, start, end, _level(opacity), width + 2, cv2.LINE_8, _SHIFT)

    def dot(self, at: _Point, colour: Colour, width: int, opacity: float) -> None:
        """A filled circle of that diameter."""
        centre, radius = self._fixed(at), round(width / 2 * (1 << _SHIFT))
        cv2.circle(self._colour, centre, radius, colour, -1, cv2.LINE_AA, _SHIFT)
        wider, level = radius + (1 << _SHIFT), _level(opacity)
        cv2.circle(self._opacity, centre, wider, level, -1, cv2.LINE_8, _SHIFT)

    def blend(self) -> None:
        """Lay what was drawn over the picture."""
        opacity = cv2.merge([self._opacity] * 3)
        shown = cv2.multiply(self._colour, opacity, scale=1 / 255)
        kept = cv2.multiply(self._picture, 255 - opacity, scale=1 / 255)
        cv2.add(shown, kept, dst=self._picture)

    def _fixed(self, point: _Point) -> tuple[int, int]:
        """For cv2 a pixel's middle is at 0, for us at 0.5."""
        x, y = ((point - self._corner - 0.5) * (1 << _SHIFT)).round().astype(int).tolist()
        return x, y


def draw_figure(image: Image, figure: Figure) -> None:
    """Draw into the picture; nothing when nobody is there."""
    points = np.concatenate((figure.xy[figure.score > _HIDDEN_SCORE], figure.joints))
    points = points[np.isfinite(points).all(axis=-1)]
    if len(points) < 2:
        return
    low, high = points.min(axis=0), points.max(axis=0)
    size = float(np.linalg.norm(high - low))
    width = line_width(image, size)
    margin = 0.08 * size + 2 * width
    corner, far = clip_box(image, low - margin - width, high + margin + width)
    if far[0] <= corner[0] or far[1] <= corner[1]:
        return
    layer = Layer(image, corner, far)
    _draw_box(layer, low - margin, high + margin, max(1, width // 2), figure.detected)
    _draw_feet(layer, figure, width)
    _draw_limbs(layer, figure, width)
    _draw_joints(layer, figure, max(1, width // 2))
    layer.blend()


def line_width(image: Image, size: float) -> int:
    """Pixels: scaled to the picture, thinner for people who are small in it."""
    return max(1, round(min(min(image.shape[:2]) / 130, size / 45)))


def clip_box(image: Image, low: _Point, high: _Point) -> tuple[tuple[int, int], tuple[int, int]]:
    """The corners of what the picture shows of a box."""
    height, width = image.shape[:2]
    left, top = np.floor(np.clip(low, 0, (width, height))).astype(int).tolist()
    right, bottom = np.ceil(np.clip(high, 0, (width, height))).astype(int).tolist()
    return (left, top), (right, bottom)


def _draw_box(layer: Layer, low: _Point, high: _Point, width: int, seen: bool) -> None:
    """The four corners of the box; faint when the person was filled in, not seen."""
    arm = 0.12 * float((high - low).max())
    for x, right in ((low[0], 1), (high[0], -1)):
        for y, down in ((low[1], 1), (high[1], -1)):
            corner = np.array((x, y))
            for along in ((right * arm, 0.0), (0.0, down * arm)):
                layer.line(corner, corner + along, MIDDLE, width, 0.75 if seen else 0.25)


def _draw_feet(layer: Layer, figure: Figure, width: int) -> None:
    """A green sole under every planted foot, stronger the surer."""
    for contact, side in zip(figure.contacts, ("left", "right"), strict=True):
        if contact > _PLANTED:
            (heel, toe), score = _ends(figure, f"{side}_heel", f"{side}_toe")
            if score > 0:
                layer.line(heel, toe, CONTACT_COLOUR, 3 * width, float(contact))


def _draw_limbs(layer: Layer, figure: Figure, width: int) -> None:
    drawn = [(names, *_ends(figure, *names)) for names in _LIMBS]
    drawn.sort(key=lambda limb: limb[-1])  # the surest on top
    for names, (a, b), opacity in drawn:
        if opacity > 0:
            rim = _limb_width(names, width) + max(2, width // 2)
            layer.line(a, b, OUTLINE_COLOUR, rim, 0.7 * opacity)
    for names, (a, b), opacity in drawn:
        if opacity > 0:
            layer.line(a, b, limb_colour(names), _limb_width(names, width), opacity)


def _limb_width(names: tuple[str, str], width: int) -> int:
    face = any(name.endswith(("eye", "ear")) for name in names)
    return max(1, width // 2) if face else width


def _draw_joints(layer: Layer, figure: Figure, width: int) -> None:
    """The 3D joints where the camera sees them: thin pale bones with a dot on every joint."""
    opacity = 0.9 if figure.detected else 0.4
    known = np.asarray(np.isfinite(figure.joints).all(axis=-1))
    for bone in BODY.bones:
        if known[list(bone)].all():
            a, b = bone
            colour = _PALE[limb_colour((BODY.names[a], BODY.names[b]))]
            layer.line(figure.joints[a], figure.joints[b], colour, max(1, width // 2), opacity)
    for joint in figure.joints[known]:
        layer.dot(joint, MIDDLE, max(2, round(1.5 * width)), opacity)


def _ends(figure: Figure, first: str, second: str) -> tuple[NDArray[np.float32], float]:
    """Both points of a limb and its opacity: that of the less certain end."""
    chosen = [KEYPOINTS.index(first), KEYPOINTS.index(second)]
    points, score = figure.xy[chosen], float(figure.score[chosen].min())
    if not np.isfinite(points).all():
        return points, 0.0
    return points, float(np.clip((score - _HIDDEN_SCORE) / (_OPAQUE_SCORE - _HIDDEN_SCORE), 0, 1))


def limb_colour(names: tuple[str, str]) -> Colour:
    """Of a limb between two joints: that of the side it is on."""
    sides = {name.partition("_")[0] for name in names} & {"left", "right"}
    return {"left": LEFT, "right": RIGHT}[sides.pop()] if len(sides) == 1 else MIDDLE


def _level(opacity: float) -> int:
    return round(255 * min(1.0, opacity))
