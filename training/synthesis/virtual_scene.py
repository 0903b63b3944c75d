"""Scenes: ground, walls, objects and sky with their lighting, rendered from any camera."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float32, Int64, UInt8
from training.synthesis.camera_view import CameraView
from training.synthesis.materials import Material
from training.synthesis.rasterizer import rasterize
from training.synthesis.renderer import BodySurface, Light, decode_gamma, encode_gamma

Met = tuple[Float32, Int64, Int64]

FAR = 300.0
"""Metres to which the ground reaches; beyond is sky."""
GROUND, SKY = -1, -2
"""Surface indices of rays that hit no box."""


@dataclass(frozen=True, slots=True)
class ScenePlate:
    """An image of an empty scene."""

    picture: UInt8  # (H, W, 3)
    depth: Float32  # (H, W) metres along the view, inf in the sky
    ground: NDArray[np.bool_]  # (H, W) where the ground is visible


@dataclass(frozen=True, slots=True)
class Box:
    """A block in the world, seen from outside, or a room, seen from inside."""

    low: tuple[float, float, float]  # metres
    high: tuple[float, float, float]
    paint: Material
    room: bool = False

    def meet(self, origin: Float32, rays: Float32) -> tuple[Float32, Int64]:
        """Distance along each ray at which the box begins (a room: ends), and the face's axis."""
        with np.errstate(divide="ignore", invalid="ignore"):
            near = (np.array(self.low, np.float32) - origin) / rays
            far = (np.array(self.high, np.float32) - origin) / rays
        enter, leave = np.minimum(near, far), np.maximum(near, far)
        if self.room:
            return leave.min(axis=1), leave.argmin(axis=1)
        first, last = enter.max(axis=1), leave.min(axis=1)
        return np.where((first < last) & (first > 0), first, np.inf), enter.argmax(axis=1)


@dataclass(frozen=True, slots=True)
class VirtualScene:
    """A scene with the ground at Y = 0."""

    ground: Material
    sky: Callable[[Float32], Float32]
    boxes: tuple[Box, ...]  # a room, if any, comes first
    light: Light
    shadow: float = 0.5  # share of the light that a body's shadow takes away
    softness: float = 0.05  # metres by which its shadow is blurred

    def plate(self, view: CameraView, samples: int = 2) -> ScenePlate:
        """Render the empty scene."""
        rays = view.pixel_rays(samples).reshape(-1, 3).astype(np.float32)
        origin = view.position.astype(np.float32)
        met = self._meet(origin, rays)
        colours = self._colours(origin, rays, view.pinhole.focal * samples, met)
        shape = (view.height * samples, view.width * samples)
        light = np.clip(colours, 0, 1).reshape(*shape, 3) ** 2
        mean = cv2.resize(light, (view.width, view.height), interpolation=cv2.INTER_AREA)
        middle = slice(samples // 2, None, samples)
        depth, owner = (met[i].reshape(shape)[middle, middle] for i in range(2))
        return ScenePlate(
            encode_gamma(np.asarray(mean)), np.asarray(depth, np.float32), owner == GROUND
        )

    def _meet(self, origin: Float32, rays: Float32) -> Met:
        """Depth, surface index and normal axis of the hit of each ray."""
        with np.errstate(divide="ignore"):
            nearest = np.where(rays[:, 1] < 0, -origin[1] / rays[:, 1], np.inf)
        nearest[nearest > FAR] = np.inf
        owner = np.where(np.isfinite(nearest), GROUND, SKY)
        axis = np.ones(len(rays), np.int64)
        for index, box in enumerate(self.boxes):
            distance, across = box.meet(origin, rays)
            closer = (distance < nearest) & (distance > 0)
            nearest[closer], owner[closer], axis[closer] = distance[closer], index, across[closer]
        return nearest, owner, axis

    def _colours(self, origin: Float32, rays: Float32, focal: float, met: Met) -> Float32:
        nearest, owner, axis = met
        colours = np.zeros_like(rays)
        for index in np.unique(owner):
            mine = owner == index
            if index == SKY:
                colours[mine] = self.sky(rays[mine])
                continue
            points = origin + rays[mine] * nearest[mine, None]
            slant = np.abs(np.take_along_axis(rays[mine], axis[mine, None], 1)[:, 0])
            pixel = nearest[mine] / focal / np.maximum(slant, 0.03)
            paint = self.ground if index == GROUND else self.boxes[index].paint
            colours[mine] = _painted(paint, points, axis[mine], pixel)
        return colours

    def shade(
        self, picture: UInt8, surface: BodySurface, vertices: Float32, view: CameraView
    ) -> UInt8:
        """Add a body's shadow on the ground to an image."""
        fall = np.array(self.light.to_sun, np.float32)
        low = vertices[:, 1] < 0.15
        whole = _shadow(surface, vertices, fall, view, self.softness)
        touch = _shadow(surface, vertices, np.array([0, 1, 0], np.float32), view, 0.03, low)
        touch = np.minimum(2 * touch, 1)
        left = (1 - self.shadow * whole) * (1 - 0.8 * np.sqrt(self.shadow) * touch)
        rows, columns = np.nonzero(left.min(axis=1) < 1)[0], np.nonzero(left.min(axis=0) < 1)[0]
        if not len(rows):
            return picture
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        result = picture.copy()
        result[part] = encode_gamma(decode_gamma(picture[part]) * left[part][..., None])
        return result


def _painted(paint: Material, points: Float32, axis: NDArray[np.int64], pixel: Float32) -> Float32:
    """Colours of points on planes across the given axes."""
    flat = np.where((axis == 0)[:, None], points[:, [2, 1]], points[:, [0, 1]])
    flat = np.where((axis == 1)[:, None], points[:, [0, 2]], flat)
    return paint(flat.astype(np.float32), pixel.astype(np.float32))


def _shadow(
    surface: BodySurface,
    vertices: Float32,
    fall: Float32,
    view: CameraView,
    blur: float,
    chosen: NDArray[np.bool_] | None = None,
) -> Float32:
    """Share (H, W) 0..1 of each pixel's ground that is in shadow of a light in that direction."""
    faces = surface.faces if chosen is None else surface.faces[chosen[surface.faces].all(axis=1)]
    cover = np.zeros((view.height, view.width), np.float32)
    on_ground = vertices - fall * (np.maximum(vertices[:, 1:2], 0) / fall[1])
    inside = view.to_camera(on_ground)
    depth = -inside[:, 2].astype(np.float32)
    if not len(faces) or not (depth > 0.1).any():
        return cover
    half = (view.width // 2 + 1, view.height // 2 + 1)
    points = (np.nan_to_num(view.pinhole.project(inside)) / 2).astype(np.float32)
    hits = rasterize(points, depth, faces, half)
    small = np.zeros(half[::-1], np.float32)
    small.ravel()[hits.place] = 1
    width = int(blur * view.pinhole.focal / float(np.median(depth[depth > 0.1])) / 2) * 2 + 1
    flat = (width, width // 4 * 2 + 1)  # the ground is seen aslant
    small = np.asarray(cv2.blur(cv2.blur(small, flat), flat))
    large = cv2.resize(small, (half[0] * 2, half[1] * 2), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large[: view.height, : view.width], np.float32)
