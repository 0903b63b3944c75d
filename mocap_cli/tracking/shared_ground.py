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
    people: Sequence[Person],
    solved: Sequence[SolvedPerson],
    known: Sequence[bool],
    camera: Float64 | None,
) -> list[SolvedPerson]:
    """The people again, on one ground, at heights that fit it; as they are if nobody stands.

    Heights that are `known` stay. The camera stands, or moves along `camera` (T, 3).
    """
    still = np.zeros((len(solved[0].tracked), 3))
    eye = still if camera is None else camera
    stances = {
        i: stance
        for i, (one, height_known) in enumerate(zip(solved, known, strict=True))
        if (stance := _Stance.of(one, eye, known=height_known))
    }
    if not stances:
        return list(solved)
    ground, sizes = _fit(list(stances.values()))
    size_of = dict(zip(stances, sizes, strict=True))
    again = []
    for i, (person, one) in enumerate(zip(people, solved, strict=True)):
        size = size_of.get(i, 1.0)
        level = stances[i].level(ground.up, size) if i in stances else ground.level
        near = abs(level - ground.level) < _OTHER_FLOOR
        own = ground if near else replace(ground, level=level)
        again.append(person.solve(size * one.body.height, own, camera))
    return again


@dataclass(frozen=True, slots=True)
class _Stance:
    """What one person's feet say of the ground, in the axes of the first frame's camera."""

    up: Float64  # (3,) unit: the vertical
    up_sigma: float  # radians
    points: Float64  # (N, 3) planted joints as seen from the camera
    clearance: Float64  # (N,) their heights above the floor
    eyes: Float64  # (N, 3) the camera
    height_known: bool

    @staticmethod
    def of(person: SolvedPerson, eye: Float64, *, known: bool) -> "_Stance | None":
        """Of a person who stands, and whose vertical is known, before a camera at `eye` (T, 3)."""
        ground, planted, centre = person.path.ground, person.path.planted, person.path.centre
        seen, clearance = contact_points(person.body, centre - eye[person.tracked], planted)
        if not len(seen) or ground.up_sigma > LARGEST_UP_SIGMA:
            return None
        points, _ = contact_points(person.body, centre, planted)
        return _Stance(ground.up, ground.up_sigma, seen, clearance, points - seen, known)

    def level(self, up: Float64, size: float = 1.0) -> float:
        """The level of the floor, for a person of that many times their height."""
        return float(np.median((size * self.points + self.eyes) @ up - size * self.clearance))


def _fit(stances: Sequence[_Stance]) -> tuple[Ground, list[float]]:
    """The ground, and how much larger each person is than was assumed.

    Whoever is far from it stands on another floor: they keep their size.
    """
    floors = list(range(len(stances)))
    while True:
        ground, sizes = _least_squares(stances, floors)
        off = [
            abs(stances[i].level(ground.up, sizes[i]) - ground.level) if i in floors else 0.0
            for i in range(len(stances))
        ]
        farthest = int(np.argmax(off))
        if off[farthest] < _OTHER_FLOOR:
            return ground, sizes
        floors.remove(farthest)


def _least_squares(stances: Sequence[_Stance], floors: Sequence[int]) -> tuple[Ground, list[float]]:
    """Ground and sizes, from the verticals of all, and from the feet of those on this floor."""
    all_known = all(stance.height_known for stance in stances)
    height_sigma = np.array([_GIVEN if stance.height_known else _STATURE for stance in stances])
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
            stance, size = stances[i], sizes[i]
            own, eye = stance.level(up, size), stance.eyes.mean(axis=0)
            # Sizes may explain any distance; where they are all known, it is more likely a box.
            floor = _FLOOR * (1 + all_known * ((own - level) / (3 * _FLOOR)) ** 2)
            feet[row, :2] = (size * stance.points.mean(axis=0) + eye) @ basis / floor
            feet[row, 2], feet[row, 3 + i] = -1 / floor, (own - eye @ up) / floor
            right[3 * len(stances) + row] = (level - own) / floor
        step, *_ = np.linalg.lstsq(rows, right)
        up, level, logs = unit(up + basis @ step[:2]), level + step[2], logs + step[3:]
    tilt = np.linalg.inv(rows.T @ rows)[:2, :2]
    up_sigma = math.sqrt(float(np.trace(tilt)))
    return Ground(up, float(level), up_sigma=up_sigma, fixed=True), np.exp(logs).tolist()
