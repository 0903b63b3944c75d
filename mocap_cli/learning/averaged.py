"""Averaged: the running mean of a model's weights, steadier than those of any one step."""

from copy import deepcopy

import torch

from mocap_cli.learning.model import Model


def mean_of(model: Model) -> Model:
    """A second model to hold the mean; it begins where the first one is."""
    mean = deepcopy(model).requires_grad_(False)
    mean.features = model.features  # frozen: one serves both
    return mean


@torch.no_grad()
def follow(mean: Model, model: Model, decay: float, step: int) -> None:
    """Take a step's weights into the mean; the first steps count little, being far from the end."""
    share = 1 - min(decay, (1 + step) / (10 + step))
    for held, new in zip(mean.parameters(), model.parameters(), strict=True):
        if new.requires_grad:
            held.lerp_(new, share)
