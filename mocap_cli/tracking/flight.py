"""Flight: what the centre of mass does by itself, and when it is left to itself.

On the ground it changes its speed only as fast as legs can; in the air it falls with g. How large
g looks tells how well the person's assumed size fits, so it is solved for and not forced.
"""

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.frame_runs import frames_in, true_runs
from mocap_cli.tracking.ground import GRAVITY, GROUND_UNKNOWNS, Ground
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import difference_coefficients
from mocap_cli.types import Bool, Float64

_SIZE_SIGMA = 0.10  # share by which the assumed size, and with it all falling, may be off
_SHORTEST = 0.15  # seconds
_FEWEST = 4  # frames
_PUSH = 0.05  # seconds at both ends that may not be flight yet, or no more
_TOLERANCE = 0.35  # of g that a fall may seem off: the person's size is a guess, and so is up
_ROUGHNESS, _ROUGHER = (
    0.02,
    0.03,
)  # metres that a fall may seem off its parabola, and per metre high
_EFFORT = 30.0  # (m/s^2)^2 s: how freely legs push the body about, across the view
_EFFORT_IN_DEPTH = 10.0  # the same towards the camera, where the picture says little
_DRAG = 0.2  # the same in flight, when nothing pushes


def add_momentum(
    equations: TrajectoryEquations, scene: PosedBody, path: Float64, ground: Ground, flying: Bool
) -> None:
    """Add that the centre of mass keeps its speed, or falls where it is `flying` (T,)."""
    first = scene.consecutive(3)
    if not len(first):
        return
    knots = np.stack([scene.times[first + k] for k in range(3)])
    free = flying[first] & flying[first + 1] & flying[first + 2]
    view = unit(path[first + 1])
    along = view[:, :, None] * view[:, None]
    pushed = np.eye(3) / _EFFORT + (1 / _EFFORT_IN_DEPTH - 1 / _EFFORT) * along
    weight = np.where(free[:, None, None], np.eye(3) / _DRAG, pushed)
    weight *= ((knots[2] - knots[0]) / 2)[:, None, None]
    falls = np.where(free, 1.0, 0.0)[:, None]
    border = np.zeros((3, GROUND_UNKNOWNS))
    border[:, :2], border[:, 3] = ground.gravity * ground.basis(), ground.up
    factors = difference_coefficients(knots).T  # (n, 3)
    equations.add(
        first, factors, weight, falls * ground.gravity * ground.up, falls[..., None] * border
    )
    row = np.eye(GROUND_UNKNOWNS)[3]
    equations.add_shared(row, ground.gravity - GRAVITY, 1 / (_SIZE_SIGMA * GRAVITY) ** 2)


def find_flights(scene: PosedBody, path: Float64, up: Float64, planted: Bool) -> list[slice]:
    """Stretches in which no foot is planted and the centre of mass falls as a stone does.

    Hands can carry a body too, so a stretch without feet may be no flight, or hold one.
    """
    heights = path @ up
    found: list[slice] = []
    for piece in scene.segments:
        for run in true_runs(frames_in([piece], len(path)) & ~planted.any(axis=1)):
            found += [_within(fall, scene.times) for fall in _falls(heights, scene.times, run)]
    return found


def _within(fall: slice, times: Float64) -> slice:
    """The fall without its very ends, where a foot may still push."""
    clock = times[fall]
    inner = np.flatnonzero((clock >= clock[0] + _PUSH) & (clock <= clock[-1] - _PUSH))
    if len(inner) < _FEWEST:
        return fall
    return slice(fall.start + int(inner[0]), fall.start + int(inner[-1]) + 1)


def _falls(heights: Float64, times: Float64, run: slice) -> list[slice]:
    """The longest fall within a run, and those before and after it."""
    falls = [
        (float(times[stop - 1] - times[start]), start, stop)
        for start, stop in _windows(times, run)
        if _is_fall(heights[start:stop], times[start:stop])
    ]
    if not falls:
        return []
    _, start, stop = max(falls)
    best = slice(start, stop)
    before, after = slice(run.start, best.start), slice(best.stop, run.stop)
    return [*_falls(heights, times, before), best, *_falls(heights, times, after)]


def _windows(times: Float64, run: slice, steps: int = 16) -> list[tuple[int, int]]:
    """Windows of at least SHORTEST in a run, with ends on a grid of so many steps."""
    frames = np.unique(np.linspace(run.start, run.stop, steps + 1).round().astype(int))
    return [
        (int(a), int(b))
        for i, a in enumerate(frames)
        for b in frames[i + 1 :]
        if b - a >= _FEWEST and times[b - 1] - times[a] >= _SHORTEST
    ]


def _is_fall(heights: Float64, times: Float64) -> bool:
    clock = times - times.mean()
    basis = np.stack((np.ones_like(clock), clock, clock**2 / 2), axis=1)
    fit = np.linalg.lstsq(basis, heights, rcond=None)[0]
    fall = heights + GRAVITY * clock**2 / 2
    straight = basis[:, :2] @ np.linalg.lstsq(basis[:, :2], fall, rcond=None)[0]
    off = float(np.sqrt(np.mean((fall - straight) ** 2)))
    allowed = _ROUGHNESS + _ROUGHER * GRAVITY * (clock[-1] - clock[0]) ** 2 / 8
    return abs(fit[2] + GRAVITY) < _TOLERANCE * GRAVITY and off < allowed


def measured_gravity(ground: Ground) -> tuple[float, float] | None:
    """How fast things fell and its doubt, by the picture alone, without belief in g."""
    believed = 1 / (_SIZE_SIGMA * GRAVITY) ** 2
    seen = 1 / ground.gravity_sigma**2 - believed
    if seen < 0.1 * believed:
        return None
    fall = (ground.gravity / ground.gravity_sigma**2 - GRAVITY * believed) / seen
    return (fall, float(seen**-0.5)) if fall > 0 else None
