"""Fitted tracker: a fitted model beside the default tracker, for `mocap track --model`."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.errors import MocapError
from mocap_cli.keypoints.crop import RETRY_ANGLES, Crop
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import PoseNetworks
from mocap_cli.keypoints.subject import SubjectPoint
from mocap_cli.labels.fitting.fitted_model import FittedModel
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo
from mocap_cli.lifting.lift import LiftedPose
from mocap_cli.progress import Count, no_progress
from mocap_cli.types import Bool, UInt8
from mocap_cli.video.reader import open_video
from mocap_cli.weights import Device

_MIN_CONFIDENCE = 0.5  # of a detection in the box of the model
_MIN_IOU = 0.25  # of boxes and keypoints, as the median, for boxes to be used
_MIN_FRAMES = 5  # with both, below which boxes are not used
_BOX_MARGIN = 1.3  # a box is tight, the pose networks need room
_MAX_SIGMA = 0.25  # metres, beyond which a pose from image features alone is left out

_Span = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True, eq=False)
class _FittedTrack:
    """The output of the model for one video."""

    keypoints: Keypoints  # with those that were detected in the model's boxes
    _model: FittedModel
    _encoded: EncodedVideo
    notes: tuple[str, ...] = ()

    def pose(self, keypoints: Keypoints, camera: Pinhole, lifted: LiftedPose) -> LiftedPose:
        """The lifted pose fused with the model's, by their uncertainty."""
        joints, sigma = self._model.predict(self._encoded, keypoints, lifted)
        known = np.asarray(np.isfinite(lifted.joints).all(axis=(1, 2)))
        used = known | (_between(known) & (sigma.mean(axis=1) < _MAX_SIGMA))
        joints[~used], sigma[~used] = np.nan, np.nan
        contacts = np.where(known[:, None], lifted.contacts, 0.0)
        return LiftedPose(joints, sigma, np.where(used[:, None], contacts, np.nan))


@dataclass(frozen=True, slots=True, eq=False)
class FittedTracker:
    """Detects the person again where the tracker lost them, and refines every pose."""

    model: FittedModel
    name: str  # of its file
    digest: str  # SHA-256 of its file

    def movenet(self, video: Path) -> None:
        """It detects with the bundled 2D networks."""

    def points(self, video: Path) -> tuple[SubjectPoint, ...]:
        """It does not know where the person is."""
        return ()

    @staticmethod
    def open(path: Path, device: Device = "auto") -> "FittedTracker":
        """The tracker of a `.mocap` file; its encoder runs on `device`."""
        model = FittedModel.open(path, device)
        return FittedTracker(model, path.name, sha256(path.read_bytes()).hexdigest())

    def analyse(
        self,
        video: Path,
        keypoints: Keypoints,
        span: _Span,
        device: Device,
        on_frame: Count = no_progress,
    ) -> _FittedTrack:
        """Encode the frames of the keypoints, and detect again in the boxes of lost frames."""
        passes = 1 if keypoints.detected.all() else 2
        encoded = self.model.encoder.encode(
            video,
            keypoints.bounding_squares(),
            span=span,
            on_frame=lambda done: on_frame(done // passes),
        )
        if len(encoded) != len(keypoints):
            raise MocapError(
                f"{video} gave {len(keypoints)} frames, then {len(encoded)}",
                "re-encode it as H.264 MP4",
            )
        lost = np.asarray(~keypoints.detected & np.isfinite(encoded.boxes).all(axis=1))
        if lost.any() and _boxes_agree(encoded.boxes, keypoints):
            half = len(keypoints) // 2
            keypoints = _detect_in_boxes(
                video, keypoints, encoded.boxes, lost, span, device,
                lambda done: on_frame(half + done // 2),
            )  # fmt: skip
        on_frame(len(keypoints))
        return _FittedTrack(keypoints, self.model, encoded)


def _boxes_agree(boxes: NDArray[np.floating], keypoints: Keypoints) -> bool:
    """Whether boxes (T, 4) mostly overlap the keypoints, in frames that have both."""
    known = np.asarray(keypoints.detected & np.isfinite(boxes).all(axis=1))
    if known.sum() < _MIN_FRAMES:
        return False
    xy, box = keypoints.xy[known], boxes[known]
    low, high = xy.min(axis=1), xy.max(axis=1)
    common = np.clip(np.minimum(high, box[:, 2:]) - np.maximum(low, box[:, :2]), 0, None)
    shared = common.prod(axis=1)
    union = (high - low).prod(axis=1) + (box[:, 2:] - box[:, :2]).prod(axis=1) - shared
    return float(np.median(shared / np.maximum(union, 1e-6))) > _MIN_IOU


def _detect_in_boxes(
    video: Path,
    keypoints: Keypoints,
    boxes: NDArray[np.floating],
    lost: Bool,
    span: _Span,
    device: Device,
    on_frame: Count,
) -> Keypoints:
    """The keypoints with those of lost frames, detected inside the boxes at several angles."""
    networks = PoseNetworks(device)
    found: dict[int, Detection] = {}
    with open_video(video, *span) as reader:
        size = reader.info.width, reader.info.height
        for i, frame in enumerate(reader):
            if i < len(lost) and lost[i]:
                best = _best_detection(networks, frame.image, boxes[i].tolist())
                if best.confidence > _MIN_CONFIDENCE:
                    found[i] = best
            on_frame(i + 1)
    return _insert_detections(keypoints, found, size) if found else keypoints


def _best_detection(networks: PoseNetworks, image: UInt8, box: list[float]) -> Detection:
    left, top, right, bottom = box
    side = max(_BOX_MARGIN * max(right - left, bottom - top), 8.0)
    upright = Crop((left + right) / 2, (top + bottom) / 2, side)
    best = detect(networks, image, upright)
    for angle in RETRY_ANGLES:
        if best.confidence < _MIN_CONFIDENCE:
            other = detect(networks, image, upright.rotated(angle))
            best = max(best, other, key=lambda detection: detection.confidence)
    return best


def _insert_detections(
    keypoints: Keypoints, found: dict[int, Detection], size: tuple[int, int]
) -> Keypoints:
    at = np.array(sorted(found))
    detections = dict(enumerate(found[i] for i in sorted(found)))
    times, cut = keypoints.times[at].tolist(), keypoints.cut[at].tolist()
    more = fuse_detections(times, detections, cut, size)
    xy, score, detected = keypoints.xy.copy(), keypoints.score.copy(), keypoints.detected.copy()
    xy[at], score[at], detected[at] = more.xy, more.score, more.detected
    return replace(keypoints, xy=xy, score=score, detected=detected)


def _between(known: Bool) -> Bool:
    """(T,) frames with known ones before and after them."""
    before = np.logical_or.accumulate(known)
    after = np.logical_or.accumulate(known[::-1])[::-1]
    return np.asarray(before & after)
