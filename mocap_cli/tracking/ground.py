"""Ground: which way is up, and how high the floor is, by what stands on it.

Four witnesses, none of them sure: people hold their cameras level; who stands has the centre of
mass above the feet and a trunk that is nearly upright; planted feet lie in one plane; and what
flies falls down.
"""

import math
from dataclasses import dataclass

import numpy as np

from mocap_cli.body.anatomy import ANKLE_HEIGHT, BALL_HEIGHT
from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY
from mocap_cli.tracking.equations import TrajectoryEquations
from mocap_cli.tracking.frame_runs import frame_durations, true_runs
from mocap_cli.tracking.posed_body import PosedBody
from mocap_cli.types import Float64

FEET = (
    (BODY.index("left_ankle"), BODY.index("left_toe")),
    (BODY.index("right_ankle"), BODY.index("right_toe")),
)
CLEARANCE = (ANKLE_HEIGHT, BALL_HEIGHT)  # of a foot's two joints, as shares of the height
GRAVITY = 9.81
GROUND_UNKNOWNS = (
    4  # numbers of the ground that are solved for: two tilts, its level, how things fall
)
_LARGEST_TILT = 0.3  # radians that `up` may turn in one round
_ROLL, _TILT = math.radians(4), math.radians(20)  # how level cameras are held, sideways and ahead
_BALANCE, _TRUNK = math.radians(4), math.radians(18)  # how upright standing people are in all
_PLANE = 0.03  # metres a planted foot seems off the ground
_CREEP = 0.1  # metres per root second that a planted foot seems to wander across the view
_CREEP_IN_DEPTH = 0.2  # the same towards the camera, where poses err most
_MEMORY = 0.5  # seconds of standing that say all there is to say about the floor
_SWAY = 0.7  # seconds after which a body leans anew
_WINDOW = 0.1  # seconds over which a speed is taken
_IN_DEPTH = 0.35  # share of a speed towards the camera that counts
_STILL = 0.4  # metres a second: a foot that seems faster is hardly planted
_NECK = BODY.index("neck")
_LEGS = tuple(
    tuple(BODY.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)


@dataclass(frozen=True, slots=True)
class Ground:
    """The plane of the floor in the axes of the first frame's camera."""

    up: Float64  # (3,) unit
    level: float  # metres: up @ point is the level of points on the floor
    up_sigma: float = math.inf  # radians that `up` may be off
    gravity: float = (
        GRAVITY  # metres a second squared, as the assumed size of the person measures it
    )
    gravity_sigma: float = math.inf

    def heights(self, points: Float64) -> Float64:
        """Metres above the floor: (..., 3) to (...)."""
        return np.asarray(points @ self.up - self.level)

    def basis(self) -> Float64:
        """(3, 2) two directions along the floor, in which `up` can tilt."""
        away = np.eye(3)[np.argmin(np.abs(self.up))]
        first = unit(np.cross(self.up, away))
        return np.stack((first, np.cross(self.up, first)), axis=1)

    def moved(self, step: Float64, covariance: Float64) -> "Ground":
        """After tilting by step[:2], rising by step[2] and falling faster by step[3]."""
        return Ground(
            up=unit(self.up + self.basis() @ np.clip(step[:2], -_LARGEST_TILT, _LARGEST_TILT)),
            level=self.level + float(step[2]),
            up_sigma=math.sqrt(float(np.trace(covariance[:2, :2]))),
            gravity=self.gravity + float(step[3]),
            gravity_sigma=math.sqrt(float(covariance[3, 3])),
        )


def add_level_camera(equations: TrajectoryEquations, scene: PosedBody, ground: Ground) -> None:
    """Add that cameras are held level: hardly rolled, and tilted a little."""
    basis = ground.basis()
    for axis, usual in ((0, _ROLL), (2, _TILT)):
        sideways = scene.first_from_camera[:, :, axis]  # (T, 3)
        lean = sideways @ ground.up
        weight = 1 / usual**2 / (1 + (float(np.abs(lean).mean()) / (2 * usual)) ** 2)
        for direction in _principal(sideways):
            row = np.pad(direction @ basis, (0, GROUND_UNKNOWNS - 2))
            equations.add_shared(row, float(direction @ ground.up), weight)


def _principal(directions: Float64) -> Float64:
    """(3, 3) rows whose squares add up to the mean square of all (T, 3) directions."""
    size, axes = np.linalg.eigh(directions.T @ directions / len(directions))
    return np.asarray((axes * np.sqrt(np.maximum(size, 0))).T)


@dataclass(frozen=True, slots=True)
class _VerticalEstimate:
    """One opinion of which way is up."""

    up: Float64  # (3,) unit
    sigma: float  # radians


def add_vertical(
    equations: TrajectoryEquations, ground: Ground, witnesses: list[_VerticalEstimate]
) -> None:
    """Add what standing bodies say about up; who disagrees much is believed less."""
    basis = ground.basis()
    for witness in witnesses:
        angle = math.acos(float(np.clip(witness.up @ ground.up, -1, 1)))
        weight = 1 / witness.sigma**2 / (1 + (angle / (2 * witness.sigma)) ** 2)
        for row, offset in zip(np.eye(2, GROUND_UNKNOWNS), -basis.T @ witness.up, strict=True):
            equations.add_shared(row, float(offset), weight)


def vertical_estimates(scene: PosedBody, planted: Float64) -> list[_VerticalEstimate]:
    """What the poses say, where feet are planted: (T, 2) in 0..1."""
    body, lasting = scene.pose, frame_durations(scene.times)
    feet = np.stack([body[:, pair].mean(axis=1) for pair in FEET], axis=1)  # (T, 2, 3)
    share = planted / np.maximum(planted.sum(axis=1, keepdims=True), 1e-6)
    support = -np.einsum("tf,tfi->ti", share, feet)
    standing = planted.max(axis=1) * lasting
    straight = np.max(planted * _straightness(body), axis=1)
    found = (
        _agreed(support, standing * straight, _BALANCE),
        _agreed(body[:, _NECK] - body[:, 0], standing, _TRUNK),
    )
    return [witness for witness in found if witness is not None]


def _straightness(body: Float64) -> Float64:
    """(T, 2) 1 for stretched legs, 0 for legs bent as on a chair: sitting is not balancing."""
    spans = []
    for hip, knee, ankle in _LEGS:
        whole = np.linalg.norm(body[:, hip] - body[:, ankle], axis=1)
        bones = np.linalg.norm(body[:, hip] - body[:, knee], axis=1)
        bones = bones + np.linalg.norm(body[:, knee] - body[:, ankle], axis=1)
        spans.append(whole / np.maximum(bones, 1e-9))
    return np.clip((np.stack(spans, axis=1) - 0.75) / 0.15, 0, 1)


def _agreed(vectors: Float64, seconds: Float64, doubt: float) -> _VerticalEstimate | None:
    """The direction most frames agree on, and how sure that makes it."""
    directions, weight = unit(vectors), seconds
    for _ in range(5):
        if weight.sum() < 0.02:
            return None
        mean = unit(weight @ directions)
        apart = np.arccos(np.clip(directions @ mean, -1, 1))
        weight = seconds / (1 + (apart / 0.3) ** 2) ** 2
    scatter = float(np.sqrt(weight @ apart**2 / weight.sum()))
    opinions = max(float(weight.sum()) / _SWAY, 0.1)
    return _VerticalEstimate(mean, math.hypot(doubt, scatter / math.sqrt(opinions)))


def add_feet(
    equations: TrajectoryEquations,
    scene: PosedBody,
    path: Float64,
    ground: Ground,
    planted: Float64,
) -> None:
    """Add that planted feet stay where they are, and that where they are is the floor."""
    for side, pair in enumerate(FEET):
        news = _news_of_stances(planted[:, side], scene)
        for joint, share in zip(pair, CLEARANCE, strict=True):
            foot = scene.pose[:, joint]
            weight = planted[:, side] * _stillness(path + foot, scene)
            _add_staying(equations, scene, path, foot, weight)
            _add_floor(equations, ground, foot, path, weight * news, share * scene.height)


def _news_of_stances(planted: Float64, scene: PosedBody) -> Float64:
    """(T,) how much of a frame is new: a foot that stands for long says the same all the time."""
    news = scene.independence(_MEMORY)
    for run in true_runs(planted > 0):
        news[run] /= max(1.0, float(news[run].sum()))
    return news


def _stillness(points: Float64, scene: PosedBody) -> Float64:
    """(T,) near 1 for a foot that seems to rest."""
    return np.asarray(1 / (1 + (apparent_speeds(points, scene) / _STILL) ** 2) ** 2)


def apparent_speeds(points: Float64, scene: PosedBody) -> Float64:
    """(T,) metres a second, hardly counting what is towards the camera, where little is sure."""
    velocity = velocities(points, scene)
    view = unit(points)
    towards = np.sum(velocity * view, axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(velocity - (1 - _IN_DEPTH) * towards * view, axis=1))


def velocities(points: Float64, scene: PosedBody) -> Float64:
    """(T, 3) metres a second over a tenth of a second about each frame."""
    velocity = np.zeros(points.shape)
    for piece in scene.segments:
        clock, path = scene.times[piece], points[piece]
        before = np.maximum(clock - _WINDOW / 2, clock[0])
        after = np.minimum(clock + _WINDOW / 2, clock[-1])
        step = [np.interp(after, clock, x) - np.interp(before, clock, x) for x in path.T]
        velocity[piece] = np.stack(step, axis=1) / np.maximum(after - before, 1e-3)[:, None]
    return velocity


def _add_staying(
    equations: TrajectoryEquations, scene: PosedBody, path: Float64, foot: Float64, weight: Float64
) -> None:
    first = scene.consecutive(2)
    step = scene.times[first + 1] - scene.times[first]
    view = unit(path + foot)[first]
    along = view[:, :, None] * view[:, None]
    certainty = np.eye(3) / _CREEP**2 + (1 / _CREEP_IN_DEPTH**2 - 1 / _CREEP**2) * along
    both = np.minimum(weight[first], weight[first + 1]) / step
    factors = np.broadcast_to([-1.0, 1.0], (len(first), 2))
    equations.add(first, factors, both[:, None, None] * certainty, foot[first + 1] - foot[first])


def _add_floor(
    equations: TrajectoryEquations,
    ground: Ground,
    foot: Float64,
    path: Float64,
    weight: Float64,
    clearance: float,
) -> None:
    points = path + foot
    above = ground.heights(points) - clearance
    weight = weight / _PLANE**2 / (1 + (above / (2 * _PLANE)) ** 2) ** 2
    certainty = weight[:, None, None] * np.outer(ground.up, ground.up)
    offset = foot - (ground.level + clearance) * ground.up
    row = np.zeros((len(points), GROUND_UNKNOWNS))
    row[:, :2], row[:, 2] = points @ ground.basis(), -1
    border = ground.up[None, :, None] * row[:, None]
    frames = np.arange(len(points))
    equations.add(frames, np.ones((len(points), 1)), certainty, offset, border)
