"""Proportions: a person's bone lengths, as the lifter measures them and as it is given them.

Nothing but its bones' lengths parts a short leg from a bent one in front of a camera. So every
frame's reading of them is gathered into one skeleton for the clip, which the lifter then reads the
clip with once more.
"""

import torch
from torch import Tensor

from mocap_cli.body.skeleton import BODY

TYPICAL = {
    "hip": 0.095, "knee": 0.392, "ankle": 0.409, "toe": 0.150, "spine": 0.292, "thorax": 0.285,
    "neck": 0.104, "head": 0.152, "shoulder": 0.193, "elbow": 0.283, "wrist": 0.256,
}  # fmt: skip
"""Metres from each joint to its parent, mean of the bodies trained on, for a height of 1.70 m."""
BONES = len(TYPICAL)
USUAL = 0.08
"""How people differ: standard deviation of a length's logarithm."""
_RIGHT = [BODY.index(n if n in BODY.names else f"right_{n}") for n in TYPICAL]
_LEFT = [BODY.index(n if n in BODY.names else f"left_{n}") for n in TYPICAL]
_PARENTS = torch.tensor(BODY.parents)
_LEAST = 0.01  # standard error of a skeleton, however long the clip is
_NEWS = 1.5  # seconds after which frames tell something new
_MOST_NEWS = 8.0


def proportions(joints: Tensor) -> Tensor:
    """Joints (..., T, J, 3) to (..., BONES) logarithms of lengths over TYPICAL."""
    length = sum(
        (joints[..., side, :] - joints[..., _PARENTS[side], :]).norm(dim=-1)
        for side in (_RIGHT, _LEFT)
    )
    typical = torch.tensor(tuple(TYPICAL.values()))
    return (torch.as_tensor(length).mean(-2) / 2 / typical).clamp(min=0.1).log()


def given(lengths: Tensor, sigma: Tensor) -> Tensor:
    """(B, BONES) log lengths with standard errors to what the network is given: (B, 2 * BONES).

    The less sure a length is, the nearer to what is usual it is said to be; all zeros is unknown.
    """
    trust = USUAL**2 / (USUAL**2 + sigma**2)
    return torch.cat((trust * lengths / USUAL, trust), dim=-1)


def draw_given(lengths: Tensor, g: torch.Generator) -> Tensor:
    """The same for training: half of the people are unknown, the rest known with errors."""
    sigma = 0.01 + 0.04 * torch.rand(len(lengths), 1, generator=g).expand_as(lengths)
    noisy = lengths + sigma * torch.randn(lengths.shape, generator=g)
    known = (torch.rand(len(lengths), 1, generator=g) < 0.5).float()
    return given(noisy, sigma) * known


def gathered(lengths: Tensor, log_sigma: Tensor, seconds: float) -> Tensor:
    """Readings (N, BONES) of one person to what the network is given: (1, 2 * BONES)."""
    precision = (-2 * log_sigma).exp()
    mean = (precision * lengths).sum(0, keepdim=True) / precision.sum(0, keepdim=True)
    news = min(max(seconds / _NEWS, 1.0), _MOST_NEWS)
    sigma = (1 / (precision.mean(0, keepdim=True) * news) + _LEAST**2).sqrt()
    return given(mean, sigma)
