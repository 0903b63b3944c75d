"""Follow: from the frames of a video to the keypoints of one person."""

from collections.abc import Iterable

from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.follow_all import follow_points
from mocap_cli.keypoints.joined_tracks import Person
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.subject import Subject
from mocap_cli.keypoints.thinned_frames import ThinnedFrames
from mocap_cli.keypoints.tracked_people import Candidate, People
from mocap_cli.types import Image
from mocap_cli.video.shots import TimedImage
from mocap_cli.weights import Device

_CHOOSING_SECONDS = 1.0  # during which all candidates are tracked before one is chosen
_CANDIDATES = 4
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
        self._choose_at = self._search_at = self._detected_at = 0.0  # seconds
        self._neighbours: list[Crop] = []  # of the subject, at the last search for rivals

    def add(self, image: Image, time: float, cut: bool) -> None:
        """Track into the next frame."""
        self.people.update(image, time, cut)
        tracked = self._tracked()
        if any(len(self.people.times) - 1 in c.detections for c in tracked):
            self._detected_at = time
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
            return Person().keypoints(self.people)
        subject = self._best(known)
        others = [candidate for candidate in self.people.candidates if candidate is not subject]
        return Person.join([subject, *others])[0].keypoints(self.people)

    def _known(self) -> list[Candidate]:
        """Who may be the subject."""
        return [candidate for candidate in self.people.candidates if not candidate.rival]

    def _tracked(self) -> list[Candidate]:
        return [candidate for candidate in self.people.tracked if not candidate.rival]

    def _best(self, candidates: list[Candidate]) -> Candidate:
        """The candidate that is the subject; one that came late can only be so by itself."""
        early = [candidate for candidate in candidates if not candidate.late] or candidates
        among = candidates if self._subject == "auto" else early
        size = self.people.size
        return max(among, key=lambda candidate: candidate.score(self._subject, *size))

    def _find(self, image: Image, time: float) -> None:
        """Without anybody tracked: take everybody at first, later who looks like the subject."""
        rivals = self.people.tracked
        found = self.people.strangers(self.people.search.people(image, time))
        if not self._known():
            self._choose_at = time + _CHOOSING_SECONDS
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
        """In the first second search for more people, later for the subject while it is away."""
        if time < self._search_at:
            return
        self._search_at = time + _SEARCH_SECONDS
        tracked, chosen = self._tracked(), self._best(self._known())
        for detection in self.people.search.others(image, time, self.people.crops):
            if time < self._choose_at and len(tracked) < _CANDIDATES:
                tracked.append(self._enter(detection, image, time))
            elif time >= self._choose_at and chosen.similarity(detection) > _SIMILAR:
                for candidate in self.people.tracked:
                    candidate.tracker = None
                self._enter(detection, image, time)
                return

    def _enter(self, detection: Detection, image: Image, time: float) -> Candidate:
        """Begin to track a person who may be the subject."""
        late = time > self._choose_at
        stranger = late and self._best(self._known()).similarity(detection) < _SIMILAR
        self._detected_at = time
        return self.people.enter(detection, image, late=late, stranger=stranger)

    def _watch_rivals(self, chosen: Candidate, image: Image) -> None:
        """Track the people near the subject, and nobody else."""
        assert chosen.tracker is not None
        here = chosen.tracker.motion.crop
        rivals = 0
        for other in self.people.tracked:
            if other is chosen or other.tracker is None:
                continue
            other.rival = True
            if here.distance(other.tracker.motion.crop) < _FAR:
                rivals += 1
            else:
                other.tracker = None
        if chosen.tracker.neighbours is self._neighbours:
            return
        self._neighbours = chosen.tracker.neighbours
        near = sorted((here.distance(crop), i) for i, crop in enumerate(self._neighbours))
        for distance, i in near[: _RIVALS - rivals]:
            crop = self._neighbours[i]
            if distance < _NEAR and not any(crop.overlaps(c) for c in self.people.crops):
                found = detect(self.people.networks, image, crop)
                if found.confidence > _RIVAL_CONFIDENCE and self.people.strangers([found]):
                    self.people.enter(found, image, rival=True)
