"""Flight: momentum and free fall of the centre of mass.

On the ground it changes its velocity only as fast as legs can; in the air it falls with g. How
large g looks depends on the person's assumed size, so it is estimated and not fixed.
"""

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.frame_runs import frames_in, true_runs
from mocap_cli.tracking.ground import GRAVITY, Ground
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import difference_coefficients
from mocap_cli.types import Bool, Float64

_SIZE_SIGMA = 0.10  # of the assumed size, and with it of measured gravity, as a share
_SHORTEST = 0.15  # seconds
_FEWEST = 4  # frames
_PUSH = 0.05  # seconds at both ends of a flight in which a foot may still push
_TOLERANCE = 0.35  # of g, for a fall: size and vertical are estimates
_ROUGHNESS = 0.02  # metres that a fall may differ from a parabola
_ROUGHNESS_BY_HEIGHT = 0.03  # more of that, for each metre of the parabola's height
_EFFORT = 30.0  # (m/s^2)^2 s: variance of the legs' acceleration across the view
_EFFORT_IN_DEPTH = 10.0  # the same towards the camera, where keypoints say little
_DRAG = 0.2  # the same in flight


def add_momentum(
    equations: TrajectoryEquations, body: PosedBody, path: Float64, ground: Ground, flying: Bool
) -> None:
    """Add that the centre of mass keeps its velocity, or falls where it is `flying` (T,)."""
    first = body.consecutive(3)
    if not len(first):
        return
    knots = np.stack([body.times[first + k] for k in range(3)])
    free = flying[first] & flying[first + 1] & flying[first + 2]
    view = unit(path[first + 1])
    along = view[:, :, None] * view[:, None]
    pushed = np.eye(3) / _EFFORT + (1 / _EFFORT_IN_DEPTH - 1 / _EFFORT) * along
    weight = np.where(free[:, None, None], np.eye(3) / _DRAG, pushed)
    weight *= ((knots[2] - knots[0]) / 2)[:, None, None]
    falls = np.where(free, 1.0, 0.0)[:, None]
    border = np.zeros((3, Ground.UNKNOWNS))
    border[:, :2], border[:, 3] = ground.gravity * ground.basis(), ground.up
    factors = difference_coefficients(knots).T  # (n, 3)
    equations.add(
        first, factors, weight, falls * ground.gravity * ground.up, falls[..., None] * border
    )
    row = np.eye(Ground.UNKNOWNS)[3]
    equations.add_shared(row, ground.gravity - GRAVITY, 1 / (_SIZE_SIGMA * GRAVITY) ** 2)


def find_flights(body: PosedBody, path: Float64, up: Float64, planted: Bool) -> list[slice]:
    """Runs of frames without a planted foot in which the centre of mass is in free fall.

    Hands can carry a body too, so a run without feet may be no flight, or hold one.
    """
    heights = path @ up
    found: list[slice] = []
    for segment in body.segments:
        for run in true_runs(frames_in([segment], len(path)) & ~planted.any(axis=1)):
            found += [_trimmed(fall, body.times) for fall in _falls(heights, body.times, run)]
    return found


def _trimmed(fall: slice, times: Float64) -> slice:
    """The fall without its ends, where a foot may still push."""
    inside = times[fall]
    inner = np.flatnonzero((inside >= inside[0] + _PUSH) & (inside <= inside[-1] - _PUSH))
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
    """Windows of at least _SHORTEST in a run, with ends on a grid of so many steps."""
    frames = np.unique(np.linspace(run.start, run.stop, steps + 1).round().astype(int))
    return [
        (int(a), int(b))
        for i, a in enumerate(frames)
        for b in frames[i + 1 :]
        if b - a >= _FEWEST and times[b - 1] - times[a] >= _SHORTEST
    ]


def _is_fall(heights: Float64, times: Float64) -> bool:
    """Whether heights lie on a parabola with about the curvature of g."""
    centred = times - times.mean()
    basis = np.stack((np.ones_like(centred), centred, centred**2 / 2), axis=1)
    fit = np.linalg.lstsq(basis, heights, rcond=None)[0]
    without_g = heights + GRAVITY * centred**2 / 2
    line = basis[:, :2] @ np.linalg.lstsq(basis[:, :2], without_g, rcond=None)[0]
    error = float(np.sqrt(np.mean((without_g - line) ** 2)))
    height = GRAVITY * (centred[-1] - centred[0]) ** 2 / 8
    allowed = _ROUGHNESS + _ROUGHNESS_BY_HEIGHT * height
    return abs(fit[2] + GRAVITY) < _TOLERANCE * GRAVITY and error < allowed


def measured_gravity(ground: Ground) -> tuple[float, float] | None:
    """Gravity and its sigma by the keypoints alone, with the prior on g taken out again."""
    prior = 1 / (_SIZE_SIGMA * GRAVITY) ** 2
    measured = 1 / ground.gravity_sigma**2 - prior
    if measured < 0.1 * prior:
        return None
    gravity = (ground.gravity / ground.gravity_sigma**2 - GRAVITY * prior) / measured
    return (gravity, float(measured**-0.5)) if gravity > 0 else None
