"""A z-buffer in numpy: the nearest triangle at every sample of an image.

Triangles of a body are a few samples large and there are thousands of them, so every
step handles all of them at once: triangles become rows, rows become spans of samples, and the
nearest sample of each place is kept.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float32, Int64

NEAR = 0.05
"""Metres: a triangle with a corner nearer than this is left out instead of being cut."""
_REACH = np.float32(1e-4)
"""Samples by which spans are widened, so that rounding leaves no gap between neighbours."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The covered samples, and the nearest triangle at each."""

    place: Int64  # (N,) row * width + column of the sample
    face: NDArray[np.int32]  # (N,) index of the triangle
    weights: Float32  # (3, N) perspective-correct barycentric weights
    depth: Float32  # (N,) metres along the view


def rasterize(
    points: Float32, depth: Float32, faces: NDArray[np.int32], size: tuple[int, int]
) -> Hits:
    """The nearest triangle at the centre of every sample.

    points: (V, 2) in samples, x right, y down, a sample's middle at +0.5; depth: (V,) metres;
    faces: (F, 3) counter-clockwise as seen from outside; size: (width, height) in samples.
    """
    corners = np.ascontiguousarray(faces.T)  # (3, F): sums over corners are fast along rows
    x, y = points[:, 0][corners], points[:, 1][corners]
    near = np.float32(1) / depth[corners]
    kept = _facing(x, y, near, size)
    x, y, near = x[:, kept], y[:, kept], near[:, kept]
    triangle, row = _rows(y, size[1])
    start, count = _spans(x, y, triangle, row, size[0])
    line = np.repeat(np.arange(len(triangle)), count)  # which row of which triangle
    column = np.arange(len(line)) - np.repeat(np.cumsum(count) - count - start, count)
    owner, place = triangle[line], row[line] * size[0] + column
    origin, step = _nearness(x, y, near, triangle, row)
    first = _nearest(place, origin[line] + step[owner] * column.astype(np.float32))
    owner, place = owner[first], place[first]
    weights = _weights(x, y, owner, place % size[0], place // size[0]) * near[:, owner]
    total = weights.sum(axis=0)
    return Hits(place, kept[owner].astype(np.int32), weights / total, 1 / total)


def _facing(x: Float32, y: Float32, near: Float32, size: tuple[int, int]) -> Int64:
    """Indices of the triangles that face the camera and may be in the image."""
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    seen = (area < 0) & (near.min(axis=0) > 0) & (near.max(axis=0) < 1 / NEAR)
    seen &= (x.max(axis=0) > 0) & (x.min(axis=0) < size[0])
    seen &= (y.max(axis=0) > 0) & (y.min(axis=0) < size[1])
    return np.flatnonzero(seen)


def _rows(y: Float32, height: int) -> tuple[Int64, Int64]:
    """All pairs of a triangle and a row of samples that may overlap, as two index lists."""
    top = np.maximum(np.ceil(y.min(axis=0) - 0.5), 0).astype(np.int64)
    bottom = np.minimum(np.floor(y.max(axis=0) - 0.5), height - 1).astype(np.int64)
    count = np.maximum(bottom - top + 1, 0)
    triangle = np.repeat(np.arange(y.shape[1]), count)
    row = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count - top, count)
    return triangle, row


def _spans(x: Float32, y: Float32, triangle: Int64, row: Int64, width: int) -> tuple[Int64, Int64]:
    """First sample and number of samples inside the triangle on each row."""
    low = np.zeros(len(row), np.float32)
    high = np.full(len(row), width - 1, np.float32)
    middle = (row + 0.5).astype(np.float32)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        fall = y[b] - y[a]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (x[b] - x[a]) / fall
            edge = slope[triangle] * (middle - y[a][triangle]) + (x[a] - 0.5)[triangle]
        down = fall[triangle]  # an edge that runs down the image is a left bound
        low = np.where(down > 0, np.maximum(low, edge), low)
        high = np.where(down < 0, np.minimum(high, edge), high)
    start = np.ceil(low - _REACH).astype(np.int64)
    return start, np.maximum(np.floor(high + _REACH).astype(np.int64) - start + 1, 0)


def _nearness(
    x: Float32, y: Float32, near: Float32, triangle: Int64, row: Int64
) -> tuple[Float32, Float32]:
    """1 / depth is linear in the image: its value in column 0 of each row, and its step per column
    in each triangle. Double precision, because thin triangles are steep."""
    ax, ay, rise_a = (np.subtract(v[1], v[0], dtype=np.float64) for v in (x, y, near))
    bx, by, rise_b = (np.subtract(v[2], v[0], dtype=np.float64) for v in (x, y, near))
    area = bx * ay - ax * by
    across, down = (rise_b * ay - rise_a * by) / area, (bx * rise_a - ax * rise_b) / area
    origin = near[0] - across * (x[0] - 0.5) - down * (y[0] - 0.5)
    return (origin[triangle] + down[triangle] * row).astype(np.float32), across.astype(np.float32)


def _nearest(place: Int64, near: Float32) -> Int64:
    """The nearest entry of each sample."""
    if not len(place):
        return place
    low, high = int(place.min()), int(place.max())
    best = np.zeros(high - low + 1, np.float32)
    np.maximum.at(best, place - low, near)
    winner = np.full(high - low + 1, -1, np.int64)
    level = np.flatnonzero(near == best[place - low])
    winner[place[level] - low] = level  # the last of equals is kept
    return winner[winner >= 0]


def _weights(x: Float32, y: Float32, owner: Int64, column: Int64, row: Int64) -> Float32:
    """(3, N) barycentric weights at the samples, in the image plane."""
    ax, ay, bx, by = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    area = ax * by - bx * ay
    right = (column + 0.5).astype(np.float32) - x[0][owner]
    down = (row + 0.5).astype(np.float32) - y[0][owner]
    second = right * (by / area)[owner] - down * (bx / area)[owner]
    third = down * (ax / area)[owner] - right * (ay / area)[owner]
    return np.clip(np.stack((1 - second - third, second, third)), 1e-6, 1)
