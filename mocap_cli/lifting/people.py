"""Moving people to train on: random bodies doing random pieces of motion capture, as tensors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirrored
from mocap_cli.lifting.network import HEIGHT
from mocap_cli.synthesis.bodies import Anchors, Body, make_body, place
from mocap_cli.synthesis.clips import PART_NAMES, PART_PARENTS, Clip

RATE = 60.0
"""Frames per second that all motion capture is brought to."""
LOWER = ("pelvis", "thigh", "shank", "foot", "toes")
UPPER = [i for i, name in enumerate(PART_NAMES) if not name.endswith(LOWER)]
ARM = ("collar", "upperarm", "forearm", "hand")
ARMS = [i for i, name in enumerate(PART_NAMES) if name.endswith(ARM)]
KEEN = {"85": 3.0, "88": 3.0, "49": 3.0, "deepmimic": 3.0, "jumping": 2.0, "13_": 1.5, "14_": 1.5}
"""How much more often than others these are drawn: bodies upside down, sitting, squatting."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """A bank of bodies, stacked."""

    heads: Tensor  # (N, P, 3)
    limbs: Tensor  # (N, P, 3)
    points: Tensor  # (N, P * 4, J + K): anchors of joints and keypoints
    leg: Tensor  # (N,) hip to ankle, metres
    height: Tensor  # (N,)


@dataclass(frozen=True, slots=True)
class Moves:
    """A bank of motion capture, joined end to end."""

    turns: Tensor  # (F, P, 3, 3)
    root: Tensor  # (F, 3)
    planted: Tensor  # (F, 2) bool, left and right
    first: Tensor  # (C,) where each clip begins
    length: Tensor  # (C,) frames
    rest: Tensor  # (C, P, 3)
    weight: Tensor  # (C,) how often to draw it


@dataclass(frozen=True, slots=True)
class People:
    """A batch of people in motion, in a world with the ground at Y = 0."""

    joints: Tensor  # (B, T, J, 3) metres, everybody HEIGHT tall
    keypoints: Tensor  # (B, T, K, 3)
    planted: Tensor  # (B, T, 2) 0..1
    times: Tensor  # (B, T) seconds


def make_shapes(count: int, seed: int) -> Shapes:
    """Bodies of all kinds; limbs are stretched beyond what the shape model knows."""
    rng = np.random.default_rng(seed)
    return stack([_stretched(make_body(_phenotype(rng)), rng) for _ in range(count)])


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
    """The body with each pair of parts made a few per cent longer or shorter."""
    by_kind: dict[str, float] = {}
    factor = np.array(
        [by_kind.setdefault(n.rpartition("_")[2], rng.normal(1, 0.05)) for n in PART_NAMES]
    )
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


def stack(bodies: Sequence[Body]) -> Shapes:
    """Many bodies as one bank."""

    def anchors(body: Body) -> np.ndarray:
        place_, weight = (
            np.concatenate((getattr(body.joints, a), getattr(body.keypoints, a)))
            for a in ("place", "weight")
        )
        four = np.concatenate((place_, weight[..., None]), axis=-1)  # (J + K, P, 4)
        return four.reshape(len(four), -1).T

    return Shapes(
        torch.tensor(np.stack([b.heads for b in bodies])),
        torch.tensor(np.stack([b.limbs for b in bodies])),
        torch.tensor(np.stack([anchors(b) for b in bodies]), dtype=torch.float32),
        torch.tensor([b.leg_length for b in bodies], dtype=torch.float32),
        torch.tensor([b.height for b in bodies], dtype=torch.float32),
    )


def make_moves(clips: Sequence[Clip], body: Body) -> Moves:
    """Clips at RATE, with the feet's contacts as the reference body makes them."""
    turns, root, planted = [], [], []
    for clip in clips:
        at = np.arange(0, len(clip.root) - 1, clip.fps / RATE)
        low, share = at.astype(int), (at % 1).astype(np.float32)
        blend = share[:, None, None, None]
        turns.append((1 - blend) * clip.turns[low] + blend * clip.turns[low + 1])
        root.append((1 - share[:, None]) * clip.root[low] + share[:, None] * clip.root[low + 1])
        even = Clip(clip.name, RATE, turns[-1], clip.rest, root[-1])
        planted.append(_contacts(even, body))
    lengths = torch.tensor([len(r) for r in root])
    keen = [next((k for n, k in KEEN.items() if c.name.startswith(n)), 1.0) for c in clips]
    return Moves(
        torch.tensor(np.concatenate(turns)),
        torch.tensor(np.concatenate(root)),
        torch.tensor(np.concatenate(planted)),
        torch.cumsum(lengths, 0) - lengths,
        lengths,
        torch.tensor(np.stack([c.rest for c in clips])),
        torch.tensor(keen) * lengths.clamp(60, 900).float(),
    )


def _contacts(clip: Clip, body: Body) -> np.ndarray:
    """(T, 2) whether the left and the right foot stand still on or near the ground."""
    joints = place(body.joints, body.transforms(clip))
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


def draw_people(
    shapes: Shapes, moves: Moves, batch: int, frames: int, g: torch.Generator
) -> People:
    """A batch of windows: clips blended, mirrored, sped up or slowed down, on random bodies."""
    who = torch.randint(len(shapes.leg), (batch,), generator=g)
    step, times = _clock(batch, frames, g)
    clip, turns, root, planted = _windows(moves, batch, frames, step, g)
    other, mixed, _, _ = _windows(moves, batch, frames, step, g)
    rest = moves.rest[clip]
    dice = torch.rand(batch, generator=g)
    there = moves.rest[other]
    turns, rest = _blend(turns, mixed, rest, there, dice < 0.2, UPPER, "pelvis")
    turns, rest = _blend(turns, mixed, rest, there, (dice > 0.2) & (dice < 0.4), ARMS, "chest")
    points = _move(shapes, who, turns, rest, root)  # (B, T, J + K, 3)
    points = points * (HEIGHT / shapes.height[who])[:, None, None, None]
    joints, keypoints = points[:, :, : len(BODY)], points[:, :, len(BODY) :]
    flip = torch.rand(batch, generator=g) < 0.5
    joints, keypoints, planted = _mirror(joints, keypoints, planted, flip)
    return People(joints, keypoints, planted, times)


def _clock(batch: int, frames: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """How many source frames a step is (a speed-up is part of it), and the times told."""
    rate = 12 + 18 * torch.rand(batch, 1, generator=g)
    slow = torch.rand(batch, 1, generator=g) < 0.06
    rate = torch.where(slow, rate / 3, rate)
    speed = torch.exp(0.2 * torch.randn(batch, 1, generator=g)).clamp(0.6, 1.6)
    return speed * RATE / rate, torch.arange(frames)[None] / rate


def _windows(
    moves: Moves, batch: int, frames: int, step: Tensor, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clip numbers, turns, roots and contacts of random windows; short clips hold their end."""
    clip = torch.multinomial(moves.weight, batch, replacement=True, generator=g)
    length = moves.length[clip][:, None]
    span = step * (frames - 1)
    slack = length - 1 - span
    start = torch.rand(batch, 1, generator=g) * slack.clamp(min=0) + slack.clamp(
        max=0
    ) * torch.rand(batch, 1, generator=g)
    at = (start + step * torch.arange(frames)).clamp(torch.zeros(1), (length - 1.001).float())
    low = at.long()
    share = (at - low)[..., None]
    low = low + moves.first[clip][:, None]
    high = torch.minimum(low + 1, (moves.first + moves.length)[clip][:, None] - 1)
    turns = torch.lerp(moves.turns[low], moves.turns[high], share[..., None, None])
    root = torch.lerp(moves.root[low], moves.root[high], share)
    return clip, turns, root, moves.planted[low].float()


def _blend(
    turns: Tensor,
    other: Tensor,
    rest: Tensor,
    other_rest: Tensor,
    chosen: Tensor,
    parts: list[int],
    on: str,
) -> tuple[Tensor, Tensor]:
    """Some parts of `other`, carried over on the part they hang on, where chosen."""
    hinge = PART_NAMES.index(on)
    carry = turns[:, :, hinge, None] @ other[:, :, hinge, None].transpose(-1, -2)
    turns, rest = turns.clone(), rest.clone()
    moved = carry @ other[:, :, parts]
    turns[:, :, parts] = torch.where(chosen[:, None, None, None, None], moved, turns[:, :, parts])
    rest[:, parts] = torch.where(chosen[:, None, None], other_rest[:, parts], rest[:, parts])
    return turns, rest


def _move(shapes: Shapes, who: Tensor, turns: Tensor, rest: Tensor, root: Tensor) -> Tensor:
    """Forward kinematics of a batch of bodies: (B, T, J + K, 3)."""
    heads = shapes.heads[who]  # (B, P, 3)
    turns = turns @ _alignment(shapes.limbs[who], rest)[:, None]
    left, right = PART_NAMES.index("left_thigh"), PART_NAMES.index("right_thigh")
    hips = (heads[:, left] + heads[:, right]) / 2
    path = root * (shapes.leg[who] / 0.85)[:, None, None]
    moved = [path + _carry(turns[:, :, 0], heads[:, 0] - hips)]
    for part, parent in enumerate(PART_PARENTS[1:], start=1):
        step = heads[:, part] - heads[:, parent]
        moved.append(moved[parent] + _carry(turns[:, :, parent], step))
    shift = torch.stack(moved, 2) - (turns @ heads[:, None, :, :, None])[..., 0]
    transforms = torch.cat((turns, shift[..., None]), -1)  # (B, T, P, 3, 4)
    B, T = turns.shape[:2]
    flat = transforms.permute(0, 1, 3, 2, 4).reshape(B, T * 3, -1)
    return (flat @ shapes.points[who]).reshape(B, T, 3, -1).transpose(-1, -2)


def _carry(turn: Tensor, step: Tensor) -> Tensor:
    """(B, T, 3, 3) applied to (B, 3): (B, T, 3)."""
    return (turn @ step[:, None, :, None])[..., 0]


def _alignment(own: Tensor, theirs: Tensor) -> Tensor:
    """Smallest turns that bring rest directions together, identity where there are none."""
    v, c = torch.cross(own, theirs, dim=-1), (own * theirs).sum(-1)
    a, b, d = v.unbind(-1)
    o = torch.zeros_like(a)
    k = torch.stack((o, -d, b, d, o, -a, -b, a, o), -1).unflatten(-1, (3, 3))
    return torch.eye(3) + k + k @ k / (1 + c)[..., None, None].clamp(min=1e-3)


def _mirror(
    joints: Tensor, keypoints: Tensor, planted: Tensor, chosen: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Left for right where chosen."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    w = chosen[:, None, None, None]
    joints = torch.where(w, joints[:, :, list(mirrored(BODY.names))] * flip, joints)
    keypoints = torch.where(w, keypoints[:, :, list(mirrored(KEYPOINTS))] * flip, keypoints)
    return joints, keypoints, torch.where(chosen[:, None, None], planted.flip(-1), planted)


def tumble(people: People, share: float, g: torch.Generator) -> tuple[People, Tensor]:
    """Some people turned any way up, half of them spinning; returns who (B,) is in the air."""
    B = len(people.times)
    chosen = torch.rand(B, generator=g) < share
    spinning = chosen & (torch.rand(B, generator=g) < 0.5)
    axis = torch.randn(B, 3, generator=g)
    axis = axis / axis.norm(dim=-1, keepdim=True)
    start = axis * (math.pi * torch.rand(B, 1, generator=g))
    spin = torch.randn(B, 3, generator=g)
    spin = (
        spin / spin.norm(dim=-1, keepdim=True) * (2 * math.pi * 2.5 * torch.rand(B, 1, generator=g))
    )
    about = spin[:, None] * people.times[..., None] * spinning[:, None, None]
    turn = matrix_from_vector(about) @ matrix_from_vector(start)[:, None]
    turn = torch.where(chosen[:, None, None, None], turn, torch.eye(3))
    middle = people.joints[:, :, :1]
    joints = (people.joints - middle) @ turn.transpose(-1, -2) + middle
    keypoints = (people.keypoints - middle) @ turn.transpose(-1, -2) + middle
    planted = people.planted * ~spinning[:, None, None]
    return People(joints, keypoints, planted, people.times), chosen


def matrix_from_vector(vector: Tensor) -> Tensor:
    """Turns (..., 3, 3) about an axis times angle (..., 3)."""
    a, b, c = vector.unbind(-1)
    o = torch.zeros_like(a)
    k = torch.stack((o, -c, b, c, o, -a, -b, a, o), -1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(k)
