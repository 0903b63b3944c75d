"""Median of masked frames at each pixel, of a fixed camera or on a panorama, in tiles."""

from collections.abc import Sequence

import cv2
import numpy as np

from mocap_cli.plates.plate import ALWAYS_OCCLUDED, Plate
from mocap_cli.plates.sample_store import SampleStore
from mocap_cli.plates.surface import Surface, dense_map
from mocap_cli.types import Bool, Float32, Float64, UInt8

_TILE_BYTES = 24 << 20  # of samples that are held at once; more is slower
_TILE_SIDE = 512  # pixels of a panorama
_UNUSED = np.uint16(0xFFFF)  # sorts behind every colour


def _masked_median(samples: UInt8) -> UInt8:
    """Exact median (H, W, 4) of samples (N, H, W, 4) without people, else of all in the frame.

    A sample's alpha is 255 where it is free, 0 outside of the frame, anything between on a person;
    the result's is 255 where a sample is free, else ALWAYS_OCCLUDED, or 0 outside of all frames.
    """
    alpha = samples[..., 3]
    free, inside = alpha == 255, alpha > 0
    any_free = free.any(axis=0)
    used = np.where(any_free, free, inside)
    image = np.empty((*samples.shape[1:3], 4), np.uint8)
    image[..., :3] = _median(samples[..., :3], used)
    image[..., 3] = np.where(any_free, 255, np.where(inside.any(axis=0), ALWAYS_OCCLUDED, 0))
    return image


def _median(colours: UInt8, used: Bool) -> UInt8:
    """Median over the first axis of the used values; 0 where there are none."""
    values = np.where(used[..., None], colours, _UNUSED)  # uint16
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
    store: SampleStore, chosen: Sequence[int], tables: Sequence[UInt8 | None], surface: Surface
) -> Plate:
    """Median of a fixed camera's samples; `tables` even out their brightness."""
    width, height = surface.size
    step = max(1, min(height, _TILE_BYTES // (len(chosen) * width * 4)))
    strips = []
    for top in range(0, height, step):
        bottom = min(top + step, height)
        rows = [
            apply_table(store.rows(i, top, bottom), table)
            for i, table in zip(chosen, tables, strict=True)
        ]
        strips.append(_masked_median(np.stack(rows)))
    return Plate(surface, np.concatenate(strips))


def panorama_plate(
    store: SampleStore,
    size: tuple[int, int],
    chosen: Sequence[int],
    frame_from_rays: Float64,
    tables: Sequence[UInt8 | None],
    surface: Surface,
) -> Plate:
    """Median of a panning camera's samples, warped by `frame_from_rays` (N, 3, 3)."""
    width, height = surface.size
    image = np.zeros((height, width, 4), np.uint8)
    side = _tile_side(len(chosen))
    for top in range(0, height, side):
        for left in range(0, width, side):
            tile = np.s_[top : min(top + side, height), left : min(left + side, width)]
            samples = [
                apply_table(found, table)
                for index, matrix, table in zip(chosen, frame_from_rays, tables, strict=True)
                if (found := _warped(store, index, matrix, size, surface, tile)) is not None
            ]
            if samples:
                image[tile] = _masked_median(np.stack(samples))
    return Plate(surface, image)


def _tile_side(count: int) -> int:
    return max(16, int(min(_TILE_SIDE, (_TILE_BYTES / (4 * count)) ** 0.5)))


def _warped(
    store: SampleStore,
    index: int,
    frame_from_rays: Float64,
    size: tuple[int, int],
    surface: Surface,
    tile: tuple[slice, slice],
) -> UInt8 | None:
    """A frame warped to a tile of the plate, alpha 0 outside of it; None if all is outside."""
    places = _places(frame_from_rays, surface, tile)
    x, y = places[..., 0], places[..., 1]
    inside = (x >= 0.5) & (x <= size[0] - 0.5) & (y >= 0.5) & (y <= size[1] - 0.5)
    if not inside.any():
        return None
    first, last = int(y[inside].min() - 0.5), int(y[inside].max() + 0.5)
    top, bottom = max(first - 1, 0), min(last + 2, size[1])
    rows = store.rows(index, top, bottom)
    kernel, border = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    warped = cv2.remap(rows, x - 0.5, y - (top + 0.5), kernel, borderMode=border)
    # On the edge of a person alpha is between, which is not free. Outside it is 0.
    warped[..., 3] = np.where(inside, np.maximum(warped[..., 3], 1), 0)
    return np.asarray(warped, np.uint8)


def _places(frame_from_rays: Float64, surface: Surface, tile: tuple[slice, slice]) -> Float32:
    """(h, w, 2) the frame's pixel at the middle of each plate pixel; far outside if behind it."""
    rows, columns = tile

    def places(pixels: Float64) -> Float64:
        rays = surface.rays(pixels) @ frame_from_rays.T
        ahead = rays[..., 2:] > 0
        return np.where(ahead, rays[..., :2] / np.where(ahead, rays[..., 2:], 1), -1e5)

    corner = columns.start, rows.start
    return dense_map(places, corner, (columns.stop - columns.start, rows.stop - rows.start))


def apply_table(image: UInt8, table: UInt8 | None) -> UInt8:
    """Look up the colours of an RGBA image in a (256, 1, 4) table; alpha stays."""
    return image if table is None else np.asarray(cv2.LUT(image, table), np.uint8)
