"""Exponential moving average of a network's weights, steadier than those of any one step."""

import torch
from torch import nn


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Blend the weights of a step into the average; the first steps, far off, count less."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for held, new in zip(average.parameters(), model.parameters(), strict=True):
        if new.requires_grad:
            held.lerp_(new, share)
