"""Person tracker: stay with one person from frame to frame."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mocap_cli.keypoints.appearance import similarity
from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop
from mocap_cli.keypoints.crop_motion import CropMotion
from mocap_cli.keypoints.detection import Detection, detect, detect_fast
from mocap_cli.keypoints.flow_tracker import FlowTracker
from mocap_cli.keypoints.person_detector import PersonCrop, PersonDetector
from mocap_cli.keypoints.person_search import SPARING
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.types import Image

LOST_SCORE = 0.1
"""Match score below which the person was not detected."""
_UNCERTAIN, _CONFIDENT = 0.5, 0.6  # match scores below which to search, above which to stop

_TURNED = math.radians(30)  # from here on a crop differs from another
_MOVED, _SHIFTED = 0.2, 0.05  # of the side, likewise
_SCALED = math.log(1.35)
_NEIGHBOURHOOD = 2.5  # sides of the crop
_SEARCH_SECONDS = 0.05  # between searches around the person, which are slow
_SIDE_PER_STATURE = (1.1, 2.2)
_STATURE_SECONDS = 4.0  # decay time of the largest stature
_APPEARANCE_RATE = 0.05
_LEAST_USUAL = 0.85
_SAME_APPEARANCE = 0.12  # below the usual similarity it is as likely somebody else
_JUMP, _JUMP_SPEED = 0.15, 1.0  # sides, and sides per second since the last detection
_TWIST, _TWIST_SPEED = 0.7, 8.0  # radians, and radians per second since the last detection
_COUNT_SECONDS = 0.5  # between searches for other people nearby
_FAST_SECONDS = 0.025  # since both networks ran; at 30 frames/s it costs 0.6 mm of 52
_FULL_SECONDS = 0.25  # to run both networks after a fast detection has failed
_LOST_SECONDS = 0.4  # without a detection
_HIDDEN_SECONDS = 1.5  # the same beside or behind somebody else who is tracked
_CROWDED_TRUST = 0.3  # in the place of a detection that may be the other; the speed is kept
_FLOW_SECONDS = 1.0  # the same while the body is followed by optical flow


class PersonTracker:
    """Follows one person: call `detect`, then `update` or `miss`, for every frame."""

    def __init__(
        self,
        networks: PoseNetworks,
        detector: PersonDetector,
        image: Image,
        time: float,
        first: Detection,
        *,
        sparing: bool = False,
    ) -> None:
        self._sparing, self._pace = sparing, SPARING if sparing else 1.0
        self._networks, self._detector = networks, detector
        self.motion = CropMotion(time, first.next_crop)
        self.detected_at = time
        self._expected = self.motion.crop  # where the person should be in the latest frame
        self._flow: FlowTracker | None = FlowTracker(image, first.crop, first.xy)
        self.appearance = first.appearance
        self._stature = first.stature
        self._missing = 0.0  # seconds: the longer, the less certain the predicted motion
        self.crowded = False  # somebody else is tracked at the same place
        self.neighbours: list[Crop] = []  # other people who were near at the last search
        self._usual = _LEAST_USUAL  # similarity of the person to themselves
        self._search_at = self._count_at = self._fast_at = -math.inf  # not before these times
        self._full: tuple[float, Detection] | None = None  # the last confident one by both networks

    def detect(self, image: Image, time: float) -> Detection | None:
        """Detect the person in the next frame."""
        self._expected = self.motion.predict(time)
        self._missing = time - self.detected_at
        if self.crowded:  # the pixels there may be the other's
            self._flow = None
        if time >= self._count_at:
            near = self._near(image, self._expected)
            self.neighbours = [p.crop for p in near if not p.crop.overlaps(self._expected)]
            self._count_at = time + self._pace * _COUNT_SECONDS
        found = self._detect_fast(image, time) or self._detect(image, self._expected)
        best = self._recentred(image, found)
        if self.match_score(best) < _UNCERTAIN:
            self._follow_flow(image)
            if time >= self._search_at:
                best = self._search(image, best)
                if self.match_score(best) < _UNCERTAIN:
                    self._search_at = time + self._pace * _SEARCH_SECONDS
        return best if self.match_score(best) >= LOST_SCORE else None

    def _detect_fast(self, image: Image, time: float) -> Detection | None:
        """The person by one network, where both have just agreed and nobody else is near."""
        if self._full is None or self.neighbours or time < self._fast_at:
            return None
        full_at, full = self._full
        if time - full_at > _FAST_SECONDS:
            return None
        found = detect_fast(self._networks, image, self._expected, full)
        if found is not None and self.match_score(found) > _CONFIDENT:
            return found
        self._fast_at = time + _FULL_SECONDS
        return None

    def _follow_flow(self, image: Image) -> None:
        """Predict the crop by the optical flow of the body."""
        crop = self._flow.track(image) if self._flow else None
        if crop is None:
            self._flow = None
        else:
            self._expected = crop

    def update(self, image: Image, time: float, found: Detection) -> None:
        """Update with a detection, weighted by its confidence."""
        confidence = found.confidence * self._same_appearance(found)
        # Optical flow is a better prediction than the motion: the detection counts less against it.
        trust = min(confidence / _CONFIDENT, 1.0)
        crop = self._expected.towards(self._limited(found), trust if self._flow else trust**0.5)
        if confidence > _UNCERTAIN and not self.crowded:
            self._flow = FlowTracker(image, crop, found.xy)
        if not found.propagated:
            self._full = (time, found) if confidence > _CONFIDENT else None
        self._learn(time, found)
        if self.crowded:
            self.motion = self.motion.coasted(time).shifted(crop, _CROWDED_TRUST)
        else:
            self.motion = self.motion.updated(time, crop)
        self.detected_at = time

    def miss(self, time: float) -> bool:
        """Update without a detection; False when the person is lost."""
        if self.crowded:
            self.motion = self.motion.coasted(time)
            return time - self.detected_at < _HIDDEN_SECONDS
        if self._flow:
            self.motion = self.motion.updated(time, self._expected)
        return time - self.detected_at < (_FLOW_SECONDS if self._flow else _LOST_SECONDS)

    def exchange_place(self, other: "PersonTracker") -> None:
        """Go on where the other is and the other here; each keeps size and appearance."""
        self.motion, other.motion = other.motion, self.motion
        self._flow, other._flow = other._flow, self._flow
        self._full = other._full = None
        self.detected_at, other.detected_at = other.detected_at, self.detected_at

    def _learn(self, time: float, found: Detection) -> None:
        """Update stature and appearance."""
        dt = time - self.detected_at
        if found.confidence > _UNCERTAIN:
            faded = self._stature * math.exp(-dt / _STATURE_SECONDS)
            self._stature = max(faded, min(found.stature, self._stature * (1.05 + 2 * dt)))
            similar = max(similarity(found.appearance, self.appearance), _LEAST_USUAL)
            self._usual += _APPEARANCE_RATE * (similar - self._usual)
            change = found.appearance - self.appearance
            mixed = self.appearance + np.float16(_APPEARANCE_RATE) * change
            self.appearance = np.asarray(mixed, np.float16)

    def match_score(self, found: Detection) -> float:
        """0..1: it is a body, where the person is expected, of their size and appearance."""
        expected, crop = self._expected, found.next_crop
        distance = math.hypot(crop.x - expected.x, crop.y - expected.y) / expected.side
        size = math.log(max(found.stature, 1) / self._stature)
        turned = math.remainder(crop.angle - expected.angle, 2 * math.pi)
        # Limbs that point at the camera look short, but nothing makes them look long.
        square = (
            (distance / (_JUMP + _JUMP_SPEED * self._missing)) ** 2
            + (turned / (_TWIST + _TWIST_SPEED * self._missing)) ** 2
            + (size / (0.4 if size > 0 else 1.0)) ** 2
        )
        return found.confidence * math.exp(-square / 2) * self._same_appearance(found)

    def _same_appearance(self, found: Detection) -> float:
        """0..1 by similarity of appearance; stricter where other people are near."""
        if not self.neighbours:
            least, slope = 0.45, 0.05
        else:
            least, slope = self._usual - _SAME_APPEARANCE, 0.025
        return 1 / (1 + math.exp((least - similarity(found.appearance, self.appearance)) / slope))

    def _detect(self, image: Image, crop: Crop) -> Detection:
        return detect(self._networks, image, crop, self.appearance)

    def _recentred(self, image: Image, found: Detection) -> Detection:
        """Detect once more in a crop around the body, if that is a different one."""
        if self.match_score(found) < LOST_SCORE:
            return found
        crop = self._limited(found)
        if not _differs(found.crop, crop):
            return found
        return self._best((found, self._detect(image, crop)))

    def _search(self, image: Image, found: Detection) -> Detection:
        """Rotate the crop, then try other people nearby, until the person is found."""
        best = found
        for crop in self._alternatives(image, found.crop):
            best = self._best((best, self._detect(image, crop)))
            if self.match_score(best) > _CONFIDENT:
                break
        return self._recentred(image, best)

    def _alternatives(self, image: Image, tried: Crop) -> Iterator[Crop]:
        """Other crops to try, the most likely first."""
        if self._flow and _differs(tried, self._expected, _SHIFTED):
            yield self._expected
        for angle in RETRY_ANGLES:
            if abs(angle) <= self._reach:
                yield self._expected.rotated(angle)
        for person in self._near(image, self._expected)[:3]:
            yield person.crop

    @property
    def _reach(self) -> float:
        """Radians that the body may be away from the expected angle."""
        if not self._sparing:
            return math.pi
        return RETRY_ANGLES[0] + abs(self.motion.spin) * self._missing

    def _near(self, image: Image, expected: Crop) -> list[PersonCrop]:
        near = replace(expected, side=expected.side * _NEIGHBOURHOOD)
        upright = replace(near, angle=0.0)
        lying = abs(math.remainder(near.angle, 2 * math.pi)) > _TURNED
        return self._detector.people(image, (near, upright) if lying else (upright,))

    def _best(self, detections: tuple[Detection, ...]) -> Detection:
        return max(detections, key=self.match_score)

    def _limited(self, found: Detection) -> Crop:
        """The crop around a detection, its side limited by the person's stature."""
        low, high = (factor * self._stature for factor in _SIDE_PER_STATURE)
        return replace(found.next_crop, side=float(np.clip(found.next_crop.side, low, high)))

    @staticmethod
    def assign(
        trackers: Sequence["PersonTracker"], detections: Sequence[Detection | None]
    ) -> list[Detection | None]:
        """The detections without those of a body that more likely is another tracker's."""
        scores = [
            0.0 if found is None else tracker.match_score(found)
            for tracker, found in zip(trackers, detections, strict=True)
        ]
        own: list[Detection | None] = [None] * len(detections)
        for i in sorted(range(len(detections)), key=lambda i: -scores[i]):
            mine = detections[i]
            if mine is not None and not any(mine.is_body_of(other) for other in own if other):
                own[i] = mine
        return own


def _differs(tried: Crop, wanted: Crop, moved: float = _MOVED) -> bool:
    return (
        abs(math.remainder(tried.angle - wanted.angle, 2 * math.pi)) > _TURNED
        or math.hypot(tried.x - wanted.x, tried.y - wanted.y) > moved * tried.side
        or abs(math.log(tried.side / wanted.side)) > _SCALED
    )
