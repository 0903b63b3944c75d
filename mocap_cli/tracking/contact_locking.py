"""Contact locking: planted feet and hands are held in place, and no foot sinks into the ground.

The mean correction of everything planted moves the whole body; two-bone inverse kinematics of legs
and arms does the rest, with constant bone lengths. Y is up and the ground is at 0.
"""

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.frame_runs import drop_short_runs, frames_in, hysteresis, true_runs
from mocap_cli.tracking.ground import CLEARANCE, FEET, HAND_CLEARANCE, HANDS
from mocap_cli.tracking.limbs import BLEND, blended, move_arm, two_bone_ik
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.smoothing import low_pass
from mocap_cli.types import Bool, Float64

_WANDER = 0.2  # metres of drift from which a planted foot was put down anew
_REST = (-1.5, -2.0)  # restlessness (negated) at which a joint of a planted foot locks and unlocks
_PAUSE = 0.15  # seconds of restlessness that are noise
_BRIEF = 0.05  # seconds that a lock lasts at least
_LIFT = 0.06  # metres above a flat foot's joint that make a restlessness of 1
_SPEED = 0.6  # metres a second that do the same
_STEP = 0.10  # metres off the ground from which a foot stands on something else
_FOLLOW = 2.0  # hertz: how fast the body follows its feet
_FOLLOW_IN_FLIGHT = 0.3  # hertz
_SHALLOW = 0.1  # metres below the ground that are an error; twice as much is a lower floor
_TURNED_CLEARANCE = 0.6  # share of the flat foot's clearance that a turned foot keeps
_STRETCH = 0.999  # of a leg's length that may be used
_LEGS = tuple(
    tuple(BODY.index(f"{side}_{part}") for part in ("hip", "knee", "ankle", "toe"))
    for side in ("left", "right")
)


def lock_contacts(
    joints: Float64, body: PosedBody, planted: Float64, flights: tuple[slice, ...]
) -> Float64:
    """(T, 19, 3) joints whose feet and hands do not move while planted is above 0.5.

    The columns of `planted` are the left and the right foot and, if there are four, the hands.
    """
    flying = frames_in(flights, len(joints))
    places = _places(joints, body, planted > 0.5)
    hands = _hand_places(joints, body, planted[:, 2:] > 0.5)
    joints = joints + _common_shift(joints, places, hands, body, flying)[:, None]
    joints = joints + _within_reach(joints, places, body)[:, None]
    for side in range(2):
        _move_leg(joints, places[:, side], body, side)
        move_arm(joints, hands[:, side], body, side)
    return joints


def _places(joints: Float64, body: PosedBody, planted: Bool) -> Float64:
    """(T, 2, 2, 3) where each foot's ankle and toe are locked; NaN while they move."""
    places = np.full((len(joints), 2, 2, 3), np.nan)
    for side, pair in enumerate(FEET):
        rests = _resting(joints, body, planted[:, side], side)
        for which, (joint, share) in enumerate(zip(pair, CLEARANCE, strict=True)):
            for segment in body.segments:
                for run in true_runs(rests[:, which] & frames_in([segment], len(joints))):
                    parts = _stays(joints[:, joint], run)
                    for part in parts:
                        spot = _spot(joints[part, joint], share * body.height)
                        places[part, side, which] = spot
                    for part in parts[1:]:  # put down elsewhere, which takes time
                        moved = np.abs(body.times[run] - body.times[part.start]) < BLEND
                        places[run, side, which][moved] = np.nan
    return places


def _hand_places(joints: Float64, body: PosedBody, planted: Bool) -> Float64:
    """(T, 2, 3) where each wrist is locked; NaN while it moves."""
    places = np.full((len(joints), 2, 3), np.nan)
    for side in range(planted.shape[1]):
        path = joints[:, HANDS[side]]
        for segment in body.segments:
            for run in true_runs(planted[:, side] & frames_in([segment], len(joints))):
                for part in _stays(path, run):
                    places[part, side] = _spot(path[part], HAND_CLEARANCE * body.height)
    return places


def _resting(joints: Float64, body: PosedBody, planted: Bool, side: int) -> Bool:
    """(T, 2) which of a planted foot's ankle and toe rest: both, or the toe alone on tiptoe."""
    pair = FEET[side]
    over = np.stack(
        [joints[:, j, 1] - c * body.height for j, c in zip(pair, CLEARANCE, strict=True)], axis=1
    )
    for run in true_runs(planted):
        base = float(np.median(over[run].min(axis=1)))
        over[run] -= base if base > _STEP else 0  # on a box or a stair
    speed = _size(np.stack([body.velocities(joints[:, joint]) for joint in pair], axis=1))
    restless = speed / _SPEED + np.maximum(over, 0) / _LIFT  # (T, 2)
    rests = np.zeros(restless.shape, np.bool_)
    for which in range(2):
        calm = hysteresis(-restless[:, which], *_REST)
        calmer = restless[:, which] < restless[:, 1 - which]
        rests[:, which] = drop_short_runs(planted & (calm | calmer), body.times, _BRIEF, _PAUSE)
    return rests & planted[:, None]


def _stays(points: Float64, run: slice) -> list[slice]:
    """Parts of a run with one place each: a foot may be moved within a detected contact."""
    path = points[run]
    if len(path) < 4:
        return [run]
    # The split whose two sides have the most different means.
    count = np.arange(1, len(path))
    sums = np.cumsum(path, axis=0)
    before = sums[:-1] / count[:, None]
    after = (sums[-1] - sums[:-1]) / (len(path) - count)[:, None]
    distance = _size(after - before)
    cut = int(np.argmax(count * (len(path) - count) * distance**2))
    if distance[cut] < _WANDER:
        return [run]
    middle = run.start + 1 + cut
    halves = (slice(run.start, middle), slice(middle, run.stop))
    return [part for half in halves for part in _stays(points, half)]


def _spot(points: Float64, level: float) -> Float64:
    """(3,) where a joint is locked: on the floor, unless the foot stands on something else."""
    spot = np.median(points, axis=0)
    if abs(spot[1] - level) < _STEP:
        spot[1] = level
    return np.asarray(spot)


def _common_shift(
    joints: Float64, places: Float64, hands: Float64, body: PosedBody, flying: Bool
) -> Float64:
    """(T, 3) smooth shift of the whole body by the mean correction of its locked feet and hands."""
    feet = np.stack([joints[:, pair] for pair in FEET], axis=1)  # (T, 2, 2, 3)
    correction = places - feet
    # A toe that is off must not lift an ankle that rests: 10 mm bend a straight knee by 18 degrees.
    correction[:, :, 1][np.isfinite(correction[:, :, 0, 0])] = np.nan
    correction = correction.reshape(len(joints), -1, 3)
    correction = np.concatenate((correction, hands - joints[:, HANDS]), axis=1)
    count = np.isfinite(correction[..., 0]).sum(axis=1)
    mean = np.nansum(correction, axis=1) / np.maximum(count, 1)[:, None]
    shift = np.zeros_like(mean)
    for segment in body.segments:
        weight = np.where(count[segment] > 0, 1.0, 1e-3)
        cutoff = np.where(flying[segment], _FOLLOW_IN_FLIGHT, _FOLLOW)
        shift[segment] = low_pass(mean[segment], body.times[segment], weight, cutoff)
    return shift


def _within_reach(joints: Float64, places: Float64, body: PosedBody) -> Float64:
    """(T, 3) smooth shift that brings hips within reach of locked ankles."""
    need = np.zeros((len(joints), 3))
    for side, (hip, knee, ankle, _) in enumerate(_LEGS):
        length = _size(joints[:, knee] - joints[:, hip]) + _size(joints[:, ankle] - joints[:, knee])
        away = np.nan_to_num(places[:, side, 0] - joints[:, hip])
        excess = np.maximum(_size(away) - _STRETCH * length, 0)
        need += excess[:, None] * unit(away)
    if not need.any():
        return need
    for segment in body.segments:
        even = np.ones(segment.stop - segment.start)
        need[segment] = low_pass(need[segment], body.times[segment], even, 3 * _FOLLOW)
    return need


def _move_leg(joints: Float64, places: Float64, body: PosedBody, side: int) -> None:
    """Move one leg so that ankle and toe are at `places` (T, 2, 3); changes `joints`."""
    hip, knee, ankle, toe = _LEGS[side]
    pull_ankle, hold_ankle = blended(places[:, 0] - joints[:, ankle], body)
    pull_toe, hold_toe = blended(places[:, 1] - joints[:, toe], body)
    foot = _size(joints[:, toe] - joints[:, ankle])[:, None]
    new_ankle = joints[:, ankle] + pull_ankle + (1 - hold_ankle) * pull_toe
    new_toe = joints[:, toe] + pull_toe + (1 - hold_toe) * pull_ankle
    for points, share in zip((new_ankle, new_toe), CLEARANCE, strict=True):
        points[:, 1] += _lift(_TURNED_CLEARANCE * share * body.height - points[:, 1])
    by_toe = (hold_toe >= hold_ankle)[:, 0]
    along = foot * unit(new_toe - new_ankle)
    new_ankle[by_toe] = (new_toe - along)[by_toe]
    new_ankle, new_knee = two_bone_ik(
        joints[:, hip], joints[:, knee], joints[:, ankle], new_ankle, along
    )
    joints[:, knee], joints[:, ankle], joints[:, toe] = new_knee, new_ankle, new_ankle + along


def _lift(depth: Float64) -> Float64:
    """How far to raise a point that is `depth` below the ground.

    A point far below is left: the person has stepped down from the floor that was found.
    """
    return np.clip(depth, 0, np.clip(2 * _SHALLOW - depth, 0, None))


def _size(vectors: Float64) -> Float64:
    return np.asarray(np.linalg.norm(vectors, axis=-1))
