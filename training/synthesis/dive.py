"""A dive from a platform, simulated from a recorded backflip in free fall.

Take-off and tuck are from the recording. In the air the centre of mass follows a parabola and the
angular momentum is constant: the body rotates fast while it is tucked and slowly when it is
straight. The time of opening is solved for, so that the body enters the water head down.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from mocap_cli.body.anatomy import JOINT_MASSES
from mocap_cli.body.skeleton import BODY, mirror_indices
from mocap_cli.types import Float64
from training.synthesis.body_model import Body, transform_anchors
from training.synthesis.clip_sampling import (
    accumulate_rotations,
    interpolate_rotations,
    local_rotations,
    sample_clip,
)
from training.synthesis.mocap_clip import LEG_LENGTH, PART_NAMES, MocapClip

Floats = NDArray[np.floating]

GRAVITY = np.array([0.0, -9.81, 0.0])
FINE = 480.0
"""Steps per second of the integration of the rotation."""
OPENING = 0.35
"""Seconds from tucked to straight."""
HAND = 0.17
"""Metres from the wrist to the fingertips, which meet the water first."""
TURNS = 1.5
"""Somersaults, backwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeoff:
    """Frames of take-off and tuck in the recording, and its playback rate."""

    fps: float = 68.0  # 88_01 has 48: played faster, the jump is stronger
    leaves: int = 46  # frames of the recording
    tucked: int = 66
    still: float = 0.4  # seconds of standing before the motion


@dataclass(frozen=True, slots=True, kw_only=True)
class Dive:
    """The motion, and the times of take-off, opening and entry."""

    clip: MocapClip
    leaves: float  # seconds
    opens: float
    enters: float


@dataclass(frozen=True, slots=True)
class _Start:
    """State of the body at take-off."""

    centre: Float64  # (3,) centre of mass, metres
    speed: Float64  # (3,) metres per second
    momentum: Float64  # (3,) angular momentum per kilogram of body mass
    pelvis: Float64  # (3, 3) rotation


def make_dive(
    recorded: MocapClip, body: Body, platform: float, fps: float, takeoff: Takeoff | None = None
) -> Dive:
    """A backward dive towards +X from the edge, X = 0, of a platform; the water is at Y = 0."""
    how = takeoff or Takeoff()
    source = _placed(replace(recorded, fps=how.fps), body, how, platform)
    start = _start(source, body, how)
    bends = local_rotations(source.rotations[how.leaves : how.tucked + 1])
    flight = _flight_time(start, body, source)
    opens = _opening(start, bends, body, source, flight)
    air = _fall(start, bends, body, source, flight, opens)
    ground = sample_clip(source, np.arange(-how.still, how.leaves / how.fps, 1 / FINE), FINE)
    rotations = np.concatenate((ground.rotations, air.rotations))
    root = np.concatenate((ground.root, air.root))
    whole = MocapClip("dive", FINE, rotations, source.rest, root)
    leaves = how.still + how.leaves / how.fps
    times = np.arange(0, len(root) / FINE, 1 / fps)
    return Dive(
        clip=sample_clip(whole, times, fps),
        leaves=leaves,
        opens=leaves + opens,
        enters=leaves + flight,
    )


def _joints(clip: MocapClip, body: Body) -> Float64:
    return transform_anchors(body.joints, body.transforms(clip)).astype(np.float64)


def _placed(clip: MocapClip, body: Body, how: Takeoff, platform: float) -> MocapClip:
    """The recording made symmetric, jumping towards +X, heels at the edge of the platform."""
    centre = JOINT_MASSES @ _joints(clip, body)
    away = centre[how.tucked] - centre[how.leaves]
    turn = Rotation.from_euler("y", math.atan2(away[2], away[0])).as_matrix()
    even = _symmetric(turn @ clip.rotations)
    turned = replace(clip, rotations=even, root=(clip.root @ turn.T * (1, 1, 0)).astype(np.float32))
    feet = transform_anchors(body.keypoints, body.transforms(turned, slice(0, 1)))[0]
    shift = np.array([feet[:, 0].max(), feet[:, 1].min() - platform, 0])
    root = turned.root - shift * LEG_LENGTH / body.leg_length
    return replace(turned, root=root.astype(np.float32))


def _symmetric(rotations: Floats) -> NDArray[np.float32]:
    """The mean of rotations (T, P, 3, 3) and their reflection in the plane Z = 0.

    Divers move both sides alike, and without a twist the somersault stays in one plane.
    """
    other = rotations[:, mirror_indices(PART_NAMES)]
    return interpolate_rotations(rotations, np.diag((1, 1, -1)) @ other @ np.diag((-1, 1, 1)), 0.5)


def _start(source: MocapClip, body: Body, how: Takeoff) -> _Start:
    """The state at take-off, from a parabola through the frames around it."""
    around = np.arange(how.leaves - 4, how.leaves + 5)
    joints = _joints(source, body)[around]
    seconds = (around - how.leaves) / how.fps
    fit = np.polynomial.polynomial.polyfit(seconds, joints.reshape(len(around), -1), 2)
    at, speed = fit[0].reshape(-1, 3), fit[1].reshape(-1, 3)
    centre, mean = JOINT_MASSES @ at, JOINT_MASSES @ speed
    momentum = JOINT_MASSES @ np.cross(at - centre, speed - mean)
    return _Start(centre, mean, momentum, source.rotations[how.leaves, 0].astype(np.float64))


def _straight(rest: Floats) -> Floats:
    """Local rotations (P, 3, 3) of a straight body, arms overhead, toes pointed."""
    wanted = dict(thigh=(0.03, -1, 0), shank=(0, -1, 0), upperarm=(-0.22, 1, 0.05),
                  forearm=(-0.25, 1, 0))  # fmt: skip
    rotations = np.tile(np.eye(3), (len(PART_NAMES), 1, 1))
    for part, name in enumerate(PART_NAMES):
        side, _, what = name.rpartition("_")
        if what in wanted:
            aim = np.array(wanted[what]) * (1 if side == "left" else -1, 1, 1)
            rotations[part] = _swing(rest[part], aim / np.linalg.norm(aim))
        elif what == "hand":
            rotations[part] = rotations[PART_NAMES.index(f"{side}_forearm")]
        elif what == "collar":
            rotations[part] = Rotation.from_euler(
                "z", 0.45 if side == "left" else -0.45
            ).as_matrix()
        elif what in ("foot", "toes"):
            rotations[part] = Rotation.from_euler("x", 0.9).as_matrix()
    return local_rotations(rotations[None])[0]


def _swing(start: Floats, aim: Floats) -> Float64:
    """The smallest rotation from one direction to another."""
    axis = np.cross(start, aim)
    angle = math.atan2(float(np.linalg.norm(axis)), float(np.dot(start, aim)))
    return np.asarray(Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix())


def _shapes(bends: Floats, body: Body, rest: Floats) -> Float64:
    """Joints about the centre of mass as seen from the pelvis, (T, J, 3)."""
    seen = np.array(bends, np.float32)
    seen[:, 0] = np.eye(3)
    clip = MocapClip(
        "shape", FINE, accumulate_rotations(seen), rest.astype(np.float32), _still(len(seen))
    )
    joints = _joints(clip, body)
    return joints - (JOINT_MASSES @ joints)[:, None]


def _still(count: int) -> NDArray[np.float32]:
    return np.zeros((count, 3), np.float32)


def _flight_time(start: _Start, body: Body, source: MocapClip) -> float:
    """Seconds until the fingertips of the straight body, head down, meet the water."""
    shape = _shapes(_straight(source.rest)[None], body, source.rest)[0]
    reach = shape[BODY.index("left_wrist"), 1] + HAND
    g, up, drop = -GRAVITY[1], start.speed[1], start.centre[1] - reach
    return float((up + math.sqrt(up * up + 2 * g * drop)) / g)


def _bends(times: Float64, recorded: Floats, opens: float, source: MocapClip) -> Floats:
    """Local rotations in flight: recorded until the tuck, held, then opened."""
    frame = np.clip(times * source.fps, 0, len(recorded) - 1)
    first = np.minimum(frame.astype(int), len(recorded) - 2)
    tucking = interpolate_rotations(recorded[first], recorded[first + 1], (frame - first)[:, None])
    share = np.clip((times - opens) / OPENING, 0, 1)
    smooth = share * share * (3 - 2 * share)
    return interpolate_rotations(
        tucking, np.broadcast_to(_straight(source.rest), tucking.shape), smooth[:, None]
    )


def _turning(momentum: Float64, pelvis: Float64, shapes: Float64) -> tuple[Float64, float]:
    """Pelvis rotation (T, 3, 3) at constant angular momentum, and the angle in radians."""
    mass = JOINT_MASSES[:, None]
    own = np.sum(mass * np.cross(shapes, np.gradient(shapes, 1 / FINE, axis=0)), axis=1)
    square = np.einsum("j,tji,tjk->tik", JOINT_MASSES, shapes, shapes)
    inertia = np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(3) - square
    rotations, total, axis = np.empty((len(shapes), 3, 3)), 0.0, momentum / np.linalg.norm(momentum)
    rotations[0] = pelvis
    for t in range(len(shapes) - 1):
        rate = np.linalg.solve(inertia[t], rotations[t].T @ momentum - own[t])
        rotations[t + 1] = rotations[t] @ Rotation.from_rotvec(rate / FINE).as_matrix()
        total += float(axis @ rotations[t] @ rate) / FINE
    return rotations, total


def _opening(
    start: _Start, recorded: Floats, body: Body, source: MocapClip, flight: float
) -> float:
    """The time of opening for which the body enters head first."""
    times = np.arange(0, flight, 1 / FINE)
    up = start.pelvis[:, 1]
    leaning = math.atan2(-up[0], up[1]) * np.sign(start.momentum[2])

    def lacking(opens: float) -> float:
        shapes = _shapes(_bends(times, recorded, opens, source), body, source.rest)
        return leaning + _turning(start.momentum, start.pelvis, shapes)[1] - TURNS * 2 * math.pi

    latest = flight - OPENING - 0.03
    earliest = len(recorded) / source.fps
    if lacking(latest) < 0 or lacking(earliest) > 0:
        raise ValueError("this take-off does not turn one and a half times from that height")
    return float(brentq(lacking, earliest, latest, xtol=1e-4))


def _fall(
    start: _Start, recorded: Floats, body: Body, source: MocapClip, flight: float, opens: float
) -> MocapClip:
    """From the take-off until half a second after the entry."""
    times = np.arange(0, flight + 0.5, 1 / FINE)
    bends = _bends(times, recorded, opens, source)
    shapes = _shapes(bends, body, source.rest)
    rotations, _ = _turning(start.momentum, start.pelvis, shapes)
    wet = times > flight
    rotations[wet] = rotations[~wet][-1]
    bends[:, 0] = rotations
    clip = MocapClip("fall", FINE, accumulate_rotations(bends), source.rest, _still(len(times)))
    path = _path(start, np.minimum(times, flight))
    slowing = 0.35 * (1 - np.exp(-(times - flight) / 0.35))  # the water slows the body
    path[wet] += slowing[wet, None] * (start.speed + GRAVITY * flight)
    root = (path - JOINT_MASSES @ _joints(clip, body)) * LEG_LENGTH / body.leg_length
    return replace(clip, root=root.astype(np.float32))


def _path(start: _Start, times: Float64) -> Float64:
    """The parabola of the centre of mass, (T, 3)."""
    t = times[:, None]
    return start.centre + start.speed * t + GRAVITY * t * t / 2
