"""Shared ground: one vertical and one floor below several people, and the heights that follow.

Whoever is assumed too tall seems too far away, and the camera too high above their floor. So the
floor of each person says how large they are against the others, and people at several distances
say how the camera is tilted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.body.rotation import unit
from mocap_cli.tracking.ground import LARGEST_UP_SIGMA, Ground, contact_points
from mocap_cli.tracking.person import Person, SolvedPerson
from mocap_cli.types import Float64

_STATURE = 0.06  # relative sigma of a height that is assumed
_GIVEN = 1e-3  # the same of one that is given
_FLOOR = 0.05  # metres, sigma of the mean height of a person's planted feet
_OTHER_FLOOR = 0.15  # metres from the common floor from which somebody stands on another one
_ITERATIONS = 8


def on_one_ground(
    people: Sequence[Person], solved: Sequence[SolvedPerson], *, given: bool
) -> list[SolvedPerson]:
    """The people again, on one ground, at heights that fit it; as they are if nobody stands.

    Heights that were `given` stay.
    """
    stances = {i: stance for i, one in enumerate(solved) if (stance := _Stance.of(one))}
    if not stances:
        return list(solved)
    ground, sizes = _fit(list(stances.values()), given=given)
    size_of = dict(zip(stances, sizes, strict=True))
    again = []
    for i, (person, one) in enumerate(zip(people, solved, strict=True)):
        size = size_of.get(i, 1.0)
        level = size * stances[i].level(ground.up) if i in stances else ground.level
        near = abs(level - ground.level) < _OTHER_FLOOR
        own = ground if near else replace(ground, level=level)
        again.append(person.solve(size * one.body.height, own))
    return again


@dataclass(frozen=True, slots=True)
class _Stance:
    """What one person's feet say of the ground, in the axes of the first frame's camera."""

    up: Float64  # (3,) unit: the vertical
    up_sigma: float  # radians
    points: Float64  # (N, 3) planted joints
    clearance: Float64  # (N,) their heights above the floor

    @staticmethod
    def of(person: SolvedPerson) -> "_Stance | None":
        """Of a person who stands, and whose vertical is known."""
        ground, planted = person.path.ground, person.path.planted
        points, clearance = contact_points(person.body, person.path.centre, planted)
        if not len(points) or ground.up_sigma > LARGEST_UP_SIGMA:
            return None
        return _Stance(ground.up, ground.up_sigma, points, clearance)

    def level(self, up: Float64) -> float:
        """The level of the floor."""
        return float(np.median(self.points @ up - self.clearance))


def _fit(stances: Sequence[_Stance], *, given: bool) -> tuple[Ground, list[float]]:
    """The ground, and how much larger each person is than was assumed.

    Whoever is far from it stands on another floor: they keep their size.
    """
    floors = list(range(len(stances)))
    while True:
        ground, sizes = _least_squares(stances, floors, given=given)
        off = [
            abs(sizes[i] * stances[i].level(ground.up) - ground.level) if i in floors else 0.0
            for i in range(len(stances))
        ]
        farthest = int(np.argmax(off))
        if off[farthest] < _OTHER_FLOOR:
            return ground, sizes
        floors.remove(farthest)


def _least_squares(
    stances: Sequence[_Stance], floors: Sequence[int], *, given: bool
) -> tuple[Ground, list[float]]:
    """Ground and sizes, from the verticals of all, and from the feet of those on this floor."""
    height_sigma = _GIVEN if given else _STATURE
    up = unit(np.sum([s.up / s.up_sigma**2 for s in stances], axis=0))
    level = float(np.mean([stances[i].level(up) for i in floors]))
    logs = np.zeros(len(stances))
    for _ in range(_ITERATIONS):
        basis, sizes = Ground(up, level).basis(), np.exp(logs)
        # The unknowns: two tilts of the vertical, a step of the level, and one of each logarithm.
        rows = np.zeros((len(stances) * 3 + len(floors), 3 + len(stances)))
        right = np.zeros(len(rows))
        for i, stance in enumerate(stances):
            rows[2 * i : 2 * i + 2, :2] = np.eye(2) / stance.up_sigma
            right[2 * i : 2 * i + 2] = basis.T @ stance.up / stance.up_sigma
        heights, feet = rows[2 * len(stances) :], rows[3 * len(stances) :]
        # Children are much smaller than assumed; nobody is much taller.
        sigma = height_sigma * np.sqrt(1 + (np.minimum(logs, 0) / (2 * _STATURE)) ** 2)
        heights[: len(stances), 3:] = np.diag(1 / sigma)
        right[2 * len(stances) : 3 * len(stances)] = -logs / sigma
        for row, i in enumerate(floors):
            own = sizes[i] * stances[i].level(up)
            # Sizes may explain any distance; where they are given, it is more likely a box.
            floor = _FLOOR * (1 + given * ((own - level) / (3 * _FLOOR)) ** 2)
            feet[row, :2] = sizes[i] * stances[i].points.mean(axis=0) @ basis / floor
            feet[row, 2], feet[row, 3 + i] = -1 / floor, own / floor
            right[3 * len(stances) + row] = (level - own) / floor
        step, *_ = np.linalg.lstsq(rows, right)
        up, level, logs = unit(up + basis @ step[:2]), level + step[2], logs + step[3:]
    tilt = np.linalg.inv(rows.T @ rows)[:2, :2]
    up_sigma = math.sqrt(float(np.trace(tilt)))
    return Ground(up, float(level), up_sigma=up_sigma, fixed=True), np.exp(logs).tolist()
