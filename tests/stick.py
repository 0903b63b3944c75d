"""A person without a shape model: parts hinged like a body's, to train and test on."""

import numpy as np
from scipy.spatial.transform import Rotation

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from training.synthesis.body_model import Anchors, Body
from training.synthesis.mocap_clip import LIMBS, PART_NAMES, MocapClip

HEADS = {
    "pelvis": (0, 0.95, 0), "spine": (0, 0.98, 0), "chest": (0, 1.15, 0), "neck": (0, 1.45, 0),
    "head": (0, 1.55, 0.02), "collar": (0.03, 1.42, 0), "upperarm": (0.17, 1.42, 0),
    "forearm": (0.17, 1.14, 0), "hand": (0.17, 0.9, 0), "thigh": (0.09, 0.93, 0),
    "shank": (0.09, 0.5, 0), "foot": (0.09, 0.08, 0), "toes": (0.09, 0.02, 0.14),
}  # fmt: skip
ON = {
    "hip": "thigh", "knee": "shank", "ankle": "foot", "toe": "toes", "shoulder": "upperarm",
    "elbow": "forearm", "wrist": "hand", "heel": "foot", "thorax": "neck", "neck": "head",
    "eye": "head", "ear": "head", "nose": "head", "head": "head",
}  # fmt: skip
ASIDE = {
    "nose": (0, 0.05, 0.1), "eye": (0.03, 0.08, 0.08), "ear": (0.07, 0.05, 0),
    "heel": (0, -0.06, -0.04), "head": (0, 0.15, 0),
}  # fmt: skip


def _sided(name: str, place: tuple[float, float, float]) -> np.ndarray:
    return np.array(place, float) * (-1 if name.startswith("right") else 1, 1, 1)


def _head(part: str) -> np.ndarray:
    return _sided(part, HEADS[part.rpartition("_")[2]])


def _anchors(names: tuple[str, ...]) -> Anchors:
    weight = np.zeros((len(names), len(PART_NAMES)), np.float32)
    spot = np.zeros((len(names), len(PART_NAMES), 3), np.float32)
    for i, name in enumerate(names):
        side, _, what = name.rpartition("_")
        hinge = ON.get(what, what)
        part = hinge if hinge in PART_NAMES else f"{side}_{hinge}"
        place = _head(part) + _sided(name, ASIDE.get(what, (0, 0, 0)))
        weight[i, PART_NAMES.index(part)] = 1
        spot[i, PART_NAMES.index(part)] = place
    return Anchors(weight, spot)


def stick_body() -> Body:
    """1.70 m tall, arms hanging."""
    limbs = np.zeros((len(PART_NAMES), 3), np.float32)
    limbs[[PART_NAMES.index(part) for part in LIMBS]] = (0, -1, 0)
    heads = np.stack([_head(part) for part in PART_NAMES]).astype(np.float32)
    return Body(heads, limbs, _anchors(BODY.names), _anchors(KEYPOINTS), 1.7)


def swinging_clip(name: str = "me_01", seconds: float = 4.0, fps: float = 60.0) -> MocapClip:
    """Arms and legs swinging to and fro, walking forward."""
    t = np.arange(round(seconds * fps)) / fps
    turns = np.tile(np.eye(3, dtype=np.float32), (len(t), len(PART_NAMES), 1, 1))
    for i, part in enumerate(PART_NAMES):
        if part in LIMBS:
            sign = (1 if part.startswith("left") else -1) * (1 if "arm" in part else -1)
            angle = sign * 0.6 * np.sin(2 * np.pi * t)
            bend = {"forearm": -0.5, "shank": 0.4}.get(part.rpartition("_")[2], 0.0)
            turns[:, i] = Rotation.from_euler("x", (angle + bend)[:, None]).as_matrix()
    root = np.stack((0 * t, 0.95 + 0 * t, 0.8 * t), axis=1).astype(np.float32)
    return MocapClip(name, fps, turns, stick_body().limbs, root)
