"""Follow: from the frames of a video to the keypoints of one person."""

import math
from collections.abc import Iterable
from typing import Protocol

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import Image
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.networks import BodyNetworks
from mocap_cli.keypoints.pursuit import Pursuit
from mocap_cli.keypoints.sighting import Sighting
from mocap_cli.keypoints.subject import Finder, Person, Subject, tile_views, whole_views
from mocap_cli.weights import Device


class Picture(Protocol):
    """What is needed of a frame: a video.reader.Frame has it."""

    @property
    def time(self) -> float: ...  # noqa: D102

    @property
    def image(self) -> Image: ...  # noqa: D102


def follow(
    frames: Iterable[Picture], subject: Subject = "auto", device: Device = "auto"
) -> Keypoints:
    """Find the subject and follow it; no frame is kept."""
    networks, finder = BodyNetworks(device), Finder(device)
    pursuit: Pursuit | None = None
    times: list[float] = []
    sightings: list[Sighting | None] = []
    for frame in frames:
        if pursuit is None:
            person = _find(finder, frame.image, subject)
            pursuit = Pursuit(networks, frame.time, person.crop) if person else None
        seen = pursuit.step(frame.image, frame.time) if pursuit else None
        if seen is None:
            pursuit = None
        times.append(frame.time)
        sightings.append(seen)
    return _collect(times, sightings)


def _find(finder: Finder, image: Image, subject: Subject) -> Person | None:
    height, width = image.shape[:2]
    views = whole_views(width, height)
    for some in (views[:1], tile_views(width, height), views[1:]):
        people = finder.people(image, some)
        if people:
            return max(people, key=lambda p: _claim(p, subject, width, height))
    return None


def _claim(person: Person, subject: Subject, width: int, height: int) -> float:
    crop = person.crop
    if isinstance(subject, tuple):
        return -math.hypot(crop.x - subject[0], crop.y - subject[1]) / crop.side
    off = math.hypot(crop.x - width / 2, crop.y - height / 2) / max(width, height)
    if subject == "center":
        return -off
    return crop.side if subject == "largest" else person.score * crop.side * (1 - off)


def _collect(times: list[float], sightings: list[Sighting | None]) -> Keypoints:
    T, K = len(times), len(KEYPOINTS)
    xy, depth = np.full((T, K, 2), np.nan, np.float32), np.full((T, K), np.nan, np.float32)
    world, score = np.full((T, K, 3), np.nan, np.float32), np.zeros((T, K), np.float32)
    for t, seen in enumerate(sightings):
        if seen is not None:
            xy[t], score[t], depth[t], world[t] = seen.xy, seen.score, seen.depth, seen.world
    return Keypoints(
        times=np.array(times),
        xy=xy,
        score=score,
        depth=depth,
        world=world,
        seen=np.array([s is not None for s in sightings], np.bool_),
        cut=np.zeros(T, np.bool_),
    )
