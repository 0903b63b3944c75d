"""Simulated people in motion: random bodies with random windows of motion capture, as tensors."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY, KEYPOINTS, mirror_indices
from mocap_cli.lifting.network import LIFTER_HEIGHT
from training.lifter.motion_bank import BANK_FPS, BodyBank, MotionBank
from training.lifter.part_rotations import (
    ARMS,
    LEGS,
    UPPER,
    aligning_rotations,
    matrix_from_vector,
    rotate_vectors,
)
from training.lifter.squats import add_squats
from training.synthesis.mocap_clip import LEG_LENGTH, PART_NAMES, PART_PARENTS

UPRIGHT, BENT, STRAIGHT = 0.2, 0.25, 0.6
"""Shares of windows with straight and with more bent knees; by at most how many radians."""
WALKING = 0.6
"""Metres per second, for legs of LEG_LENGTH; from this speed on knees are not straightened."""


@dataclass(frozen=True, slots=True)
class People:
    """A batch of people in motion, in a world with the ground at Y = 0."""

    joints: Tensor  # (B, T, J, 3) metres, scaled to LIFTER_HEIGHT
    keypoints: Tensor  # (B, T, K, 3)
    planted: Tensor  # (B, T, 2) 0..1
    times: Tensor  # (B, T) seconds


def sample_people(
    shapes: BodyBank, moves: MotionBank, batch: int, frames: int, g: torch.Generator
) -> People:
    """A batch of windows: clips blended, mirrored and changed in speed, on random bodies."""
    who = torch.randint(len(shapes.leg), (batch,), generator=g)
    step, times = _clock(batch, frames, g)
    clip, rotations, root, planted = _windows(moves, batch, frames, step, g)
    other, mixed, _, _ = _windows(moves, batch, frames, step, g)
    rest = moves.rest[clip]
    chance = torch.rand(batch, generator=g)
    there = moves.rest[other]
    rotations, rest = _blend(rotations, mixed, rest, there, chance < 0.2, UPPER, "pelvis")
    rotations, rest = _blend(
        rotations, mixed, rest, there, (chance > 0.2) & (chance < 0.4), ARMS, "chest"
    )
    rotations = _straighten(rotations, rest, _at_ease(root, times, g))
    rotations, root = add_squats(rotations, rest, root, times, g)
    points = pose_bodies(shapes, who, rotations, rest, root)  # (B, T, J + K, 3)
    points = points * (LIFTER_HEIGHT / shapes.height[who])[:, None, None, None]
    joints, keypoints = points[:, :, : len(BODY)], points[:, :, len(BODY) :]
    flip = torch.rand(batch, generator=g) < 0.5
    joints, keypoints, planted = _mirror(joints, keypoints, planted, flip)
    return People(joints, keypoints, planted, times)


def _clock(batch: int, frames: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Source frames per step, which includes the change of speed, and the times (B, T)."""
    rate = 12 + 18 * torch.rand(batch, 1, generator=g)
    slow = torch.rand(batch, 1, generator=g) < 0.06
    rate = torch.where(slow, rate / 3, rate)
    speed = torch.exp(0.2 * torch.randn(batch, 1, generator=g)).clamp(0.6, 1.6)
    return speed * BANK_FPS / rate, torch.arange(frames)[None] / rate


def _windows(
    moves: MotionBank, batch: int, frames: int, step: Tensor, g: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Clip indices, rotations, roots and contacts of random windows; short clips hold their end."""
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
    rotations = torch.lerp(moves.rotations[low], moves.rotations[high], share[..., None, None])
    root = torch.lerp(moves.root[low], moves.root[high], share)
    return clip, rotations, root, moves.planted[low].float()


def _blend(
    rotations: Tensor,
    other: Tensor,
    rest: Tensor,
    other_rest: Tensor,
    chosen: Tensor,
    parts: list[int],
    on: str,
) -> tuple[Tensor, Tensor]:
    """Take `parts` from `other` where chosen, relative to the part `on` that carries them."""
    hinge = PART_NAMES.index(on)
    carry = rotations[:, :, hinge, None] @ other[:, :, hinge, None].transpose(-1, -2)
    rotations, rest = rotations.clone(), rest.clone()
    moved = carry @ other[:, :, parts]
    rotations[:, :, parts] = torch.where(
        chosen[:, None, None, None, None], moved, rotations[:, :, parts]
    )
    rest[:, parts] = torch.where(chosen[:, None, None], other_rest[:, parts], rest[:, parts])
    return rotations, rest


def _at_ease(root: Tensor, times: Tensor, g: torch.Generator) -> Tensor:
    """(B,) radians by which knees are straightened, or bent more; 0 for people who walk."""
    B = len(times)
    way = (root[:, -1] - root[:, 0])[:, [0, 2]].norm(dim=-1)
    stays = 1 - way / times[:, -1].clamp(min=0.1) / WALKING
    some = 0.4 * torch.rand(B, generator=g) - 0.05
    all_of_it = torch.rand(B, generator=g) < UPRIGHT
    more_bent = torch.rand(B, generator=g) < BENT
    some = torch.where(more_bent, -STRAIGHT * torch.rand(B, generator=g), some)
    return torch.where(all_of_it, torch.full((B,), STRAIGHT), some) * stays.clamp(0, 1)


def _straighten(rotations: Tensor, rest: Tensor, amount: Tensor) -> Tensor:
    """Straighten (or bend) knees by up to `amount` (B,) radians and keep the leg's direction.

    People in the recordings stand with bent knees; most people in videos do not.
    """
    rotations = rotations.clone()
    for thigh, shank in LEGS:
        upper, lower = (
            rotate_vectors(rotations[:, :, part], rest[:, part]) for part in (thigh, shank)
        )
        axis = torch.linalg.cross(upper, lower)
        bend = torch.atan2(axis.norm(dim=-1), (upper * lower).sum(-1))  # (B, T)
        axis = axis / axis.norm(dim=-1, keepdim=True).clamp(min=1e-6)
        fade = (1.6 - bend).clamp(0, 1)  # strongly bent knees stay as they are
        less = torch.minimum(amount[:, None] * fade, bend)
        half = matrix_from_vector(axis * less[..., None] / 2)
        rotations[:, :, thigh] = half @ rotations[:, :, thigh]
        rotations[:, :, shank] = half.mT @ rotations[:, :, shank]
    return rotations


def pose_bodies(
    shapes: BodyBank, who: Tensor, rotations: Tensor, rest: Tensor, root: Tensor
) -> Tensor:
    """Forward kinematics of a batch of bodies: (B, T, J + K, 3)."""
    heads = shapes.heads[who]  # (B, P, 3)
    rotations = rotations @ aligning_rotations(shapes.limbs[who], rest)[:, None]
    left, right = PART_NAMES.index("left_thigh"), PART_NAMES.index("right_thigh")
    hips = (heads[:, left] + heads[:, right]) / 2
    path = root * (shapes.leg[who] / LEG_LENGTH)[:, None, None]
    moved = [path + rotate_vectors(rotations[:, :, 0], heads[:, 0] - hips)]
    for part, parent in enumerate(PART_PARENTS[1:], start=1):
        step = heads[:, part] - heads[:, parent]
        moved.append(moved[parent] + rotate_vectors(rotations[:, :, parent], step))
    shift = torch.stack(moved, 2) - (rotations @ heads[:, None, :, :, None])[..., 0]
    transforms = torch.cat((rotations, shift[..., None]), -1)  # (B, T, P, 3, 4)
    B, T = rotations.shape[:2]
    flat = transforms.permute(0, 1, 3, 2, 4).reshape(B, T * 3, -1)
    return (flat @ shapes.points[who]).reshape(B, T, 3, -1).transpose(-1, -2)


def _mirror(
    joints: Tensor, keypoints: Tensor, planted: Tensor, chosen: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Swap left and right where chosen."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    w = chosen[:, None, None, None]
    joints = torch.where(w, joints[:, :, list(mirror_indices(BODY.names))] * flip, joints)
    keypoints = torch.where(w, keypoints[:, :, list(mirror_indices(KEYPOINTS))] * flip, keypoints)
    return joints, keypoints, torch.where(chosen[:, None, None], planted.flip(-1), planted)


def tumble(people: People, share: float, g: torch.Generator) -> tuple[People, Tensor]:
    """Rotate a share of the people randomly, half of them spinning; returns which (B,)."""
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
