"""Guide: a fitted model beside the default tracker, for `mocap track --model`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop, Image
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.labels.fitting.fitted_model import FittedModel, open_fitted
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, encode_video
from mocap_cli.labels.poses import fused_prediction
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.tracking.estimate import Estimate
from mocap_cli.types import Bool
from mocap_cli.video.reader import open_video
from mocap_cli.weights import Device

_Span = tuple[float | None, float | None]

_MIN_QUALITY = 0.5  # quality of a sighting from which the networks are believed after all
_MIN_IOU = 0.25  # of box and body in common, mostly, for boxes to tell where the person is
_MIN_FRAMES = 5  # frames that both know, below which boxes are not trusted
_CROP_MARGIN = 1.3  # a box holds the body tightly, the networks like room
_MAX_SIGMA = 0.25  # metres of expected error from which the code alone is no help


@dataclass(frozen=True, slots=True, eq=False)
class _FittedTrack:
    """What the guide knows of one video."""

    keypoints: Keypoints  # with those that were found on a second look
    _fitted: FittedModel
    _codes: EncodedVideo

    def pose(self, level: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose joined with what the model says, by expected errors."""
        estimate = Estimate(size=(1, 1), camera=camera, keypoints=level, pose=lifted)
        joints, sigma = fused_prediction(self._fitted, self._codes, estimate)
        known = np.asarray(np.isfinite(lifted.joints).all(axis=(1, 2)))
        told = known | (_between(known) & (sigma.mean(axis=1) < _MAX_SIGMA))
        joints[~told], sigma[~told] = np.nan, np.nan
        planted = np.where(known[:, None], lifted.contacts, 0.0)
        return LiftedPose(joints, sigma, np.where(told[:, None], planted, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class FittedTracker:
    """Looks again where the 2D networks were lost, and has a say in every pose."""

    fitted: FittedModel
    name: str  # of its file
    digest: str  # SHA-256 of its file

    def analyse(
        self,
        video: Path,
        seen: Keypoints,
        span: _Span,
        device: Device,
        on_frame: Callable[[int], None] = lambda done: None,
    ) -> _FittedTrack:
        """Encode the frames of what was seen; look again in the boxes of those that are lost."""
        passes = 1 if seen.detected.all() else 2  # half a frame is done when it is encoded
        codes = encode_video(
            video, self.fitted.eye, None, seen.bounding_squares(), span,
            on_frame=lambda done: on_frame(done // passes),
        )  # fmt: skip
        if len(codes) != len(seen):
            raise MocapError(
                f"{video} gave {len(seen)} frames, then {len(codes)}", "encode it as H.264 MP4"
            )
        lost = np.asarray(~seen.detected & np.isfinite(codes.boxes).all(axis=1))
        if lost.any() and _boxes_agree(codes.boxes, seen):
            half = len(seen) // 2
            seen = _detect_in_boxes(
                video,
                seen,
                codes.boxes,
                lost,
                span,
                device,
                lambda done: on_frame(half + done // 2),
            )
        on_frame(len(seen))
        return _FittedTrack(seen, self.fitted, codes)


def open_fitted_tracker(path: Path) -> FittedTracker:
    """The guide of a `.mocap` file."""
    fitted = open_fitted(path)
    return FittedTracker(fitted, path.name, sha256(path.read_bytes()).hexdigest())


def _boxes_agree(boxes: NDArray[np.floating], seen: Keypoints) -> bool:
    """Whether boxes (T, 4) are mostly where the body is, in frames in which that is known."""
    known = np.asarray(seen.detected & np.isfinite(boxes).all(axis=1))
    if known.sum() < _MIN_FRAMES:
        return False
    xy, box = seen.xy[known], boxes[known]
    low, high = xy.min(axis=1), xy.max(axis=1)
    common = np.clip(np.minimum(high, box[:, 2:]) - np.maximum(low, box[:, :2]), 0, None)
    shared = common.prod(axis=1)
    whole = (high - low).prod(axis=1) + (box[:, 2:] - box[:, :2]).prod(axis=1) - shared
    return float(np.median(shared / np.maximum(whole, 1e-6))) > _MIN_IOU


def _detect_in_boxes(
    video: Path,
    seen: Keypoints,
    boxes: NDArray[np.floating],
    lost: Bool,
    span: _Span,
    device: Device,
    on_frame: Callable[[int], None],
) -> Keypoints:
    """What the networks see of a body inside the boxes of lost frames, whichever way it lies."""
    networks = PoseNetworks(device)
    found: dict[int, Detection] = {}
    with open_video(video, *span) as reader:
        size = reader.info.width, reader.info.height
        for i, frame in enumerate(reader):
            if i < len(lost) and lost[i]:
                best = _best_detection(networks, frame.image, boxes[i].tolist())
                if best.confidence > _MIN_QUALITY:
                    found[i] = best
            on_frame(i + 1)
    return _insert_detections(seen, found, size) if found else seen


def _best_detection(networks: PoseNetworks, image: Image, box: list[float]) -> Detection:
    left, top, right, bottom = box
    side = max(_CROP_MARGIN * max(right - left, bottom - top), 8.0)
    upright = Crop((left + right) / 2, (top + bottom) / 2, side)
    best = detect(networks, image, upright)
    for turn in RETRY_ANGLES:
        if best.confidence < _MIN_QUALITY:
            best = max(
                best, detect(networks, image, upright.rotated(turn)), key=lambda s: s.confidence
            )
    return best


def _insert_detections(
    seen: Keypoints, found: dict[int, Detection], size: tuple[int, int]
) -> Keypoints:
    at = np.array(sorted(found))
    sightings = [found[i] for i in sorted(found)]
    more = fuse_detections(seen.times[at].tolist(), sightings, seen.cut[at].tolist(), size)
    xy, score, known = seen.xy.copy(), seen.score.copy(), seen.detected.copy()
    xy[at], score[at], known[at] = more.xy, more.score, more.detected
    return replace(seen, xy=xy, score=score, detected=known)


def _between(known: Bool) -> Bool:
    """(T,) frames with known ones before and after them."""
    before = np.logical_or.accumulate(known)
    after = np.logical_or.accumulate(known[::-1])[::-1]
    return np.asarray(before & after)
