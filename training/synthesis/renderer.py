"""Renderer of a body: projection, rasterizing, lighting, anti-aliasing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from mocap_cli.types import Float32, UInt8
from training.synthesis.camera_view import CameraView
from training.synthesis.rasterizer import NEAR, Hits, rasterize

_LINEAR = (np.arange(256, dtype=np.float32) / 255) ** 2
"""Linear light of each pixel value, with a gamma of 2."""


@dataclass(frozen=True, slots=True)
class Light:
    """A sun and a sky, as factors on surface colours; world axes."""

    to_sun: tuple[float, float, float]  # unit length
    sun: tuple[float, float, float]  # colours
    sky: tuple[float, float, float]  # from above
    bounce: tuple[float, float, float]  # from the ground
    gloss: float = 0.0  # specular strength

    def on(self, normals: Float32, to_camera: Float32) -> tuple[Float32, Float32]:
        """Diffuse and specular light (V, 3) at (V, 3) normals."""
        to_sun = np.array(self.to_sun, np.float32)
        facing = np.clip(normals @ to_sun, 0, 1)[:, None]
        upward = 0.5 + 0.5 * normals[:, 1:2]
        sun, sky, bounce = (np.array(v, np.float32) for v in (self.sun, self.sky, self.bounce))
        soft = upward * sky + (1 - upward) * bounce
        half = to_camera + to_sun
        aligned = np.einsum("vi,vi->v", normals, _unit(half))[:, None]
        shine = np.clip(aligned, 0, 1) ** 24 * np.float32(self.gloss)
        return soft + facing * sun, shine * sun


@dataclass(frozen=True, slots=True)
class BodySurface:
    """The textured surface of a body, without its pose."""

    faces: NDArray[np.int32]  # (F, 3) counter-clockwise as seen from outside
    uv: Float32  # (V, 2) 0..1, v runs up the texture
    texture: UInt8  # (S, S, 3) RGB
    weld: NDArray[np.int64]  # (V,) equal for vertices that a texture seam splits
    thickness: Float32  # (V,) metres from the skin to hair and clothes
    spread: csr_matrix = field(init=False)  # (points, F) sums faces around each point

    def __post_init__(self) -> None:
        count = len(self.faces)
        rows, columns = self.weld[self.faces].ravel(), np.repeat(np.arange(count), 3)
        shape = (int(self.weld.max()) + 1, count)
        spread = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape)
        object.__setattr__(self, "spread", spread)

    def normals(self, vertices: Float32) -> Float32:
        """(V, 3) unit normals, smooth across seams."""
        corners = np.ascontiguousarray(self.faces.T)
        x, y, z = (vertices[:, i][corners] for i in range(3))  # (3, F)
        ax, ay, az = (v[1] - v[0] for v in (x, y, z))
        bx, by, bz = (v[2] - v[0] for v in (x, y, z))
        cross = np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=1)
        return _unit(self.spread @ cross)[self.weld]


@dataclass(frozen=True, slots=True)
class RenderLayer:
    """A rendered object, cropped to its box in the image."""

    left: int  # pixels
    top: int
    light: Float32  # (h, w, 3) linear, times cover
    cover: Float32  # (h, w) 0..1
    depth: Float32  # (h, w) metres along the view to the nearest of the pixel, inf where nothing

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        h, w = self.cover.shape
        return slice(self.top, self.top + h), slice(self.left, self.left + w)

    def behind(self, depth: Float32, murk: Float32 | None = None) -> "RenderLayer":
        """The part of it in front of a depth of each pixel, (H, W) metres.

        What stands there is solid, or water that takes the share (H, W) `murk` of the light a
        metre.
        """
        drawn = np.where(np.isfinite(self.depth), self.depth, 0)
        beyond = np.maximum(drawn - depth[self.box], 0)
        free = (beyond == 0).astype(np.float32)
        if murk is not None:
            free = np.maximum(free, (1 - murk[self.box]) ** beyond)
        light, cover = self.light * free[..., None], self.cover * free
        return RenderLayer(
            self.left, self.top, light, cover, np.minimum(self.depth, depth[self.box])
        )

    def over(self, picture: UInt8) -> UInt8:
        """Composite this over an image."""
        result, part = picture.copy(), picture[self.box]
        result[self.box] = encode_gamma(
            self.light + decode_gamma(part) * (1 - self.cover[..., None])
        )
        return result


def decode_gamma(picture: UInt8) -> Float32:
    """Linear light, 0..1, of pixel values."""
    return np.asarray(_LINEAR[picture])


def encode_gamma(light: Float32) -> UInt8:
    """Pixel values of linear light."""
    return np.asarray(np.sqrt(np.clip(light, 0, 1)) * 255 + 0.5).astype(np.uint8)


def render(
    surface: BodySurface, vertices: Float32, view: CameraView, light: Light, samples: int = 2
) -> RenderLayer:
    """Draw a body whose (V, 3) vertices are in world metres, `samples` squared a pixel."""
    vertices = np.asarray(vertices, np.float32)
    normals = surface.normals(vertices)
    vertices = vertices + normals * surface.thickness[:, None]
    pixels, depth = _seen(vertices, view)
    left, top, width, height = _box(pixels, depth, view)
    grid = ((pixels - (left, top)) * samples).astype(np.float32)
    hits = rasterize(grid, depth, surface.faces, (width * samples, height * samples))
    towards = _unit(view.position.astype(np.float32) - vertices)
    colour = _colours(surface, hits, np.concatenate(light.on(normals, towards), axis=1))
    return _gathered(hits, colour, (left, top, width, height), samples)


def mean_layer(layers: Sequence[RenderLayer]) -> RenderLayer:
    """The mean of layers, for motion blur."""
    left, top = min(each.left for each in layers), min(each.top for each in layers)
    right = max(each.left + each.cover.shape[1] for each in layers)
    bottom = max(each.top + each.cover.shape[0] for each in layers)
    shape = (bottom - top, right - left)
    light, cover = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    depth = np.full(shape, np.inf, np.float32)
    for each in layers:
        h, w = each.cover.shape
        part = np.s_[each.top - top : each.top - top + h, each.left - left : each.left - left + w]
        light[part] += each.light / len(layers)
        cover[part] += each.cover / len(layers)
        depth[part] = np.minimum(depth[part], each.depth)
    return RenderLayer(left, top, light, cover, depth)


def _seen(vertices: Float32, view: CameraView) -> tuple[NDArray[np.float64], Float32]:
    """(V, 2) pixels, arbitrary behind the camera, and (V,) depth."""
    inside = view.to_camera(vertices)
    return np.nan_to_num(view.pinhole.project(inside)), (-inside[:, 2]).astype(np.float32)


def _box(
    pixels: NDArray[np.float64], depth: Float32, view: CameraView
) -> tuple[int, int, int, int]:
    """Left, top, width and height of the box inside the image, at least one pixel."""
    front = pixels[depth > NEAR]
    if not len(front):
        return 0, 0, 1, 1
    limit = (view.width, view.height)
    low = np.clip(np.floor(front.min(axis=0)), 0, np.array(limit) - 1).astype(int)
    high = np.clip(np.ceil(front.max(axis=0)), low + 1, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])


def _colours(surface: BodySurface, hits: Hits, lit: Float32) -> Float32:
    """(N, 3) linear light of every sample; lit: (V, 6) diffuse and specular light."""
    values = np.concatenate((surface.uv, lit), axis=1)
    a, b, c = surface.faces.T
    mixed = values[a[hits.face]] * hits.weights[0][:, None]
    mixed += values[b[hits.face]] * hits.weights[1][:, None]
    mixed += values[c[hits.face]] * hits.weights[2][:, None]
    paint = _texels(surface.texture, mixed[:, 0], mixed[:, 1])
    return np.asarray(_LINEAR[paint] * mixed[:, 2:5] + mixed[:, 5:8])


def _texels(texture: UInt8, u: Float32, v: Float32) -> UInt8:
    """(N, 3) bilinear samples of the texture."""
    height, width = texture.shape[:2]
    span = 4096  # remap takes coordinates as an image of at most 32767 columns
    rows = len(u) // span + 1
    x, y = np.zeros((2, rows * span), np.float32)
    x[: len(u)], y[: len(u)] = u * width - 0.5, (1 - v) * height - 0.5
    shape = (rows, span)
    found = cv2.remap(texture, x.reshape(shape), y.reshape(shape), cv2.INTER_LINEAR)
    return np.asarray(found.reshape(-1, 3)[: len(u)])


def _gathered(
    hits: Hits, colour: Float32, box: tuple[int, int, int, int], samples: int
) -> RenderLayer:
    """Samples averaged to pixels."""
    left, top, width, height = box
    shape = (height * samples, width * samples)
    grid = np.zeros((*shape, 4), np.float32)
    grid.reshape(-1, 4)[hits.place] = np.insert(colour, 3, 1, axis=1)
    depth = np.full(shape, np.inf, np.float32)
    depth.ravel()[hits.place] = hits.depth
    steps = [depth[i::samples, k::samples] for i in range(samples) for k in range(samples)]
    mean = np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    return RenderLayer(left, top, mean[..., :3], mean[..., 3], np.minimum.reduce(steps))


def _unit(vectors: Float32) -> Float32:
    """(N, 3) normalized to length 1."""
    length = np.sqrt(np.einsum("ni,ni->n", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-12)[:, None])
