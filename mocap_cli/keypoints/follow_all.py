"""Follow all: everybody in a video in one pass, or who is at given points at given times."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.joined_tracks import Person
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.subject import NobodyThereError, SubjectPoint
from mocap_cli.keypoints.thinned_frames import ThinnedFrames
from mocap_cli.keypoints.tracked_people import People
from mocap_cli.video.shots import TimedImage
from mocap_cli.weights import Device

_MOST = 8  # people tracked at a time
_SEARCH_SECONDS = 0.2  # between searches for more people
_STAY_SECONDS, _STAY_SHARE = 1.0, 0.1  # detected that long, and in that share of the frames
_POINT_SECONDS = 0.5  # after a point's time, within which somebody must be detected there
_HAIR = 1e-6  # seconds
_POINT_DISTANCE = 1.0  # sides of the crop between the point and the middle of the person

_Frames = Iterable[tuple[TimedImage, bool]]


def follow_all(
    frames: _Frames, device: Device = "auto", *, sparing: bool = False
) -> list[Keypoints]:
    """The keypoints of everybody who stays for long enough, the most prominent person first.

    That is a second and a tenth of the frames; half of them if there are less than two seconds.
    """
    everybody = _Everybody(device, sparing=sparing)
    chosen = everybody.run(frames)
    staying = [person for person in everybody.persons() if everybody.stays(person)]
    return [chosen.restore(person.keypoints(everybody.people)) for person in staying]


def follow_points(
    frames: _Frames,
    points: Sequence[SubjectPoint],
    device: Device = "auto",
    *,
    sparing: bool = False,
    tuned: bytes | None = None,
) -> Keypoints:
    """The keypoints of the person nearest to each point at its time."""
    everybody = _Everybody(device, points, sparing=sparing, tuned=tuned)
    chosen = everybody.run(frames)
    return chosen.restore(everybody.person_at_points().keypoints(everybody.people))


class _Everybody:
    """Tracks everybody, frame by frame."""

    def __init__(
        self,
        device: Device,
        points: Sequence[SubjectPoint] = (),
        *,
        sparing: bool = False,
        tuned: bytes | None = None,
    ) -> None:
        self.people = People(device, sparing=sparing, tuned=tuned)
        self._sparing = sparing
        self._pending = sorted(points, key=_seconds)
        self._found: list[tuple[int, SubjectPoint]] = []  # with the frame of each point
        self._search_at = -math.inf  # seconds

    def run(self, frames: _Frames) -> ThinnedFrames:
        """Track through the frames, or where sparing, through those that are returned."""
        chosen = ThinnedFrames(frames, self.people.spin if self._sparing else None)
        for frame, cut in chosen:
            self._add(frame, cut)
        return chosen

    def _add(self, frame: TimedImage, cut: bool) -> None:
        """Track into the next frame; search for more people now and then, and at the points."""
        people, image, time = self.people, frame.image, frame.time
        people.update(image, time, cut)
        due = [point for point in self._pending if _seconds(point) <= time + _HAIR]
        if due or cut or time >= self._search_at or not people.tracked:
            self._search_at = time + _SEARCH_SECONDS
            if people.tracked:
                found = people.search.others(image, time, people.crops, due)
            else:
                found = people.search.people(image, time, due)
            for detection in found[: _MOST - len(people.tracked)]:
                people.enter(detection, image)
        for point in due:
            self._look_at(point, time)

    def _look_at(self, point: SubjectPoint, time: float) -> None:
        """Note in which frame somebody is detected at the point."""
        index = len(self.people.times) - 1
        start = self.people.times[0] if point.time is None else point.time
        candidates = self.people.candidates
        if any(_distance(c.detections.get(index), point) < _POINT_DISTANCE for c in candidates):
            self._found.append((index, point))
            self._pending.remove(point)
        elif time > start + _POINT_SECONDS:
            raise self._nobody(point)

    def _nobody(self, point: SubjectPoint) -> NobodyThereError:
        start = self.people.times[:1] if point.time is None else [point.time]
        when = f" at {start[0]:.2f} s" if start else ""
        return NobodyThereError(
            f"nobody was found at {point.x:g},{point.y:g}{when}",
            "give a point on the person, X,Y@SECONDS, at a time when they are in plain view",
        )

    def persons(self) -> list[Person]:
        """Everybody, the most prominent first."""
        candidates, size = self.people.candidates, self.people.size
        return Person.join(sorted(candidates, key=lambda c: -c.score("auto", size)))

    def stays(self, person: Person) -> bool:
        """Whether the person is there for long enough."""
        times = self.people.times
        span = times[-1] - times[0]
        share = len(person.detections) / len(times)
        return share >= _STAY_SHARE and share * span >= min(_STAY_SECONDS, span / 2)

    def person_at_points(self) -> Person:
        """The person at the points; between two of different persons where those are closest."""
        if self._pending:
            raise self._nobody(self._pending[0])
        persons = self.persons()
        path = [(i, min(persons, key=lambda p: _distance(p.detections.get(i), point)))
                for i, point in self._found]  # fmt: skip
        whole = Person(list(path[0][1].candidates), path[0][1].detections)
        for (before, one), (after, other) in pairwise(path):
            if one is not other:
                whole.go_over(other, one.nearest_frame(other, before, after))
        return whole


def _seconds(point: SubjectPoint) -> float:
    return -math.inf if point.time is None else point.time


def _distance(detection: Detection | None, point: SubjectPoint) -> float:
    """From the point to the middle of the person, in sides of the crop."""
    if detection is None:
        return math.inf
    crop = detection.next_crop
    return math.hypot(crop.x - point.x, crop.y - point.y) / crop.side
