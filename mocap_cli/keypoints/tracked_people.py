"""Tracked people: everybody in a video, frame by frame, each with a track of their own."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mocap_cli.keypoints.appearance import Appearance, similarity
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.crossing import Crossings
from mocap_cli.keypoints.detection import Detection, mean_appearance
from mocap_cli.keypoints.detections import DetectionRecords, Detections
from mocap_cli.keypoints.person_detector import PersonDetector
from mocap_cli.keypoints.person_search import PersonSearch
from mocap_cli.keypoints.person_tracker import PersonTracker
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.subject import Subject, SubjectPoint
from mocap_cli.types import Image
from mocap_cli.weights import Device

_HAIR = 1e-6  # seconds
_CROWDED = 0.45  # sides between two people whose bodies may be confused
_MOVED_SECONDS = 0.2  # over which movement is measured: noise from frame to frame is as large
_STILL, _MOST_MOVED = 0.1, 1.0  # statures: what everybody gets, and what counts at most


@dataclass(slots=True, eq=False)
class Candidate:
    """A person tracked for a stretch of time; `tracker` is None once they are lost."""

    tracker: PersonTracker | None
    appearance: Appearance  # mean over the whole stretch
    first: Crop  # where they were first detected
    detections: Detections
    late: bool = False  # appeared after the first second: can only be the subject coming back
    stranger: bool = False  # appeared late and does not look like the subject
    rival: bool = False  # tracked only to tell the subject from them
    prominence: float = 0.0  # sum over the frames: large, confident and near the middle
    moved: float = 0.0  # sum of the movements of the body about its trunk, in statures
    company: list[float] = field(default_factory=list)  # seconds at which others were near
    _compared: tuple[float, Detection] | None = None  # what the next movement is measured from

    def similarity(self, detection: Detection) -> float:
        """0..1 similarity of appearance."""
        return similarity(self.appearance, detection.appearance)

    def add(self, index: int, time: float, detection: Detection, width: int, height: int) -> None:
        """Add the detection in another frame."""
        self.detections.add(index, detection)
        share = np.float16(1 / len(self.detections))
        mixed = self.appearance + share * (detection.appearance - self.appearance)
        self.appearance = np.asarray(mixed, np.float16)
        crop = detection.crop
        self.prominence += math.sqrt(detection.confidence) * crop.prominence(width, height)
        before, last = self._compared or (time, detection)
        if time - before > _MOVED_SECONDS - _HAIR:
            if time - before < 2 * _MOVED_SECONDS:
                self.moved += detection.movement_since(last)
        elif self._compared:
            return
        self._compared = time, detection

    @property
    def latest(self) -> Detection:
        """The detection in the last frame that has one."""
        return self.detections[max(self.detections)]

    def distance(self, point: SubjectPoint) -> float:
        """From where they were first detected, in sides of the crop."""
        return math.hypot(self.first.x - point.x, self.first.y - point.y) / self.first.side

    def score(self, subject: Subject, size: tuple[int, int]) -> float:
        """How well they match the choice of subject: larger is better."""
        if isinstance(subject, tuple):
            return -self.distance(subject[0])
        if subject == "center":
            return -math.hypot(self.first.x - size[0] / 2, self.first.y - size[1] / 2)
        if subject == "largest":
            return self.first.side
        return self.prominence * (_STILL + min(self.moved, _MOST_MOVED))

    def exchange_from(self, index: int, other: "Candidate") -> None:
        """Exchange the persons from that frame on, as after a confusion of two who crossed."""
        mine, theirs = self.detections, other.detections
        self.detections = mine.before(index) | theirs.since(index)
        other.detections = theirs.before(index) | mine.since(index)
        for candidate in (self, other):
            candidate.appearance = mean_appearance(candidate.detections.values())
        if self.tracker and other.tracker:
            self.tracker.exchange_place(other.tracker)


class People:
    """The candidates of all frames so far, and the networks that detect them."""

    def __init__(
        self,
        device: Device,
        points: Sequence[SubjectPoint] = (),
        *,
        sparing: bool = False,
        tuned: bytes | None = None,
    ) -> None:
        self._sparing = sparing  # search for people less often
        self.networks, self.detector = PoseNetworks(device, tuned), PersonDetector(device)
        self.search = PersonSearch(self.networks, self.detector, points, sparing=sparing)
        self.candidates: list[Candidate] = []
        self.times: list[float] = []
        self.cut: list[bool] = []
        self.size = (0, 0)
        self.detected_at = 0.0  # seconds: when anybody was detected last
        self._records = DetectionRecords()
        self._crossings: Crossings[Candidate] = Crossings()

    @property
    def tracked(self) -> list[Candidate]:
        """The candidates who are not lost."""
        return [candidate for candidate in self.candidates if candidate.tracker is not None]

    def strangers(self, detections: Iterable[Detection]) -> list[Detection]:
        """Those of the detections that are nobody who is tracked."""
        return [d for d in detections if not any(d.next_crop.overlaps(c) for c in self.crops)]

    @property
    def crops(self) -> list[Crop]:
        """Where those are."""
        return [c.tracker.motion.crop for c in self.candidates if c.tracker is not None]

    def spin(self) -> float:
        """Radians per second by which the fastest of those who are tracked rotates."""
        spins = (abs(c.tracker.motion.spin) for c in self.candidates if c.tracker is not None)
        return max(spins, default=0.0)

    def update(self, image: Image, time: float, cut: bool) -> None:
        """Detect everybody who is tracked in the next frame; nobody shares a body."""
        self.size = image.shape[1], image.shape[0]
        self.times.append(time)
        self.cut.append(cut)
        index = len(self.times) - 1
        tracked = [(c, c.tracker) for c in self.candidates if c.tracker is not None]
        self._note_crowds([tracker for _, tracker in tracked], time)
        detections = [tracker.detect(image, time) for _, tracker in tracked]
        own = PersonTracker.assign([tracker for _, tracker in tracked], detections)
        for (candidate, tracker), detection in zip(tracked, own, strict=True):
            if tracker.neighbours or len(tracked) > 1:
                candidate.company.append(time)
            if detection is not None:
                tracker.update(image, time, detection)
                candidate.add(index, time, detection, *self.size)
                self.detected_at = time
            elif not tracker.miss(time) or cut:
                candidate.tracker = None
        if confused := self._crossings.confused(self.tracked, self.times, cut):
            one, other, since = confused
            one.exchange_from(since, other)

    @staticmethod
    def _note_crowds(trackers: Sequence[PersonTracker], time: float) -> None:
        """Tell the trackers which of them are expected at one place."""
        crops = [tracker.motion.predict(time) for tracker in trackers]
        for i, tracker in enumerate(trackers):
            others = crops[:i] + crops[i + 1 :]
            tracker.crowded = any(crops[i].distance(other) < _CROWDED for other in others)

    @property
    def doubts(self) -> list[tuple[float, Candidate, Candidate]]:
        """Times after which two candidates may have been exchanged unnoticed."""
        return self._crossings.doubts

    def enter(
        self,
        detection: Detection,
        image: Image,
        *,
        late: bool = False,
        stranger: bool = False,
        rival: bool = False,
    ) -> Candidate:
        """Begin to track a person in the latest frame."""
        time = self.times[-1]
        candidate = Candidate(
            tracker=PersonTracker(
                self.networks, self.detector, image, time, detection, sparing=self._sparing
            ),
            appearance=detection.appearance,
            first=detection.next_crop,
            detections=Detections(self._records),
            late=late,
            stranger=stranger,
            rival=rival,
        )
        candidate.add(len(self.times) - 1, time, detection, *self.size)
        self.candidates.append(candidate)
        self.detected_at = time
        return candidate
