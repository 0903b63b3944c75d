"""Banks of bodies and of motion capture, as tensors to sample from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY
from training.synthesis.body_model import Anchors, Body, make_body, transform_anchors
from training.synthesis.mocap_clip import PART_NAMES, PART_PARENTS, MocapClip

BANK_FPS = 60.0
"""Frames per second to which all motion capture is resampled."""
_DRAW_WEIGHTS = {
    "85": 3.0,
    "88": 3.0,
    "49": 3.0,
    "deepmimic": 3.0,
    "jumping": 2.0,
    "13_": 1.5,
    "14_": 1.5,
}
"""Sampling weight by name prefix: people upside down, sitting or squatting are rare."""

STRETCH = {
    "pelvis": (1.12, 0.07, ""), "spine": (1.0, 0.06, ""), "chest": (1.0, 0.06, ""),
    "collar": (1.05, 0.07, ""), "upperarm": (1.10, 0.045, "arm"), "forearm": (1.05, 0.045, "arm"),
    "thigh": (1.01, 0.045, "leg"), "shank": (0.99, 0.045, "leg"),
}  # fmt: skip
"""Mean and deviation of each part's length relative to anny's, and the group that it scales with.
The means give hips, shoulders and arms the proportions of people measured with
markers in OpenSim's models (docs/conventions.md)."""


@dataclass(frozen=True, slots=True)
class BodyBank:
    """A bank of bodies, stacked."""

    heads: Tensor  # (N, P, 3)
    limbs: Tensor  # (N, P, 3)
    points: Tensor  # (N, P * 4, J + K): anchors of joints and keypoints
    leg: Tensor  # (N,) hip to ankle, metres
    height: Tensor  # (N,)


@dataclass(frozen=True, slots=True)
class MotionBank:
    """A bank of motion capture, joined end to end."""

    rotations: Tensor  # (F, P, 3, 3)
    root: Tensor  # (F, 3)
    planted: Tensor  # (F, 2) bool, left and right
    first: Tensor  # (C,) where each clip begins
    length: Tensor  # (C,) frames
    rest: Tensor  # (C, P, 3)
    weight: Tensor  # (C,) sampling weight


def make_body_bank(count: int, seed: int) -> BodyBank:
    """Random bodies; their limb lengths vary more than those of the shape model."""
    rng = np.random.default_rng(seed)
    return stack_bodies([_stretched(make_body(_phenotype(rng)), rng) for _ in range(count)])


def _phenotype(rng: np.random.Generator) -> dict[str, float]:
    grown = rng.uniform(0.55, 0.9) if rng.random() < 0.85 else rng.uniform(0.35, 0.55)
    return {
        "gender": rng.random(),
        "age": grown,
        "muscle": rng.beta(2.5, 2),
        "weight": rng.beta(2, 2.5),
        "height": rng.beta(2, 2),
        "proportions": rng.random(),
    }


def _stretched(body: Body, rng: np.random.Generator) -> Body:
    """The body with random lengths of each pair of parts, and of arms and legs as a whole."""
    whole = {group: rng.normal(1, 0.03) for group in ("arm", "leg", "")}
    by_kind: dict[str, float] = {}
    for name in PART_NAMES:
        kind = name.rpartition("_")[2]
        mean, spread, group = STRETCH.get(kind, (1.0, 0.05, ""))
        by_kind.setdefault(kind, mean * whole[group] * rng.normal(1, spread))
    factor = np.array([by_kind[name.rpartition("_")[2]] for name in PART_NAMES])
    heads = body.heads.copy()
    for part, parent in enumerate(PART_PARENTS):
        if parent >= 0:
            heads[part] = heads[parent] + factor[parent] * (body.heads[part] - body.heads[parent])

    def moved(anchors: Anchors) -> Anchors:
        own = anchors.place - anchors.weight[..., None] * body.heads
        shifted = anchors.weight[..., None] * heads + factor[:, None] * own
        return Anchors(anchors.weight, shifted.astype(np.float32))

    joints = moved(body.joints)
    at_rest = joints.place.sum(1)
    grown = np.ptp(at_rest[:, 1]) / np.ptp(body.joints.place.sum(1)[:, 1])
    return Body(
        heads.astype(np.float32), body.limbs, joints, moved(body.keypoints), body.height * grown
    )


def stack_bodies(bodies: Sequence[Body]) -> BodyBank:
    """Stack bodies into one bank."""

    def anchors(body: Body) -> np.ndarray:
        place_, weight = (
            np.concatenate((getattr(body.joints, a), getattr(body.keypoints, a)))
            for a in ("place", "weight")
        )
        four = np.concatenate((place_, weight[..., None]), axis=-1)  # (J + K, P, 4)
        return four.reshape(len(four), -1).T

    return BodyBank(
        torch.tensor(np.stack([b.heads for b in bodies])),
        torch.tensor(np.stack([b.limbs for b in bodies])),
        torch.tensor(np.stack([anchors(b) for b in bodies]), dtype=torch.float32),
        torch.tensor([b.leg_length for b in bodies], dtype=torch.float32),
        torch.tensor([b.height for b in bodies], dtype=torch.float32),
    )


def make_motion_bank(clips: Sequence[MocapClip], body: Body) -> MotionBank:
    """Clips at BANK_FPS, with the foot contacts of the reference body."""
    rotations, root, planted = [], [], []
    for clip in clips:
        at = np.arange(0, len(clip.root) - 1, clip.fps / BANK_FPS)
        low, share = at.astype(int), (at % 1).astype(np.float32)
        blend = share[:, None, None, None]
        rotations.append((1 - blend) * clip.rotations[low] + blend * clip.rotations[low + 1])
        root.append((1 - share[:, None]) * clip.root[low] + share[:, None] * clip.root[low + 1])
        even = MocapClip(clip.name, BANK_FPS, rotations[-1], clip.rest, root[-1])
        planted.append(_contacts(even, body))
    lengths = torch.tensor([len(r) for r in root])
    draw_weights = [_draw_weight(clip.name) for clip in clips]
    return MotionBank(
        torch.tensor(np.concatenate(rotations)),
        torch.tensor(np.concatenate(root)),
        torch.tensor(np.concatenate(planted)),
        torch.cumsum(lengths, 0) - lengths,
        lengths,
        torch.tensor(np.stack([c.rest for c in clips])),
        torch.tensor(draw_weights) * lengths.clamp(60, 900).float(),
    )


def _draw_weight(name: str) -> float:
    return next((w for prefix, w in _DRAW_WEIGHTS.items() if name.startswith(prefix)), 1.0)


def _contacts(clip: MocapClip, body: Body) -> np.ndarray:
    """(T, 2) whether the left and the right foot are planted: slow and near the ground."""
    joints = transform_anchors(body.joints, body.transforms(clip))
    planted = np.zeros((len(joints), 2), np.bool_)
    for side, name in enumerate(("left", "right")):
        toe, ankle = (joints[:, BODY.index(f"{name}_{j}")] for j in ("toe", "ankle"))
        speed = np.minimum(*(_speed(p, clip.fps) for p in (toe, ankle)))
        planted[:, side] = (speed < 0.2) & (toe[:, 1] < 0.12)
    return planted


def _speed(path: np.ndarray, fps: float) -> np.ndarray:
    """Metres per second over a twelfth of a second."""
    reach = max(1, round(fps / 24))
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    return np.linalg.norm(padded[2 * reach :] - padded[: -2 * reach], axis=1) * fps / (2 * reach)
