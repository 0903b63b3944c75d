"""Images of people with known keypoints, cut from the video as it is, and varied ones of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.keypoints.crop import CROP_SIZE, Crop
from mocap_cli.labels.alignment.projection import labelled_keypoints
from mocap_cli.labels.fitting.degrade import Degradation
from mocap_cli.labels.fitting.gather import LabelledClip
from mocap_cli.labels.tuning.movenet import COUNT
from mocap_cli.progress import Count, no_progress
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Float32, Float64, UInt8
from mocap_cli.video.reader import open_video

_MARGIN = 1.5  # sides of the crop that are kept, so that it can be turned and shifted
_SIDE = round(_MARGIN * CROP_SIZE)
_JPEG_QUALITY = 92
_TORSO = [KEYPOINTS.index(f"{side}_{part}") for part in ("shoulder", "hip")
          for side in ("left", "right")]  # fmt: skip
_MIRRORED = list(mirror_indices(KEYPOINTS)[:COUNT])
_TALL = 0.5  # height of the person, in sides of the crop


_Known = dict[int, tuple[Crop, Float64, Float64]]
"""Of frames: where to cut, keypoints (21, 2) in pixels of the video, and weights (21,)."""


@dataclass(frozen=True, slots=True, eq=False)
class KeypointImage:
    """A person, where the tracker looks for them."""

    packed: UInt8  # JPEG
    xy: Float32  # (17, 2) pixels of the image
    weight: Float32  # (17,) 0 where unknown

    @staticmethod
    def cut(
        image: UInt8, crop: Crop, xy: NDArray[np.floating], weight: NDArray[np.floating]
    ) -> "KeypointImage":
        """The part of an image around a crop, with keypoints (17, 2) in pixels of that image."""
        linear = crop.axes * crop.scale
        corner = np.array((crop.x, crop.y)) - linear @ np.full(2, _SIDE / 2)
        cut = _warped(image, linear, corner, _SIDE)
        own = (np.nan_to_num(xy) - corner) @ np.linalg.inv(linear).T
        quality = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        packed = np.asarray(cv2.imencode(".jpg", cut, quality)[1], np.uint8)
        return KeypointImage(packed, own.astype(np.float32), weight.astype(np.float32))

    def crop(self) -> tuple[UInt8, Float32]:
        """The network's input (256, 256, 3) as it is, and the keypoints in it."""
        rim = (_SIDE - CROP_SIZE) // 2
        inside = slice(rim, rim + CROP_SIZE)
        return self._image()[inside, inside], self.xy - np.float32(rim)

    def varied(self, rng: np.random.Generator) -> tuple[UInt8, Float32, Float32]:
        """An input turned, shifted, scaled, mirrored and degraded; keypoints and weights."""
        turn = rng.normal(0, 0.35) if rng.random() < 0.9 else rng.uniform(-np.pi, np.pi)
        scale, shift = np.exp(rng.normal(0, 0.12)), rng.normal(0, 0.04 * CROP_SIZE, 2)
        linear = _rotation(turn) * scale
        corner = _SIDE / 2 + shift - linear @ np.full(2, CROP_SIZE / 2)
        image = _warped(self._image(), linear, corner, CROP_SIZE)
        xy = (self.xy - corner) @ np.linalg.inv(linear).T
        weight = self.weight
        image = _recoloured(_covered(_degraded(image, rng), rng), rng)
        if rng.random() < 0.5:
            image = image[:, ::-1]
            xy, weight = xy[_MIRRORED] * (-1, 1) + (CROP_SIZE, 0), weight[_MIRRORED]
        inside = ((xy > 0) & (xy < CROP_SIZE)).all(axis=-1)
        return np.ascontiguousarray(image), xy.astype(np.float32), weight * inside

    def _image(self) -> UInt8:
        return np.asarray(cv2.imdecode(self.packed, cv2.IMREAD_COLOR), np.uint8)


def labelled_images(clip: LabelledClip, on_frame: Count = no_progress) -> list[KeypointImage]:
    """The labelled frames, cut out where the tracker looked, or around the labels if it did not.

    Where it fails, its crop is turned and shifted: the network must find the body from there.
    """
    xy = labelled_keypoints(clip.labels, clip.estimate)
    found = clip.estimate.keypoints
    known: _Known = {}
    for frame, points in zip(clip.labels.frames.tolist(), xy, strict=True):
        weight = np.asarray(np.isfinite(points).all(axis=-1), np.float64)
        own, seen = _crop(points, weight), _crop(found.xy[frame], found.score[frame])
        crop = seen if seen and (own is None or seen.overlaps(own)) else own
        if crop is not None:
            known[frame] = crop, points, weight
    return _cut(clip.video, known, on_frame)


def confident_images(
    video: Path, found: Estimate, count: int, on_frame: Count = no_progress
) -> list[KeypointImage]:
    """At most that many frames in which the tracker is confident, with the keypoints it trusts."""
    keypoints = found.keypoints
    trusted = keypoints.trusted_score
    usable = np.flatnonzero(keypoints.detected & keypoints.confident & trusted.any(axis=1))
    some = usable[np.unique(np.linspace(0, len(usable) - 1, min(count, len(usable))).astype(int))]
    known: _Known = {}
    for frame in some.tolist():
        xy = keypoints.xy[frame].astype(np.float64)
        if (crop := _crop(xy, keypoints.score[frame])) is not None:
            known[frame] = crop, xy, trusted[frame]
    return _cut(video, known, on_frame)


def _crop(xy: NDArray[np.floating], score: NDArray[np.floating]) -> Crop | None:
    """The crop around keypoints; None where the torso is unknown. Other unknown points are left."""
    if not np.isfinite(xy[_TORSO]).all():
        return None
    body, middle = xy[:COUNT].astype(np.float64), xy[_TORSO].mean(axis=0)
    return Crop.around_body(np.where(np.isfinite(body), body, middle), score[:COUNT])


def _cut(video: Path, known: _Known, on_frame: Count) -> list[KeypointImage]:
    images = []
    with open_video(video) as reader:
        for frame in reader:
            on_frame(frame.index + 1)
            if frame.index in known:
                crop, xy, weight = known[frame.index]
                images.append(KeypointImage.cut(frame.image, crop, xy[:COUNT], weight[:COUNT]))
    return images


def _warped(image: UInt8, linear: Float64, corner: Float64, side: int) -> UInt8:
    """(side, side, 3) of an image: its pixels by `linear`, its first corner at `corner`."""
    times = int(np.linalg.norm(linear[0]))
    if times > 1:  # a bilinear warp would skip pixels
        height, width = image.shape[:2]
        size = max(1, width // times), max(1, height // times)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        share = np.array(size) / (width, height)
        linear, corner = linear * share[:, None], corner * share
    shift = corner + linear @ np.full(2, 0.5) - 0.5  # cv2 counts from the middle of a pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack((linear, shift))
    return np.asarray(cv2.warpAffine(image, matrix, (side, side), flags=flags), np.uint8)


def _rotation(angle: float) -> Float64:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def _degraded(image: UInt8, rng: np.random.Generator) -> UInt8:
    """Half of the images blurred, dark, noisy or compressed, a quarter as if far away."""
    if rng.random() < 0.5:
        image = Degradation.random(rng).apply(image, _TALL * CROP_SIZE, 0.0, rng)
    if rng.random() < 0.25:
        small = round(CROP_SIZE / rng.uniform(1.5, 5))
        image = np.asarray(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA))
        image = np.asarray(cv2.resize(image, (CROP_SIZE, CROP_SIZE)), np.uint8)
    return image


def _covered(image: UInt8, rng: np.random.Generator) -> UInt8:
    """A quarter of the images with something in front."""
    if rng.random() < 0.25:
        for _ in range(rng.integers(1, 3)):
            axes = rng.uniform(0.04, 0.15, 2) * CROP_SIZE
            x, y = rng.integers(0, CROP_SIZE, 2)
            colour = image[tuple(rng.integers(0, CROP_SIZE, 2))].tolist()
            middle, half = (int(x), int(y)), (int(axes[0]), int(axes[1]))
            image = np.ascontiguousarray(image)
            cv2.ellipse(image, middle, half, rng.uniform(0, 180), 0, 360, colour, -1)
    return image


def _recoloured(image: UInt8, rng: np.random.Generator) -> UInt8:
    """Half of the images brighter, darker or tinted."""
    if rng.random() < 0.5:
        image = np.clip(image * rng.uniform(0.7, 1.3, 3), 0, 255).astype(np.uint8)
    return image


def stack(
    images: Sequence[KeypointImage], rng: np.random.Generator
) -> tuple[UInt8, Float32, Float32]:
    """A batch of varied inputs, with keypoints and weights."""
    pictures, xy, weight = zip(*(image.varied(rng) for image in images), strict=True)
    return np.stack(pictures), np.stack(xy), np.stack(weight)
