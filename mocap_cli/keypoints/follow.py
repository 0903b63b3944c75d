"""Follow: from the frames of a video to the keypoints of one person."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from operator import itemgetter

from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.follow_all import follow_points
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.joined_tracks import Person
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.subject import Subject
from mocap_cli.keypoints.thinned_frames import ThinnedFrames
from mocap_cli.keypoints.tracked_people import Candidate, People
from mocap_cli.types import Image
from mocap_cli.video.shots import TimedImage
from mocap_cli.weights import Device

_CHOOSING_SECONDS, _LONGEST_CHOOSING = 1.0, 3.0  # during which all candidates are tracked
_CHOOSING_STEP = 0.25  # seconds, after which an open choice is looked at again
_CLEAR = 2.0  # times the score of the second: then the choice is clear
_CANDIDATES = 4
_MORE_PROMINENT = 1.25  # times the least prominent of them: tracked in their place
_SEARCH_SECONDS = 0.2  # between searches for more candidates
_STRANGER_SECONDS = 0.8  # without the subject, after which somebody else is tracked meanwhile
_SIMILAR = 0.84  # appearance of a new detection that may well be the subject again
_RIVALS = 2
_NEAR, _FAR = 0.9, 1.3  # sides from the subject within which a rival is tracked from, and until
_RIVAL_CONFIDENCE = 0.5


def follow(
    frames: Iterable[tuple[TimedImage, bool]],
    subject: Subject = "auto",
    device: Device = "auto",
    *,
    sparing: bool = False,
    tuned: bytes | None = None,
) -> Keypoints:
    """Find the subject and track it to the end; `video.shots.with_cuts` gives the frames.

    `sparing` detects the subject in some frames only, and searches less often where it is lost or
    uncertain; `tuned` is MoveNet's file with other weights.
    """
    if isinstance(subject, tuple) and (len(subject) > 1 or subject[0].time is not None):
        return follow_points(frames, subject, device, sparing=sparing, tuned=tuned)
    follower = _Follower(subject, device, sparing=sparing, tuned=tuned)
    chosen = ThinnedFrames(frames, follower.people.spin if sparing else None)
    for frame, cut in chosen:
        follower.add(frame.image, frame.time, cut)
    return chosen.restore(follower.keypoints())


class _Follower:
    """Takes the frames of a video one after the other.

    Near the subject other people are tracked too, as rivals: after a meeting the two are told
    apart by path, appearance and size.
    """

    def __init__(
        self, subject: Subject, device: Device, *, sparing: bool, tuned: bytes | None
    ) -> None:
        self._subject = subject
        points = subject if isinstance(subject, tuple) else ()
        self.people = People(device, points, sparing=sparing, tuned=tuned)
        self._choose_at = self._longest = self._search_at = self._detected_at = 0.0  # seconds
        self._chosen = False
        self._other: Candidate | None = None  # who may be meant as well
        self._neighbours: list[Crop] = []  # of the subject, at the last search for rivals

    def add(self, image: Image, time: float, cut: bool) -> None:
        """Track into the next frame."""
        self.people.update(image, time, cut)
        tracked = self._tracked()
        if any(len(self.people.times) - 1 in c.detections for c in tracked):
            self._detected_at = time
        if not self._chosen and tracked and time >= self._choose_at:
            tracked = self._choose(tracked, time)
        if not tracked:
            self._find(image, time)
        elif time < self._choose_at or all(c.stranger for c in tracked):
            self._find_better(image, time)
        else:
            self._watch_rivals(self._best(tracked), image)

    def keypoints(self) -> Keypoints:
        """The keypoints of the subject in all frames so far."""
        known = self._known()
        if not known:
            return fuse_detections(self.people.times, {}, self.people.cut, self.people.size)
        subject = self._best(known)
        others = [candidate for candidate in self.people.candidates if candidate is not subject]
        person = Person.join([subject, *others])[0]
        found = person.keypoints(self.people)
        other = self._other if self._chosen else self._second()
        if other is None or other in person.candidates:
            return found
        point = other.first.x, other.first.y, self.people.times[min(other.detections)]
        return replace(found, other=point)

    def _known(self) -> list[Candidate]:
        """Who may be the subject."""
        return [candidate for candidate in self.people.candidates if not candidate.rival]

    def _tracked(self) -> list[Candidate]:
        return [candidate for candidate in self.people.tracked if not candidate.rival]

    def _choose(self, tracked: list[Candidate], time: float) -> list[Candidate]:
        """Choose the subject, or later where that is not clear; returns who is tracked further."""
        self._other = self._second()
        if self._other is not None and time < self._longest:
            self._choose_at = time + _CHOOSING_STEP
            return tracked
        self._chosen = True
        if self._best(self._known()).tracker is None:  # nobody else becomes it by staying
            for candidate in tracked:
                candidate.rival, candidate.tracker = True, None
        return self._tracked()

    def _second(self) -> Candidate | None:
        """Who may be meant as well as the best; None where that is clear."""
        score = partial(Candidate.score, subject=self._subject, size=self.people.size)
        ranked = sorted(self._known(), key=score, reverse=True)
        if self._subject != "auto" or len(ranked) < 2:
            return None
        return None if score(ranked[0]) > _CLEAR * score(ranked[1]) else ranked[1]

    def _best(self, candidates: list[Candidate]) -> Candidate:
        """The candidate that is the subject; one that came late can only be so by itself."""
        early = [candidate for candidate in candidates if not candidate.late] or candidates
        among = candidates if self._subject == "auto" else early
        return max(among, key=lambda candidate: candidate.score(self._subject, self.people.size))

    def _find(self, image: Image, time: float) -> None:
        """Without anybody tracked: take everybody at first, later who looks like the subject."""
        rivals = self.people.tracked
        found = self.people.strangers(self.people.search.people(image, time))
        if not self._known():
            self._choose_at = time + _CHOOSING_SECONDS
            self._longest = time + _LONGEST_CHOOSING
            for detection in found[:_CANDIDATES]:
                self._enter(detection, image, time)
            return
        subject, away = self._best(self._known()), time - self._detected_at > _STRANGER_SECONDS
        if found:
            best = max(found, key=subject.similarity)
            if away or subject.similarity(best) > _SIMILAR:
                self._enter(best, image, time)
        elif rivals and away:
            other = max(rivals, key=lambda c: c.prominence)
            other.rival, other.late, other.stranger = False, True, True

    def _find_better(self, image: Image, time: float) -> None:
        """While choosing search for more people, later for the subject while it is away."""
        if time < self._search_at:
            return
        self._search_at = time + _SEARCH_SECONDS
        if time < self._choose_at:
            self._find_candidates(image, time)
            return
        chosen = self._best(self._known())
        for detection in self.people.search.others(image, time, self.people.crops):
            if chosen.similarity(detection) > _SIMILAR:
                for candidate in self.people.tracked:
                    candidate.tracker = None
                self._enter(detection, image, time)
                return

    def _find_candidates(self, image: Image, time: float) -> None:
        """Track more people; once there are many, clearly more prominent ones in their place."""
        tracked = sorted(self._tracked(), key=self._prominence)
        full = len(tracked) >= _CANDIDATES
        least = _MORE_PROMINENT * self._prominence(tracked[0]) if full else 0.0
        found = self.people.search.others(image, time, self.people.crops, least=least)
        for detection in found[:1] if full else found[: _CANDIDATES - len(tracked)]:
            if full:
                tracked[0].tracker = None
            self._enter(detection, image, time)

    def _prominence(self, candidate: Candidate) -> float:
        return candidate.latest.next_crop.prominence(*self.people.size)

    def _enter(self, detection: Detection, image: Image, time: float) -> Candidate:
        """Begin to track a person who may be the subject."""
        late = time > self._choose_at
        stranger = late and self._best(self._known()).similarity(detection) < _SIMILAR
        self._detected_at = time
        return self.people.enter(detection, image, late=late, stranger=stranger)

    def _watch_rivals(self, chosen: Candidate, image: Image) -> None:
        """Track the two people nearest to the subject, and nobody else."""
        assert chosen.tracker is not None
        here = chosen.tracker.motion.crop
        others = [
            (here.distance(other.tracker.motion.crop), other)
            for other in self.people.tracked
            if other is not chosen and other.tracker is not None
        ]
        for i, (distance, other) in enumerate(sorted(others, key=itemgetter(0))):
            other.rival = True
            if i >= _RIVALS or distance >= _FAR:
                other.tracker = None
        count = sum(other.tracker is not None for _, other in others)
        if chosen.tracker.neighbours is self._neighbours:
            return
        self._neighbours = chosen.tracker.neighbours
        near = sorted((here.distance(crop), i) for i, crop in enumerate(self._neighbours))
        for distance, i in near[: _RIVALS - count]:
            crop = self._neighbours[i]
            if distance < _NEAR and not any(crop.overlaps(c) for c in self.people.crops):
                found = detect(self.people.networks, image, crop)
                if found.confidence > _RIVAL_CONFIDENCE and self.people.strangers([found]):
                    self.people.enter(found, image, rival=True)
