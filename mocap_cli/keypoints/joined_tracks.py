"""Joined tracks: the stretches of time in which people were tracked, joined to whole persons."""

from collections.abc import Iterable
from dataclasses import dataclass

from mocap_cli.keypoints.appearance import similarity
from mocap_cli.keypoints.detections import Detections
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.switches import find_switches
from mocap_cli.keypoints.tracked_people import Candidate, People

_SAME_PERSON = 0.9  # appearance of two candidates, each averaged over its time


@dataclass(slots=True, eq=False)
class Person:
    """Candidates who are one person: never in one frame, and of the same appearance."""

    candidates: list[Candidate]
    detections: Detections

    def keypoints(self, people: People) -> Keypoints:
        """The keypoints in all frames, and the times of likely switches."""
        doubts = [time for time, *pair in people.doubts if set(pair) & set(self.candidates)]
        company = [time for candidate in self.candidates for time in candidate.company]
        switches = find_switches(
            self.detections, people.times, people.cut, doubts, company=sorted(company)
        )
        return fuse_detections(people.times, self.detections, people.cut, people.size, switches)

    def nearest_frame(self, other: "Person", before: int, after: int) -> int:
        """The frame in (before, after] where both are closest, or where this one is last seen."""
        ours = [i for i in self.detections if before < i <= after]
        both = [i for i in ours if i in other.detections]
        if both:
            return min(both, key=lambda i: self._distance(other, i))
        return max(ours, default=before) + 1

    def _distance(self, other: "Person", frame: int) -> float:
        return self.detections[frame].crop.distance(other.detections[frame].crop)

    def go_over(self, other: "Person", index: int) -> None:
        """Be the other person from that frame on."""
        self.detections = self.detections.before(index) | other.detections.since(index)
        self.candidates += other.candidates

    @staticmethod
    def join(candidates: Iterable[Candidate]) -> "list[Person]":
        """The persons; those of the first candidates get the others that fit them best."""
        persons: list[Person] = []
        for candidate in candidates:
            likeness = {
                i: similarity(candidate.appearance, person.candidates[0].appearance)
                for i, person in enumerate(persons)
                if candidate.detections.keys().isdisjoint(person.detections)
            }
            best = max(likeness, key=lambda i: likeness[i], default=-1)
            if best < 0 or likeness[best] <= _SAME_PERSON:
                persons.append(Person([candidate], candidate.detections))
                continue
            persons[best].candidates.append(candidate)
            persons[best].detections |= candidate.detections
        return persons
