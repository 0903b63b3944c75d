"""Joined tracks: the stretches of time in which people were tracked, joined to whole persons."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from mocap_cli.keypoints.appearance import similarity
from mocap_cli.keypoints.detection import Detection
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.switches import find_switches
from mocap_cli.keypoints.tracked_people import Candidate, People

_SAME_PERSON = 0.9  # appearance of two candidates, each averaged over its time


@dataclass(slots=True, eq=False)
class Person:
    """Candidates who are one person: never in one frame, and of the same appearance."""

    candidates: list[Candidate] = field(default_factory=list)
    detections: dict[int, Detection] = field(default_factory=dict)  # by frame

    def keypoints(self, people: People) -> Keypoints:
        """The keypoints in all frames, and the times of likely switches."""
        doubts = [time for time, *pair in people.doubts if set(pair) & set(self.candidates)]
        found = [self.detections.get(i) for i in range(len(people.times))]
        company = [time for candidate in self.candidates for time in candidate.company]
        switches = find_switches(
            self.detections, people.times, people.cut, doubts, company=sorted(company)
        )
        return fuse_detections(people.times, found, people.cut, people.size, switches)

    def nearest_frame(self, other: "Person", before: int, after: int) -> int:
        """The frame in (before, after] where both are closest, or where this one is last seen."""
        ours = {i: d for i, d in self.detections.items() if before < i <= after}
        both = [i for i in ours if i in other.detections]
        if both:
            return min(both, key=lambda i: ours[i].crop.distance(other.detections[i].crop))
        return max(ours, default=before) + 1

    def go_over(self, other: "Person", index: int) -> None:
        """Be the other person from that frame on."""
        for i in [i for i in self.detections if i >= index]:
            del self.detections[i]
        self.detections |= {i: d for i, d in other.detections.items() if i >= index}
        self.candidates += other.candidates

    def _add(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        self.detections |= candidate.detections

    @staticmethod
    def join(candidates: Iterable[Candidate]) -> "list[Person]":
        """The persons; those of the first candidates get the others that fit them best."""
        persons: list[Person] = []
        for candidate in candidates:
            likeness = {
                i: similarity(candidate.appearance, person.candidates[0].appearance)
                for i, person in enumerate(persons)
                if not candidate.detections.keys() & person.detections.keys()
            }
            best = max(likeness, key=lambda i: likeness[i], default=-1)
            if best < 0 or likeness[best] <= _SAME_PERSON:
                best = len(persons)
                persons.append(Person())
            persons[best]._add(candidate)
        return persons
