"""Measures: the quality of a motion in numbers, without ground truth."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.motion import Motion
from mocap_cli.body.resample import is_uniform
from mocap_cli.body.skeleton import BODY
from mocap_cli.quality.plausibility import (
    PLANTED,
    crouch,
    ground_drift,
    limbs_seen,
    off_ground,
    top_speed,
)
from mocap_cli.quality.summary import UNCERTAIN, Summary, UncertainSpan
from mocap_cli.tracking.frame_runs import true_runs
from mocap_cli.tracking.ground import FEET
from mocap_cli.types import Float64

_STANCE_SECONDS = 0.1  # over which the slide of a planted foot is measured
_MIN_INTERVAL = 1 / 60  # seconds; closer frames were smoothed together
_LOWER_FLOOR = 0.2  # metres; a foot deeper than this stands on a lower floor
_MEDIAN_OF_CHI2 = 2.366  # of three squared standard normals


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Quality measures of one motion; None where unknown."""

    frames: int
    seconds: float
    fps: float
    even: bool  # the frames have a constant rate
    longest_step: float  # longest interval between frames in seconds
    coverage: float  # share of the frames that have joints
    filled: float  # share of the frames whose joints were interpolated
    longest_gap: float  # seconds between two consecutive detections, at most
    unsure: float  # share of the tracked time in which half of the joints may be 10 cm off
    doubtful: tuple[UncertainSpan, ...]  # to review, longest first
    jitter: float | None  # metres: noise of a joint's coordinates from frame to frame
    foot_slide: float | None  # metres per second of planted feet
    bone_drift: float | None  # metres; range of the length of the least constant bone
    below_floor: float | None  # metres; depth of planted feet below 0
    ground_drift: float | None  # metres; range of the heights at which feet are planted
    off_ground: float | None  # seconds above or below the ground, not planted and not falling
    top_speed: float | None  # metres per second of the centre of mass
    crouch: float | None  # degrees by which knees are bent where the person is at their tallest
    limbs: dict[str, float]  # share of the tracked frames in which each arm and leg was seen
    switches: tuple[float, ...]  # seconds at which the person may have been exchanged
    worst: dict[str, float]  # seconds at which top_speed and off_ground are what they are

    def block(self) -> dict[str, Any]:
        """The measures as plain data for the JSON."""
        return asdict(self)


def measure_quality(motion: Motion) -> Quality:
    """Measure a motion."""
    summary = Summary.of(motion)
    joints, times = motion.joints.astype(np.float64), motion.times
    unsure = sum(
        s.end - s.start + 1 / summary.fps for s in summary.uncertain if s.reason == UNCERTAIN
    )
    known = max(summary.detected + summary.filled, 1) / summary.fps
    world = motion.space == "world"
    extremes = {"top_speed": top_speed(motion), "off_ground": off_ground(motion) if world else None}
    found = {name: extreme for name, extreme in extremes.items() if extreme is not None}
    return Quality(
        frames=summary.frames,
        seconds=summary.seconds,
        fps=summary.fps,
        even=is_uniform(times),
        longest_step=float(np.diff(times).max(initial=0.0)),
        coverage=summary.coverage,
        filled=summary.filled / summary.frames,
        longest_gap=_longest_gap(motion),
        unsure=min(unsure / known, 1.0),
        doubtful=summary.uncertain,
        jitter=_jitter(joints, times),
        foot_slide=_foot_slide(joints, motion.contacts, times) if world else None,
        bone_drift=_bone_drift(joints),
        below_floor=_below_floor(joints, motion.contacts) if world else None,
        ground_drift=ground_drift(motion) if world else None,
        off_ground=found["off_ground"][0] if "off_ground" in found else None,
        top_speed=found["top_speed"][0] if "top_speed" in found else None,
        crouch=crouch(motion) if world else None,
        limbs=limbs_seen(motion),
        switches=motion.switches,
        worst={name: time for name, (_, time) in found.items()},
    )


def _longest_gap(motion: Motion) -> float:
    """Longest time between two consecutive frames in which the person was detected, in seconds."""
    detected = np.flatnonzero(motion.detected & motion.tracked)
    before = np.flatnonzero(np.diff(detected) > 1)
    gaps = motion.times[detected[before + 1]] - motion.times[detected[before]]
    return float(gaps.max(initial=0.0))


def _jitter(joints: Float64, times: Float64) -> float | None:
    """Standard deviation of the noise in a coordinate (T, J, 3), in the calmer half of the frames.

    Four consecutive points are weighted so that any parabola cancels and only noise remains: speed
    and constant acceleration do not count. The median leaves out fast movements.
    """
    beat = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    stride = max(1, round(_MIN_INTERVAL / beat)) if beat else 1
    first = np.arange(len(times) - 3 * stride)
    four = first[:, None] + stride * np.arange(4)  # (N, 4) frames
    near = times[four[:, -1]] - times[four[:, 0]] < 6 * stride * beat if len(first) else first > 0
    four = four[near & np.isfinite(joints[four]).all(axis=(1, 2, 3))]
    if not len(four):
        return None
    clock = times[four]
    away = clock[:, :, None] - clock[:, None] + np.eye(4)
    weight = 1 / away.prod(axis=-1)
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)
    left = np.einsum("nk,nkji->nji", weight, joints[four])
    square = np.median(np.sum(left**2, axis=-1), axis=0) / _MEDIAN_OF_CHI2  # (J,)
    return float(np.sqrt(square.mean()))


def _foot_slide(joints: Float64, contacts: NDArray[np.float32], times: Float64) -> float | None:
    """Mean speed along the floor of planted feet, of the ankle or the ball, whichever moves less.

    Measured over a tenth of a second, so that noise does not count as speed.
    """
    distance = duration = 0.0
    for side, pair in enumerate(FEET):
        planted = (contacts[:, side] > PLANTED) & np.isfinite(joints).all(axis=(1, 2))
        for run in true_runs(planted):
            clock, foot = times[run], joints[run][:, pair][..., [0, 2]]  # (n, 2, 2)
            later = np.searchsorted(clock, clock + _STANCE_SECONDS - 1e-6)
            there = later < len(clock)
            moved = foot[later[there]] - foot[there]
            distance += float(np.linalg.norm(moved, axis=-1).min(axis=-1).sum())
            duration += float((clock[later[there]] - clock[there]).sum())
    return distance / duration if duration > 0 else None


def _bone_drift(joints: Float64) -> float | None:
    """Range of the length of the least constant bone, without the outer 5 %."""
    joints = joints[np.isfinite(joints).all(axis=(1, 2))]
    if not len(joints):
        return None
    parents, children = np.array(BODY.bones).T
    lengths = np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)
    low, high = np.percentile(lengths, (2.5, 97.5), axis=0)
    return float((high - low).max())


def _below_floor(joints: Float64, contacts: NDArray[np.float32]) -> float | None:
    """Depth of planted feet below 0, without the worst 5 % and those on a lower floor."""
    depths = []
    for side, pair in enumerate(FEET):
        planted = (contacts[:, side] > PLANTED) & np.isfinite(joints).all(axis=(1, 2))
        depths.append(-joints[planted][:, pair, 1].min(axis=-1))
    depth = np.concatenate(depths)
    depth = np.maximum(depth[depth < _LOWER_FLOOR], 0)
    return float(np.percentile(depth, 95)) if len(depth) else None
