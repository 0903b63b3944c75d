"""Where the head faces, from nose, eyes and ears.

The joints say where neck and crown are; the turn about the line between them is the angle that is
left. A rigid face is turned by each angle of a grid and held against the keypoints; the
forward-backward algorithm joins the frames. Between frames the turn is an Ornstein-Uhlenbeck
process about straight ahead: a face that is not seen returns there, and the spread of the angles
is the uncertainty.
"""

import math

import numpy as np

from mocap_cli.body.anatomy import standing_height
from mocap_cli.body.facing import Facing
from mocap_cli.body.rig import bone_lengths
from mocap_cli.body.rotation import unit
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.tracking.frame_runs import frame_durations, unbroken_runs
from mocap_cli.types import Float64

_FACE = {  # to the left, up and ahead, as shares of the height: those of anny's mean body
    "nose": (0.0, -0.0095, 0.0325),
    "left_eye": (0.0195, 0.0094, 0.0179),
    "right_eye": (-0.0195, 0.0094, 0.0179),
    "left_ear": (0.0485, -0.0047, -0.0340),
    "right_ear": (-0.0485, -0.0047, -0.0340),
}
_POINTS = [KEYPOINTS.index(name) for name in _FACE]
_TEMPLATE = np.array(list(_FACE.values()))  # (F, 3)
_TURNS = np.radians(np.arange(-90.0, 91.0, 5.0))  # (A,) to the left, from straight ahead

# Tried on ten rendered shots; the errors hardly depend on them. docs/experiments/orientations.md
_USUAL_TURN = math.radians(35)  # sigma
_TURN_SECONDS = 0.5  # correlation time of a turn
_JITTER = 0.006  # of the height: error of a keypoint with a score of 1
_LEAST_SCORE = 0.1
_TAIL = 2.0  # degrees of freedom of the errors' distribution: outliers are usual
_CORRELATION = 0.2  # seconds over which errors of keypoints stay alike
_CALIBRATION = 1.5  # sigmas that hold 70 % of the errors
_SHORTEST = 1e-3  # seconds between frames

_Axes = tuple[Float64, Float64, Float64]  # (T, 3) each: the head's left, up and ahead, unturned


def head_facing(
    joints: Float64, world_from_camera: Float64, camera: Pinhole, keypoints: Keypoints
) -> Facing:
    """Where the head of placed joints (T, J, 3) faces; straight ahead where no face is seen."""
    T = len(joints)
    direction, sigma = np.full((T, 3), np.nan), np.full(T, np.nan)
    tracked = np.isfinite(joints).all(axis=(1, 2))
    for run in unbroken_runs(tracked, keypoints.times, keypoints.cut):
        left, _, ahead = axes = _unturned(joints[run])
        fit = _fit(joints[run], axes, world_from_camera[run], camera, keypoints, run)
        times = keypoints.times[run]
        fit *= np.minimum(frame_durations(times) / _CORRELATION, 1)[:, None]
        chance = _smoothed(fit, np.diff(times))
        turn = chance @ _TURNS
        sigma[run] = _CALIBRATION * np.sqrt(np.maximum(chance @ _TURNS**2 - turn**2, 0))
        direction[run] = np.cos(turn)[:, None] * ahead + np.sin(turn)[:, None] * left
    return Facing(direction=direction.astype(np.float32), sigma=sigma.astype(np.float32))


def _at(joints: Float64, name: str) -> Float64:
    return joints[:, BODY.index(name)]


def _unturned(joints: Float64) -> _Axes:
    """The axes of a head that looks straight ahead over the shoulders."""
    up = unit(_at(joints, "head") - _at(joints, "neck"))
    ahead = unit(np.cross(_at(joints, "left_shoulder") - _at(joints, "right_shoulder"), up))
    return np.cross(up, ahead), up, ahead


def _fit(
    joints: Float64,
    axes: _Axes,
    world_from_camera: Float64,
    camera: Pinhole,
    keypoints: Keypoints,
    run: slice,
) -> Float64:
    """(T, A) log-likelihoods of the turns; the place of the face in the image is free."""
    turn = world_from_camera[:, :, :3]
    head = _within(turn, _at(joints, "head") - world_from_camera[:, :, 3])
    depth = np.maximum(-head[:, 2], 0.1)[:, None]
    left, up, ahead = (
        view[:, :2] + head[:, :2] / depth * view[:, 2:]
        for view in (_within(turn, axis) for axis in axes)
    )  # (T, 2) how far a step along each axis moves a point across the view
    size = depth[..., None] / standing_height(bone_lengths(joints))
    seen = size * camera.rays(keypoints.xy[run][:, _POINTS])[..., :2]  # (T, F, 2)
    score = keypoints.score[run][:, _POINTS].astype(np.float64)
    weight = np.where(score > _LEAST_SCORE, (score / _JITTER) ** 2, 0.0)
    made = np.empty((len(joints), len(_TURNS)))
    for i, (cosine, sine) in enumerate(zip(np.cos(_TURNS), np.sin(_TURNS), strict=True)):
        turned = (cosine * left - sine * ahead, up, cosine * ahead + sine * left)
        off = seen - _TEMPLATE @ np.stack(turned, axis=1)
        middle = np.sum(off * weight[..., None], axis=1) / (weight.sum(axis=1)[:, None] + 1e-9)
        square = np.sum((off - middle[:, None]) ** 2, axis=-1) * weight
        made[:, i] = -_TAIL * np.log1p(square / (2 * _TAIL)).sum(axis=1)
    return made


def _within(rotations: Float64, vectors: Float64) -> Float64:
    """Vectors (T, 3) in the axes that are the columns of (T, 3, 3)."""
    return np.einsum("tij,ti->tj", rotations, vectors)


def _smoothed(fit: Float64, gaps: Float64) -> Float64:
    """(T, A) probabilities of the turns, given the frames before and after."""
    likely = np.exp(fit - fit.max(axis=1, keepdims=True))
    gaps = np.maximum(gaps.round(4), _SHORTEST)
    steps = {gap: _step(gap) for gap in set(gaps.tolist())}
    chance = np.empty_like(likely)
    chance[0] = _normal(_TURNS / _USUAL_TURN) * likely[0]
    for t, gap in enumerate(gaps.tolist()):
        chance[t + 1] = (chance[t] @ steps[gap]) * likely[t + 1]
        chance[t + 1] /= chance[t + 1].sum()
    later = np.ones(len(_TURNS))
    for t in range(len(gaps) - 1, -1, -1):
        later = steps[float(gaps[t])] @ (likely[t + 1] * later)
        later /= later.sum()
        chance[t] *= later
    return chance / chance.sum(axis=1, keepdims=True)


def _step(gap: float) -> Float64:
    """(A, A) probabilities from each turn (rows) to each a gap later."""
    keep = math.exp(-gap / _TURN_SECONDS)
    width = _USUAL_TURN * math.sqrt(1 - keep**2)
    chance = _normal((_TURNS - keep * _TURNS[:, None]) / width)
    return chance / chance.sum(axis=1, keepdims=True)


def _normal(sigmas: Float64) -> Float64:
    return np.exp(-(sigmas**2) / 2)
