"""Dips: people who squat and sit down, made from people who do something else.

Recordings have few of them (both knees bent by 70 degrees in one frame of twenty), and people are
filmed doing little else.
"""

import math

import torch
from torch import Tensor

from training.lifter.part_rotations import LEGS, TRUNK, matrix_from_vector, rotate_vectors
from training.synthesis.mocap_clip import LEG_LENGTH

_SHARE = 0.12
"""Of the windows."""
_MAX_THIGH_ANGLE = 1.7  # radians of the thighs, forward
_SHANK_SHARE = (0.2, 0.6)  # of that, back
_BOW_SHARE = (0.1, 0.6)  # of that, the trunk forward
_KNEES_OUT = (0.0, 0.5)  # radians
_SECONDS = (1.2, 5.0)  # down and up again
_HELD_SHARE = 0.25  # share of the dips that last: sitting


def add_squats(
    turns: Tensor, rest: Tensor, root: Tensor, times: Tensor, g: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turns (B, T, P, 3, 3) and roots (B, T, 3), some of them with the ankles where they were."""
    B = len(turns)
    some = torch.rand(B, generator=g) < _SHARE
    deep = _MAX_THIGH_ANGLE * torch.rand(B, 1, generator=g).sqrt() * _course(times, g)
    ranges = (_SHANK_SHARE, _BOW_SHARE, _KNEES_OUT)
    shares = [a + (b - a) * torch.rand(B, 1, generator=g) for a, b in ranges]
    chosen = (part[some] for part in (turns, rest, root, deep, *shares))
    turns, root = turns.clone(), root.clone()
    turns[some], root[some] = _lowered(*chosen)
    return turns, root


def _lowered(
    turns: Tensor, rest: Tensor, root: Tensor, deep: Tensor, back: Tensor, bow: Tensor, out: Tensor
) -> tuple[Tensor, Tensor]:
    """Thighs as `deep` (B, T) says, shanks and trunk by shares of that, knees turned `out`."""
    deep = deep * (1.5 - _bend(turns, rest)).clamp(0, 1)  # who crouches has nowhere to go
    lateral, ahead = (turns[:, :, 0] @ torch.eye(3)[i] for i in (0, 2))  # left and forward
    new, shift = turns.clone(), torch.zeros_like(root)
    bowed = matrix_from_vector(lateral * (bow * deep)[..., None])
    new[:, :, TRUNK] = bowed[:, :, None] @ turns[:, :, TRUNK]
    for (thigh, shank), sign in zip(LEGS, (1.0, -1.0), strict=True):
        axis = lateral * out.cos()[..., None] - sign * ahead * out.sin()[..., None]
        before = _leg(turns, rest, thigh, shank)
        new[:, :, thigh] = matrix_from_vector(-axis * deep[..., None]) @ turns[:, :, thigh]
        bent = matrix_from_vector(axis * (back * deep)[..., None])
        new[:, :, shank] = bent @ turns[:, :, shank]
        shift += (before - _leg(new, rest, thigh, shank)) / 2
    return new, root + shift


def _course(times: Tensor, g: torch.Generator) -> Tensor:
    """(B, T) 0..1 how far down: once and again, or all the time."""
    B = len(times)
    low, high = _SECONDS
    lasts = low + (high - low) * torch.rand(B, 1, generator=g)
    phase = 2 * math.pi * (times / lasts + torch.rand(B, 1, generator=g))
    held = torch.rand(B, 1, generator=g) < _HELD_SHARE
    return torch.where(held, torch.ones_like(times), (1 - phase.cos()) / 2)


def _bend(turns: Tensor, rest: Tensor) -> Tensor:
    """(B, T) radians, of the knee that is bent further."""
    straight = [
        (
            rotate_vectors(turns[:, :, a], rest[:, a]) * rotate_vectors(turns[:, :, b], rest[:, b])
        ).sum(-1)
        for a, b in LEGS
    ]
    return torch.minimum(*straight).clamp(-1, 1).acos()


def _leg(turns: Tensor, rest: Tensor, thigh: int, shank: int) -> Tensor:
    """(B, T, 3) from hip to ankle."""
    both = rotate_vectors(turns[:, :, thigh], rest[:, thigh]) + rotate_vectors(
        turns[:, :, shank], rest[:, shank]
    )
    return both * LEG_LENGTH / 2
