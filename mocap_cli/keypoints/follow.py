"""Follow: from the frames of a video to the keypoints of one person."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mocap_cli.keypoints.appearance import Appearance, similarity
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.person_detector import PersonDetector, Subject
from mocap_cli.keypoints.person_search import PersonSearch
from mocap_cli.keypoints.person_tracker import PersonTracker
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.types import Image
from mocap_cli.video.shots import TimedImage
from mocap_cli.weights import Device

_CHOOSING_SECONDS = 1.0  # during which all candidates are tracked before one is chosen
_CANDIDATES = 4
_SEARCH_SECONDS = 0.2  # between searches for more candidates
_STRANGER_SECONDS = 0.8  # without the subject, after which somebody else is tracked meanwhile
_SIMILAR = 0.84  # appearance of a new detection that may well be the subject again
_SAME_PERSON = 0.9  # appearance of two candidates, each averaged over its time


def follow(
    frames: Iterable[tuple[TimedImage, bool]], subject: Subject = "auto", device: Device = "auto"
) -> Keypoints:
    """Find the subject and track it to the end; `video.shots.with_cuts` gives the frames."""
    follower = _Follower(subject, device)
    for frame, cut in frames:
        follower.add(frame.image, frame.time, cut)
    return follower.keypoints()


@dataclass(slots=True, eq=False)
class _Candidate:
    """A person tracked for a stretch of time; `tracker` is None once they are lost."""

    tracker: PersonTracker | None
    appearance: Appearance  # mean over the whole stretch
    first: Crop  # where they were first detected
    late: bool  # appeared after the first second: can only be the subject coming back
    stranger: bool  # appeared late and does not look like the subject
    detections: dict[int, Detection] = field(default_factory=dict)  # by frame
    prominence: float = 0.0  # sum over the frames: large, confident and near the middle
    travel: float = 0.0  # distance moved in the image, in sides of the crop
    _last: Crop | None = None

    def similarity(self, detection: Detection) -> float:
        """0..1 similarity of appearance."""
        return similarity(self.appearance, detection.appearance)

    def add(self, index: int, detection: Detection, width: int, height: int) -> None:
        """Add the detection in another frame."""
        self.detections[index] = detection
        share = np.float16(1 / len(self.detections))
        mixed = self.appearance + share * (detection.appearance - self.appearance)
        self.appearance = np.asarray(mixed, np.float16)
        crop, diagonal = detection.crop, math.hypot(width, height)
        off_centre = math.hypot(crop.x - width / 2, crop.y - height / 2) / diagonal
        self.prominence += math.sqrt(detection.confidence) * crop.side / diagonal * (1 - off_centre)
        last, self._last = self._last or crop, crop
        self.travel += math.hypot(crop.x - last.x, crop.y - last.y) / crop.side

    def score(self, subject: Subject, width: int, height: int) -> float:
        """Score of the match with the choice of subject; larger is better."""
        if isinstance(subject, tuple):
            return -math.hypot(self.first.x - subject[0], self.first.y - subject[1]) / (
                self.first.side
            )
        if subject == "center":
            return -math.hypot(self.first.x - width / 2, self.first.y - height / 2)
        if subject == "largest":
            return self.first.side
        return self.prominence * (0.5 + min(self.travel, 1.0))


def _merged_detections(
    candidates: Sequence[_Candidate], chosen: _Candidate
) -> dict[int, Detection]:
    """By frame: the detections of the chosen candidate and of others of the same appearance.

    A candidate detected in the same frame as the chosen one is another person.
    """
    merged: dict[int, Detection] = {}
    for candidate in candidates:
        together = candidate.detections.keys() & chosen.detections.keys()
        if not together and similarity(candidate.appearance, chosen.appearance) > _SAME_PERSON:
            merged |= candidate.detections
    return merged | chosen.detections


class _Follower:
    """Takes the frames of a video one after the other."""

    def __init__(self, subject: Subject = "auto", device: Device = "auto") -> None:
        self._subject = subject
        self._networks, self._detector = PoseNetworks(device), PersonDetector(device)
        self._search = PersonSearch(self._networks, self._detector, subject)
        self._candidates: list[_Candidate] = []
        self._times: list[float] = []
        self._cut: list[bool] = []
        self._size = (0, 0)
        self._choose_at = self._search_at = self._detected_at = 0.0  # seconds

    def add(self, image: Image, time: float, cut: bool) -> None:
        """Track into the next frame."""
        self._size = image.shape[1], image.shape[0]
        index = len(self._times)
        self._times.append(time)
        self._cut.append(cut)
        self._update(image, time, index)
        if not self._tracked():
            self._find(image, time, index)
        elif time < self._choose_at or all(c.stranger for c in self._tracked()):
            self._find_better(image, time, index)
        elif len(self._tracked()) > 1:
            chosen = self._best(self._tracked())
            self._candidates = [c for c in self._candidates if c is chosen or c.tracker is None]

    def keypoints(self) -> Keypoints:
        """The keypoints of the subject in all frames so far."""
        found: dict[int, Detection] = {}
        if self._candidates:
            found = _merged_detections(self._candidates, self._best(self._candidates))
        detections = [found.get(i) for i in range(len(self._times))]
        return fuse_detections(self._times, detections, self._cut, self._size)

    def _tracked(self) -> list[_Candidate]:
        return [candidate for candidate in self._candidates if candidate.tracker is not None]

    def _best(self, candidates: list[_Candidate]) -> _Candidate:
        """The candidate that is the subject; a late one only if there is no other."""
        early = [candidate for candidate in candidates if not candidate.late] or candidates
        among = candidates if self._subject == "auto" else early
        return max(among, key=lambda candidate: candidate.score(self._subject, *self._size))

    def _update(self, image: Image, time: float, index: int) -> None:
        """Detect everybody who is tracked; no body is given to two of them."""
        tracked = [(c, c.tracker) for c in self._candidates if c.tracker is not None]
        detections = [tracker.detect(image, time) for _, tracker in tracked]
        own = PersonTracker.assign([tracker for _, tracker in tracked], detections)
        for (candidate, tracker), detection in zip(tracked, own, strict=True):
            if detection is not None:
                tracker.update(image, time, detection)
                candidate.add(index, detection, *self._size)
                self._detected_at = time
            elif not tracker.miss(time) or self._cut[-1]:
                candidate.tracker = None

    def _find(self, image: Image, time: float, index: int) -> None:
        """Without tracks, start all detections at first, later only those like the subject."""
        people = self._search.people(image, time)
        if not self._candidates:
            self._choose_at = time + _CHOOSING_SECONDS
            for detection in people[:_CANDIDATES]:
                self._enter(detection, image, time, index)
        elif people:
            subject = self._best(self._candidates)
            best = max(people, key=subject.similarity)
            similar = subject.similarity(best) > _SIMILAR
            if similar or time - self._detected_at > _STRANGER_SECONDS:
                self._enter(best, image, time, index)

    def _find_better(self, image: Image, time: float, index: int) -> None:
        """In the first second search for more people, later for the subject while it is away."""
        if time < self._search_at:
            return
        self._search_at = time + _SEARCH_SECONDS
        tracked, chosen = self._tracked(), self._best(self._candidates)
        known = [candidate.tracker.motion.crop for candidate in tracked if candidate.tracker]
        for detection in self._search.others(image, time, known):
            if time < self._choose_at and len(self._tracked()) < _CANDIDATES:
                self._enter(detection, image, time, index)
            elif time >= self._choose_at and chosen.similarity(detection) > _SIMILAR:
                for candidate in tracked:
                    candidate.tracker = None
                self._enter(detection, image, time, index)
                return

    def _enter(self, detection: Detection, image: Image, time: float, index: int) -> None:
        """Begin to track a person."""
        late = time > self._choose_at
        candidate = _Candidate(
            tracker=PersonTracker(self._networks, self._detector, image, time, detection),
            appearance=detection.appearance,
            first=detection.next_crop,
            late=late,
            stranger=late and self._best(self._candidates).similarity(detection) < _SIMILAR,
        )
        candidate.add(index, detection, *self._size)
        self._candidates.append(candidate)
        self._detected_at = time
