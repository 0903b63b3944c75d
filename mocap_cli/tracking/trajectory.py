"""Path: where the centre of mass goes, which way is up, and which feet are planted.

All witnesses are heard at once, in one least-squares problem that is solved a few times while
the doubtful ones lose their say: what the picture shows, that bodies keep their momentum or
fall, that planted feet rest on one floor, and that cameras are held level.
"""

from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.tracking.contacts import refine_contacts
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.flight import add_momentum, find_flights
from mocap_cli.tracking.frame_runs import frames_in
from mocap_cli.tracking.ground import (
    CLEARANCE,
    FEET,
    GROUND_UNKNOWNS,
    Ground,
    add_feet,
    add_level_camera,
    add_vertical,
    vertical_estimates,
)
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.tracking.reprojection import KeypointPlanes, add_reprojection, initial_trajectory
from mocap_cli.types import Bool, Float64

_ITERATIONS = 5  # of solving with the same feet and flights
_CAMERA_HEIGHT = 1.3  # metres above the floor, where nothing tells


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What the picture and the laws of motion agree on."""

    centre: Float64  # (T, 3) the centre of mass, in the axes of the first frame's camera
    ground: Ground
    planted: Float64  # (T, 2) how likely the left and the right foot is planted
    flights: tuple[slice, ...]  # frames in free fall


def solve_trajectory(
    scene: PosedBody, sight: KeypointPlanes, guess: Float64, attempts: int
) -> Trajectory:
    """The path that fits best, starting from the lifter's (T, 2) `guess` at planted feet.

    Each attempt after the first knows better which feet are planted, and what falls.
    """
    centre = initial_trajectory(sight, scene.pose)
    ground = Ground(np.array([0.0, 1.0, 0.0]), -_CAMERA_HEIGHT)
    planted, sure = guess, np.clip((guess - 0.3) / 0.4, 0, 1)
    falls: list[slice] = []
    for attempt in range(attempts):
        if attempt > 0:
            planted = refine_contacts(guess, scene, centre, ground)
            sure = np.where(planted > 0.5, planted, 0)
            falls = find_flights(scene, centre, ground.up, planted > 0.5)
        centre, ground = _settle(scene, sight, centre, ground, sure, frames_in(falls, len(centre)))
    return Trajectory(centre, ground, planted, tuple(falls))


def _settle(
    scene: PosedBody,
    sight: KeypointPlanes,
    centre: Float64,
    ground: Ground,
    planted: Float64,
    flying: Bool,
) -> tuple[Float64, Ground]:
    """Path and ground for feet and flights that are given."""
    witnesses = vertical_estimates(scene, planted)
    ground = _on_feet(scene, centre, ground, planted)
    for _ in range(_ITERATIONS):
        equations = TrajectoryEquations(len(centre), GROUND_UNKNOWNS)
        add_reprojection(equations, sight, scene.pose, centre)
        add_momentum(equations, scene, centre, ground, flying)
        add_feet(equations, scene, centre, ground, planted)
        add_level_camera(equations, scene, ground)
        add_vertical(equations, ground, witnesses)
        centre, step, covariance = equations.solve()
        ground = ground.moved(step, covariance)
    return centre, ground


def _on_feet(scene: PosedBody, centre: Float64, ground: Ground, planted: Float64) -> Ground:
    """The same plane at the level where most planted feet are."""
    joints = scene.joints_at(centre)
    levels = [
        (joints[:, joint] @ ground.up - share * scene.height)[planted[:, side] > 0.5]
        for side, pair in enumerate(FEET)
        for joint, share in zip(pair, CLEARANCE, strict=True)
    ]
    every = np.concatenate(levels)
    return replace(ground, level=float(np.median(every))) if len(every) else ground
