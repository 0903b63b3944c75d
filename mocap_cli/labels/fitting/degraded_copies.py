"""Degraded copies of labelled clips, tracked and encoded again."""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.io.video_cache import cached, source_hash
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection, detect
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.person_tracker import LOST_SCORE
from mocap_cli.keypoints.pose_networks import PoseNetworks, network_hashes
from mocap_cli.labels.fitting.degrade import VideoDegrader
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder
from mocap_cli.progress import Count, no_progress
from mocap_cli.tracking.estimate import Estimate, estimate_from_keypoints
from mocap_cli.types import Bool, Float32, Int64
from mocap_cli.video.reader import open_video
from mocap_cli.weights import Device

_BODY = slice(0, 17)  # keypoints without the feet
_NEAR = 0.5  # seconds around labels within which frames are used: the window of the lifter
# Standard deviations of the crop, as a tracker errs: share of the side, logarithm, radians.
_SHIFT, _LOG_SCALE, _ANGLE = 0.06, 0.1, 0.2


@dataclass(frozen=True, slots=True, eq=False)
class _DegradedCopy:
    """A degraded copy of a clip, tracked and encoded."""

    estimate: Estimate
    encoded: EncodedVideo  # zeros in frames that are far from all labels
    degraded: Bool  # (T,) frames that differ from the sharp ones in more than size


def degrade_clip(
    video: Path,
    sharp: Estimate,
    labelled: Int64,
    encoder: FrozenEncoder,
    seed: int,
    *,
    cache: Path | None,
    device: Device,
    on_frame: Count = no_progress,
) -> _DegradedCopy:
    """Degrade the frames around labels and detect the person again near where it is known to be."""
    degrader = _degrader_for(sharp, labelled, seed)
    key = [degrader.cache_key(), network_hashes(), source_hash("keypoints")]
    where = sharp.keypoints.xy.tobytes(), sharp.keypoints.detected.tobytes()
    keypoints = cached(
        Keypoints, video, cache, [*key, sha256(b"".join(where)).hexdigest()],
        lambda: _detect(video, sharp, degrader, device, on_frame),
    )  # fmt: skip
    size = degrader.output_size(sharp.size)
    camera = Pinhole(sharp.camera.focal * degrader.scale, (size[0] / 2, size[1] / 2))
    encoded = encoder.encode(
        video, sharp.bounding_squares() * degrader.scale, cache=cache, degrader=degrader
    )
    return _DegradedCopy(
        estimate_from_keypoints(keypoints, camera, size, sharp.zoom),
        _among_all_frames(encoded, degrader.wanted, sharp),
        degrader.wanted & degrader.degrades(sharp.times),
    )


def _degrader_for(sharp: Estimate, labelled: Int64, seed: int) -> VideoDegrader:
    near = np.abs(np.subtract.outer(sharp.times, sharp.times[labelled])) <= _NEAR
    sides = sharp.bounding_squares()[:, 2]
    height = float(np.nanmedian(sides)) if np.isfinite(sides).any() else max(sharp.size) / 2.0
    return VideoDegrader(seed, round(height, 1), np.asarray(near.any(axis=1)))


def _among_all_frames(encoded: EncodedVideo, wanted: Bool, sharp: Estimate) -> EncodedVideo:
    """Features of some frames in their places among all frames."""

    def spread(values: NDArray[np.float32]) -> Float32:
        whole = np.zeros((len(wanted), values.shape[1]), np.float32)
        whole[wanted] = values
        return whole

    return replace(
        encoded,
        times=sharp.times,
        time_variant=spread(encoded.time_variant),
        time_variant_mirrored=spread(encoded.time_variant_mirrored),
        boxes=spread(encoded.boxes),
    )


def _detect(
    video: Path,
    sharp: Estimate,
    degrader: VideoDegrader,
    device: Device,
    on_frame: Count,
) -> Keypoints:
    """Keypoints of the degraded frames, from crops around the known person."""
    known = sharp.keypoints
    found: dict[int, Detection] = {}
    networks, rng = PoseNetworks(device), np.random.default_rng(degrader.seed)
    with open_video(video) as reader:
        for frame in degrader.frames(reader):
            if known.detected[frame.index]:
                crop = _jittered_crop(known, frame.index, degrader.scale, rng)
                detection = detect(networks, frame.image, crop)
                if detection.confidence > LOST_SCORE:
                    found[frame.index] = detection
            on_frame(frame.index + 1)
    size = degrader.output_size(sharp.size)
    return fuse_detections(known.times.tolist(), found, known.cut.tolist(), size)


def _jittered_crop(known: Keypoints, frame: int, scale: float, rng: np.random.Generator) -> Crop:
    """The crop that a tracker would use, displaced at random."""
    crop = Crop.around_body(known.xy[frame, _BODY].astype(np.float64), known.score[frame, _BODY])
    x, y, log_scale, angle = rng.normal(0, (_SHIFT, _SHIFT, _LOG_SCALE, _ANGLE))
    return Crop(
        scale * (crop.x + x * crop.side),
        scale * (crop.y + y * crop.side),
        scale * crop.side * float(np.exp(log_scale)),
        crop.angle + angle,
    )
