"""Colours, noise and the patterns of cloth."""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from mocap_cli.types import Float32

Pattern = Callable[[Float32], Float32]
"""Positions on the average body (N, 3) to sRGB colours (N, 3), 0..1."""
Where = Callable[[Float32], NDArray[np.bool_]]


def colour(rng: np.random.Generator) -> Float32:
    """A random colour of clothes: often black, white, grey or navy."""
    if rng.random() < 0.4:
        value = rng.choice([0.05, 0.1, 0.2, 0.5, 0.75, 0.93])
        return np.asarray(np.clip(value + rng.normal(0, 0.02, 3) + (0, 0, 0.02), 0, 1), np.float32)
    hue, strength = rng.random(), rng.uniform(0.3, 0.95)
    return np.array(colorsys.hsv_to_rgb(hue, strength, rng.uniform(0.25, 0.95)), np.float32)


def noise(
    shape: tuple[int, int], cells: int, rng: np.random.Generator, octaves: int = 4
) -> Float32:
    """Smooth noise (H, W) with mean 0 and a deviation of about 1."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        count = cells * 2**octave
        grid = rng.normal(size=(count + 1, max(count * shape[1] // shape[0], 1) + 1))
        cloud = cv2.resize(grid.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
        total += np.asarray(cloud, np.float32) / 2**octave
    return np.asarray((total - total.mean()) / (total.std() + 1e-6))


def pattern(rng: np.random.Generator) -> Pattern:
    """A random cloth: plain, striped, checked, dotted, halved or shaded from top to bottom."""
    first, second = colour(rng), colour(rng)
    kinds: dict[str, tuple[float, Where]] = {
        "plain": (0.4, lambda p: np.zeros(len(p), bool)),
        "hoops": (0.15, _stripes(rng, (0, 1, 0))),
        "pinstripes": (0.08, _stripes(rng, (1, 0, 0.4))),
        "slanted": (0.05, _stripes(rng, (1, 1, 0.3))),
        "checks": (0.08, _checks(rng)),
        "dots": (0.06, _dots(rng)),
        "halves": (0.08, lambda p: p[:, 0] > 0),
        "front": (0.05, lambda p: p[:, 2] > 0.02),
        "block": (0.05, _above(rng)),
    }
    share = np.array([share for share, _ in kinds.values()])
    where = list(kinds.values())[rng.choice(len(kinds), p=share / share.sum())][1]
    return lambda places: np.where(where(places)[:, None], second, first).astype(np.float32)


def _stripes(rng: np.random.Generator, across: tuple[float, float, float]) -> Where:
    step, share = rng.uniform(0.02, 0.16), rng.uniform(0.2, 0.6)
    return lambda p: (p @ np.array(across, np.float32) / step) % 1 < share


def _checks(rng: np.random.Generator) -> Where:
    step = rng.uniform(0.03, 0.12)
    return lambda p: (np.floor(p / step).sum(axis=1) % 2) == 0


def _dots(rng: np.random.Generator) -> Where:
    step, share = rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.45)
    return lambda p: (((p / step) % 1 - 0.5) ** 2)[:, :2].sum(axis=1) < share**2


def _above(rng: np.random.Generator) -> Where:
    height = rng.uniform(0.1, 0.5)
    return lambda p: p[:, 1] > height
