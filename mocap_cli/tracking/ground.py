"""Ground: the vertical and the height of the floor, from several uncertain cues.

People hold cameras level; who stands has the centre of mass above the feet and a trunk that is
nearly upright; planted feet lie in one plane; and what is in free fall falls down.
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

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
HANDS = (BODY.index("left_wrist"), BODY.index("right_wrist"))
HAND_CLEARANCE = 0.03
"""Height of the wrist of a hand that is flat on the ground, as a share of the person's height."""
_CONTACTS = (
    *(tuple(zip(pair, CLEARANCE, strict=True)) for pair in FEET),
    *(((wrist, HAND_CLEARANCE),) for wrist in HANDS),
)
"""Of each column of a contact array (T, 4): joints and their clearances."""
GRAVITY = 9.81
LARGEST_UP_SIGMA = math.radians(15)
"""Beyond it the vertical counts as unknown, and the result stays in camera space."""

_LARGEST_TILT = 0.3  # radians that `up` may turn in one iteration
_ROLL, _TILT = math.radians(4), math.radians(20)  # sigma of a camera's roll and pitch
_BALANCE, _TRUNK = math.radians(4), math.radians(18)  # sigma of standing people's lean
_HAND_BALANCE = math.radians(12)  # the same of people on their hands, who swing
_CERTAIN = 1e8  # weight of a ground that is known
_PLANE = 0.03  # metres, sigma of a planted foot's distance from the floor
_CREEP = 0.1  # metres per root second, sigma of a planted foot's drift across the view
_CREEP_IN_DEPTH = 0.2  # the same towards the camera, where poses err most
_CORRELATION = 0.5  # seconds of one contact over which its errors stay alike
_SWAY = 0.7  # seconds after which a body leans independently
_STILL = 0.4  # metres a second: a foot that seems faster is hardly planted
_NECK = BODY.index("neck")
_LEGS = tuple(
    tuple(BODY.index(f"{side}_{part}") for part in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)


@dataclass(frozen=True, slots=True)
class Ground:
    """The plane of the floor in the axes of the first frame's camera."""

    UNKNOWNS: ClassVar[int] = 4  # two tilts of the vertical, the level of the floor, and gravity

    up: Float64  # (3,) unit
    level: float  # metres: up @ point is the level of points on the floor
    up_sigma: float = math.inf  # radians
    gravity: float = GRAVITY  # metres a second squared, at the person's assumed size
    gravity_sigma: float = math.inf
    fixed: bool = False  # known already: people are placed on it, and do not change it

    def heights(self, points: Float64) -> Float64:
        """Metres above the floor: (..., 3) to (...)."""
        return np.asarray(points @ self.up - self.level)

    def basis(self) -> Float64:
        """(3, 2) two directions along the floor, in which `up` can tilt."""
        away = np.eye(3)[np.argmin(np.abs(self.up))]
        first = unit(np.cross(self.up, away))
        return np.stack((first, np.cross(self.up, first)), axis=1)

    def moved(self, step: Float64, covariance: Float64) -> "Ground":
        """After a step (4,) of the unknowns, with their covariance (4, 4)."""
        gravity, sigma = self.gravity + float(step[3]), math.sqrt(float(covariance[3, 3]))
        if self.fixed:
            return replace(self, gravity=gravity, gravity_sigma=sigma)
        return Ground(
            up=unit(self.up + self.basis() @ np.clip(step[:2], -_LARGEST_TILT, _LARGEST_TILT)),
            level=self.level + float(step[2]),
            up_sigma=math.sqrt(float(np.trace(covariance[:2, :2]))),
            gravity=gravity,
            gravity_sigma=sigma,
        )

    def add_to(
        self,
        equations: TrajectoryEquations,
        body: PosedBody,
        path: Float64,
        planted: Float64,
        verticals: list["_VerticalEstimate"],
    ) -> None:
        """Add all cues about the ground, linearised about `path` and this plane."""
        _add_feet(equations, body, path, self, planted)
        if self.fixed:
            for row in np.eye(3, self.UNKNOWNS):
                equations.add_shared(row, 0.0, _CERTAIN)
            return
        _add_level_camera(equations, body, self)
        _add_verticals(equations, self, verticals)


@dataclass(frozen=True, slots=True)
class _VerticalEstimate:
    """The vertical by one cue."""

    up: Float64  # (3,) unit
    sigma: float  # radians


def contact_points(body: PosedBody, path: Float64, planted: Float64) -> tuple[Float64, Float64]:
    """(N, 3) all joints that are planted (T, 4), and (N,) how high they are when they are flat."""
    joints = body.joints_at(path)
    chosen = [
        (joints[planted[:, column] > 0.5, joint], share * body.height)
        for column, parts in enumerate(_CONTACTS)
        for joint, share in parts
    ]
    clearances = [np.full(len(points), clearance) for points, clearance in chosen]
    return np.concatenate([points for points, _ in chosen]), np.concatenate(clearances)


def vertical_estimates(body: PosedBody, planted: Float64) -> list[_VerticalEstimate]:
    """The vertical by the poses, for contact probabilities (T, 4)."""
    pose, duration = body.pose, frame_durations(body.times)
    planted, hands = planted[:, :2], planted[:, 2:]
    feet = np.stack([pose[:, pair].mean(axis=1) for pair in FEET], axis=1)  # (T, 2, 3)
    share = planted / np.maximum(planted.sum(axis=1, keepdims=True), 1e-6)
    support = -np.einsum("tf,tfi->ti", share, feet)
    standing = planted.max(axis=1) * duration
    straight = np.max(planted * _straightness(pose), axis=1)
    on_hands = hands.max(axis=1) * (1 - planted.max(axis=1))
    hand_share = hands / np.maximum(hands.sum(axis=1, keepdims=True), 1e-6)
    hand_support = -np.einsum("th,thi->ti", hand_share, pose[:, HANDS])
    found = (
        _robust_mean(support, standing * straight, _BALANCE),
        _robust_mean(hand_support, on_hands * duration, _HAND_BALANCE),
        _robust_mean(pose[:, _NECK] - pose[:, 0], standing, _TRUNK),
    )
    return [estimate for estimate in found if estimate is not None]


def _straightness(pose: Float64) -> Float64:
    """(T, 2) 1 for stretched legs, 0 for legs bent as on a chair: sitting is not balancing."""
    spans = []
    for hip, knee, ankle in _LEGS:
        whole = np.linalg.norm(pose[:, hip] - pose[:, ankle], axis=1)
        bones = np.linalg.norm(pose[:, hip] - pose[:, knee], axis=1)
        bones = bones + np.linalg.norm(pose[:, knee] - pose[:, ankle], axis=1)
        spans.append(whole / np.maximum(bones, 1e-9))
    return np.clip((np.stack(spans, axis=1) - 0.75) / 0.15, 0, 1)


def _robust_mean(vectors: Float64, seconds: Float64, sigma: float) -> _VerticalEstimate | None:
    """The mean direction of vectors (T, 3), outliers weighted down; `sigma` is of one sway."""
    directions, weight = unit(vectors), seconds
    for _ in range(5):
        if weight.sum() < 0.02:
            return None
        mean = unit(weight @ directions)
        angle = np.arccos(np.clip(directions @ mean, -1, 1))
        weight = seconds / (1 + (angle / 0.3) ** 2) ** 2
    scatter = float(np.sqrt(weight @ angle**2 / weight.sum()))
    independent = max(float(weight.sum()) / _SWAY, 0.1)
    return _VerticalEstimate(mean, math.hypot(sigma, scatter / math.sqrt(independent)))


def _add_level_camera(equations: TrajectoryEquations, body: PosedBody, ground: Ground) -> None:
    """Add that cameras are held level: hardly rolled, and pitched a little."""
    basis = ground.basis()
    for axis, sigma in ((0, _ROLL), (2, _TILT)):
        sideways = body.first_from_camera[:, :, axis]  # (T, 3)
        lean = sideways @ ground.up
        weight = 1 / sigma**2 / (1 + (float(np.abs(lean).mean()) / (2 * sigma)) ** 2)
        for direction in _principal(sideways):
            row = np.pad(direction @ basis, (0, Ground.UNKNOWNS - 2))
            equations.add_shared(row, float(direction @ ground.up), weight)


def _principal(directions: Float64) -> Float64:
    """(3, 3) rows whose squares add up to the mean square of all (T, 3) directions."""
    size, axes = np.linalg.eigh(directions.T @ directions / len(directions))
    return np.asarray((axes * np.sqrt(np.maximum(size, 0))).T)


def _add_verticals(
    equations: TrajectoryEquations, ground: Ground, verticals: list[_VerticalEstimate]
) -> None:
    """Add the vertical by the poses; estimates far from the present one count less."""
    basis = ground.basis()
    for vertical in verticals:
        angle = math.acos(float(np.clip(vertical.up @ ground.up, -1, 1)))
        weight = 1 / vertical.sigma**2 / (1 + (angle / (2 * vertical.sigma)) ** 2)
        for row, offset in zip(np.eye(2, Ground.UNKNOWNS), -basis.T @ vertical.up, strict=True):
            equations.add_shared(row, float(offset), weight)


def _add_feet(
    equations: TrajectoryEquations,
    body: PosedBody,
    path: Float64,
    ground: Ground,
    planted: Float64,
) -> None:
    """Add that planted feet and hands (T, 4) do not move, and that they are on the floor."""
    for column, parts in enumerate(_CONTACTS):
        independence = _contact_independence(planted[:, column], body)
        for joint, share in parts:
            foot = body.pose[:, joint]
            weight = planted[:, column] * _stillness(path + foot, body)
            _add_no_slip(equations, body, path, foot, weight)
            weight = weight * independence
            _add_floor(equations, ground, foot, path, weight, share * body.height)


def _contact_independence(planted: Float64, body: PosedBody) -> Float64:
    """(T,) weights of frames: all of one contact together count as one observation at most."""
    weight = body.independence(_CORRELATION)
    for run in true_runs(planted > 0):
        weight[run] /= max(1.0, float(weight[run].sum()))
    return weight


def _stillness(points: Float64, body: PosedBody) -> Float64:
    """(T,) near 1 for a foot that seems to rest."""
    return np.asarray(1 / (1 + (body.apparent_speeds(points) / _STILL) ** 2) ** 2)


def _add_no_slip(
    equations: TrajectoryEquations, body: PosedBody, path: Float64, foot: Float64, weight: Float64
) -> None:
    first = body.consecutive(2)
    step = body.times[first + 1] - body.times[first]
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
    row = np.zeros((len(points), Ground.UNKNOWNS))
    row[:, :2], row[:, 2] = points @ ground.basis(), -1
    border = ground.up[None, :, None] * row[:, None]
    frames = np.arange(len(points))
    equations.add(frames, np.ones((len(points), 1)), certainty, offset, border)
