"""Averaged: the running mean of a network's weights, steadier than those of any one step."""

import torch
from torch import nn


@torch.no_grad()
def update_ema(mean: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Take a step's weights into the mean; the first steps count little, being far from the end."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for held, new in zip(mean.parameters(), model.parameters(), strict=True):
        if new.requires_grad:
            held.lerp_(new, share)
