"""Cast: everybody who is followed for a while, and who of them is the subject."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mocap_cli.keypoints.colours import Colours, likeness
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.pursuit import Pursuit
from mocap_cli.keypoints.sighting import Sighting
from mocap_cli.keypoints.subject import Subject

ALIKE = 0.84
"""Likeness of the clothes of somebody just found who may well be the one that was lost."""

_SAME_PERSON = 0.9  # likeness of two roles, each over all of its time


@dataclass(slots=True, eq=False)
class Role:
    """Somebody followed for a stretch of time; still followed while `pursuit` is there."""

    pursuit: Pursuit | None
    colours: Colours  # mean over the whole stretch
    first: Crop  # where they were first seen
    late: bool  # came after the first second, so can only be the subject come back
    stranger: bool  # came late and does not look like the subject
    sightings: dict[int, Sighting] = field(default_factory=dict)  # by frame
    presence: float = 0.0  # sum over the frames: large, well seen and near the middle
    travel: float = 0.0  # how far in the picture, in sides of the crop
    _last: Crop | None = None

    def resembles(self, sighting: Sighting) -> float:
        """0..1: how like this person somebody found is."""
        return likeness(self.colours, sighting.colours)

    def add(self, index: int, sighting: Sighting, width: int, height: int) -> None:
        """Another frame in which they were seen."""
        self.sightings[index] = sighting
        share = np.float16(1 / len(self.sightings))
        mixed = self.colours + share * (sighting.colours - self.colours)
        self.colours = np.asarray(mixed, np.float16)
        crop, across = sighting.crop, math.hypot(width, height)
        off = math.hypot(crop.x - width / 2, crop.y - height / 2) / across
        self.presence += math.sqrt(sighting.quality) * crop.side / across * (1 - off)
        last, self._last = self._last or crop, crop
        self.travel += math.hypot(crop.x - last.x, crop.y - last.y) / crop.side


def lead(cast: Sequence[Role], subject: Subject, width: int, height: int) -> Role:
    """The role that is the subject, of all so far."""
    early = [role for role in cast if not role.late] or cast
    among = cast if subject == "auto" else early
    return max(among, key=lambda role: _claim(role, subject, width, height))


def whole_part(cast: Sequence[Role], chosen: Role) -> dict[int, Sighting]:
    """All sightings of a person, by frame: those of the role and of others dressed the same.

    Who was once seen beside the person is somebody else, whatever they wear.
    """
    sightings: dict[int, Sighting] = {}
    for role in cast:
        beside = role.sightings.keys() & chosen.sightings.keys()
        if not beside and likeness(role.colours, chosen.colours) > _SAME_PERSON:
            sightings |= role.sightings
    return sightings | chosen.sightings


def _claim(role: Role, subject: Subject, width: int, height: int) -> float:
    """How much speaks for this person to be the one that is meant."""
    if isinstance(subject, tuple):
        return -math.hypot(role.first.x - subject[0], role.first.y - subject[1]) / role.first.side
    if subject == "center":
        return -math.hypot(role.first.x - width / 2, role.first.y - height / 2)
    if subject == "largest":
        return role.first.side
    return role.presence * (0.5 + min(role.travel, 1.0))
