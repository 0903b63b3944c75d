"""Person search: look for people in the whole image, a few crops of it in each frame."""

import math
from collections.abc import Sequence

import numpy as np

from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.person_detector import PersonDetector
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.subject import SubjectPoint
from mocap_cli.types import Image

_CONFIDENT = 0.5
"""Confidence from which a new detection counts as a person."""

_VIEWS_PER_SECOND = 40.0
_PATIENCE = 0.5  # seconds without a person, after which
_REST_SECONDS = 0.1  # pass between two searches
_AT_MOST = 4  # people
_AGAIN_SECONDS = 0.2  # before a rejected place is tried again
SPARING = 4.0
"""By how much searches are rarer where speed counts."""
_TURNS = (math.pi, math.pi / 2, -math.pi / 2)
_MOST_SIDES = 16  # of crops along an image: a thin one would have thousands
_POINT_VIEWS = (1 / 3, 2 / 3, 1.2)  # sides of crops around a given point, in heights of the image


class PersonSearch:
    """Finds people; each frame searches a few crops only, so that empty stretches stay cheap."""

    def __init__(
        self,
        networks: PoseNetworks,
        detector: PersonDetector,
        points: Sequence[SubjectPoint] = (),
        *,
        sparing: bool = False,
    ) -> None:
        self._pace = SPARING if sparing else 1.0
        self._networks, self._detector, self._points = networks, detector, points
        self._next_view = 0
        self._last_time = self._missed_since = -math.inf
        self._refused: list[tuple[float, Crop]] = []  # time and place of rejected candidates

    def people(
        self, image: Image, time: float, points: Sequence[SubjectPoint] = ()
    ) -> list[Detection]:
        """The people found, also around those points; the first call tries every crop."""
        first, since = math.isinf(self._last_time), time - self._last_time
        if since > _PATIENCE:
            self._missed_since = time  # somebody was tracked meanwhile
        if (
            not points
            and since < self._pace * _REST_SECONDS
            and time - self._missed_since > _PATIENCE / self._pace
        ):
            return []
        height, width = image.shape[:2]
        found = self._detect(image, time, self._first_views(width, height, points))
        others = _search_crops(width, height)
        if first:
            found = found or self._detect(image, time, others)
        elif not found:
            count = math.ceil(min(since, _PATIENCE) * _VIEWS_PER_SECOND / self._pace)
            turn = [(self._next_view + i) % len(others) for i in range(min(count, len(others)))]
            self._next_view = (turn[-1] + 1) % len(others)
            found = self._detect(image, time, [others[i] for i in turn])
        self._last_time = time
        if found:
            self._missed_since = time
        return found

    def others(
        self,
        image: Image,
        time: float,
        known: Sequence[Crop],
        points: Sequence[SubjectPoint] = (),
        *,
        least: float = 0.0,
    ) -> list[Detection]:
        """People in the whole image, and around points, who are none of those known already.

        Only those of at least that prominence.
        """
        height, width = image.shape[:2]
        people = self._detector.people(image, self._first_views(width, height, points))
        new = [p.crop for p in people if not any(p.crop.overlaps(crop) for crop in known)]
        prominent = [crop for crop in new if crop.prominence(width, height) > least]
        return self._confirmed(image, time, prominent)

    def _first_views(self, width: int, height: int, points: Sequence[SubjectPoint]) -> list[Crop]:
        around = [
            Crop(point.x, point.y, height * side)
            for point in (*self._points, *points)
            for side in _POINT_VIEWS
        ]
        return [Crop.around_image(width, height), *around]

    def _detect(self, image: Image, time: float, views: list[Crop]) -> list[Detection]:
        people = self._detector.people(image, views)
        return self._confirmed(image, time, [person.crop for person in people])

    def _confirmed(self, image: Image, time: float, crops: list[Crop]) -> list[Detection]:
        """The people in the most prominent of those crops that were not rejected a moment ago."""
        again = self._pace * _AGAIN_SECONDS
        height, width = image.shape[:2]
        crops = sorted(crops, key=lambda crop: -crop.prominence(width, height))[:_AT_MOST]
        self._refused = [r for r in self._refused if time - r[0] < again]
        tried = [c for c in crops if not any(c.overlaps(there) for _, there in self._refused)]
        found = [(crop, self._person(image, crop)) for crop in tried]
        self._refused += [(time, crop) for crop, detection in found if detection is None]
        return [detection for _, detection in found if detection is not None]

    def _person(self, image: Image, crop: Crop) -> Detection | None:
        """A confident detection in the crop, rotated if the body is not upright, or None."""
        best = self._refined(image, crop)
        if best.confidence < _CONFIDENT:
            turned = [detect(self._networks, image, crop.rotated(a)) for a in RETRY_ANGLES]
            upright = max(turned, key=lambda d: d.confidence)
            again = self._refined(image, upright.next_crop)
            best = max(best, upright, again, key=lambda d: d.confidence)
        return best if best.confidence > _CONFIDENT else None

    def _refined(self, image: Image, crop: Crop) -> Detection:
        first = detect(self._networks, image, crop)
        second = detect(self._networks, image, first.next_crop)
        return max(first, second, key=lambda d: d.confidence)


def _search_crops(width: int, height: int) -> list[Crop]:
    """More crops for people who are missed in the whole image: small or lying ones."""
    side = max(min(width, height) * 2 / 3, max(width, height) / _MOST_SIDES)
    xs, ys = (
        np.linspace(min(side, length) / 2, length - min(side, length) / 2, count)
        for length, count in ((n, math.ceil(n / side * 1.25)) for n in (width, height))
    )
    tiles = [Crop(float(x), float(y), side) for y in ys for x in xs]
    turned = [Crop(width / 2, height / 2, max(width, height), turn) for turn in _TURNS]
    return turned + tiles
