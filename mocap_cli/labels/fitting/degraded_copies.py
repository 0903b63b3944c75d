"""Copies: labelled clips seen once more, spoilt, with the poses of the sharp pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.io.video_cache import cached, source_hash
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.detection import Detection, crop_around, detect
from mocap_cli.keypoints.fusion import fuse_detections
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.person_tracker import LOST_SCORE
from mocap_cli.keypoints.pose_networks import PoseNetworks, network_hashes
from mocap_cli.labels.fitting.degrade import VideoDegrader
from mocap_cli.labels.fitting.frozen_encoder import EncodedVideo, FrozenEncoder, encode_video
from mocap_cli.tracking.estimate import Estimate, estimate_from_keypoints
from mocap_cli.types import Bool, Int64
from mocap_cli.video.reader import open_video
from mocap_cli.weights import Device

_BODY = slice(0, 17)  # keypoints without the feet
_NEAR = 0.5  # seconds around labels within which frames are looked at: the lifter's surroundings
_OFF, _LARGER, _TURNED = 0.06, 0.1, 0.2  # of the side; logarithm; radians: as a follower errs


@dataclass(frozen=True, slots=True, eq=False)
class DegradedCopy:
    """A spoilt copy of a clip as the tracker and the eye see it."""

    estimate: Estimate
    codes: EncodedVideo  # zeros in frames that nobody asked for
    spoilt: Bool  # (T,) frames that are worse than they were


def degrade_clip(
    video: Path,
    estimate: Estimate,
    labelled: Int64,
    eye: FrozenEncoder,
    seed: int,
    cache: Path | None,
    device: Device,
    on_frame: Callable[[int], None] = lambda done: None,
) -> DegradedCopy:
    """The frames around labels of a clip, spoilt and seen again where the person is known to be."""
    spoiler = _degrader_for(estimate, labelled, seed)

    def look() -> Keypoints:
        return _detect_degraded(video, estimate, spoiler, device, on_frame)

    seen = cached(
        Keypoints, video, cache, [spoiler.told(), network_hashes(), source_hash("keypoints")], look
    )
    focal, size = estimate.camera.focal * spoiler.scale, spoiler.shrunk(estimate.size)
    camera = Pinhole(focal, (size[0] / 2, size[1] / 2))
    codes = encode_video(
        video, eye, cache, estimate.bounding_squares() * spoiler.scale, spoiler=spoiler
    )
    spoilt = spoiler.wanted & spoiler.spoils(estimate.times)
    return DegradedCopy(
        estimate_from_keypoints(seen, camera, size, estimate.zoom),
        _spread_over_clip(codes, spoiler.wanted, estimate),
        spoilt,
    )


def _degrader_for(estimate: Estimate, labelled: Int64, seed: int) -> VideoDegrader:
    """What spoils the frames around labels."""
    near = np.abs(np.subtract.outer(estimate.times, estimate.times[labelled])) <= _NEAR
    sides = estimate.bounding_squares()[:, 2]
    size = float(np.nanmedian(sides)) if np.isfinite(sides).any() else max(estimate.size) / 2.0
    return VideoDegrader(seed, round(size, 1), np.asarray(near.any(axis=1)))


def _spread_over_clip(codes: EncodedVideo, wanted: Bool, estimate: Estimate) -> EncodedVideo:
    """Codes of some frames among those of all."""

    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = np.zeros((len(wanted), values.shape[1]), np.float32)
        whole[wanted] = values
        return whole

    return EncodedVideo(
        estimate.times, spread(codes.tv), spread(codes.mirrored), spread(codes.boxes)
    )


def _detect_degraded(
    video: Path,
    estimate: Estimate,
    spoiler: VideoDegrader,
    device: Device,
    on_frame: Callable[[int], None],
) -> Keypoints:
    """What the 2D networks see of spoilt frames, shown where the person is."""
    found: list[Detection | None] = [None] * len(estimate.times)
    networks, rng = PoseNetworks(device), np.random.default_rng(spoiler.seed)
    with open_video(video) as reader:
        for frame in spoiler.frames(reader):
            if estimate.keypoints.detected[frame.index]:
                around = _jittered_crop(estimate.keypoints, frame.index, spoiler.scale, rng)
                sighting = detect(networks, frame.image, around)
                found[frame.index] = sighting if sighting.confidence > LOST_SCORE else None
            on_frame(frame.index + 1)
    times, cut = estimate.times.tolist(), estimate.keypoints.cut.tolist()
    return fuse_detections(times, found, cut, spoiler.shrunk(estimate.size))


def _jittered_crop(seen: Keypoints, frame: int, scale: float, rng: np.random.Generator) -> Crop:
    """About where somebody who follows the person would look."""
    crop = crop_around(seen.xy[frame, _BODY].astype(np.float64), seen.score[frame, _BODY])
    x, y, larger, turned = rng.normal(0, (_OFF, _OFF, _LARGER, _TURNED))
    return Crop(
        scale * (crop.x + x * crop.side),
        scale * (crop.y + y * crop.side),
        scale * crop.side * float(np.exp(larger)),
        crop.angle + turned,
    )
