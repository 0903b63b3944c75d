"""Cast: everybody who is followed for a while, and who of them is the subject."""

import math
from dataclasses import dataclass, field
from itertools import pairwise

from mocap_cli.keypoints.colours import Colours, likeness
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.pursuit import Pursuit
from mocap_cli.keypoints.sighting import Sighting
from mocap_cli.keypoints.subject import Subject

ALIKE = 0.84
"""Likeness of clothes from which somebody found again is the same person."""


@dataclass(slots=True, eq=False)
class Role:
    """One person and when they were seen; being followed while `pursuit` is there."""

    pursuit: Pursuit | None
    colours: Colours
    first: Crop  # where they were first seen
    sightings: dict[int, Sighting] = field(default_factory=dict)  # by frame

    def resemblance(self, sighting: Sighting) -> float:
        """0..1: how like this person somebody found is."""
        return likeness(self.colours, sighting.colours)


def claim(role: Role, subject: Subject, width: int, height: int) -> float:
    """How much speaks for this person to be the one that is meant; the largest wins."""
    seen = role.sightings.values()
    if isinstance(subject, tuple):
        return -math.hypot(role.first.x - subject[0], role.first.y - subject[1]) / role.first.side
    if subject == "center":
        return -math.hypot(role.first.x - width / 2, role.first.y - height / 2)
    if subject == "largest":
        return max((s.crop.side for s in seen), default=0.0)
    return sum(_presence(s, width, height) for s in seen) * (0.5 + min(_travel(role), 1.0))


def _presence(sighting: Sighting, width: int, height: int) -> float:
    """Large, well seen and near the middle."""
    crop, across = sighting.crop, math.hypot(width, height)
    off = math.hypot(crop.x - width / 2, crop.y - height / 2) / across
    return sighting.quality * math.sqrt(crop.side / across) * (1 - off)


def _travel(role: Role) -> float:
    """How far the person moves in the picture, in sides of the crop."""
    crops = [s.crop for s in role.sightings.values()]
    return sum(math.hypot(a.x - b.x, a.y - b.y) / a.side for a, b in pairwise(crops))
