"""Feet that stand: planted feet are held in place, and no foot sinks into the ground.

What all planted feet ask for together moves the whole body; the rest is done by the legs, whose
bones keep their lengths. Y is up and the ground is at 0.
"""

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.ground import CLEARANCE, FEET, velocities
from mocap_cli.tracking.runs import in_any, latched, runs, without_blips
from mocap_cli.tracking.scene import Scene
from mocap_cli.tracking.smooth import penalised

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

BLEND = 0.1  # seconds in which a foot comes to rest and sets off again
WANDER = 0.2  # metres a foot may seem to wander before it must have been put elsewhere
CALM = (-1.5, -2.0)  # unrest at which a joint of a planted foot comes to rest and sets off
PAUSE = 0.15  # seconds of unrest that are noise
LIFT = 0.06  # metres above a flat foot's joint at which that joint no longer rests
BRIEF = 0.05  # seconds in which nothing comes to rest
STEADY = 0.6  # metres a second, likewise
STEP = 0.10  # metres off the ground beyond which a foot stands on something else
FOLLOW, FLY = (
    2.0,
    0.3,
)  # hertz: how fast the body gives way to the feet, on the ground and in flight
SHALLOW = 0.1  # metres below the ground that are a mistake; twice as much is a lower floor
SUNK = 0.6  # share of the flat foot's clearance that a turned foot keeps
STRETCH = 0.999  # of a leg's length that may be used
LEGS = tuple(
    tuple(BODY.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "toe"))
    for side in ("left", "right")
)


def hold_feet(
    joints: Float64, scene: Scene, planted: Float64, flights: tuple[slice, ...]
) -> Float64:
    """(T, 19, 3) joints whose planted feet (T, 2) stay where they are put down."""
    flying = in_any(flights, len(joints))
    places = _places(joints, scene, planted > 0.5)
    joints = joints + _common_shift(joints, places, scene, flying)[:, None]
    joints = joints + _within_reach(joints, places, scene)[:, None]
    for side in range(2):
        _move_leg(joints, places[:, side], scene, side)
    return joints


def _places(joints: Float64, scene: Scene, planted: Bool) -> Float64:
    """(T, 2, 2, 3) where each foot's ankle and toe rest; NaN while they move."""
    places = np.full((len(joints), 2, 2, 3), np.nan)
    for side, pair in enumerate(FEET):
        rests = _resting(joints, scene, planted[:, side], side)
        for which, (joint, share) in enumerate(zip(pair, CLEARANCE, strict=True)):
            for piece in scene.neighbours:
                for run in runs(rests[:, which] & in_any([piece], len(joints))):
                    parts = _stays(joints[:, joint], run)
                    for part in parts:
                        spot = _spot(joints[part, joint], share * scene.height)
                        places[part, side, which] = spot
                    for part in parts[1:]:  # put elsewhere, which takes a moment
                        moved = np.abs(scene.times[run] - scene.times[part.start]) < BLEND
                        places[run, side, which][moved] = np.nan
    return places


def _resting(joints: Float64, scene: Scene, planted: Bool, side: int) -> Bool:
    """(T, 2) which of a planted foot's ankle and toe rests: flat feet both, tiptoes the toe."""
    pair = FEET[side]
    over = np.stack(
        [joints[:, j, 1] - c * scene.height for j, c in zip(pair, CLEARANCE, strict=True)], axis=1
    )
    for run in runs(planted):
        base = float(np.median(over[run].min(axis=1)))
        over[run] -= base if base > STEP else 0  # on a box or a stair
    speed = _size(np.stack([velocities(joints[:, joint], scene) for joint in pair], axis=1))
    unrest = speed / STEADY + np.maximum(over, 0) / LIFT  # (T, 2)
    rests = np.zeros(unrest.shape, np.bool_)
    for which in range(2):
        calm = latched(-unrest[:, which], *CALM)
        calmer = unrest[:, which] < unrest[:, 1 - which]
        rests[:, which] = without_blips(planted & (calm | calmer), scene.times, BRIEF, PAUSE)
    return rests & planted[:, None]


def _stays(points: Float64, run: slice) -> list[slice]:
    """Parts of a run between which the point is put elsewhere: a foot may shuffle unseen."""
    path = points[run]
    if len(path) < 4:
        return [run]
    # the cut whose two sides are best told apart by their means
    count = np.arange(1, len(path))
    sums = np.cumsum(path, axis=0)
    before = sums[:-1] / count[:, None]
    after = (sums[-1] - sums[:-1]) / (len(path) - count)[:, None]
    apart = _size(after - before)
    cut = int(np.argmax(count * (len(path) - count) * apart**2))
    if apart[cut] < WANDER:
        return [run]
    middle = run.start + 1 + cut
    halves = (slice(run.start, middle), slice(middle, run.stop))
    return [part for half in halves for part in _stays(points, half)]


def _spot(points: Float64, level: float) -> Float64:
    """(3,) where a resting joint rests: on the floor, unless it stands on something else."""
    spot = np.median(points, axis=0)
    if abs(spot[1] - level) < STEP:
        spot[1] = level
    return np.asarray(spot)


def _common_shift(joints: Float64, places: Float64, scene: Scene, flying: Bool) -> Float64:
    """(T, 3) smooth movement of the whole body towards what its resting feet ask for."""
    feet = np.stack([joints[:, pair] for pair in FEET], axis=1)  # (T, 2, 2, 3)
    asked = places - feet
    # A toe that is off must not lift an ankle that rests: 10 mm bend a straight knee by 18 degrees.
    asked[:, :, 1][np.isfinite(asked[:, :, 0, 0])] = np.nan
    count = np.isfinite(asked[..., 0]).sum(axis=(1, 2))
    mean = np.nansum(asked, axis=(1, 2)) / np.maximum(count, 1)[:, None]
    shift = np.zeros_like(mean)
    for piece in scene.neighbours:
        weight = np.where(count[piece] > 0, 1.0, 1e-3)
        cutoff = np.where(flying[piece], FLY, FOLLOW)
        shift[piece] = penalised(mean[piece], scene.times[piece], weight, cutoff)
    return shift


def _within_reach(joints: Float64, places: Float64, scene: Scene) -> Float64:
    """(T, 3) smooth movement that brings hips near enough to resting ankles."""
    need = np.zeros((len(joints), 3))
    for side, (hip, knee, ankle, _) in enumerate(LEGS):
        length = _size(joints[:, knee] - joints[:, hip]) + _size(joints[:, ankle] - joints[:, knee])
        away = np.nan_to_num(places[:, side, 0] - joints[:, hip])
        excess = np.maximum(_size(away) - STRETCH * length, 0)
        need += excess[:, None] * unit(away)
    if not need.any():
        return need
    for piece in scene.neighbours:
        even = np.ones(piece.stop - piece.start)
        need[piece] = penalised(need[piece], scene.times[piece], even, 3 * FOLLOW)
    return need


def _move_leg(joints: Float64, places: Float64, scene: Scene, side: int) -> None:
    """Put one leg's ankle and toe where they rest, in place; (T, 2, 3) `places`."""
    hip, knee, ankle, toe = LEGS[side]
    pull_ankle, hold_ankle = _blended(places[:, 0] - joints[:, ankle], scene)
    pull_toe, hold_toe = _blended(places[:, 1] - joints[:, toe], scene)
    foot = _size(joints[:, toe] - joints[:, ankle])[:, None]
    new_ankle = joints[:, ankle] + pull_ankle + (1 - hold_ankle) * pull_toe
    new_toe = joints[:, toe] + pull_toe + (1 - hold_toe) * pull_ankle
    for points, share in zip((new_ankle, new_toe), CLEARANCE, strict=True):
        points[:, 1] += _lift(SUNK * share * scene.height - points[:, 1])
    by_toe = (hold_toe >= hold_ankle)[:, 0]
    along = foot * unit(new_toe - new_ankle)
    new_ankle[by_toe] = (new_toe - along)[by_toe]
    new_ankle, new_knee = bent_leg(
        joints[:, hip], joints[:, knee], joints[:, ankle], new_ankle, along
    )
    joints[:, knee], joints[:, ankle], joints[:, toe] = new_knee, new_ankle, new_ankle + along


def _lift(depth: Float64) -> Float64:
    """How far to raise what is `depth` below the ground: all of a little, nothing of a lot.

    Whoever is far below has stepped down from the ground that was found.
    """
    return np.clip(depth, 0, np.clip(2 * SHALLOW - depth, 0, None))


def _blended(asked: Float64, scene: Scene) -> tuple[Float64, Float64]:
    """Wishes that fade in and out around the runs they hold in, and how strong they are (T, 1)."""
    total, strength = np.zeros(asked.shape), np.zeros((len(asked), 1))
    for piece in scene.neighbours:
        wish, clock = asked[piece], scene.times[piece]
        sums, weights = np.zeros(wish.shape), np.zeros((len(wish), 1))
        for run in runs(np.isfinite(wish[:, 0])):
            first = int(np.searchsorted(clock, clock[run.start] - BLEND))
            last = int(np.searchsorted(clock, clock[run.stop - 1] + BLEND, side="right"))
            nearest = np.clip(np.arange(first, last), run.start, run.stop - 1)
            fade = np.clip(1 - np.abs(clock[first:last] - clock[nearest]) / BLEND, 0, 1)
            weight = (fade**2 * (3 - 2 * fade))[:, None]
            sums[first:last] += weight * wish[nearest]
            weights[first:last] += weight
        rests = np.isfinite(wish[:, :1])
        total[piece] = np.where(rests, np.nan_to_num(wish), sums / np.maximum(weights, 1))
        strength[piece] = np.where(rests, 1.0, np.minimum(weights, 1))
    return total, strength


def bent_leg(
    hip: Float64, knee: Float64, ankle: Float64, target: Float64, ahead: Float64
) -> tuple[Float64, Float64]:
    """Ankle and knee (T, 3) of a leg that reaches for `target` and bends the way it did.

    Bones keep their lengths; what is out of reach is approached. `ahead` is where the knee of a
    straight leg bends to.
    """
    thigh, shank = _size(knee - hip)[:, None], _size(ankle - knee)[:, None]
    axis, away = unit(target - hip), _size(target - hip)[:, None]
    reach = np.clip(away, np.abs(thigh - shank) + 1e-4, thigh + shank - 1e-5)
    old = unit(ankle - hip)
    out = (knee - hip) - np.sum((knee - hip) * old, axis=1, keepdims=True) * old
    out = np.where(_size(out)[:, None] > 0.005, out, ahead)
    out = unit(out - np.sum(out * axis, axis=1, keepdims=True) * axis)
    forward = (thigh**2 - shank**2 + reach**2) / (2 * reach)
    height = np.sqrt(np.maximum(thigh**2 - forward**2, 0))
    return hip + reach * axis, hip + forward * axis + height * out


def _size(vectors: Float64) -> Float64:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
