"""Pursuit: stay with one person from frame to frame."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from mocap_cli.keypoints.appearance import similarity
from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop, Image
from mocap_cli.keypoints.crop_motion import CropMotion, blend_crops
from mocap_cli.keypoints.detection import Detection, detect, detect_fast
from mocap_cli.keypoints.flow_tracker import FlowTracker
from mocap_cli.keypoints.person_detector import PersonCrop, PersonDetector
from mocap_cli.keypoints.pose_networks import PoseNetworks

LOST_SCORE, _UNCERTAIN, _CONFIDENT = 0.1, 0.5, 0.6
"""Beliefs: below LOST nobody was seen, below DOUBT it is worth to look again."""

_TURNED = math.radians(30)
_MOVED, _SHIFTED = 0.2, 0.05  # of the side
_SCALED = math.log(1.35)
_NEIGHBOURHOOD = 2.5  # sides of the crop
_AGAIN_SECONDS = 0.05  # looking around is dear: not more often than this
_SIDE_PER_STATURE = (1.1, 2.2)
_STATURE_SECONDS = 4.0  # to forget how tall somebody was
_COLOUR_RATE = 0.05
_LEAST_USUAL = 0.85
_SAME_CLOTHES = 0.12  # below the usual likeness it is as likely somebody else
_JUMP, _JUMP_SPEED = 0.15, 1.0  # sides, and sides per second since last seen
_TWIST, _TWIST_SPEED = 0.7, 8.0  # radians, and radians per second since last seen
_COUNT_SECONDS = 0.5  # between looks for other people near
_GLANCE_SECONDS = 0.025  # since a look with both networks; at 30 frames/s it costs 0.6 mm of 52
_STARE_SECONDS = 0.25  # to look with both again, after a glance that was not enough
_LOST_SECONDS = 0.4  # not seen that long
_CARRIED_SECONDS = 1.0  # the same while the body's pixels are followed


class PersonTracker:
    """One person on the run."""

    def __init__(
        self,
        networks: PoseNetworks,
        finder: PersonDetector,
        image: Image,
        time: float,
        first: Detection,
    ) -> None:
        self._networks, self._finder = networks, finder
        self.motion = CropMotion(time, first.next_crop)
        self.detected_at = time
        self._expected = self.motion.crop  # where the person should be in the latest picture
        self._drift: FlowTracker | None = FlowTracker(image, first.crop, first.xy)
        self.appearance = first.appearance
        self._stature = first.stature
        self._unseen = 0.0  # seconds: the longer, the more the course may be wrong
        self._company = False  # somebody else is near
        self._usual = _LEAST_USUAL  # likeness of the person to themselves
        self._again = self._count_at = self._glance_at = -math.inf  # not before these times
        self._plain: tuple[float, Detection] | None = None  # the last look that was a good one

    def detect(self, image: Image, time: float) -> Detection | None:
        """See the person in the next picture, or not; `keep` goes on from there."""
        self._expected = self.motion.predict(time)
        self._unseen = time - self.detected_at
        if time >= self._count_at:
            near = self._near(image, self._expected)
            self._company = not all(p.crop.overlaps(self._expected) for p in near)
            self._count_at = time + _COUNT_SECONDS
        seen = self._glance(image, time) or self._see(image, self._expected)
        best = self._better(image, seen)
        if self.match_score(best) < _UNCERTAIN:
            self._drift_on(image)
            if time >= self._again:
                best = self._look_around(image, best)
                if self.match_score(best) < _UNCERTAIN:
                    self._again = time + _AGAIN_SECONDS
        return best if self.match_score(best) >= LOST_SCORE else None

    def _glance(self, image: Image, time: float) -> Detection | None:
        """The person at half the price, where nothing suggests that this is too little."""
        if self._plain is None or self._company or time < self._glance_at:
            return None
        when, plain = self._plain
        if time - when > _GLANCE_SECONDS:
            return None
        seen = detect_fast(self._networks, image, self._expected, plain)
        if seen is not None and self.match_score(seen) > _CONFIDENT:
            return seen
        self._glance_at = time + _STARE_SECONDS
        return None

    def _drift_on(self, image: Image) -> None:
        """Expect the person where the pixels of the body went."""
        carried = self._drift.track(image) if self._drift else None
        if carried is None:
            self._drift = None
        else:
            self._expected = carried

    def update(self, image: Image, time: float, seen: Detection) -> None:
        """Believe that this was the person, as far as it is to be believed."""
        sure = seen.confidence * self._alike(seen)
        trust = min(
            sure / _CONFIDENT, 1.0
        )  # against pixels that were followed; less against a guess
        crop = blend_crops(self._expected, self._crop(seen), trust if self._drift else trust**0.5)
        if sure > _UNCERTAIN:
            self._drift = FlowTracker(image, crop, seen.xy)
        if not seen.propagated:
            self._plain = (time, seen) if sure > _CONFIDENT else None
        self._learn(time, seen)
        self.motion = self.motion.updated(time, crop)
        self.detected_at = time

    def miss(self, time: float) -> bool:
        """Go on without having seen the person; False when they are lost."""
        if self._drift:
            self.motion = self.motion.updated(time, self._expected)
        return time - self.detected_at < (_CARRIED_SECONDS if self._drift else _LOST_SECONDS)

    def _learn(self, time: float, seen: Detection) -> None:
        """Remember what the person looks like."""
        dt = time - self.detected_at
        if seen.confidence > _UNCERTAIN:
            faded = self._stature * math.exp(-dt / _STATURE_SECONDS)
            self._stature = max(faded, min(seen.stature, self._stature * (1.05 + 2 * dt)))
            alike = max(similarity(seen.appearance, self.appearance), _LEAST_USUAL)
            self._usual += _COLOUR_RATE * (alike - self._usual)
            mixed = self.appearance + np.float16(_COLOUR_RATE) * (seen.appearance - self.appearance)
            self.appearance = np.asarray(mixed, np.float16)

    def match_score(self, sighting: Detection) -> float:
        """0..1: it is a body, it is where it should be, it is dressed like the person."""
        expected, crop = self._expected, sighting.next_crop
        off = math.hypot(crop.x - expected.x, crop.y - expected.y) / expected.side
        size = math.log(max(sighting.stature, 1) / self._stature)
        turned = math.remainder(crop.angle - expected.angle, 2 * math.pi)
        # Limbs that point at the camera look short, but nothing makes them look long.
        far = (
            (off / (_JUMP + _JUMP_SPEED * self._unseen)) ** 2
            + (turned / (_TWIST + _TWIST_SPEED * self._unseen)) ** 2
            + (size / (0.4 if size > 0 else 1.0)) ** 2
        )
        return sighting.confidence * math.exp(-far / 2) * self._alike(sighting)

    def _alike(self, sighting: Detection) -> float:
        """0..1: clothes look like the person's; where others are near they must look the same."""
        if not self._company:
            least, slope = 0.45, 0.05
        else:
            least, slope = self._usual - _SAME_CLOTHES, 0.025
        return 1 / (
            1 + math.exp((least - similarity(sighting.appearance, self.appearance)) / slope)
        )

    def _see(self, image: Image, crop: Crop) -> Detection:
        return detect(self._networks, image, crop, self.appearance)

    def _better(self, image: Image, seen: Detection) -> Detection:
        """Once more where the body turns out to be, if that is elsewhere."""
        if self.match_score(seen) < LOST_SCORE:
            return seen
        wanted = self._crop(seen)
        if not _differs(seen.crop, wanted):
            return seen
        return self._best((seen, self._see(image, wanted)))

    def _look_around(self, image: Image, seen: Detection) -> Detection:
        """Turn the crop, and ask who else is near, until the person is there."""
        best = seen
        for crop in self._elsewhere(image, seen.crop):
            best = self._best((best, self._see(image, crop)))
            if self.match_score(best) > _CONFIDENT:
                break
        return self._better(image, best)

    def _elsewhere(self, image: Image, looked: Crop) -> Iterator[Crop]:
        """Other crops to try, the likeliest first."""
        if self._drift and _differs(looked, self._expected, _SHIFTED):
            yield self._expected
        for turn in RETRY_ANGLES:
            yield self._expected.rotated(turn)
        for person in self._near(image, self._expected)[:3]:
            yield person.crop

    def _near(self, image: Image, expected: Crop) -> list[PersonCrop]:
        near = replace(expected, side=expected.side * _NEIGHBOURHOOD)
        upright = replace(near, angle=0.0)
        lying = abs(math.remainder(near.angle, 2 * math.pi)) > _TURNED
        return self._finder.people(image, (near, upright) if lying else (upright,))

    def _best(self, sightings: tuple[Detection, ...]) -> Detection:
        return max(sightings, key=self.match_score)

    def _crop(self, seen: Detection) -> Crop:
        low, high = (factor * self._stature for factor in _SIDE_PER_STATURE)
        return replace(seen.next_crop, side=float(np.clip(seen.next_crop.side, low, high)))


def assign_detections(
    pursuits: Sequence[PersonTracker], sightings: Sequence[Detection | None]
) -> list[Detection | None]:
    """The sightings without those of a body that more likely is somebody else's."""
    beliefs = [
        0.0 if s is None else p.match_score(s) for p, s in zip(pursuits, sightings, strict=True)
    ]
    own: list[Detection | None] = [None] * len(sightings)
    for i in sorted(range(len(sightings)), key=lambda i: -beliefs[i]):
        mine = sightings[i]
        if mine is not None and not any(mine.is_body_of(other) for other in own if other):
            own[i] = mine
    return own


def _differs(looked: Crop, wanted: Crop, moved: float = _MOVED) -> bool:
    return (
        abs(math.remainder(looked.angle - wanted.angle, 2 * math.pi)) > _TURNED
        or math.hypot(looked.x - wanted.x, looked.y - wanted.y) > moved * looked.side
        or abs(math.log(looked.side / wanted.side)) > _SCALED
    )
