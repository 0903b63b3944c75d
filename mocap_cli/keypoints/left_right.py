"""Left and right: undo the left-right swaps of the networks, over all frames together.

Networks swap the sides of a twisting or far-away body now and then, mostly for a few frames and
rarely both networks at once. For the face, the arms and the legs, the Viterbi algorithm finds the
cheapest sequence of states: a frame may swap the points of either network at a cost, and pays for
disagreement between the networks and for limbs that jump.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

from mocap_cli.body.skeleton import KEYPOINTS, mirror_indices
from mocap_cli.types import Float64

_GROUPS = (slice(1, 5), slice(5, 11), slice(11, 21))
"""Points that swap together: eyes and ears, arms with shoulders, legs with hips and feet."""

_STATES = tuple(itertools.product((False, True), repeat=2))  # first swapped, second swapped
_MIRRORED = np.array(mirror_indices(KEYPOINTS))
_SWAP_PRICE = 3.0
_DIFFERENCE = 0.3  # torsos: how far the networks differ by chance
_STILL, _SPEED = 0.1, 2.0  # torsos and torsos per second: how far points move by chance
_CAP = 4.5  # the largest cost of a single point
_AT_ONCE = 1024  # frames, so that an hour fits in memory


def find_swaps(first: Float64, second: Float64, sure: Float64, steps: Float64) -> NDArray[np.bool_]:
    """(2, T, K) which points of two networks to swap.

    first, second: (T, K, 2) in torsos, in axes that move and turn with the body.
    sure: (T, K) 0..1 weights. steps: (T - 1,) seconds between frames.
    """
    T, S = len(sure), len(_STATES)
    swapped = np.zeros((2, *sure.shape), np.bool_)
    for group in _GROUPS:
        price, change = np.empty((T, S)), np.empty((max(T - 1, 0), S, S))
        for start in range(0, T, _AT_ONCE):
            part = slice(start, start + _AT_ONCE + 1)  # the last frame is the first of the next
            price[part], change[start : start + _AT_ONCE] = _costs(
                first[part], second[part], sure[part], steps[start : start + _AT_ONCE], group
            )
        path = cheapest_path(price, change)
        swapped[:, :, group] = np.array(_STATES).T[:, path, None]
    return swapped


def _costs(
    first: Float64, second: Float64, sure: Float64, steps: Float64, group: slice
) -> tuple[Float64, Float64]:
    """(T, 4) of states and (T - 1, 4, 4) of transitions, of the points of one group."""
    other = _MIRRORED[group]
    ways = [
        (first[:, other] if a else first[:, group], second[:, other] if b else second[:, group])
        for a, b in _STATES
    ]
    price = np.stack(
        [
            _SWAP_PRICE * (a + b) + _cost(one - two, _DIFFERENCE, sure[:, group])
            for (a, b), (one, two) in zip(_STATES, ways, strict=True)
        ],
        axis=1,
    )
    means = np.stack([(one + two) / 2 for one, two in ways], axis=1)  # (T, 4, k, 2)
    moved = means[1:, None] - means[:-1, :, None]  # (T - 1, 4 before, 4 after, k, 2)
    both = np.sqrt(sure[1:, group] * sure[:-1, group])[:, None, None]
    scale = (_STILL + _SPEED * steps)[:, None, None, None]
    return price, _cost(moved, scale, both)


def cheapest_path(price: Float64, change: Float64) -> NDArray[np.intp]:
    """(T,) the cheapest states, by costs of states (T, S) and of transitions (T - 1, S, S)."""
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
