"""Clips from joint positions, for recordings without rotations."""

import numpy as np

from mocap_cli.types import Float64
from training.synthesis.mocap_clip import LIMBS, PART_NAMES, MocapClip

# Indices of joints in Human3.6M's order of 17.
PELVIS, SPINE, THORAX, NECK, CROWN = 0, 7, 8, 9, 10
LIMB_JOINTS = {
    "left_upperarm": (11, 12), "left_forearm": (12, 13),
    "right_upperarm": (14, 15), "right_forearm": (15, 16),
    "left_thigh": (4, 5), "left_shank": (5, 6), "right_thigh": (1, 2), "right_shank": (2, 3),
}  # fmt: skip
DOWN = np.array([0.0, -1.0, 0.0])
STRAIGHT = 0.15
"""Below this sine of the bend, a hinge's axis is mostly that of its parent."""


def _unit(v: Float64) -> Float64:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))


def _frame(across: Float64, up: Float64) -> Float64:
    """Rotations (T, 3, 3) with Y along `up` and X nearest to `across`."""
    y = _unit(up)
    z = _unit(np.cross(across, y))
    return np.stack((np.cross(y, z), y, z), axis=-1)


def _limb(turn_above: Float64, upper: Float64, lower: Float64, bends: float) -> Float64:
    """Rotation of an upper limb from its direction and its plane of flexion."""
    carried = turn_above[..., 0] - upper * np.sum(turn_above[..., 0] * upper, -1, keepdims=True)
    hinge = bends * np.cross(upper, lower)
    return _frame(hinge + STRAIGHT * carried, -upper)


def clip_from_positions(joints: Float64, name: str, fps: float) -> MocapClip:
    """(T, 17, 3) in Human3.6M's order, metres, Y up, to rotations from a pose with hanging arms."""
    joints = np.asarray(joints, np.float64)
    pelvis = _frame(joints[:, 4] - joints[:, 1], joints[:, SPINE] - joints[:, PELVIS])
    chest = _frame(joints[:, 11] - joints[:, 14], joints[:, THORAX] - joints[:, SPINE])
    head = _frame(chest[..., 0], joints[:, CROWN] - joints[:, NECK])
    turn = {"pelvis": pelvis, "chest": chest, "neck": chest, "head": head}
    turn["spine"] = _frame(pelvis[..., 0] + chest[..., 0], pelvis[..., 1] + chest[..., 1])
    along = {part: _unit(joints[:, b] - joints[:, a]) for part, (a, b) in LIMB_JOINTS.items()}
    for side in ("left", "right"):
        arm, fore = along[f"{side}_upperarm"], along[f"{side}_forearm"]
        leg, shank = along[f"{side}_thigh"], along[f"{side}_shank"]
        turn[f"{side}_collar"] = chest
        turn[f"{side}_upperarm"] = _limb(chest, arm, fore, -1)
        turn[f"{side}_forearm"] = _frame(turn[f"{side}_upperarm"][..., 0], -fore)
        turn[f"{side}_hand"] = turn[f"{side}_forearm"]
        turn[f"{side}_thigh"] = _limb(pelvis, leg, shank, 1)
        turn[f"{side}_shank"] = _frame(turn[f"{side}_thigh"][..., 0], -shank)
        turn[f"{side}_foot"] = turn[f"{side}_toes"] = turn[f"{side}_shank"]
    rest = np.zeros((len(PART_NAMES), 3), np.float32)
    rest[[PART_NAMES.index(part) for part in LIMBS]] = DOWN
    rotations = np.stack([turn[part] for part in PART_NAMES], axis=1).astype(np.float32)
    return MocapClip(name, fps, rotations, rest, joints[:, PELVIS].astype(np.float32))
