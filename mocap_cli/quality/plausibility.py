"""Plausibility: measures of what no person does, and of limbs that no network saw."""

import numpy as np

from mocap_cli.body.anatomy import centre_of_mass
from mocap_cli.body.motion import Motion
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.ground import FEET, GRAVITY
from mocap_cli.types import Bool, Float64

PLANTED = 0.5
"""Contact probability from which a foot counts as planted."""

_SHORTEST_STEP = 1 / 30  # seconds over which a speed is measured
_LONGEST_STEP = 0.1  # seconds; frames further apart give no speed
_SEEN = 0.3  # mean score of a limb's keypoints from which it counts as seen
_OFF_GROUND = 0.3  # metres between the lowest joint and the ground
_FALLING = 0.5  # of gravity, by which the acceleration of a free fall may differ
_TALLEST = 90  # percentile of the vertical extent from which the body is at its tallest
_STANDING = 0.85  # vertical extent, as a share of the bones' length, of a standing person
_LIMBS = {
    f"{side} {limb}": tuple(KEYPOINTS.index(f"{side}_{joint}") for joint in joints)
    for side in ("left", "right")
    for limb, joints in (("arm", ("elbow", "wrist")), ("leg", ("knee", "ankle")))
}
_LEGS = tuple(
    tuple(BODY.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)
_SPINE = ("pelvis", "spine", "thorax", "neck", "head")


def limbs_seen(motion: Motion) -> dict[str, float]:
    """Share of the tracked frames in which the networks saw each arm and leg."""
    score = motion.score[motion.tracked]
    if not len(score):
        return {}
    return {
        limb: float((score[:, points].mean(axis=1) > _SEEN).mean())
        for limb, points in _LIMBS.items()
    }


def top_speed(motion: Motion) -> tuple[float, float] | None:
    """Largest speed of the centre of mass in metres per second, and when.

    It is measured over a thirtieth of a second.
    """
    times, centre = motion.times, centre_of_mass(motion.joints)
    after = np.searchsorted(times, times + _SHORTEST_STEP - 1e-6)
    first = np.flatnonzero(after < len(times))
    last = after[first]
    near = (times[last] - times[first] <= _LONGEST_STEP) & np.isfinite(
        centre[first] - centre[last]
    ).all(axis=1)
    if not near.any():
        return None
    way = np.linalg.norm(centre[last[near]] - centre[first[near]], axis=1)
    speeds = way / (times[last[near]] - times[first[near]])
    fastest = int(speeds.argmax())
    return float(speeds[fastest]), float(times[first[near][fastest]])


def crouch(motion: Motion) -> float | None:
    """Flexion of the straighter knee in degrees, where a standing person is at their tallest."""
    joints = motion.joints[motion.tracked & _planted(motion)].astype(np.float64)
    if not len(joints):
        return None
    feet = joints[:, [ankle for ankle, _ in FEET], 1].mean(axis=1)
    extent = joints[:, BODY.index("head"), 1] - feet
    tall = extent >= np.percentile(extent, _TALLEST)
    if np.median(extent[tall]) < _STANDING * _length_of_bones(joints):
        return None
    return float(np.median(_knee_flexion(joints[tall]).min(axis=1)))


def _knee_flexion(joints: Float64) -> Float64:
    """(N, 2) degrees between thigh and shank."""
    legs = joints[:, _LEGS]  # (N, 2, 3, 3)
    thigh, shank = legs[:, :, 1] - legs[:, :, 0], legs[:, :, 2] - legs[:, :, 1]
    norms = np.linalg.norm(thigh, axis=-1) * np.linalg.norm(shank, axis=-1)
    cosine = np.sum(thigh * shank, axis=-1) / np.maximum(norms, 1e-9)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def _length_of_bones(joints: Float64) -> float:
    """Metres from the ankles to the head along the bones."""
    chains = ([BODY.index(name) for name in _SPINE], *_LEGS)
    spine, left, right = (
        float(np.median(np.linalg.norm(np.diff(joints[:, chain], axis=1), axis=-1).sum(axis=1)))
        for chain in chains
    )
    return spine + (left + right) / 2


def _planted(motion: Motion) -> Bool:
    """(T,) frames with a planted foot."""
    return np.asarray((np.nan_to_num(motion.contacts) > PLANTED).any(axis=1))


def ground_drift(motion: Motion) -> float | None:
    """Range of the heights at which feet are planted in metres, without the outer 5 %."""
    heights = [
        motion.joints[:, (ankle, toe), 1].min(axis=1)[
            motion.tracked & (np.nan_to_num(motion.contacts[:, side]) > PLANTED)
        ]
        for side, (ankle, toe) in enumerate(FEET)
    ]
    planted = np.concatenate(heights)
    if not len(planted):
        return None
    low, high = np.percentile(planted, (2.5, 97.5))
    return float(high - low)


def off_ground(motion: Motion) -> tuple[float, float] | None:
    """Longest time in seconds above or below the ground, and when it begins.

    Then the person is neither planted nor in free fall.
    """
    tracked = motion.tracked
    if not tracked.any():
        return None
    lowest = motion.joints[..., 1].min(axis=1)
    away = tracked & ~_planted(motion) & (np.abs(np.nan_to_num(lowest)) > _OFF_GROUND)
    height = centre_of_mass(motion.joints)[:, 1]
    spans = [
        (float(motion.times[run][-1] - motion.times[run][0]), float(motion.times[run][0]))
        for run in true_runs(away)
        if not _falls(height[run], motion.times[run])
    ]
    return max(spans, default=(0.0, float(motion.times[0])))


def _falls(height: Float64, times: Float64) -> bool:
    """Whether the mean acceleration of a run of frames is about that of gravity."""
    if len(times) < 3:
        return True
    acceleration = 2 * np.polyfit(times - times.mean(), height, 2)[0]
    return bool(abs(acceleration + GRAVITY) < _FALLING * GRAVITY)
