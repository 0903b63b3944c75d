"""Search: look over the picture for people, only so much of it in each frame."""

import math
from collections.abc import Sequence

from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop, Image
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.person_detector import (
    PersonDetector,
    Subject,
    search_crops,
    whole_image_crop,
)
from mocap_cli.keypoints.pose_networks import PoseNetworks

_CONFIDENT = 0.5
"""Quality from which a stranger is believed to be a person."""

_VIEWS_PER_SECOND = 40.0
_PATIENCE = 0.5  # seconds in vain, after which
_REST_SECONDS = 0.1  # pass between two looks at the whole
_AT_MOST = 4  # people
_AGAIN_SECONDS = 0.2  # before somebody who was no person, or hard to see, is looked at again
_POINT_VIEWS = (1 / 3, 2 / 3, 1.2)  # sides around a point that the user gave, in picture heights


class PersonSearch:
    """Finds people, taking turns among the views so that long empty stretches stay cheap."""

    def __init__(self, networks: PoseNetworks, finder: PersonDetector, subject: Subject) -> None:
        self._networks, self._finder, self._subject = networks, finder, subject
        self._next_view = 0
        self._last_time = self._missed_since = -math.inf
        self._refused: list[tuple[float, Crop]] = []  # when and where nobody was to be seen

    def people(self, image: Image, time: float) -> list[Detection]:
        """Everybody found who is surely a person; the first time every view is tried."""
        first, since = math.isinf(self._last_time), time - self._last_time
        if since > _PATIENCE:
            self._missed_since = time  # somebody was followed meanwhile
        if since < _REST_SECONDS and time - self._missed_since > _PATIENCE:
            return []
        height, width = image.shape[:2]
        found = self._seen(image, time, self._first_views(width, height))
        others = search_crops(width, height)
        if first:
            found = found or self._seen(image, time, others)
        elif not found:
            count = math.ceil(since * _VIEWS_PER_SECOND)
            turn = [(self._next_view + i) % len(others) for i in range(min(count, len(others)))]
            self._next_view = (turn[-1] + 1) % len(others)
            found = self._seen(image, time, [others[i] for i in turn])
        self._last_time = time
        if found:
            self._missed_since = time
        return found

    def others(self, image: Image, time: float, known: Sequence[Crop]) -> list[Detection]:
        """People in plain view who are none of those known already."""
        height, width = image.shape[:2]
        people = self._finder.people(image, self._first_views(width, height))[:_AT_MOST]
        new = [p.crop for p in people if not any(p.crop.overlaps(crop) for crop in known)]
        return self._confirmed(image, time, new)

    def _first_views(self, width: int, height: int) -> list[Crop]:
        views = [whole_image_crop(width, height)]
        if isinstance(self._subject, tuple):
            views += [Crop(*self._subject, height * side) for side in _POINT_VIEWS]
        return views

    def _seen(self, image: Image, time: float, views: list[Crop]) -> list[Detection]:
        people = self._finder.people(image, views)[:_AT_MOST]
        return self._confirmed(image, time, [person.crop for person in people])

    def _confirmed(self, image: Image, time: float, crops: list[Crop]) -> list[Detection]:
        """The people in those crops, without the places where a moment ago there was none."""
        self._refused = [r for r in self._refused if time - r[0] < _AGAIN_SECONDS]
        tried = [c for c in crops if not any(c.overlaps(there) for _, there in self._refused)]
        found = [(crop, self._person(image, crop)) for crop in tried]
        self._refused += [(time, crop) for crop, sighting in found if sighting is None]
        return [sighting for _, sighting in found if sighting is not None]

    def _person(self, image: Image, crop: Crop) -> Detection | None:
        """The person in the crop seen well; turned when upright is not the right way up."""
        best = self._refined(image, crop)
        if best.confidence < _CONFIDENT:
            turned = [detect(self._networks, image, crop.rotated(turn)) for turn in RETRY_ANGLES]
            upright = max(turned, key=lambda s: s.confidence)
            again = self._refined(image, upright.next_crop)
            best = max(best, upright, again, key=lambda s: s.confidence)
        return best if best.confidence > _CONFIDENT else None

    def _refined(self, image: Image, crop: Crop) -> Detection:
        first = detect(self._networks, image, crop)
        second = detect(self._networks, image, first.next_crop)
        return max(first, second, key=lambda s: s.confidence)
