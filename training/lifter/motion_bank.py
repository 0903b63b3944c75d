"""Banks of bodies and of motion capture, as tensors to draw random people from."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY
from training.synthesis.body_model import Anchors, Body, make_body, transform_anchors
from training.synthesis.mocap_clip import PART_NAMES, PART_PARENTS, MocapClip

BANK_FPS = 60.0
"""Frames per second that all motion capture is brought to."""
_DRAW_WEIGHTS = {
    "85": 3.0,
    "88": 3.0,
    "49": 3.0,
    "deepmimic": 3.0,
    "jumping": 2.0,
    "13_": 1.5,
    "14_": 1.5,
}
"""How much more often than others these are drawn: bodies upside down, sitting, squatting."""

STRETCH = {
    "pelvis": (1.08, 0.07, ""), "spine": (1.0, 0.06, ""), "chest": (1.0, 0.06, ""),
    "collar": (1.05, 0.07, ""), "upperarm": (1.05, 0.045, "arm"), "forearm": (1.05, 0.045, "arm"),
    "thigh": (1.01, 0.045, "leg"), "shank": (0.99, 0.045, "leg"),
}  # fmt: skip
"""Mean and spread of parts' lengths, of anny's, and what they grow with. The means bring hips,
shoulders and arms to the proportions of OpenSim's models (docs/conventions.md)."""


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

    turns: Tensor  # (F, P, 3, 3)
    root: Tensor  # (F, 3)
    planted: Tensor  # (F, 2) bool, left and right
    first: Tensor  # (C,) where each clip begins
    length: Tensor  # (C,) frames
    rest: Tensor  # (C, P, 3)
    weight: Tensor  # (C,) how often to draw it


def make_body_bank(count: int, seed: int) -> BodyBank:
    """Bodies of all kinds; limbs are stretched beyond what the shape model knows."""
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
    """The body with each pair of parts longer or shorter, and arms and legs as wholes."""
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
    """Many bodies as one bank."""

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
    """Clips at RATE, with the feet's contacts as the reference body makes them."""
    turns, root, planted = [], [], []
    for clip in clips:
        at = np.arange(0, len(clip.root) - 1, clip.fps / BANK_FPS)
        low, share = at.astype(int), (at % 1).astype(np.float32)
        blend = share[:, None, None, None]
        turns.append((1 - blend) * clip.turns[low] + blend * clip.turns[low + 1])
        root.append((1 - share[:, None]) * clip.root[low] + share[:, None] * clip.root[low + 1])
        even = MocapClip(clip.name, BANK_FPS, turns[-1], clip.rest, root[-1])
        planted.append(_contacts(even, body))
    lengths = torch.tensor([len(r) for r in root])
    keen = [next((k for n, k in _DRAW_WEIGHTS.items() if c.name.startswith(n)), 1.0) for c in clips]
    return MotionBank(
        torch.tensor(np.concatenate(turns)),
        torch.tensor(np.concatenate(root)),
        torch.tensor(np.concatenate(planted)),
        torch.cumsum(lengths, 0) - lengths,
        lengths,
        torch.tensor(np.stack([c.rest for c in clips])),
        torch.tensor(keen) * lengths.clamp(60, 900).float(),
    )


def _contacts(clip: MocapClip, body: Body) -> np.ndarray:
    """(T, 2) whether the left and the right foot stand still on or near the ground."""
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
