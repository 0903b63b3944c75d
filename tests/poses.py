"""Synthetic people with known bones, moved by plain forward kinematics on the 19 joints."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mocap_cli.body.motion import Motion
from mocap_cli.body.recording import Camera, Source
from mocap_cli.body.skeleton import BODY, KEYPOINTS

Floats = NDArray[np.float64]

_HALF = {
    "hip": (0.09, 0, 0), "knee": (0, -0.41, 0), "ankle": (0, -0.40, 0), "toe": (0, -0.046, 0.13),
    "shoulder": (0.16, -0.085, 0), "elbow": (0.28, 0, 0), "wrist": (0.25, 0, 0),
}  # fmt: skip
BONES: dict[str, tuple[float, float, float]] = {
    "pelvis": (0, 0, 0), "spine": (0, 0.26, 0), "thorax": (0, 0.26, 0),
    "neck": (0, 0.0943, 0.0333), "head": (0, 0.15, 0),
    **{f"left_{name}": place for name, place in _HALF.items()},
    **{f"right_{name}": (-x, y, z) for name, (x, y, z) in _HALF.items()},
}  # fmt: skip
"""Metres from the parent in a T-pose that faces +Z; the hip joints are 0.88 m above the ground."""


def posed(turns: Mapping[str, Floats], root: Floats) -> Floats:
    """(T, 19, 3) joints: rotation vectors (T, 3) by joint, from the parent, and (T, 3) pelvis."""
    still = np.zeros_like(root)
    world: list[Rotation] = []
    places = np.zeros((len(root), len(BODY), 3))
    for joint, parent in enumerate(BODY.parents):
        own = Rotation.from_rotvec(turns.get(BODY.names[joint], still))
        bone = np.array(BONES[BODY.names[joint]])
        places[:, joint] = places[:, parent] + world[parent].apply(bone) if parent >= 0 else root
        world.append(world[parent] * own if parent >= 0 else own)
    return places


def t_pose(frames: int = 5, height: float = 0.88) -> Floats:
    """Standing still with the arms out."""
    return posed({}, np.tile((0.0, height, 0.0), (frames, 1)))


def wander(rng: np.random.Generator, times: Floats, size: float, shape: tuple[int, ...]) -> Floats:
    """(T, *shape) smooth random numbers of about that size: a few slow sines."""
    speed = rng.uniform(0.5, 5, (3, 1, *shape))
    phase = rng.uniform(0, 6.28, (3, 1, *shape))
    clock = times.reshape(1, -1, *(1 for _ in shape))
    return np.asarray(size * np.sin(speed * clock + phase).sum(axis=0) / np.sqrt(1.5))


def dance(times: Floats, seed: int = 0, size: float = 0.5) -> Floats:
    """Every joint turns at random while the body tumbles and travels; no joint is spared."""
    rng = np.random.default_rng(seed)
    turns = {name: wander(rng, times, size, (3,)) for name in BODY.names}
    turns["pelvis"] = wander(rng, times, 1.5, (3,)) + times[:, None] * rng.normal(size=3)
    return posed(turns, wander(rng, times, 0.5, (3,)))


def somersault(times: Floats, turns: float = 2.0) -> Floats:
    """Tucked forward somersaults in the air, evenly over the span, with straight arms."""
    way = (times - times[0]) / (times[-1] - times[0])
    x = np.stack((np.ones_like(way), 0 * way, 0 * way), axis=-1)
    tuck = np.sin(np.pi * way)[:, None] ** 2
    moves = {"pelvis": x * (2 * np.pi * turns * way)[:, None]}
    for side, sign in (("left", -1), ("right", 1)):
        moves[f"{side}_hip"] = -1.9 * tuck * x
        moves[f"{side}_knee"] = 2.2 * tuck * x
        moves[f"{side}_shoulder"] = np.array([0, 0, 1.3 * sign]) * np.ones_like(x)
    path = np.stack((0 * way, 1 + 4 * way * (1 - way), 2 * way), axis=-1)
    return posed(moves, path)


def handstand(times: Floats) -> Floats:
    """Upside down on straight arms with straight legs that scissor a little."""
    one = np.ones((len(times), 1))
    swing = 0.4 * np.sin(3 * times)[:, None] * np.array([1, 0, 0])
    moves = {"pelvis": np.array([np.pi, 0, 0]) * one, "left_hip": swing, "right_hip": -swing}
    moves |= {"left_shoulder": np.array([0, 0, 1.57]) * one}
    moves |= {"right_shoulder": np.array([0, 0, -1.57]) * one}
    return posed(moves, np.array([0, 1.2, 0]) * one)


def wobbling(joints: Floats, seed: int = 0, size: float = 0.01) -> Floats:
    """The same joints with independent errors of that standard deviation, in metres."""
    return joints + np.random.default_rng(seed).normal(scale=size, size=joints.shape)


def motion_of(joints: Floats, times: Floats, **changes: object) -> Motion:
    """A Motion of these joints as a tracker would have made it."""
    T, K = len(joints), len(KEYPOINTS)
    fields = dict(
        source=Source(file="a.mp4", fps=60.0, width=64, height=48, frames=T, rotation=0),
        skeleton=BODY,
        space="world",
        times=np.asarray(times, np.float64),
        joints=joints.astype(np.float32),
        sigma=np.full((T, len(BODY)), 0.02, np.float32),
        detected=np.isfinite(joints).all(axis=(1, 2)),
        contacts=np.zeros((T, 2), np.float32),
        xy=np.zeros((T, K, 2), np.float32),
        score=np.ones((T, K), np.float32),
        camera=Camera(
            focal_pixels=60.0,
            centre=(32.0, 24.0),
            world_from_camera=np.tile(np.eye(3, 4, dtype=np.float32), (T, 1, 1)),
        ),
    )
    return Motion(**(fields | changes))
