"""Sides: undo the left-right swaps of the networks by looking at all frames together.

A network that sees a twisting or a far-away body calls its left arm the right one now and then,
mostly for a few frames, and rarely do both networks err at once. So for the face, the arms and
the legs we look for the cheapest way through the clip: each frame may swap what either network
says, at a price; so may it keep them, and pay for disagreement and for limbs that jump.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.types import Float64

_GROUPS = (slice(1, 5), slice(5, 11), slice(11, 21))
"""What swaps together: eyes and ears, arms with shoulders, legs with hips and feet."""

_STATES = tuple(itertools.product((False, True), repeat=2))  # first swapped, second swapped
_MIRRORED = np.array(mirror_indices(KEYPOINTS))
_SWAP_PRICE = 3.0
_APART = 0.3  # torsos: how far the networks differ by chance
_STILL, _SPEED = 0.1, 2.0  # torsos and torsos per second: how far points move by chance
_CAP = 4.5  # no single point is worse evidence than this


def find_swaps(first: Float64, second: Float64, sure: Float64, steps: Float64) -> NDArray[np.bool_]:
    """Which of two views of a body to swap: (2, T, K).

    first, second: (T, K, 2) in torsos, in axes that move and turn with the body.
    sure: (T, K) 0..1, how much each point counts. steps: (T - 1,) seconds between frames.
    """
    swapped = np.zeros((2, *sure.shape), np.bool_)
    for group in _GROUPS:
        other = _MIRRORED[group]
        ways = [
            (first[:, other] if a else first[:, group], second[:, other] if b else second[:, group])
            for a, b in _STATES
        ]
        price = np.stack(
            [
                _SWAP_PRICE * (a + b) + _cost(one - two, _APART, sure[:, group])
                for (a, b), (one, two) in zip(_STATES, ways, strict=True)
            ],
            axis=1,
        )  # (T, 4)
        means = np.stack([(one + two) / 2 for one, two in ways], axis=1)  # (T, 4, k, 2)
        moved = means[1:, None] - means[:-1, :, None]  # (T - 1, 4 before, 4 after, k, 2)
        both = np.sqrt(sure[1:, group] * sure[:-1, group])[:, None, None]
        scale = (_STILL + _SPEED * steps)[:, None, None, None]
        path = _viterbi(price, _cost(moved, scale, both))
        swapped[:, :, group] = np.array(_STATES).T[:, path, None]
    return swapped


def _viterbi(price: Float64, change: Float64) -> NDArray[np.intp]:
    """The cheapest way: (T, S) prices of states and (T - 1, S, S) of changes to (T,) states."""
    total, came = price[0], np.zeros(price.shape, np.intp)
    for t in range(1, len(price)):
        ways = total[:, None] + change[t - 1]
        came[t] = ways.argmin(axis=0)
        total = ways.min(axis=0) + price[t]
    path = np.zeros(len(price), np.intp)
    path[-1] = total.argmin()
    for t in range(len(price) - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return path


def _cost(offset: Float64, scale: Float64 | float, weight: Float64) -> Float64:
    """Half the squared distance in scales, capped, summed over points: (..., k, 2) to (...)."""
    distance = np.linalg.norm(offset, axis=-1) / scale
    return np.asarray((weight * np.minimum(distance**2 / 2, _CAP)).sum(axis=-1))
