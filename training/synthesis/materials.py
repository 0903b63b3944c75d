"""Procedural materials of floors, walls and skies, as functions of a position in metres.

A material does not repeat and does not alias: each detail fades out where a pixel covers more of
the surface than the detail.
"""

from collections.abc import Callable

import cv2
import numpy as np

from mocap_cli.types import Float32

Material = Callable[[Float32, Float32], Float32]
"""Positions (N, 2) in metres and pixel footprints (N,) to colours (N, 3), 0..1."""
Cloud = Callable[[Float32, Float32, float], Float32]
"""Positions, pixel footprints and the largest scale in metres to noise (N,), about -2..2."""

_TABLE = 256


def cloud(rng: np.random.Generator) -> Cloud:
    """Noise that can be evaluated anywhere in the plane."""
    waves = np.fft.rfft2(rng.normal(size=(_TABLE, _TABLE)))
    pace = np.hypot(np.fft.fftfreq(_TABLE)[:, None], np.fft.rfftfreq(_TABLE)[None]) * 8
    table = np.fft.irfft2(waves * np.exp(-2 * pace**2))  # blobs of 8 cells that repeat seamlessly
    tiled: Float32 = np.pad(table / table.std(), (0, 1), mode="wrap").astype(np.float32)

    def at(places: Float32, pixel: Float32, size: float) -> Float32:
        total = np.zeros(len(places), np.float32)
        for octave in range(6):
            blob = size / 2**octave
            fade = np.clip(blob / np.maximum(pixel, 1e-9) / 2 - 0.5, 0, 1)
            if fade.max() <= 0:
                break
            spots = places * np.float32(8 / blob) + np.float32(37 * octave)
            total += fade * _look_up(tiled, spots) / np.float32(1.6**octave)
        return total * np.float32(0.7)

    return at


def _look_up(table: Float32, places: Float32) -> Float32:
    span = 4096
    grid = np.zeros((2, (len(places) // span + 1) * span), np.float32)
    grid[:, : len(places)] = np.mod(places.T, _TABLE)
    x, y = grid.reshape(2, -1, span)
    found = cv2.remap(table, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).ravel()[: len(places)]


def speckled(colour: Float32, rng: np.random.Generator, size: float, depth: float) -> Material:
    """Grass, sand, asphalt, plaster, snow: one colour modulated by noise."""
    clouds, tint = cloud(rng), rng.normal(0, 0.3, 3).astype(np.float32)

    def paint(places: Float32, pixel: Float32) -> Float32:
        grain = clouds(places, pixel, size)[:, None]
        wide = clouds(places + 91, pixel, size * 12)[:, None]
        return np.asarray(colour * (1 + depth * grain + 0.6 * depth * wide * (1 + tint)))

    return paint


def lined(
    base: Material, rng: np.random.Generator, step: tuple[float, float], width: float, ink: Float32
) -> Material:
    """Tiles, planks, bricks, panels: a grid of joints, with a shade for each piece."""
    shades = rng.normal(0, 0.05, 1024).astype(np.float32)
    shift = rng.choice([0.0, 0.0, 0.5])

    def paint(places: Float32, pixel: Float32) -> Float32:
        v = places[:, 1] / step[1]
        u = places[:, 0] / step[0] + shift * (np.floor(v) % 2)
        piece = (np.floor(u) * 57 + np.floor(v) * 131).astype(np.int64) % 1024
        far = np.clip(min(step) / np.maximum(pixel, 1e-9) / 2 - 0.5, 0, 1)[:, None]
        line = np.maximum(
            _line(u, width / step[0], pixel / step[0]), _line(v, width / step[1], pixel / step[1])
        )[:, None]
        shade = 1 + far * shades[piece][:, None]
        return np.asarray(base(places, pixel) * shade * (1 - line) + ink * line)

    return paint


def _line(x: Float32, width: float, pixel: Float32) -> Float32:
    """Share of a pixel that lines at the integers cover."""
    distance = np.abs((x + 0.5) % 1 - 0.5)
    reach = np.maximum(pixel, 1e-6)
    cover = np.clip((width / 2 - distance) / reach + 0.5, 0, 1)
    return np.asarray(np.where(reach > 0.5, min(width, 1.0), cover * np.minimum(1, 1)))


def marked(
    base: Material, shapes: list[tuple[float, float, float, float]], inks: list[Float32]
) -> Material:
    """Mats, posters, windows, court lines: rectangles (left, low, right, high) laid over a base."""

    def paint(places: Float32, pixel: Float32) -> Float32:
        colours = base(places, pixel)
        for (left, low, right, high), ink in zip(shapes, inks, strict=True):
            x, y = places[:, 0], places[:, 1]
            inside = np.minimum(np.minimum(x - left, right - x), np.minimum(y - low, high - y))
            cover = np.clip(inside / np.maximum(pixel, 1e-9) + 0.5, 0, 1)[:, None]
            colours = colours * (1 - cover) + ink * cover
        return np.asarray(colours)

    return paint


def water(rng: np.random.Generator, lanes: float = 2.5) -> Material:
    """A pool's surface: ripples, a pale tiled floor below, and floating lane lines."""
    clouds = cloud(rng)
    deep, pale = np.array([0.05, 0.42, 0.6], np.float32), np.array([0.45, 0.8, 0.88], np.float32)

    def paint(places: Float32, pixel: Float32) -> Float32:
        ripple = clouds(places * (1, 2.2), pixel, 1.2)[:, None]
        mix = np.clip(0.35 + 0.22 * ripple, 0, 1)
        colours = deep * (1 - mix) + pale * mix
        line = _line(places[:, 0] / lanes + 0.5, 0.12 / lanes, pixel / lanes)[:, None]
        beads = np.where(
            (places[:, 1:2] // 1.5) % 2 < 1, [[0.85, 0.15, 0.12]], [[0.95, 0.95, 0.95]]
        )
        return np.asarray(colours * (1 - 0.8 * line) + 0.8 * line * beads, np.float32)

    return paint


def sky(rng: np.random.Generator, skyline: float) -> Callable[[Float32], Float32]:
    """A sky with clouds down to hills or trees of about that height over the horizon, radians."""
    clouds, hills = cloud(rng), cloud(rng)
    zenith = np.array([0.28, 0.48, 0.82], np.float32) * rng.uniform(0.6, 1.2)
    haze = np.array([0.8, 0.86, 0.93], np.float32) * rng.uniform(0.8, 1.05)
    land = (
        np.array([0.16, 0.24, 0.14], np.float32) * rng.uniform(0.5, 2.0) * rng.uniform(0.8, 1.2, 3)
    )
    cover = rng.uniform(-1.5, 1.0)

    def paint(rays: Float32) -> Float32:
        up = rays[:, 1] / np.linalg.norm(rays, axis=1)
        around = np.arctan2(rays[:, 0], -rays[:, 2])
        high = np.clip(up, 0, 1)[:, None] ** 0.5
        colours = haze * (1 - high) + zenith * high
        flat = rays[:, [0, 2]] / np.maximum(up, 0.05)[:, None]
        fine = np.full(len(rays), 1e-3, np.float32)
        white = np.clip(0.5 * clouds(flat.astype(np.float32), fine, 3.0) + cover, 0, 1)[:, None]
        colours = colours * (1 - 0.8 * white) + 0.8 * white
        along = np.stack((around * 4, np.zeros_like(around)), axis=1).astype(np.float32)
        height = skyline * (1 + 0.35 * hills(along, fine, 2.0))
        texture = 1 + 0.2 * hills(np.stack((around, up), 1).astype(np.float32) * 30, fine, 1.0)
        below = np.clip((height - up) * 400 + 0.5, 0, 1)[:, None]
        return np.asarray(colours * (1 - below) + land * texture[:, None] * below, np.float32)

    return paint
