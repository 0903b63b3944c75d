"""Path: where the centre of mass goes, which way is up, and which feet are planted.

All witnesses are heard at once, in one least-squares problem that is solved a few times while
the doubtful ones lose their say: what the picture shows, that bodies keep their momentum or
fall, that planted feet rest on one floor, and that cameras are held level.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mocap_cli.tracking.contacts import refined
from mocap_cli.tracking.equations import PathEquations
from mocap_cli.tracking.flight import add_momentum, flights
from mocap_cli.tracking.ground import (
    CLEARANCE,
    FEET,
    SHARED,
    Ground,
    add_feet,
    add_level_camera,
    add_upright,
    upright_witnesses,
)
from mocap_cli.tracking.runs import in_any
from mocap_cli.tracking.scene import Scene
from mocap_cli.tracking.sight import Sight, add_sight, first_path

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

ROUNDS = 5  # of solving with the same feet and flights
CAMERA_HEIGHT = 1.3  # metres above the floor, where nothing tells


@dataclass(frozen=True, slots=True)
class Path:
    """What the picture and the laws of motion agree on."""

    centre: Float64  # (T, 3) the centre of mass, in the axes of the first frame's camera
    ground: Ground
    planted: Float64  # (T, 2) how likely the left and the right foot is planted
    flights: tuple[slice, ...]  # frames in free fall


def find_path(scene: Scene, sight: Sight, guess: Float64, attempts: int) -> Path:
    """The path that fits best, starting from the lifter's (T, 2) `guess` at planted feet.

    Each attempt after the first knows better which feet are planted, and what falls.
    """
    centre = first_path(sight, scene.body)
    ground = Ground(np.array([0.0, 1.0, 0.0]), -CAMERA_HEIGHT)
    planted, sure = guess, np.clip((guess - 0.3) / 0.4, 0, 1)
    falls: list[slice] = []
    for attempt in range(attempts):
        if attempt > 0:
            planted = refined(guess, scene, centre, ground)
            sure = np.where(planted > 0.5, planted, 0)
            falls = flights(scene, centre, ground.up, planted > 0.5)
        centre, ground = _settle(scene, sight, centre, ground, sure, in_any(falls, len(centre)))
    return Path(centre, ground, planted, tuple(falls))


def _settle(
    scene: Scene, sight: Sight, centre: Float64, ground: Ground, planted: Float64, flying: Bool
) -> tuple[Float64, Ground]:
    """Path and ground for feet and flights that are given."""
    witnesses = upright_witnesses(scene, planted)
    ground = _on_feet(scene, centre, ground, planted)
    for _ in range(ROUNDS):
        equations = PathEquations(len(centre), SHARED)
        add_sight(equations, sight, scene.body, centre)
        add_momentum(equations, scene, centre, ground, flying)
        add_feet(equations, scene, centre, ground, planted)
        add_level_camera(equations, scene, ground)
        add_upright(equations, ground, witnesses)
        centre, step, covariance = equations.solve()
        ground = ground.moved(step, covariance)
    return centre, ground


def _on_feet(scene: Scene, centre: Float64, ground: Ground, planted: Float64) -> Ground:
    """The same plane at the level where most planted feet are."""
    joints = scene.joints(centre)
    levels = [
        (joints[:, joint] @ ground.up - share * scene.height)[planted[:, side] > 0.5]
        for side, pair in enumerate(FEET)
        for joint, share in zip(pair, CLEARANCE, strict=True)
    ]
    every = np.concatenate(levels)
    return replace(ground, level=float(np.median(every))) if len(every) else ground
