"""Trajectory: the path of the centre of mass, the vertical, the floor and the planted feet.

One least-squares problem joins all the evidence: the keypoints, momentum and free fall, planted
feet that rest on one floor, and a camera that is held level. It is solved a few times with outliers
weighted down. Contacts are the lifter's probabilities, refined by how the feet move on that path.
"""

from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.flight import add_momentum, find_flights
from mocap_cli.tracking.frame_runs import drop_short_runs, frames_in, hysteresis
from mocap_cli.tracking.ground import (
    CLEARANCE,
    FEET,
    HANDS,
    Ground,
    contact_points,
    vertical_estimates,
)
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import KeypointPlanes
from mocap_cli.types import Bool, Float64

_ITERATIONS = 5  # with the same contacts and flights
_CAMERA_HEIGHT = 1.3  # metres above the floor, to start from
_SLOW = 0.5  # metres a second at which a foot is as likely planted as not
_SLOPE = 0.25  # metres a second that change the odds by e
_LOW, _RISE = 0.12, 0.03  # metres over the floor, likewise
_SHORTEST, _GAP = 0.05, 0.08  # seconds
_HAND_ODDS = -0.5  # of a planted hand, before its speed and height are known
_HAND_SLOW, _HAND_SLOPE = 0.4, 0.15  # metres a second, as for feet
_HAND_LOW, _HAND_RISE = 0.12, 0.04  # metres above the lowest joint, likewise


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The path of a person and the ground below."""

    centre: Float64  # (T, 3) the centre of mass, in the axes of the first frame's camera
    ground: Ground
    planted: Float64  # (T, 4) contact probability: left foot, right foot, left hand, right hand
    flights: tuple[slice, ...]  # frames in free fall

    @staticmethod
    def solve(
        body: PosedBody,
        planes: KeypointPlanes,
        contacts: Float64,
        attempts: int,
        start: Float64 | None = None,
        ground: Ground | None = None,
    ) -> "Trajectory":
        """The path that fits best, starting from the lifter's (T, 2) contact probabilities.

        Each attempt after the first refines contacts and flights by the path before. The first
        starts from the path `start` (T, 3), or from the keypoints of each frame by themselves, and
        from a level `ground`.
        """
        centre = planes.initial_path(body) if start is None else start
        ground = ground or Ground(np.array([0.0, 1.0, 0.0]), -_CAMERA_HEIGHT)
        planted = np.concatenate((contacts, np.zeros_like(contacts)), axis=1)
        weight = np.clip((planted - 0.3) / 0.4, 0, 1)
        flights: list[slice] = []
        for attempt in range(attempts):
            if attempt > 0:
                feet = _refine_contacts(contacts, body, centre, ground)
                planted = np.concatenate((feet, _hand_contacts(body, centre, ground)), axis=1)
                weight = np.where(planted > 0.5, planted, 0)
                flights = find_flights(body, centre, ground.up, planted > 0.5)
            flying = frames_in(flights, len(centre))
            centre, ground = _solve(body, planes, centre, ground, weight, flying)
        return Trajectory(centre, ground, planted, tuple(flights))


def _solve(
    body: PosedBody,
    planes: KeypointPlanes,
    centre: Float64,
    ground: Ground,
    planted: Float64,
    flying: Bool,
) -> tuple[Float64, Ground]:
    """Path and ground for given contacts and flights."""
    verticals = vertical_estimates(body, planted)
    if not ground.fixed:
        ground = _under_feet(body, centre, ground, planted)
    for _ in range(_ITERATIONS):
        equations = TrajectoryEquations(len(centre), Ground.UNKNOWNS)
        planes.add_to(equations, body, centre)
        add_momentum(equations, body, centre, ground, flying)
        ground.add_to(equations, body, centre, planted, verticals)
        centre, step, covariance = equations.solve()
        ground = ground.moved(step, covariance)
    return centre, ground


def _under_feet(body: PosedBody, centre: Float64, ground: Ground, planted: Float64) -> Ground:
    """The same plane, moved to the median height of planted feet and hands."""
    points, clearance = contact_points(body, centre, planted)
    if not len(points):
        return ground
    return replace(ground, level=float(np.median(points @ ground.up - clearance)))


def _refine_contacts(
    probability: Float64, body: PosedBody, path: Float64, ground: Ground
) -> Float64:
    """(T, 2) probability that the left and the right foot is planted; above 0.5 it is held still.

    `probability` is the lifter's, `path` (T, 3) the estimated path of the centre of mass.
    """
    odds = np.log(np.clip(probability, 0.02, 0.98) / (1 - np.clip(probability, 0.02, 0.98)))
    joints = body.joints_at(path)
    for side, pair in enumerate(FEET):
        speed = [body.apparent_speeds(joints[:, joint]) for joint in pair]
        odds[:, side] += np.clip((_SLOW - np.minimum(*speed)) / _SLOPE, -4, 1)
        over = [
            ground.heights(joints[:, joint]) - share * body.height
            for joint, share in zip(pair, CLEARANCE, strict=True)
        ]
        odds[:, side] += np.clip((_LOW - np.minimum(*over)) / _RISE, -4, 0.5)
    refined = 1 / (1 + np.exp(-odds))
    for segment in body.segments:
        for side in range(2):
            refined[segment, side] = _without_flicker(refined[segment, side], body.times[segment])
    return np.asarray(refined)


def _hand_contacts(body: PosedBody, path: Float64, ground: Ground) -> Float64:
    """(T, 2) probability that the left and the right hand carries the body.

    Such a hand rests, and no joint is much lower.
    """
    joints = body.joints_at(path)
    heights = ground.heights(joints)
    over = heights[:, HANDS] - heights.min(axis=1, keepdims=True)
    speed = np.stack([body.apparent_speeds(joints[:, wrist]) for wrist in HANDS], axis=1)
    odds = _HAND_ODDS + np.clip((_HAND_SLOW - speed) / _HAND_SLOPE, -4, 1.5)
    odds += np.clip((_HAND_LOW - over) / _HAND_RISE, -6, 1)
    planted = 1 / (1 + np.exp(-odds))
    for segment in body.segments:
        for side in range(2):
            planted[segment, side] = _without_flicker(planted[segment, side], body.times[segment])
    return np.asarray(planted)


def _without_flicker(probability: Float64, times: Float64) -> Float64:
    """The same probabilities, kept on one side of 0.5 for as long as a contact lasts."""
    on = drop_short_runs(hysteresis(probability, 0.6, 0.4), times, _SHORTEST, _GAP)
    return np.where(on, np.maximum(probability, 0.51), np.minimum(probability, 0.49))
