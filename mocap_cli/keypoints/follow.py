"""Follow: from the frames of a video to the keypoints of one person."""

from collections.abc import Iterable
from typing import Protocol

from mocap_cli.keypoints.cast import ALIKE, Role, claim
from mocap_cli.keypoints.crop import Image
from mocap_cli.keypoints.cuts import CutWatch
from mocap_cli.keypoints.fusion import fuse
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.networks import BodyNetworks
from mocap_cli.keypoints.pursuit import Pursuit
from mocap_cli.keypoints.search import Search
from mocap_cli.keypoints.sighting import Sighting, crop_around
from mocap_cli.keypoints.subject import Finder, Subject
from mocap_cli.weights import Device

_AUDITION_SECONDS = 1.0  # several people are followed that long before one is chosen
_LOOK_SECONDS = 0.2  # between looks for more of them
_CANDIDATES = 4
_LOST_SECONDS = 0.4  # after which the whole picture is searched again
_STRANGER_SECONDS = 2.0  # after which somebody else is followed, as another person


class Picture(Protocol):
    """What is needed of a frame; `video.reader.Frame` has it."""

    @property
    def time(self) -> float:
        """Seconds."""

    @property
    def image(self) -> Image:
        """(H, W, 3) RGB as displayed."""


def follow(
    frames: Iterable[Picture], subject: Subject = "auto", device: Device = "auto"
) -> Keypoints:
    """Find the subject and follow it to the end; no frame is kept."""
    follower = Follower(subject, device)
    for frame in frames:
        follower.see(frame.image, frame.time)
    return follower.keypoints()


class Follower:
    """Takes the pictures of a video one after the other."""

    def __init__(self, subject: Subject = "auto", device: Device = "auto") -> None:
        self._subject = subject
        self._networks, self._finder = BodyNetworks(device), Finder(device)
        self._search = Search(self._networks, self._finder, subject)
        self._cuts = CutWatch()
        self._cast: list[Role] = []
        self._times: list[float] = []
        self._cut: list[bool] = []
        self._size = (0, 0)
        self._chosen_at = 0.0  # when the audition ends
        self._look_at = 0.0  # when to look for more people
        self._last_seen = 0.0  # anybody

    def see(self, image: Image, time: float) -> None:
        """Follow on into the next picture."""
        self._size = image.shape[1], image.shape[0]
        cut = self._cuts.is_cut(image)
        index = len(self._times)
        self._times.append(time)
        self._cut.append(cut)
        self._step(image, time, index, cut)
        self._audition(image, time, index)
        if not self._followed():
            self._find(image, time, index)
        if any(index in role.sightings for role in self._cast):
            self._last_seen = time

    def keypoints(self) -> Keypoints:
        """What was seen of the subject in all pictures so far."""
        seen: dict[int, Sighting] = {}
        if self._cast:
            seen = max(self._cast, key=self._claim).sightings
        sightings = [seen.get(i) for i in range(len(self._times))]
        return fuse(self._times, sightings, self._cut, self._size)

    def _followed(self) -> list[Role]:
        return [role for role in self._cast if role.pursuit is not None]

    def _step(self, image: Image, time: float, index: int, cut: bool) -> None:
        for role in self._followed():
            pursuit = role.pursuit
            assert pursuit is not None
            sighting = pursuit.step(image, time)
            if sighting is not None:
                role.sightings[index] = sighting
                role.colours = pursuit.colours
            elif cut or time - pursuit.course.time > _LOST_SECONDS:
                role.pursuit = None

    def _audition(self, image: Image, time: float, index: int) -> None:
        """In the first second look for more people, then keep the one who is meant."""
        followed = self._followed()
        if time < self._chosen_at and time >= self._look_at:
            known = [role.pursuit.course.crop for role in followed if role.pursuit]
            for sighting in self._search.others(image, known)[: _CANDIDATES - len(known)]:
                self._enter(sighting, time, index)
            self._look_at = time + _LOOK_SECONDS
        elif time >= self._chosen_at and len(followed) > 1:
            chosen = max(followed, key=self._claim)
            self._cast = [r for r in self._cast if r is chosen or r.pursuit is None]

    def _claim(self, role: Role) -> float:
        return claim(role, self._subject, *self._size)

    def _find(self, image: Image, time: float, index: int) -> None:
        people = self._search.people(image, time)
        if not self._cast:
            for sighting in people:
                self._enter(sighting, time, index)
            self._chosen_at = time + _AUDITION_SECONDS
            return
        again = [(role.resemblance(s), role, s) for role in self._cast for s in people]
        best = max(again, key=lambda found: found[0], default=None)
        if best is not None and best[0] > ALIKE:
            self._enter(best[2], time, index, best[1])
        elif people and self._subject == "auto" and time - self._last_seen > _STRANGER_SECONDS:
            self._enter(people[0], time, index)

    def _enter(self, sighting: Sighting, time: float, index: int, role: Role | None = None) -> None:
        if role is None:
            first = crop_around(sighting.xy, sighting.movenet_score)
            role = Role(None, sighting.colours, first)
            self._cast.append(role)
        role.pursuit = Pursuit(self._networks, self._finder, time, sighting)
        role.sightings[index] = sighting
