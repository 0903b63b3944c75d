"""Squatting and sitting, added to other motions.

Both knees are bent by 70 degrees in only one of twenty frames of the recordings; in videos people
sit and squat much more often.
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
_HELD_SHARE = 0.25  # share of the squats that are held: sitting


def add_squats(
    rotations: Tensor, rest: Tensor, root: Tensor, times: Tensor, g: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Rotations (B, T, P, 3, 3) and roots (B, T, 3) with squats; the ankles stay in place."""
    B = len(rotations)
    some = torch.rand(B, generator=g) < _SHARE
    deep = _MAX_THIGH_ANGLE * torch.rand(B, 1, generator=g).sqrt() * _course(times, g)
    ranges = (_SHANK_SHARE, _BOW_SHARE, _KNEES_OUT)
    shares = [a + (b - a) * torch.rand(B, 1, generator=g) for a, b in ranges]
    chosen = (part[some] for part in (rotations, rest, root, deep, *shares))
    rotations, root = rotations.clone(), root.clone()
    rotations[some], root[some] = _lowered(*chosen)
    return rotations, root


def _lowered(
    rotations: Tensor,
    rest: Tensor,
    root: Tensor,
    deep: Tensor,
    back: Tensor,
    bow: Tensor,
    out: Tensor,
) -> tuple[Tensor, Tensor]:
    """Rotate thighs by `deep` (B, T), shanks and trunk by shares of it, and knees outwards."""
    deep = deep * (1.5 - _bend(rotations, rest)).clamp(0, 1)  # less for people who crouch already
    lateral, ahead = (rotations[:, :, 0] @ torch.eye(3)[i] for i in (0, 2))  # left and forward
    new, shift = rotations.clone(), torch.zeros_like(root)
    bowed = matrix_from_vector(lateral * (bow * deep)[..., None])
    new[:, :, TRUNK] = bowed[:, :, None] @ rotations[:, :, TRUNK]
    for (thigh, shank), sign in zip(LEGS, (1.0, -1.0), strict=True):
        axis = lateral * out.cos()[..., None] - sign * ahead * out.sin()[..., None]
        before = _leg(rotations, rest, thigh, shank)
        new[:, :, thigh] = matrix_from_vector(-axis * deep[..., None]) @ rotations[:, :, thigh]
        bent = matrix_from_vector(axis * (back * deep)[..., None])
        new[:, :, shank] = bent @ rotations[:, :, shank]
        shift += (before - _leg(new, rest, thigh, shank)) / 2
    return new, root + shift


def _course(times: Tensor, g: torch.Generator) -> Tensor:
    """(B, T) depth of the squat, 0..1: periodic, or held."""
    B = len(times)
    low, high = _SECONDS
    lasts = low + (high - low) * torch.rand(B, 1, generator=g)
    phase = 2 * math.pi * (times / lasts + torch.rand(B, 1, generator=g))
    held = torch.rand(B, 1, generator=g) < _HELD_SHARE
    return torch.where(held, torch.ones_like(times), (1 - phase.cos()) / 2)


def _bend(rotations: Tensor, rest: Tensor) -> Tensor:
    """(B, T) bend in radians of the knee that is bent more."""
    cosines = []
    for parts in LEGS:
        thigh, shank = (rotate_vectors(rotations[:, :, p], rest[:, p]) for p in parts)
        cosines.append((thigh * shank).sum(-1))
    return torch.minimum(*cosines).clamp(-1, 1).acos()


def _leg(rotations: Tensor, rest: Tensor, thigh: int, shank: int) -> Tensor:
    """Vector from hip to ankle (B, T, 3)."""
    both = rotate_vectors(rotations[:, :, thigh], rest[:, thigh]) + rotate_vectors(
        rotations[:, :, shank], rest[:, shank]
    )
    return both * LEG_LENGTH / 2
