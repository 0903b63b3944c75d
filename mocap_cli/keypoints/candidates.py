"""Cast: everybody who is followed for a while, and who of them is the subject."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mocap_cli.keypoints.appearance import Appearance, similarity
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.person_detector import Subject
from mocap_cli.keypoints.person_tracker import PersonTracker

SIMILAR = 0.84
"""Likeness of the clothes of somebody just found who may well be the one that was lost."""

_SAME_PERSON = 0.9  # likeness of two roles, each over all of its time


@dataclass(slots=True, eq=False)
class Candidate:
    """Somebody followed for a stretch of time; still followed while `pursuit` is there."""

    tracker: PersonTracker | None
    appearance: Appearance  # mean over the whole stretch
    first: Crop  # where they were first seen
    late: bool  # came after the first second, so can only be the subject come back
    stranger: bool  # came late and does not look like the subject
    detections: dict[int, Detection] = field(default_factory=dict)  # by frame
    prominence: float = 0.0  # sum over the frames: large, well seen and near the middle
    travel: float = 0.0  # how far in the picture, in sides of the crop
    _last: Crop | None = None

    def similarity(self, sighting: Detection) -> float:
        """0..1: how like this person somebody found is."""
        return similarity(self.appearance, sighting.appearance)

    def add(self, index: int, sighting: Detection, width: int, height: int) -> None:
        """Another frame in which they were seen."""
        self.detections[index] = sighting
        share = np.float16(1 / len(self.detections))
        mixed = self.appearance + share * (sighting.appearance - self.appearance)
        self.appearance = np.asarray(mixed, np.float16)
        crop, across = sighting.crop, math.hypot(width, height)
        off = math.hypot(crop.x - width / 2, crop.y - height / 2) / across
        self.prominence += math.sqrt(sighting.confidence) * crop.side / across * (1 - off)
        last, self._last = self._last or crop, crop
        self.travel += math.hypot(crop.x - last.x, crop.y - last.y) / crop.side


def choose_subject(
    cast: Sequence[Candidate], subject: Subject, width: int, height: int
) -> Candidate:
    """The role that is the subject, of all so far."""
    early = [role for role in cast if not role.late] or cast
    among = cast if subject == "auto" else early
    return max(among, key=lambda role: _claim(role, subject, width, height))


def merged_detections(cast: Sequence[Candidate], chosen: Candidate) -> dict[int, Detection]:
    """All sightings of a person, by frame: those of the role and of others dressed the same.

    Who was once seen beside the person is somebody else, whatever they wear.
    """
    sightings: dict[int, Detection] = {}
    for role in cast:
        beside = role.detections.keys() & chosen.detections.keys()
        if not beside and similarity(role.appearance, chosen.appearance) > _SAME_PERSON:
            sightings |= role.detections
    return sightings | chosen.detections


def _claim(role: Candidate, subject: Subject, width: int, height: int) -> float:
    """How much speaks for this person to be the one that is meant."""
    if isinstance(subject, tuple):
        return -math.hypot(role.first.x - subject[0], role.first.y - subject[1]) / role.first.side
    if subject == "center":
        return -math.hypot(role.first.x - width / 2, role.first.y - height / 2)
    if subject == "largest":
        return role.first.side
    return role.prominence * (0.5 + min(role.travel, 1.0))
