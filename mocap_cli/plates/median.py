"""Median: what most frames agree on at each pixel, frame on frame or on a panorama, in tiles."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.plates.grid import dense_map
from mocap_cli.plates.plate import ALWAYS_OCCLUDED, Plate
from mocap_cli.plates.sample_store import SampleStore
from mocap_cli.plates.surface import Surface
from mocap_cli.types import Float64, UInt8

_TILE_BYTES = 96 << 20  # of samples that are held at once
_TILE_SIDE = 512  # pixels of a panorama
_NOBODY = np.uint16(0xFFFF)  # sorts behind every colour


def masked_median(samples: UInt8) -> UInt8:
    """(N, H, W, 4) to (H, W, 4): the exact median where alpha is full, else of all that is there.

    Alpha 255 is free, 0 outside of the frame, anything between a person; the result's is 255 where
    the place was seen free, NEVER_FREE where it was seen, else 0.
    """
    alpha = samples[..., 3]
    free, seen = alpha == 255, alpha > 0
    some = free.any(axis=0)
    used = np.where(some, free, seen)
    picture = np.empty((*samples.shape[1:3], 4), np.uint8)
    picture[..., :3] = _middle(samples[..., :3], used)
    picture[..., 3] = np.where(some, 255, np.where(seen.any(axis=0), ALWAYS_OCCLUDED, 0))
    return picture


def _middle(colours: UInt8, used: NDArray[np.bool_]) -> UInt8:
    """The median over the first axis of what is used; 0 where nothing is."""
    values = np.where(used[..., None], colours, _NOBODY)  # uint16
    count = used.sum(axis=0)
    ordered = np.sort(np.ascontiguousarray(np.moveaxis(values, 0, -1)), axis=-1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, len(used) - 1)
    pair = [
        np.take_along_axis(ordered, np.repeat(at[..., None, None], 3, axis=2), axis=-1)[..., 0]
        for at in (low, high)
    ]
    mean = (pair[0].astype(np.uint32) + pair[1] + 1) // 2
    return np.where(count[..., None] > 0, mean, 0).astype(np.uint8)


def static_plate(
    stack: SampleStore, chosen: Sequence[int], tables: Sequence[UInt8 | None], surface: Surface
) -> Plate:
    """The median of frames that lie on each other; `tables` even out their brightness."""
    width, height = surface.size
    step = max(1, min(height, _TILE_BYTES // (len(chosen) * width * 4)))
    strips = []
    for top in range(0, height, step):
        bottom = min(top + step, height)
        rows = [
            apply_table(stack.rows(i, top, bottom), table)
            for i, table in zip(chosen, tables, strict=True)
        ]
        strips.append(masked_median(np.stack(rows)))
    return Plate(surface, np.concatenate(strips))


def panorama_plate(
    stack: SampleStore,
    size: tuple[int, int],
    chosen: Sequence[int],
    frame_from_rays: Float64,
    tables: Sequence[UInt8 | None],
    surface: Surface,
) -> Plate:
    """The median of frames of that size, each laid where it looked; (N, 3, 3) say where."""
    width, height = surface.size
    picture = np.zeros((height, width, 4), np.uint8)
    side = _tile_side(len(chosen))
    for top in range(0, height, side):
        for left in range(0, width, side):
            part = np.s_[top : min(top + side, height), left : min(left + side, width)]
            samples = [
                apply_table(found, table)
                for index, matrix, table in zip(chosen, frame_from_rays, tables, strict=True)
                if (found := _laid(stack, index, matrix, size, surface, part)) is not None
            ]
            if samples:
                picture[part] = masked_median(np.stack(samples))
    return Plate(surface, picture)


def _tile_side(count: int) -> int:
    return max(16, int(min(_TILE_SIDE, (_TILE_BYTES / (4 * count)) ** 0.5)))


def _laid(
    stack: SampleStore,
    index: int,
    frame_from_rays: Float64,
    size: tuple[int, int],
    surface: Surface,
    part: tuple[slice, slice],
) -> UInt8 | None:
    """What a frame shows in a part of the plate, alpha 0 around it; None when nothing."""
    places = _places(frame_from_rays, surface, part)
    x, y = places[..., 0], places[..., 1]
    inside = (x >= 0.5) & (x <= size[0] - 0.5) & (y >= 0.5) & (y <= size[1] - 0.5)
    if not inside.any():
        return None
    first, last = int(y[inside].min() - 0.5), int(y[inside].max() + 0.5)
    top, bottom = max(first - 1, 0), min(last + 2, size[1])
    rows = stack.rows(index, top, bottom)
    kernel, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    laid = cv2.remap(rows, x - 0.5, y - (top + 0.5), kernel, borderMode=border)
    # Between person and background alpha is neither: not free. Outside it is 0.
    laid[..., 3] = np.where(inside, np.maximum(laid[..., 3], 1), 0)
    return np.asarray(laid, np.uint8)


def _places(
    frame_from_rays: Float64, surface: Surface, part: tuple[slice, slice]
) -> NDArray[np.float32]:
    """(h, w, 2) the frame's pixel under the middle of each of the plate's; far away behind it."""
    rows, columns = part

    def places(pixels: Float64) -> Float64:
        rays = surface.rays(pixels) @ frame_from_rays.T
        ahead = rays[..., 2:] > 0
        return np.where(ahead, rays[..., :2] / np.where(ahead, rays[..., 2:], 1), -1e5)

    corner = columns.start, rows.start
    return dense_map(places, corner, (columns.stop - columns.start, rows.stop - rows.start))


def apply_table(picture: UInt8, table: UInt8 | None) -> UInt8:
    """The picture with its colours looked up in a (256, 1, 4) table; alpha stays."""
    return picture if table is None else np.asarray(cv2.LUT(picture, table), np.uint8)
