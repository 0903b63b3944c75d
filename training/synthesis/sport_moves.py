"""Moves of sports that no recording shows: dives, spins on ice, floor work, skiing.

Poses are from key_poses; what physics gives is computed: the centre of mass falls along a parabola,
and who pulls in arms and legs turns faster, since the angular momentum stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.types import Float32, Float64
from training.synthesis.body_model import Body, transform_anchors
from training.synthesis.key_poses import ANGLES, Angles, Wobble, clip_of_angles, key_angles

Random = np.random.Generator
Key = tuple[float, str | Angles]

GRAVITY = 9.81
WOBBLE = 5.0  # degrees
LONGEST_JUMP = 0.9  # seconds
SINKING = 0.4
"""Seconds that a dive goes on below the water."""


@dataclass(frozen=True, slots=True)
class DiveMoves:
    """A dive towards +X off the edge X = 0 of a platform, water at Y = 0."""

    moves: Float32  # (T, P, 3, 4)
    enters: float  # seconds


def dive_moves(
    body: Body, platform: float, half_turns: int, twists: float, shape: str, fps: float, rng: Random
) -> DiveMoves:
    """Somersaults forwards (`half_turns` above 0) or backwards, tucked, piked or straight."""
    up = rng.uniform(2.6, 3.6)
    flight = (up + np.sqrt(up**2 + 2 * GRAVITY * (platform - 0.35))) / GRAVITY
    before = 0.9
    times = np.arange(0, before + flight + SINKING, 1 / fps)
    air = np.clip((times - before) / flight, 0, 1)
    opening = rng.uniform(0.68, 0.78)
    flying = "twist" if twists and shape == "layout" else shape
    keys: list[Key] = [
        (0, "stand"), (0.35, "ready"), (0.68, "crouch"), (before, "stretch"),
        (before + 0.2 * flight, flying), (before + opening * flight, flying),
        (before + min(opening + 0.2, 0.97) * flight, "entry"),
    ]  # fmt: skip
    angles = key_angles(keys, times, Wobble.random(rng, WOBBLE))
    facing = 90.0 if half_turns > 0 else -90.0  # forwards divers face the water
    still = np.zeros_like(times)
    steady = _moves(body, angles, still, still, still, fps)
    speed = np.where((air > 0) & (air < 1), 1 / _inertia(body, steady, axis=0), 0)
    flip = np.cumsum(speed) / speed.sum() * 180 * half_turns
    spin = 360 * twists * _eased((air - 0.2) / (opening - 0.2))
    moves = _moves(body, angles, still + facing, flip, spin, fps)
    return DiveMoves(_fallen(moves, body, times - before, flight, up, platform), before + flight)


def _fallen(
    moves: Float32, body: Body, since: Float64, flight: float, up: float, platform: float
) -> Float32:
    """On the platform until second 0 with the toes at its edge, then on a parabola into water."""
    result = on_ground(moves, body)
    result[..., 1, 3] += platform
    centre = _centre(result, body)
    start = int(np.searchsorted(since, 0))
    result[: start + 1, :, :, 3] -= ((centre[: start + 1] - centre[start]) * (1, 0, 1))[:, None]
    result[..., 0, 3] -= centre[start, 0] - 0.05
    result[..., 2, 3] -= centre[start, 2]
    centre = _centre(result, body)
    air = np.clip(since, 0, flight)[:, None]
    path = centre[start] + air * (1.1, up, 0) - GRAVITY / 2 * air**2 * (0, 1, 0)
    wet = np.maximum(since - flight, 0)[:, None]
    path = path - 0.35 * (1 - np.exp(-wet / 0.35)) * (-0.3, GRAVITY * flight - up, 0)
    result[start:, :, :, 3] += (path - centre)[start:, None]
    return result.astype(np.float32)


def spin_moves(body: Body, seconds: float, fps: float, rng: Random) -> Float32:
    """A skater glides in, spins in three positions and glides out."""
    times = np.arange(0, seconds, 1 / fps)
    spins = list(rng.permutation(["upright spin", "camel", "sit spin", "layback"])[:3])
    marks = np.linspace(0.2, 0.88, 7) * seconds
    keys: list[Key] = [(0, "glide"), (float(marks[0]), "glide")]
    for i, name in enumerate(spins):
        keys += [(float(marks[2 * i + 1]), str(name)), (float(marks[2 * i + 2]) - 0.15, str(name))]
    keys.append((seconds, "glide"))
    angles = key_angles(keys, times, Wobble.random(rng, WOBBLE))
    still = np.zeros_like(times)
    inertia = _inertia(body, _moves(body, angles, still, still, still, fps), axis=1)
    spinning = _eased((times - marks[0]) / 0.8) * _eased((seconds - times) / 0.9)
    rate = spinning * np.minimum(rng.uniform(1.3, 1.9) * np.median(inertia) / inertia, 3.2)
    yaw = rng.uniform(0, 360) + 360 * np.cumsum(rate) / fps
    moves = on_ground(_moves(body, angles, yaw, still, still, fps), body, every=True)
    gliding = 1.4 * np.cumsum(np.where(times < marks[0], 1 - times / marks[0], 0)) / fps
    drift = (gliding[-1] - gliding) * rng.choice([-1, 1])
    centre = _centre(moves, body)
    moves[..., 3] -= (centre * (1, 0, 1))[:, None]
    moves[..., 0, 3] += drift[:, None]
    return moves.astype(np.float32)


FLOOR: dict[str, Sequence[tuple[float, str | Angles, float, float]]] = {
    # seconds, pose, somersault and cartwheel in degrees
    "handstand": ((0.5, "ready", 0, 0), (0.6, dict(tilt=60, hip=60, arm=160), 25, 0),
                  (0.5, "handstand", 170, 0), (1.0, "handstand", 182, 0),
                  (0.5, "straddle", 182, 0), (0.5, dict(tilt=60, hip=70, arm=150), 360, 0),
                  (0.5, "stand", 360, 0)),
    "cartwheel": ((0.4, "ready", 0, 0), (0.3, "straddle", 0, 25), (0.8, "straddle", 0, 335),
                  (0.3, "ready", 0, 360)),
    "roll": ((0.4, "squat", 0, 0), (0.35, "tuck", 100, 0), (0.35, "tuck", 250, 0),
             (0.35, "squat", 360, 0), (0.5, "stand", 360, 0)),
    "bridge": ((0.5, "ready", 0, 0), (0.9, "bridge", -62, 0), (1.2, "bridge", -66, 0),
               (0.9, "ready", 0, 0)),
    "press-ups": ((0.6, "squat", 0, 0), (0.6, "plank", 76, 0), (0.5, "low plank", 88, 0),
                  (0.5, "plank", 76, 0), (0.5, "low plank", 88, 0), (0.5, "plank", 76, 0),
                  (0.6, "squat", 0, 0)),
    "straddle sit": ((0.8, "straddle sit", 0, 0), (0.8, "folded", 0, 0),
                     (0.6, "straddle sit", 0, 0)),
    "split": ((0.7, "split", 0, 0), (0.9, "split", 0, 0)),
}  # fmt: skip


def floor_moves(body: Body, seconds: float, fps: float, rng: Random) -> Float32:
    """Floor exercises one after the other, something always on the ground."""
    clock, keys, turns = 0.0, [(0.0, "stand")], [(0.0, 0.0, 0.0, 0.0)]
    order: list[str] = []
    yaw = float(rng.uniform(0, 360))
    turns[0] = (0.0, yaw, 0.0, 0.0)
    flips = wheels = 0.0
    pace = rng.uniform(0.85, 1.15)
    while clock < seconds:
        order = order or list(rng.permutation(list(FLOOR)))
        for lasts, pose, flip, wheel in FLOOR[order.pop()]:
            clock += lasts / pace
            keys.append((clock, pose))  # type: ignore[arg-type]
            turns.append((clock, yaw, flips + flip, wheels + wheel))
        flips, wheels = turns[-1][2], turns[-1][3]
        clock += 0.25
        yaw += rng.uniform(-50, 50)
    times = np.arange(0, seconds, 1 / fps)
    angles = key_angles(keys, times, Wobble.random(rng, WOBBLE))
    table = np.array(turns).T
    smooth = [gaussian_filter1d(np.interp(times, table[0], row), 0.08 * fps) for row in table[1:]]
    rotations = _turned(smooth[0], smooth[1], np.zeros_like(times), smooth[2])
    moves = on_ground(body.transforms(clip_of_angles(angles, rotations, "floor_0", fps)), body,
                      every=True)  # fmt: skip
    centre = gaussian_filter1d(_centre(moves, body), 0.3 * fps, axis=0)
    moves[..., 3] -= (centre * (1, 0, 1))[:, None]
    return moves


def ski_moves(body: Body, seconds: float, fps: float, rng: Random) -> Float32:
    """A skier who turns left and right across the view, sometimes in a schuss."""
    times = np.arange(0, seconds, 1 / fps)
    period, width = rng.uniform(1.5, 2.4), rng.uniform(1.2, 2.2)
    way = float(rng.choice([-1, 1]))
    x = way * np.linspace(-10, 10, len(times))
    phase = 2 * np.pi * times / period + rng.uniform(0, 6)
    z = width * np.sin(phase)
    heading = np.degrees(np.arctan2(np.gradient(x, times), np.gradient(z, times)))
    lean = -26 * np.sin(phase) * way
    keys: list[Key] = [(0, "slalom")]
    at = 0.0
    while at < seconds:
        at += float(rng.uniform(1.0, 2.0))
        keys.append((at, str(rng.choice(["slalom", "slalom", "schuss", "crouch"]))))
    angles = key_angles(keys, times, Wobble.random(rng, WOBBLE))
    inside = 22 * np.sin(phase) * way  # the inner leg is bent more
    for name, sign in (("left", 1), ("right", -1)):
        for angle, share in (("hip", 0.8), ("knee", 1.0)):
            angles[:, _angle(f"{name}_{angle}")] += share * sign * np.maximum(sign * inside, -8)
    angles[:, _angle("side")] += 0.5 * lean
    rotations = _turned(heading, 0 * times, 0 * times, lean)
    moves = on_ground(body.transforms(clip_of_angles(angles, rotations, "ski_0", fps)), body,
                      every=True)  # fmt: skip
    moves[..., 3] -= (_centre(moves, body) * (1, 0, 1))[:, None]
    moves[..., 0, 3] += x[:, None]
    moves[..., 2, 3] += z[:, None]
    moves[..., 1, 3] += 0.03
    return moves


def on_ground(moves: Float32, body: Body, *, every: bool = False) -> Float32:
    """The moves with the lowest vertex of the first frame, or of every frame, at Y = 0."""
    result = moves.copy()
    result[..., 1, 3] -= _lowest(moves if every else moves[:1], body)[:, None]
    return result


def on_level_ground(moves: Float32, body: Body, fps: float) -> Float32:
    """The moves of a recording whose ground is not level: now it is, and jumps stay jumps."""
    lowest = _lowest(moves, body)
    floor = minimum_filter1d(lowest, round(LONGEST_JUMP * fps) | 1, mode="nearest")
    result = moves.copy()
    result[..., 1, 3] -= gaussian_filter1d(floor, 0.15 * fps, mode="nearest")[:, None]
    return result


def _lowest(moves: Float32, body: Body) -> Float32:
    """(T,) height of the lowest vertex."""
    if body.vertices is None:
        raise ValueError("only a body with its mesh has soles")
    frames = range(len(moves))
    return np.array(
        [transform_anchors(body.vertices, moves[t : t + 1])[0, :, 1].min() for t in frames],
        np.float32,
    )


def _moves(
    body: Body, angles: Float64, yaw: Float64, flip: Float64, spin: Float64, fps: float
) -> Float32:
    turns = _turned(yaw, flip, spin, np.zeros_like(yaw))
    return body.transforms(clip_of_angles(angles, turns, "keys_0", fps))


def _turned(yaw: Float64, flip: Float64, spin: Float64, wheel: Float64) -> Float32:
    """(T, 3, 3) of degrees: heading, somersault forwards, twist about the body, cartwheel."""
    whole = Rotation.from_euler("YXY", np.stack((yaw, flip, spin), axis=1), degrees=True)
    return np.asarray((whole * Rotation.from_euler("z", wheel[:, None], degrees=True)).as_matrix(),
                      np.float32)  # fmt: skip


def _centre(moves: Float32, body: Body) -> Float64:
    """(T, 3) centre of mass."""
    return np.asarray(JOINT_MASSES @ transform_anchors(body.joints, moves).astype(np.float64))


def _inertia(body: Body, moves: Float32, axis: int) -> Float64:
    """(T,) about an axis through the centre of mass, by kilogram of body mass."""
    joints = transform_anchors(body.joints, moves).astype(np.float64)
    about = joints - (JOINT_MASSES @ joints)[:, None]
    about[..., axis] = 0
    return np.asarray((about**2).sum(axis=-1) @ JOINT_MASSES)


def _eased(share: Float64) -> Float64:
    clipped = np.clip(share, 0, 1)
    return np.asarray(clipped**2 * (3 - 2 * clipped))


def _angle(name: str) -> int:
    return ANGLES.index(name)
