"""Random scenes: a gym, a pool, snow, a stage, a meadow, a street."""

import math

import numpy as np

from mocap_cli.types import Float32
from training.synthesis.cloth_patterns import colour
from training.synthesis.materials import Material, lined, marked, sky, speckled, water
from training.synthesis.renderer import Light
from training.synthesis.virtual_scene import Box, VirtualScene

Random = np.random.Generator


def random_scene(rng: Random) -> VirtualScene:
    """A random scene."""
    places = (gym, pool, snow, stage, meadow, street, room)
    return places[rng.integers(len(places))](rng)


def sunlight(rng: Random) -> Light:
    """A high sun and a blue sky."""
    return Light(
        _direction(rng, math.radians(35), math.radians(75)),
        _tinted(rng, rng.uniform(0.5, 0.95), (1.0, 0.95, 0.86)),
        _tinted(rng, rng.uniform(0.25, 0.5), (0.86, 0.94, 1.08)),
        _tinted(rng, rng.uniform(0.12, 0.3), (1.0, 1.0, 0.9)),
        gloss=float(rng.uniform(0, 0.08)),
    )


def lamps(rng: Random, level: float = 1.0) -> Light:
    """Many lamps under a ceiling."""
    return Light(
        _direction(rng, math.radians(60), math.radians(88)),
        _tinted(rng, level * rng.uniform(0.25, 0.5), (1.0, 0.97, 0.9)),
        _tinted(rng, level * rng.uniform(0.4, 0.65), (1.0, 0.98, 0.94)),
        _tinted(rng, level * rng.uniform(0.2, 0.4), (1.0, 0.96, 0.9)),
        gloss=float(rng.uniform(0, 0.06)),
    )


def gym(rng: Random) -> VirtualScene:
    """A sports hall: planks, court lines and mats, walls with windows."""
    wood = np.array([0.72, 0.53, 0.33], np.float32) * rng.uniform(0.7, 1.2)
    floor = lined(speckled(wood, rng, 0.3, 0.05), rng, (1.8, 0.12), 0.006, wood * 0.6)
    rectangles = [(x, -40.0, x + 0.05, 40.0) for x in rng.uniform(-12, 12, 3)]
    rectangles += [(-40.0, y, 40.0, y + 0.05) for y in rng.uniform(-12, 12, 3)]
    rectangles += [_rectangle(rng, 6, (2, 12)) for _ in range(rng.integers(3))]
    ground = marked(floor, rectangles, [colour(rng) for _ in rectangles])
    hall = _hall(rng, rng.uniform(6, 20), rng.uniform(5, 9))
    return VirtualScene(ground, _dark, (hall, *_clutter(rng)), lamps(rng), 0.55, 0.06)


def room(rng: Random) -> VirtualScene:
    """A room of a house or a studio: random floor, walls with pictures."""
    floor = speckled(colour(rng), rng, rng.uniform(0.05, 0.6), rng.uniform(0.02, 0.12))
    if rng.random() < 0.5:
        step = (float(rng.uniform(0.1, 1.2)), float(rng.uniform(0.1, 0.6)))
        floor = lined(floor, rng, step, 0.008, colour(rng))
    hall = _hall(rng, rng.uniform(3.6, 6), rng.uniform(2.5, 3.4))
    return VirtualScene(floor, _dark, (hall, *_clutter(rng)), lamps(rng), 0.5, 0.05)


def pool(rng: Random) -> VirtualScene:
    """The side of a swimming pool, water behind."""
    tile = np.array([0.85, 0.86, 0.84], np.float32) * rng.uniform(0.7, 1.0)
    side = float(rng.uniform(0.15, 0.4))
    deck = lined(speckled(tile, rng, 0.4, 0.03), rng, (side, side), 0.01, tile * 0.7)
    basin, far = water(rng), rng.uniform(1.5, 4)

    def ground(places: Float32, pixel: Float32) -> Float32:
        wet = np.clip((-places[:, 1] - far) / np.maximum(pixel, 1e-6) + 0.5, 0, 1)[:, None]
        return np.asarray(deck(places, pixel) * (1 - wet) + basin(places, pixel) * wet)

    if rng.random() < 0.5:
        hall = _hall(rng, rng.uniform(12, 25), rng.uniform(5, 9))
        return VirtualScene(ground, _dark, (hall,), lamps(rng), 0.35, 0.05)
    return VirtualScene(ground, sky(rng, 0.08), (), sunlight(rng), 0.5, 0.03)


def tower(rng: Random, height: float) -> VirtualScene:
    """A diving hall: water everywhere at Y = 0, and a platform that ends at X = 0."""
    ceiling = max(11.0, height + 4.5)
    concrete = speckled(np.array([0.78, 0.78, 0.76], np.float32), rng, 0.5, 0.03)
    tiles = lined(concrete, rng, (0.25, 0.25), 0.01, np.array([0.55, 0.6, 0.62], np.float32))
    steel = speckled(np.array([0.75, 0.77, 0.8], np.float32), rng, 0.5, 0.01)
    wall = lined(
        speckled(np.array([0.52, 0.6, 0.64], np.float32), rng, 1.5, 0.02),
        rng, (0.6, 0.3), 0.012, np.array([0.42, 0.5, 0.54], np.float32),
    )  # fmt: skip
    panes = [(x, 4.2, x + 1.5, 8.6) for x in np.arange(-13.0, 16, 1.9)]
    band = [(-20.0, 1.4, 20.0, 1.75)]
    glass = [np.array([0.72, 0.84, 0.92], np.float32)] * len(panes)
    blue = np.array([0.12, 0.32, 0.62], np.float32)
    boxes = (
        Box(
            (-14, -1, -9), (16, ceiling, 15), marked(wall, band + panes, [blue, *glass]), room=True
        ),
        Box((-14, -1, -9), (16, 0.3, -6.5), tiles),  # the far side of the pool
        Box((-4, height - 0.22, -1.1), (0, height, 1.1), concrete),
        Box((-3.4, -1, -0.7), (-2.3, height - 0.2, 0.7), concrete),
        Box((-4, height + 0.95, -1.1), (-0.9, height + 1.0, -1.05), steel),
        Box((-4, height + 0.95, 1.05), (-0.9, height + 1.0, 1.1), steel),
        Box((-0.95, height, -1.1), (-0.9, height + 1.0, -1.05), steel),
        Box((-0.95, height, 1.05), (-0.9, height + 1.0, 1.1), steel),
    )
    return VirtualScene(water(rng, 1e3), _dark, boxes, lamps(rng), 0.0)


def rink(rng: Random) -> VirtualScene:
    """An ice rink: pale ice with lines, boards with advertisements, a dark stand behind."""
    white = np.array([0.82, 0.88, 0.93], np.float32) * rng.uniform(0.85, 1.0)
    lines = [(x, -30.0, x + 0.3, 30.0) for x in rng.uniform(-14, 14, 2)]
    inks = [np.array(c, np.float32) for c in ((0.75, 0.2, 0.2), (0.2, 0.35, 0.7))]
    ground = marked(speckled(white, rng, 0.6, 0.025), lines, inks)
    far = float(rng.uniform(4.5, 8))
    cloth = [(float(x), 0.1, float(x) + 2.6, 1.0) for x in np.arange(-30, 30, 2.8)]
    board = marked(speckled(white, rng, 0.4, 0.05), cloth, [colour(rng) for _ in cloth])
    seats = lined(speckled(colour(rng) * 0.4 + 0.05, rng, 0.5, 0.1), rng, (0.5, 0.8), 0.04, white)
    boxes = (
        Box((-30.0, -1.0, -far - 7), (30.0, 9.0, 30.0), seats, room=True),
        Box((-30.0, 0.0, -far - 0.2), (30.0, 1.1, -far), board),
    )
    return VirtualScene(ground, _dark, boxes, lamps(rng, rng.uniform(0.9, 1.3)), 0.35, 0.06)


def snow(rng: Random) -> VirtualScene:
    """A snow field before mountains."""
    white = np.array([0.93, 0.95, 0.99], np.float32) * rng.uniform(0.85, 1.0)
    ground = speckled(white, rng, rng.uniform(0.3, 1.5), 0.02)
    return VirtualScene(ground, sky(rng, rng.uniform(0.05, 0.3)), (), sunlight(rng), 0.4, 0.04)


def stage(rng: Random) -> VirtualScene:
    """A stage: dark floor, a curtain."""
    floor = speckled(colour(rng) * 0.4 + 0.03, rng, 0.5, 0.08)
    cloth = colour(rng) * rng.uniform(0.3, 0.9)
    curtain = lined(speckled(cloth, rng, 0.4, 0.1), rng, (0.35, 50.0), 0.05, cloth * 0.5)
    half = float(rng.uniform(4, 8))
    hall = Box((-half, -1, -half), (half, 7, 30), curtain, room=True)
    return VirtualScene(floor, _dark, (hall,), lamps(rng, rng.uniform(0.7, 1.3)), 0.45, 0.06)


def meadow(rng: Random) -> VirtualScene:
    """Grass or sand, trees far off."""
    green = (
        np.array([0.32, 0.45, 0.18], np.float32) * rng.uniform(0.6, 1.3) * rng.uniform(0.8, 1.2, 3)
    )
    sand = np.array([0.76, 0.68, 0.52]) * rng.uniform(0.7, 1.1)
    base = np.asarray(green if rng.random() < 0.7 else sand, np.float32)
    ground = speckled(base, rng, rng.uniform(0.1, 0.6), rng.uniform(0.08, 0.2))
    far = sky(rng, rng.uniform(0.02, 0.2))
    return VirtualScene(ground, far, _clutter(rng), sunlight(rng), 0.5, 0.03)


def street(rng: Random) -> VirtualScene:
    """Asphalt or paving before a house's wall."""
    grey = np.array([0.45, 0.45, 0.46], np.float32) * rng.uniform(0.5, 1.5)
    ground = speckled(grey, rng, 0.08, rng.uniform(0.05, 0.15))
    if rng.random() < 0.5:
        side = float(rng.uniform(0.2, 0.8))
        ground = lined(ground, rng, (side, side), 0.01, grey * 0.6)
    distance = float(rng.uniform(3.6, 10))
    wall = Box((-40.0, 0.0, -distance - 8), (40.0, rng.uniform(3, 9), -distance), _wall(rng))
    return VirtualScene(ground, sky(rng, 0.1), (wall, *_clutter(rng)), sunlight(rng), 0.5, 0.03)


def _hall(rng: Random, half: float, height: float) -> Box:
    return Box((-half, -1.0, -half), (half, height, half * 1.5), _wall(rng), room=True)


def _wall(rng: Random) -> Material:
    """Plaster or bricks with windows, doors and posters."""
    base = speckled(colour(rng) * 0.5 + 0.4, rng, rng.uniform(0.2, 2), rng.uniform(0.01, 0.06))
    if rng.random() < 0.4:
        size = float(rng.choice([0.08, 0.2, 0.5]))
        base = lined(base, rng, (size * rng.uniform(1, 3), size), 0.012, colour(rng) * 0.5 + 0.2)
    shapes = [_rectangle(rng, 10, (0.4, 3), 2.2) for _ in range(rng.integers(12))]
    return marked(base, shapes, [colour(rng) for _ in shapes])


def _clutter(rng: Random) -> tuple[Box, ...]:
    """Random boxes behind the person, and sometimes one in front."""
    boxes = []
    for nearer in [False] * rng.integers(6) + [True] * (rng.random() < 0.15):
        x, z = rng.uniform(-7, 7), rng.uniform(0.8, 2) if nearer else -rng.uniform(4.4, 9)
        w, h, d = rng.uniform(0.2, 1.2), rng.uniform(0.2, 0.8 if nearer else 2.0), 0.3
        paint = speckled(colour(rng), rng, 0.3, 0.06)
        boxes.append(Box((x - w, 0.0, z - d), (x + w, float(h), z + d), paint))
    return tuple(boxes)


def _rectangle(
    rng: Random, reach: float, size: tuple[float, float], top: float | None = None
) -> tuple[float, float, float, float]:
    x, y = rng.uniform(-reach, reach), rng.uniform(-reach, reach) if top is None else top
    w, h = rng.uniform(*size, 2)
    return float(x), float(y - (h if top else 0)), float(x + w), float(y + (0.3 if top else h))


def _direction(rng: Random, low: float, high: float) -> tuple[float, float, float]:
    up, around = rng.uniform(low, high), rng.uniform(0, 2 * math.pi)
    flat = math.cos(up)
    return float(flat * math.sin(around)), float(math.sin(up)), float(flat * math.cos(around))


def _tinted(
    rng: Random, level: float, tint: tuple[float, float, float]
) -> tuple[float, float, float]:
    red, green, blue = (float(level * t * rng.uniform(0.95, 1.05)) for t in tint)
    return red, green, blue


def _dark(rays: Float32) -> Float32:
    return np.full_like(rays, 0.1)
