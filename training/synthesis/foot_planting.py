"""Foot planting: removes the sliding and ground penetration of retargeted walks.

While a foot is slow and low, its ball is fixed to one point on the ground. The leg follows by
inverse kinematics, and toes that would point into the ground are bent up.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, label
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import BODY
from mocap_cli.types import Float32, Float64
from training.synthesis.body_model import Body
from training.synthesis.mocap_clip import PART_NAMES

Floats = NDArray[np.floating]

SLOW = 0.55
"""Metres per second; the ball of a planted foot is slower."""
LOW = 0.05
"""Metres above its height in standing; the ball of a planted foot is lower."""
SHORTEST = 0.12
"""Seconds."""
REACH = 0.999
"""Maximum extension of a leg, as a share of its length."""


def plant_feet(moves: Float32, body: Body, fps: float) -> tuple[Float32, NDArray[np.bool_]]:
    """The moves (T, P, 3, 4) with feet that do not slide, on the ground Y = 0; and when each
    foot, left and right, stands: (T, 2)."""
    sides = ("left", "right")
    rest = {side: _ball_at_rest(body, side) for side in sides}
    balls = {side: _points(moves, f"{side}_foot", rest[side]) for side in sides}
    stands = {side: _stance(balls[side], fps) for side in sides}
    sole = -_lowest(body)
    height = {side: rest[side][1] + sole for side in sides}
    low = np.concatenate([balls[s][stands[s], 1] - height[s] for s in sides])
    result = moves.astype(np.float64)
    result[..., 1, 3] -= np.median(low)
    for side in sides:
        ball = balls[side] - (0, np.median(low), 0)
        shift = _pins(ball, stands[side], float(height[side]))
        _solve_leg(result, body, side, shift)
        _bend_toes(result, body, side)
    return result.astype(np.float32), np.stack([stands[side] for side in sides], axis=1)


def _part(name: str) -> int:
    return PART_NAMES.index(name)


def _points(moves: Floats, part: str, at: Floats) -> Float64:
    """Path (T, 3) of a point of the rest pose that is fixed to one part."""
    transform = moves[:, _part(part)].astype(np.float64)
    return np.asarray(transform[..., :3] @ at + transform[..., 3])


def _ball_at_rest(body: Body, side: str) -> Float64:
    return body.joints.place[BODY.index(f"{side}_toe")].sum(axis=0).astype(np.float64)


def _lowest(body: Body) -> float:
    if body.vertices is None:
        raise ValueError("only a body with its mesh has soles")
    return float(body.vertices.place.sum(axis=1)[:, 1].min())


def _stance(ball: Float64, fps: float) -> NDArray[np.bool_]:
    """(T,) whether a foot is planted."""
    speed = np.linalg.norm(np.gradient(gaussian_filter1d(ball, 0.02 * fps, axis=0), axis=0), axis=1)
    slow = speed * fps < SLOW
    usual = np.median(ball[slow, 1]) if slow.any() else ball[:, 1].min()
    stands = slow & (np.abs(ball[:, 1] - usual) < LOW)
    runs, count = label(stands)
    for run in range(1, count + 1):
        if (runs == run).sum() < SHORTEST * fps:
            stands[runs == run] = False
    return np.asarray(stands)


def _pins(ball: Float64, stands: NDArray[np.bool_], height: float) -> Float64:
    """Shift (T, 3) of the ball in every frame that keeps it in place while it is planted."""
    runs, count = label(stands)
    shift, known = np.zeros_like(ball), stands.copy()
    for run in range(1, count + 1):
        mine = runs == run
        pin = np.median(ball[mine], axis=0) * (1, 0, 1) + (0, height, 0)
        shift[mine] = pin - ball[mine]
    if not known.any():
        return shift
    at, frames = np.flatnonzero(known), np.arange(len(ball))
    between = np.stack([np.interp(frames, at, shift[at, i]) for i in range(3)], axis=1)
    smooth = gaussian_filter1d(between, 1.5, axis=0)
    return np.where(stands[:, None], between, smooth)


def _solve_leg(moves: Float64, body: Body, side: str, shift: Float64) -> None:
    """Move the ankle by `shift`; hip and sole orientation stay, the knee bends in its plane."""
    thigh, shank, foot, toes = (_part(f"{side}_{n}") for n in ("thigh", "shank", "foot", "toes"))
    hip, knee, ankle = (_points(moves, PART_NAMES[p], body.heads[p]) for p in (thigh, shank, foot))
    upper = np.linalg.norm(knee - hip, axis=1)
    lower = np.linalg.norm(ankle - knee, axis=1)
    aim = ankle + shift
    way = aim - hip
    far = np.linalg.norm(way, axis=1)
    near = np.minimum(far, REACH * (upper + lower))
    aim = hip + way * (near / far)[:, None]
    along = (upper**2 - lower**2 + near**2) / (2 * near)
    out = np.sqrt(np.maximum(upper**2 - along**2, 0))
    line = way / far[:, None]
    bow = (knee - hip) - line * np.sum((knee - hip) * line, axis=1, keepdims=True)
    bow += 1e-4 * moves[:, thigh, :, 2]  # a straight knee bends forward
    bow -= line * np.sum(bow * line, axis=1, keepdims=True)
    bow /= np.linalg.norm(bow, axis=1, keepdims=True)
    bent = hip + line * along[:, None] + bow * out[:, None]
    _aim(moves, thigh, body, knee - hip, bent - hip, hip)
    _aim(moves, shank, body, ankle - knee, aim - bent, bent)
    for part in (foot, toes):
        moves[:, part, :, 3] += aim - ankle


def _aim(
    moves: Float64, part: int, body: Body, before: Float64, after: Float64, hinge: Float64
) -> None:
    """Rotate a part about its joint from one direction to another."""
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (before, after))
    axis, cosine = np.cross(a, b), np.sum(a * b, axis=1)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, cosine) / np.maximum(sine, 1e-12)
    turned = Rotation.from_rotvec(axis * angle[:, None]).as_matrix() @ moves[:, part, :, :3]
    moves[:, part, :, :3] = turned
    moves[:, part, :, 3] = hinge - turned @ body.heads[part]


def _bend_toes(moves: Float64, body: Body, side: str) -> None:
    """Keep toes near the ground flat while the heel is raised."""
    foot, toes = _part(f"{side}_foot"), _part(f"{side}_toes")
    hinge = _points(moves, f"{side}_toes", body.heads[toes])
    forward = moves[:, foot, :, 2]
    dip = np.arcsin(np.clip(-forward[:, 1], 0, 1))  # angle by which they point down
    near = np.clip((0.14 - hinge[:, 1]) / 0.06, 0, 1)
    turn = Rotation.from_rotvec(np.array([-1.0, 0, 0]) * (dip * near)[:, None]).as_matrix()
    moves[:, toes, :, :3] = moves[:, foot, :, :3] @ turn
    moves[:, toes, :, 3] = hinge - moves[:, toes, :, :3] @ body.heads[toes]
