"""Follow: from the frames of a video to the keypoints of one person."""

from collections.abc import Iterable
from typing import Protocol

from mocap_cli.keypoints.candidates import SIMILAR, Candidate, choose_subject, merged_detections
from mocap_cli.keypoints.crop import Image
from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.person_detector import PersonDetector, Subject
from mocap_cli.keypoints.person_search import PersonSearch
from mocap_cli.keypoints.person_tracker import PersonTracker, assign_detections
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.video.shots import CutDetector
from mocap_cli.weights import Device

_AUDITION_SECONDS = 1.0  # several people are followed that long before one is chosen
_CANDIDATES = 4
_LOOK_SECONDS = 0.2  # between looks for somebody better
_STRANGER_SECONDS = 0.8  # after which somebody else is followed meanwhile


class _TimedImage(Protocol):
    """What is needed of a frame; `video.reader.Frame` has it."""

    @property
    def time(self) -> float:
        """Seconds."""

    @property
    def image(self) -> Image:
        """(H, W, 3) RGB as displayed."""


def follow(
    frames: Iterable[_TimedImage], subject: Subject = "auto", device: Device = "auto"
) -> Keypoints:
    """Find the subject and follow it to the end; no frame is kept."""
    follower = _Follower(subject, device)
    for frame in frames:
        follower.add(frame.image, frame.time)
    return follower.keypoints()


class _Follower:
    """Takes the pictures of a video one after the other."""

    def __init__(self, subject: Subject = "auto", device: Device = "auto") -> None:
        self._subject = subject
        self._networks, self._finder = PoseNetworks(device), PersonDetector(device)
        self._search = PersonSearch(self._networks, self._finder, subject)
        self._cuts = CutDetector()
        self._cast: list[Candidate] = []
        self._times: list[float] = []
        self._cut: list[bool] = []
        self._size = (0, 0)
        self._chosen_at = self._look_at = self._last_seen = 0.0  # seconds

    def add(self, image: Image, time: float) -> None:
        """Follow on into the next picture."""
        self._size = image.shape[1], image.shape[0]
        index = len(self._times)
        self._times.append(time)
        self._cut.append(self._cuts.is_cut(image))
        self._step(image, time, index)
        if not self._followed():
            self._find(image, time, index)
        elif time < self._chosen_at or all(role.stranger for role in self._followed()):
            self._look_for_better(image, time, index)
        elif len(self._followed()) > 1:
            chosen = self._lead(self._followed())
            self._cast = [r for r in self._cast if r is chosen or r.tracker is None]

    def keypoints(self) -> Keypoints:
        """What was seen of the subject in all pictures so far."""
        seen = merged_detections(self._cast, self._lead(self._cast)) if self._cast else {}
        sightings = [seen.get(i) for i in range(len(self._times))]
        return fuse_detections(self._times, sightings, self._cut, self._size)

    def _followed(self) -> list[Candidate]:
        return [role for role in self._cast if role.tracker is not None]

    def _lead(self, cast: list[Candidate]) -> Candidate:
        return choose_subject(cast, self._subject, *self._size)

    def _step(self, image: Image, time: float, index: int) -> None:
        """Look for everybody who is followed; nobody has the body of another."""
        roles = [(role, role.tracker) for role in self._cast if role.tracker is not None]
        sightings = [pursuit.detect(image, time) for _, pursuit in roles]
        own = assign_detections([pursuit for _, pursuit in roles], sightings)
        for (role, pursuit), sighting in zip(roles, own, strict=True):
            if sighting is not None:
                pursuit.update(image, time, sighting)
                role.add(index, sighting, *self._size)
                self._last_seen = time
            elif not pursuit.miss(time) or self._cut[-1]:
                role.tracker = None

    def _find(self, image: Image, time: float, index: int) -> None:
        """Nobody is followed: take everybody at first, later who looks like the subject."""
        people = self._search.people(image, time)
        if not self._cast:
            self._chosen_at = time + _AUDITION_SECONDS
            for sighting in people[:_CANDIDATES]:
                self._enter(sighting, image, time, index)
        elif people:
            best = max(people, key=self._lead(self._cast).similarity)
            alike = self._lead(self._cast).similarity(best) > SIMILAR
            if alike or time - self._last_seen > _STRANGER_SECONDS:
                self._enter(best, image, time, index)

    def _look_for_better(self, image: Image, time: float, index: int) -> None:
        """In the first second for more people, later for the subject while it is away."""
        if time < self._look_at:
            return
        self._look_at = time + _LOOK_SECONDS
        followed, chosen = self._followed(), self._lead(self._cast)
        known = [role.tracker.motion.crop for role in followed if role.tracker]
        for sighting in self._search.others(image, time, known):
            if time < self._chosen_at and len(self._followed()) < _CANDIDATES:
                self._enter(sighting, image, time, index)
            elif time >= self._chosen_at and chosen.similarity(sighting) > SIMILAR:
                for role in followed:
                    role.tracker = None
                self._enter(sighting, image, time, index)
                return

    def _enter(self, sighting: Detection, image: Image, time: float, index: int) -> None:
        late = time > self._chosen_at
        role = Candidate(
            tracker=PersonTracker(self._networks, self._finder, image, time, sighting),
            appearance=sighting.appearance,
            first=sighting.next_crop,
            late=late,
            stranger=late and self._lead(self._cast).similarity(sighting) < SIMILAR,
        )
        role.add(index, sighting, *self._size)
        self._cast.append(role)
        self._last_seen = time
