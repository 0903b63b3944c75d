"""People made of formulas: walkers, jumpers and divers whose every joint is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.anatomy import ANKLE_HEIGHT, BALL_HEIGHT, centre_of_mass
from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.tracking.ground import HAND_CLEARANCE
from mocap_cli.tracking.place import Placement, place_in_world

Array = NDArray[np.float64]
HEIGHT = 1.75
SIDE = ((5.0, 1.4, 1.5), (0.0, 0.9, 1.5))  # eye and target: across the walk
THIGH, SHANK, HIP = 0.245 * HEIGHT, 0.240 * HEIGHT, 0.05 * HEIGHT
FOOT = np.array([0.0, (BALL_HEIGHT - ANKLE_HEIGHT) * HEIGHT, 0.13])  # ankle to ball, facing +Z
TRUNK = {  # about the pelvis, standing straight and facing +Z; left is +X
    "pelvis": (0, 0, 0),
    "spine": (0, 0.145, 0),
    "thorax": (0, 0.29, 0),
    "neck": (0, 0.345, 0),
    "head": (0, 0.478, 0),
    "left_shoulder": (0.11, 0.28, 0),
    "left_elbow": (0.13, 0.11, 0.01),
    "left_wrist": (0.13, -0.03, 0.05),
    "right_shoulder": (-0.11, 0.28, 0),
    "right_elbow": (-0.13, 0.11, 0.01),
    "right_wrist": (-0.13, -0.03, 0.05),
}


@dataclass(frozen=True)
class Person:
    """Where the joints truly are: Y up, ground at 0."""

    joints: Array  # (T, 19, 3) metres
    times: Array
    planted: NDArray[np.bool_]  # (T, 2)
    height: float = HEIGHT


@dataclass(frozen=True)
class Shot:
    """What the placing step is given, and the truth behind it."""

    pose: Array
    sigma: Array
    contacts: Array
    xy: Array
    score: Array
    times: Array
    camera: Pinhole
    camera_from_world: Array  # (3, 3) of the first frame
    eye: Array  # (3,)
    rotation: Array | None = None
    walks: np.ndarray | None = None  # (T,) the camera moves through the scene


def clock(seconds: float, fps: float) -> Array:
    return np.arange(round(seconds * fps)) / fps


def with_legs(pelvis: Array, left: Array, right: Array) -> Array:
    """(T, 19, 3) of an upright person with hips at `pelvis` (T, 3) and ankles as given."""
    joints = np.zeros((len(pelvis), len(BODY), 3))
    for name, spot in TRUNK.items():
        joints[:, BODY.index(name)] = pelvis + HEIGHT * np.array(spot)
    for side, sign, ankle in (("left", 1, left), ("right", -1, right)):
        hip = pelvis + np.array([sign * HIP, 0, 0])
        along = ankle - hip
        reach = np.linalg.norm(along, axis=1, keepdims=True)
        assert reach.max() < THIGH + SHANK, "the feet are too far away"
        axis = along / reach
        ahead = np.array([0, 0, 1.0]) - axis[:, 2:] * axis
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        way = (THIGH**2 - SHANK**2 + reach**2) / (2 * reach)
        knee = hip + way * axis + np.sqrt(THIGH**2 - way**2) * ahead
        for name, spot in (("hip", hip), ("knee", knee), ("ankle", ankle), ("toe", ankle + FOOT)):
            joints[:, BODY.index(f"{side}_{name}")] = spot
    return joints


def walker(times: Array, speed: float = 1.2, step: float = 0.6) -> Person:
    """Walks along +Z with flat feet; each foot stands for six tenths of its cycle."""
    cycle = 2 * step / speed
    pelvis = np.stack((0 * times, 0 * times + 0.46 * HEIGHT, speed * times), axis=1)
    ankles, planted = [], []
    for sign, phase in ((1, 0.0), (-1, 0.5)):
        turns = times / cycle + phase
        done, now = np.floor(turns), turns % 1
        swing = np.clip((now - 0.6) / 0.4, 0, 1)
        along = (done - phase + 0.3 + 0.5 * (1 - np.cos(np.pi * swing))) * 2 * step
        up = ANKLE_HEIGHT * HEIGHT + 0.12 * np.sin(np.pi * swing)
        ankles.append(np.stack((0 * times + sign * HIP, up, along), axis=1))
        planted.append(now < 0.6)
    return Person(with_legs(pelvis, *ankles), times, np.stack(planted, axis=1))


def stander(times: Array) -> Person:
    """Stands on one spot and bends the knees a little, slowly."""
    dip = 0.03 + 0.03 * np.sin(times)
    pelvis = np.stack((0 * times, ANKLE_HEIGHT * HEIGHT + THIGH + SHANK - dip, 0 * times), axis=1)
    ankle = np.tile([HIP, ANKLE_HEIGHT * HEIGHT, 0.0], (len(times), 1))
    joints = with_legs(pelvis, ankle, ankle * (-1, 1, 1))
    return Person(joints, times, np.ones((len(times), 2), np.bool_))


def jumper(times: Array, leap: float = 0.5) -> Person:
    """Stands, crouches, is in the air from second 1.0 for `leap` seconds, and lands in a crouch."""
    rise = 9.81 * leap / 2  # metres a second at take-off
    stand = ANKLE_HEIGHT * HEIGHT + THIGH + SHANK - 0.02
    air = np.clip(times - 1.0, 0, leap)
    push = np.clip((times - 0.8) / 0.2, 0, 1)  # speeds up evenly over the last 0.2 s
    crouch = rise * 0.2 / 2 * np.where(times < 0.8, _eased((times - 0.3) / 0.5), 1 - push**2)
    sink = 0.25 * np.sin(np.clip((times - 1.0 - leap) / 0.6, 0, 1) * np.pi)
    hips = np.where(times < 1.0, stand - crouch, stand - sink)
    flying = (times > 1.0) & (times < 1.0 + leap)
    ankle = np.tile([HIP, ANKLE_HEIGHT * HEIGHT, 0.0], (len(times), 1))
    pelvis = np.stack((0 * times, hips, 0 * times), axis=1)
    joints = with_legs(pelvis, ankle, ankle * (-1, 1, 1))
    joints[:, :, 1] += np.where(flying, rise * air - 9.81 * air**2 / 2, 0)[:, None]
    return Person(joints, times, np.repeat(~flying[:, None], 2, axis=1))


def hand_walker(times: Array, speed: float = 0.3) -> Person:
    """Walks on straight arms along +Z; each hand stands for six tenths of its cycle."""
    body = stander(times).joints
    body[:, :, :] -= body[:, :1]
    arms = {"shoulder": (0.1, 0.3, 0.0), "elbow": (0.1, 0.46, 0.02), "wrist": (0.1, 0.61, 0.0)}
    for side, sign in (("left", 1), ("right", -1)):
        for name, spot in arms.items():
            body[:, BODY.index(f"{side}_{name}")] = HEIGHT * np.array(spot) * (sign, 1, 1)
    body = turned_about_x(body, np.full(len(times), np.pi))
    level = HAND_CLEARANCE * HEIGHT - body[0, BODY.index("left_wrist"), 1]
    joints = body + np.stack((0 * times, level + 0 * times, speed * times), axis=1)[:, None]
    for side, phase in (("left", 0.0), ("right", 0.5)):
        cycle = times / 1.2 + phase
        now, step = cycle % 1, 1.2 * speed
        swing = np.clip((now - 0.6) / 0.4, 0, 1)
        along = step * (np.floor(cycle) - phase + 0.3 + 0.5 * (1 - np.cos(np.pi * swing)))
        wrist = joints[:, BODY.index(f"{side}_wrist")]
        wrist[:, 2], wrist[:, 1] = along, wrist[:, 1] + 0.12 * np.sin(np.pi * swing)
    return Person(joints, times, np.zeros((len(times), 2), np.bool_))


def _eased(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def turned_about_x(points: Array, angle: Array) -> Array:
    """(T, J, 3) points turned about the X axis by (T,) radians."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack((x, c * y - s * z, s * y + c * z), axis=-1)


def diver(times: Array, turns: float = 2.0, height: float = HEIGHT) -> Person:
    """Falls from 8 m, somersaulting `turns` times a second, and never touches anything."""
    pelvis = np.tile([0.0, ANKLE_HEIGHT * HEIGHT + THIGH + SHANK - 0.05, 0.0], (len(times), 1))
    ankle = np.tile([HIP, ANKLE_HEIGHT * HEIGHT, 0.0], (len(times), 1))
    body = with_legs(pelvis, ankle, ankle * (-1, 1, 1)) * (height / HEIGHT)
    body = turned_about_x(body - centre_of_mass(body)[:, None], 2 * np.pi * turns * times)
    fall = np.stack((0.3 * times, 8 + 2 * times - 9.81 * times**2 / 2, 0.8 * times), axis=1)
    return Person(body + fall[:, None], times, np.zeros((len(times), 2), np.bool_), height)


def look(eye: Array, target: Array, roll: float = 0.0) -> Array:
    """(3, 3) camera_from_world of a camera at `eye` that looks at `target`."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross([0, 1.0, 0], back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack((c * right + s * up, c * up - s * right, back))


def film(
    person: Person,
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    *,
    roll: float = 0.0,
    focal: float = 1500.0,
    noise: float = 0.0,  # metres: of the pose, slow; the keypoints get a quarter, fast
    follow: bool = False,
    walk: tuple[float, float, float] = (0.0, 0.0, 0.0),  # metres per second of the camera
    seed: int = 0,
) -> Shot:
    """See a person through a camera; `follow` turns it with the pelvis."""
    rng = np.random.default_rng(seed)
    T = len(person.times)
    first = look(np.array(eye), person.joints[0, 0] if follow else np.array(target), roll)
    aims = person.joints[:, 0] if follow else np.tile(target, (T, 1))
    cameras = np.stack([look(np.array(eye), aim, roll) for aim in aims])
    eyes = np.array(eye) + person.times[:, None] * np.array(walk)
    seen = np.einsum("tij,tkj->tki", cameras, person.joints - eyes[:, None])
    camera = Pinhole(focal, (960.0, 540.0))
    points = np.zeros((T, len(KEYPOINTS), 3))
    for k, name in enumerate(KEYPOINTS):
        points[:, k] = seen[:, BODY.index(name if name in BODY.names else "head")]
    fast = 0.25 * noise * rng.standard_normal(points.shape)
    pose = seen - seen[:, :1] + noise * _wander((T, len(BODY), 3), person.times, rng)
    pose[:, 0] = 0
    return Shot(
        pose=pose,
        sigma=np.full((T, len(BODY)), max(noise, 0.01)),
        contacts=np.where(person.planted, 0.9, 0.1),
        xy=camera.project(points + fast),
        score=np.where([name in BODY.names for name in KEYPOINTS], 0.9, 0.0)[None].repeat(T, 0),
        times=person.times,
        camera=camera,
        camera_from_world=first,
        eye=np.array(eye),
        rotation=np.einsum("ij,tkj->tik", first, cameras) if follow else None,
        walks=np.full(T, any(walk)),
    )


def _wander(shape: tuple[int, ...], times: Array, rng: np.random.Generator) -> Array:
    """Unit noise that forgets within 0.3 s."""
    noise = rng.standard_normal(shape)
    for t in range(1, len(times)):
        keep = np.exp(-(times[t] - times[t - 1]) / 0.3)
        noise[t] = keep * noise[t - 1] + np.sqrt(1 - keep**2) * noise[t]
    return noise


def placed(shot: Shot, height: float | None = HEIGHT) -> Placement:
    """What the placing step makes of the shot."""
    return place_in_world(
        shot.pose, shot.sigma, shot.contacts, shot.xy, shot.score, shot.times, shot.camera,
        height, shot.rotation, None, shot.walks,
    )  # fmt: skip


def in_true_world(result: Placement, shot: Shot) -> np.ndarray:
    """The result's joints, carried through the first camera into the true world."""
    pose = result.world_from_camera[0]
    in_camera = (result.joints - pose[:, 3]) @ pose[:, :3]
    return in_camera @ shot.camera_from_world + shot.eye


def tilt_degrees(result: Placement, shot: Shot) -> float:
    up = shot.camera_from_world.T @ result.world_from_camera[0][:, :3].T @ (0, 1, 0)
    return float(np.degrees(np.arccos(np.clip(up[1], -1, 1))))
