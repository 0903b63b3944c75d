"""Averaged: the second model that holds the running mean of one that learns."""

from copy import deepcopy

from mocap_cli.learning.model.model import Model


def copy_for_ema(model: Model) -> Model:
    """A second model to hold the mean; it begins where the first one is."""
    mean = deepcopy(model).requires_grad_(False)
    mean.features = model.features  # frozen: one serves both
    return mean
