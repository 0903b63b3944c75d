"""Rotations of body parts as tensors, and groups of parts."""

import torch
from torch import Tensor

from training.synthesis.mocap_clip import PART_NAMES

_LEG, _ARM = ("thigh", "shank", "foot", "toes"), ("collar", "upperarm", "forearm", "hand")
TRUNK = [i for i, name in enumerate(PART_NAMES) if not name.endswith(_LEG)]
"""All but the legs."""
UPPER = [i for i in TRUNK if PART_NAMES[i] != "pelvis"]
ARMS = [i for i, name in enumerate(PART_NAMES) if name.endswith(_ARM)]
LEGS = [
    (PART_NAMES.index(f"{side}_thigh"), PART_NAMES.index(f"{side}_shank"))
    for side in ("left", "right")
]
"""Thigh and shank of either side."""


def rotate_vectors(turn: Tensor, step: Tensor) -> Tensor:
    """(B, T, 3, 3) applied to (B, 3): (B, T, 3)."""
    return (turn @ step[:, None, :, None])[..., 0]


def matrix_from_vector(vector: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3)."""
    angle = vector.norm(dim=-1)[..., None, None]
    cross = _cross(vector)
    # sinc(x) is sin(pi x) / (pi x), and 1 where x is 0.
    first, half = torch.sinc(angle / torch.pi), torch.sinc(angle / 2 / torch.pi)
    return torch.eye(3) + first * cross + half**2 / 2 * cross @ cross


def aligning_rotations(own: Tensor, theirs: Tensor) -> Tensor:
    """Smallest rotations from `own` to `theirs` rest directions; identity for parts without one."""
    cross, c = _cross(torch.cross(own, theirs, dim=-1)), (own * theirs).sum(-1)
    return torch.eye(3) + cross + cross @ cross / (1 + c)[..., None, None].clamp(min=1e-3)


def _cross(vector: Tensor) -> Tensor:
    """Cross product matrices (..., 3, 3) of vectors (..., 3)."""
    a, b, c = vector.unbind(-1)
    o = torch.zeros_like(a)
    return torch.stack((o, -c, b, c, o, -a, -b, a, o), -1).unflatten(-1, (3, 3))
