"""Second pass: detect the person again in the frames in which the first pass was unsure.

A pursuit starts from the sure frames before such a span and runs forwards, another one starts from
those after it and runs backwards. In every frame they detect in crops at all angles. The Viterbi
algorithm then chooses one detection in each frame: one that both networks agree on, and that has
moved little from frame to frame.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop
from mocap_cli.keypoints.crop_motion import CropMotion
from mocap_cli.keypoints.detection import COCO_COUNT, Detection, detect
from mocap_cli.keypoints.detections import DetectionRecords
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.left_right import cheapest_path
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Float64
from mocap_cli.video.probe import VideoInfo
from mocap_cli.video.reader import Frame, open_video
from mocap_cli.weights import Device

_SURE = 0.5  # mean score of a frame's keypoints from which it is left as it is
_CONTEXT = 5  # sure frames on each side of a span
_CLEAR = 0.8  # match at the expected angle that makes other angles needless
_FOUND = 0.3  # least agreement of a detection that replaces what was there
_JUMP, _JUMP_SPEED = 0.1, 1.0  # sides, and sides per second since the body was found
_TWIST, _TWIST_SPEED = 0.5, 4.0  # radians, and radians per second since then
_TRUST_POWER = 0.3  # of the match: a body of which the limbs are wrong is still in its place
_LOST_SECONDS = 1.0  # without the body, after which a pursuit ends
_SAME_PERSON = 0.4  # sides from the body that the first pass has detected
_STILL, _SPEED = 0.05, 1.0  # sides, and sides per second: how far points move by chance
_MOTION_PRICE, _DEAREST = 2.0, 3.0  # of moved points
_DOUBT = 6.0  # the largest price of disagreement
_MISSING = 50.0  # price of a detection that does not exist
_BODY = slice(5, COCO_COUNT)
_CHUNK_BYTES = 256 << 20  # of frames held at a time, to read them backwards
_HAIR = 1e-4  # seconds


class _Found:
    """All detections of a span, several in a frame."""

    def __init__(self) -> None:
        self._records = DetectionRecords()
        self._rows: dict[int, list[int]] = {}  # numbers of records by frame

    def add(self, frame: int, detections: Iterable[Detection]) -> None:
        """Add those of a frame; a pursuit may have found others there before."""
        rows = [self._records.append(detection) for detection in detections]
        if rows:
            self._rows[frame] = self._rows.get(frame, []) + rows

    def __getitem__(self, frame: int) -> list[Detection]:
        return [self._records[row] for row in self._rows[frame]]

    def __contains__(self, frame: int) -> bool:
        return frame in self._rows

    def one(self, frame: int, number: int) -> Detection:
        """One of those of a frame."""
        return self._records[self._rows[frame][number]]

    @property
    def frames(self) -> set[int]:
        """Those that have detections."""
        return set(self._rows)

    @property
    def most(self) -> int:
        """The largest number of detections in a frame."""
        return max(len(rows) for rows in self._rows.values())


def second_pass(
    video: VideoInfo,
    keypoints: Keypoints,
    device: Device = "auto",
    tuned: bytes | None = None,
    on_frame: Count = no_progress,
) -> Keypoints:
    """The keypoints, with better ones in the frames in which they were unsure or missing."""
    spans = _unsure_spans(keypoints)
    if not spans:
        return keypoints
    networks, done = PoseNetworks(device, tuned), itertools.count(1)

    def on_detected() -> None:
        on_frame(next(done))

    for span in spans:
        found = _candidates(span, keypoints, video, networks, on_detected)
        chosen = _chosen(span, keypoints, found)
        keypoints = _with_detections(keypoints, span, chosen, (video.width, video.height))
    return keypoints


@dataclass(frozen=True, slots=True)
class _Span:
    """Unsure frames of one shot, and the sure ones around them."""

    before: Sequence[int]
    frames: range
    after: Sequence[int]


def _unsure_spans(keypoints: Keypoints) -> list[_Span]:
    """The spans of unsure frames next to sure ones."""
    sure = keypoints.detected & (keypoints.score.mean(axis=1) > _SURE)
    shot = np.cumsum(keypoints.cut)
    starts = np.flatnonzero(np.diff(2 * shot + sure, prepend=-1)).tolist()
    spans = []
    for start, stop in zip(starts, [*starts[1:], len(sure)], strict=True):
        near = np.flatnonzero(sure & (shot == shot[start]))
        before, after = near[near < start][-_CONTEXT:], near[near >= stop][:_CONTEXT]
        if not sure[start] and len(before) + len(after):
            spans.append(_Span(before.tolist(), range(start, stop), after.tolist()))
    return spans


def _candidates(
    span: _Span,
    keypoints: Keypoints,
    video: VideoInfo,
    networks: PoseNetworks,
    on_detected: Callable[[], None],
) -> _Found:
    """The detections of both pursuits in every frame that they reach."""
    found = _Found()
    for sign, start, frames in ((1, span.before, _forwards), (-1, span.after[::-1], _backwards)):
        if len(start):
            pursuit = _Pursuit(networks, keypoints, start, sign)
            for index, frame in frames(video, keypoints.times, span.frames):
                found.add(index, pursuit.detect(frame, _known_crop(keypoints, index)))
                on_detected()
                if pursuit.lost:
                    break
    return found


def _known_crop(keypoints: Keypoints, index: int) -> Crop | None:
    """The crop around the body that the first pass has detected in that frame."""
    if not keypoints.detected[index]:
        return None
    return Crop.around_body(keypoints.xy[index, :COCO_COUNT], keypoints.score[index, :COCO_COUNT])


class _Pursuit:
    """Goes after the body from sure frames on, forwards or backwards in time."""

    def __init__(
        self, networks: PoseNetworks, keypoints: Keypoints, start: Sequence[int], sign: int
    ) -> None:
        self._networks, self._sign = networks, sign
        crops = [crop for i in start if (crop := _known_crop(keypoints, i))]
        self._side = float(np.median([crop.side for crop in crops]))
        times = sign * keypoints.times[list(start)]
        self._motion = CropMotion(float(times[0]), crops[0])
        for time, crop in zip(times[1:].tolist(), crops[1:], strict=True):
            self._motion = self._motion.updated(time, crop)
        self._found_at = self._motion.time

    @property
    def lost(self) -> bool:
        """Whether the body has not been found for long."""
        return self._motion.time - self._found_at > _LOST_SECONDS

    def detect(self, frame: Frame, known: Crop | None) -> list[Detection]:
        """The detections in the next frame that are of the person whom the first pass knows."""
        time, image = self._sign * frame.time, frame.image
        expected = replace(self._motion.predict(time), side=self._side)
        missing = time - self._found_at
        found = [detect(self._networks, image, expected)]
        if _match(found[0], expected, missing) < _CLEAR:
            found += [detect(self._networks, image, expected.rotated(a)) for a in RETRY_ANGLES]
        best = max(found, key=lambda d: _match(d, expected, missing))
        found += [detect(self._networks, image, crop)
                  for crop in (self._around(best), known) if crop is not None]  # fmt: skip
        best = max(found, key=lambda d: _match(d, expected, missing))
        match = _match(best, expected, missing)
        trust = match**_TRUST_POWER
        self._motion = self._motion.updated(time, expected.towards(self._around(best), trust))
        if match > _FOUND and _same_person(best, known):
            self._found_at = time
        return [body for body in found if _same_person(body, known)]

    def _around(self, body: Detection) -> Crop:
        side = float(np.clip(body.next_crop.side, 0.7 * self._side, 1.3 * self._side))
        return replace(body.next_crop, side=side)


def _same_person(body: Detection, known: Crop | None) -> bool:
    return known is None or body.next_crop.distance(known) < _SAME_PERSON


def _match(body: Detection, expected: Crop, missing: float) -> float:
    """0..1: both networks agree on the body, and it is where it is expected."""
    crop = body.next_crop
    distance = math.hypot(crop.x - expected.x, crop.y - expected.y) / expected.side
    turned = math.remainder(crop.angle - expected.angle, 2 * math.pi)
    square = (distance / (_JUMP + _JUMP_SPEED * missing)) ** 2
    square += (turned / (_TWIST + _TWIST_SPEED * missing)) ** 2
    return body.agreement * math.exp(-square / 2)


def _forwards(video: VideoInfo, times: Float64, frames: range) -> Iterator[tuple[int, Frame]]:
    """The frames with their indices, from the first one on."""
    with open_video(video, times[frames[0]] - _HAIR, times[frames[-1]] + _HAIR) as reader:
        for frame in reader:
            index = int(np.abs(times - frame.time).argmin())
            if index in frames and abs(times[index] - frame.time) < _HAIR:
                yield index, frame


def _backwards(video: VideoInfo, times: Float64, frames: range) -> Iterator[tuple[int, Frame]]:
    """The same from the last one on, read in chunks."""
    step = max(1, _CHUNK_BYTES // (3 * video.width * video.height))
    for stop in range(frames.stop, frames.start, -step):
        chunk = range(max(frames.start, stop - step), stop)
        yield from reversed(list(_forwards(video, times, chunk)))


def _chosen(span: _Span, keypoints: Keypoints, found: _Found) -> dict[int, Detection]:
    """One detection a frame, where the cheapest path through all of them is sure enough."""
    context = {i: [Detection.of_keypoints(keypoints.xy[i], keypoints.score[i])]
               for i in (*span.before[-1:], *span.after[:1])}  # fmt: skip
    if not found.frames:
        return {}
    frames, count = sorted(found.frames | context.keys()), found.most
    price = np.full((len(frames), count), _MISSING)
    points = np.zeros((len(frames), count, COCO_COUNT - _BODY.start, 2))
    side = np.ones((len(frames), count))
    for t, i in enumerate(frames):
        some = found[i] if i in found else context[i]
        price[t, : len(some)] = [min(-math.log(max(d.agreement, 1e-9)), _DOUBT) for d in some]
        points[t, : len(some)] = [d.blazepose[:COCO_COUNT][_BODY] for d in some]
        side[t, : len(some)] = [d.crop.side for d in some]
    change = np.empty((len(frames) - 1, count, count))
    for t, step in enumerate(np.diff(keypoints.times[frames]).tolist()):
        change[t] = _motion_price(points[t : t + 2], side[t : t + 2], step)
    path = cheapest_path(price, change)
    best = {i: found.one(i, k) for i, k in zip(frames, path.tolist(), strict=True) if i in found}
    return {i: one for i, one in best.items() if one.agreement > _FOUND}


def _motion_price(points: Float64, side: Float64, seconds: float) -> Float64:
    """(S, S) price of the way from each of a frame's detections to each of the next frame's."""
    moved = np.linalg.norm(points[1] - points[0][:, None], axis=-1)
    mean = (side[1] + side[0][:, None]) / 2
    moved /= (mean * (_STILL + _SPEED * seconds))[..., None]
    return np.asarray(_MOTION_PRICE * np.minimum(moved**2 / 2, _DEAREST).mean(axis=-1))


def _with_detections(
    keypoints: Keypoints, span: _Span, chosen: dict[int, Detection], size: tuple[int, int]
) -> Keypoints:
    """The keypoints with those of the chosen detections; sides follow those of the context."""
    frames = sorted({*span.before, *span.frames, *span.after})
    known = keypoints.detected
    detections = {
        row: chosen.get(i) or Detection.of_keypoints(keypoints.xy[i], keypoints.score[i])
        for row, i in enumerate(frames)
        if i in chosen or known[i]
    }
    cut = keypoints.cut[frames].tolist()
    fused = fuse_detections(keypoints.times[frames].tolist(), detections, cut, size)
    xy, score, detected = keypoints.xy.copy(), keypoints.score.copy(), keypoints.detected.copy()
    for row, i in enumerate(frames):
        if i in span.frames and (i in chosen or not known[i]):
            xy[i], score[i] = fused.xy[row], fused.score[row]
            detected[i] = fused.detected[row]
    return replace(keypoints, xy=xy, score=score, detected=detected)
