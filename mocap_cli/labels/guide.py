"""Guide: a fitted model beside the default tracker, for `mocap track --model`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import TURNS, Crop, Image
from mocap_cli.keypoints.fusion import fuse
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.networks import BodyNetworks
from mocap_cli.keypoints.sighting import Sighting, see
from mocap_cli.labels.eye import Codes, encode
from mocap_cli.labels.fitted import Fitted, open_fitted
from mocap_cli.labels.poses import poses_of
from mocap_cli.labels.witness import Witness
from mocap_cli.lifting.lift import Pose
from mocap_cli.video.reader import open_video
from mocap_cli.weights import Device

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Span = tuple[float | None, float | None]

_BELIEVED = 0.5  # quality of a sighting from which the networks are believed after all
_MEET = 0.25  # of box and body in common, mostly, for boxes to tell where the person is
_FEWEST = 5  # frames that both know, below which boxes are not trusted
_AROUND = 1.3  # a box holds the body tightly, the networks like room
_GUESSED = 0.25  # metres of expected error from which the code alone is no help


@dataclass(frozen=True, slots=True, eq=False)
class Counsel:
    """What the guide knows of one video."""

    seen: Keypoints  # with those that were found on a second look
    _fitted: Fitted
    _codes: Codes

    def pose(self, level: Keypoints, camera: Pinhole, lifted: Pose) -> Pose:
        """The lifted pose joined with what the model says, by expected errors."""
        witness = Witness((1, 1), camera, level, lifted)
        joints, sigma = poses_of(self._fitted, self._codes, witness)
        known = np.asarray(np.isfinite(lifted.joints).all(axis=(1, 2)))
        told = known | (_between(known) & (sigma.mean(axis=1) < _GUESSED))
        joints[~told], sigma[~told] = np.nan, np.nan
        planted = np.where(known[:, None], lifted.planted, 0.0)
        return Pose(joints, sigma, np.where(told[:, None], planted, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """Looks again where the 2D networks were lost, and has a say in every pose."""

    fitted: Fitted
    name: str  # of its file
    digest: str  # SHA-256 of its file

    def look(
        self,
        video: Path,
        seen: Keypoints,
        span: Span,
        device: Device,
        on_frame: Callable[[int], None] = lambda done: None,
    ) -> Counsel:
        """Encode the frames of what was seen; look again in the boxes of those that are lost."""
        passes = 1 if seen.seen.all() else 2  # half a frame is done when it is encoded
        codes = encode(
            video, self.fitted.eye, None, _squares_of(seen), span,
            on_frame=lambda done: on_frame(done // passes),
        )  # fmt: skip
        if len(codes) != len(seen):
            raise MocapError(
                f"{video} gave {len(seen)} frames, then {len(codes)}", "encode it as H.264 MP4"
            )
        lost = np.asarray(~seen.seen & np.isfinite(codes.boxes).all(axis=1))
        if lost.any() and trusted(codes.boxes, seen):
            half = len(seen) // 2
            seen = _second_look(
                video,
                seen,
                codes.boxes,
                lost,
                span,
                device,
                lambda done: on_frame(half + done // 2),
            )
        on_frame(len(seen))
        return Counsel(seen, self.fitted, codes)


def open_guide(path: Path) -> Guide:
    """The guide of a `.mocap` file."""
    fitted = open_fitted(path)
    return Guide(fitted, path.name, sha256(path.read_bytes()).hexdigest())


def _squares_of(seen: Keypoints) -> Float64:
    return Witness((1, 1), Pinhole(1.0, (0, 0)), seen, Pose(*(np.empty(0),) * 3)).squares()


def trusted(boxes: NDArray[np.floating], seen: Keypoints) -> bool:
    """Whether boxes (T, 4) are mostly where the body is, in frames in which that is known."""
    known = np.asarray(seen.seen & np.isfinite(boxes).all(axis=1))
    if known.sum() < _FEWEST:
        return False
    xy, box = seen.xy[known], boxes[known]
    low, high = xy.min(axis=1), xy.max(axis=1)
    common = np.clip(np.minimum(high, box[:, 2:]) - np.maximum(low, box[:, :2]), 0, None)
    shared = common.prod(axis=1)
    whole = (high - low).prod(axis=1) + (box[:, 2:] - box[:, :2]).prod(axis=1) - shared
    return float(np.median(shared / np.maximum(whole, 1e-6))) > _MEET


def _second_look(
    video: Path,
    seen: Keypoints,
    boxes: NDArray[np.floating],
    lost: Bool,
    span: Span,
    device: Device,
    on_frame: Callable[[int], None],
) -> Keypoints:
    """What the networks see of a body inside the boxes of lost frames, whichever way it lies."""
    networks = BodyNetworks(device)
    found: dict[int, Sighting] = {}
    with open_video(video, *span) as reader:
        size = reader.info.width, reader.info.height
        for i, frame in enumerate(reader):
            if i < len(lost) and lost[i]:
                best = _best(networks, frame.image, boxes[i].tolist())
                if best.quality > _BELIEVED:
                    found[i] = best
            on_frame(i + 1)
    return _with(seen, found, size) if found else seen


def _best(networks: BodyNetworks, image: Image, box: list[float]) -> Sighting:
    left, top, right, bottom = box
    side = max(_AROUND * max(right - left, bottom - top), 8.0)
    upright = Crop((left + right) / 2, (top + bottom) / 2, side)
    best = see(networks, image, upright)
    for turn in TURNS:
        if best.quality < _BELIEVED:
            best = max(best, see(networks, image, upright.turned(turn)), key=lambda s: s.quality)
    return best


def _with(seen: Keypoints, found: dict[int, Sighting], size: tuple[int, int]) -> Keypoints:
    at = np.array(sorted(found))
    sightings = [found[i] for i in sorted(found)]
    more = fuse(seen.times[at].tolist(), sightings, seen.cut[at].tolist(), size)
    xy, score, known = seen.xy.copy(), seen.score.copy(), seen.seen.copy()
    xy[at], score[at], known[at] = more.xy, more.score, more.seen
    return replace(seen, xy=xy, score=score, seen=known)


def _between(known: Bool) -> Bool:
    """(T,) frames with known ones before and after them."""
    before = np.logical_or.accumulate(known)
    after = np.logical_or.accumulate(known[::-1])[::-1]
    return np.asarray(before & after)
