"""Witness: what the default tracker sees in a video, which labels are compared and joined with."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mocap_cli.camera.pinhole import Pinhole
from mocap_cli.keypoints.follow import follow
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.keypoints.pose_networks import code_version, network_hashes
from mocap_cli.labels.fitting.cache import cached
from mocap_cli.lifting.lift import LIFTER_FILE, LiftedPose, lift, load_lifter
from mocap_cli.types import Float64
from mocap_cli.video.probe import probe
from mocap_cli.video.reader import Frame, VideoReader, open_video
from mocap_cli.weights import Device, weight_path

_SURE = 0.3  # mean score of a frame's keypoints from which the witness can be believed
_CERTAIN = 0.13  # metres of expected error, the mean of the joints; tumbling divers have more
_AROUND = 1.25  # the person's square is that much larger than what holds its keypoints


@dataclass(frozen=True, slots=True, eq=False)
class Witness:
    """Keypoints and the lifter's pose for every frame of a video."""

    size: tuple[int, int]  # displayed pixels
    camera: Pinhole
    seen: Keypoints
    pose: LiftedPose  # about the pelvis, in camera axes

    @property
    def times(self) -> Float64:
        """(T,) seconds."""
        return self.seen.times

    @property
    def sure(self) -> NDArray[np.bool_]:
        """(T,) frames in which the networks were sure of what they saw."""
        return np.asarray(self.seen.tracked & (self.seen.score.mean(axis=1) > _SURE))

    @property
    def certain(self) -> NDArray[np.bool_]:
        """(T,) frames whose pose is nearly always about right: labels are judged by them."""
        off = np.nan_to_num(self.pose.sigma.mean(axis=1), nan=np.inf)
        return np.asarray(self.sure & (off < _CERTAIN))

    def squares(self) -> Float64:
        """(T, 3) middle and side of the square that holds the person; NaN where there is none."""
        xy = self.seen.xy.astype(np.float64)
        low, high = xy.min(axis=1), xy.max(axis=1)
        side = _AROUND * (high - low).max(axis=1, keepdims=True)
        return np.concatenate(((low + high) / 2, side), axis=1)


def watch(
    video: Path,
    cache: Path | None,
    *,
    focal: float | None = None,
    device: Device = "auto",
    span: tuple[float | None, float | None] = (None, None),
    on_frame: Callable[[int], None] = lambda done: None,
) -> Witness:
    """Follow and lift the person of a video; from the cache where that is kept there."""
    info = probe(video)
    camera = Pinhole.guess(info.width, info.height)
    if known := focal or info.focal_pixels:
        camera = Pinhole(known, camera.centre)

    def look() -> Keypoints:
        with open_video(video, *span) as reader:
            return follow(_counted(reader, on_frame), "auto", device)

    seen = cached(Keypoints, video, cache, [span, network_hashes(), code_version()], look)
    return testify(seen, camera, (info.width, info.height))


def testify(seen: Keypoints, camera: Pinhole, size: tuple[int, int]) -> Witness:
    """A witness from keypoints that are known already."""
    return Witness(size, camera, seen, lift(seen, camera, load_lifter(weight_path(LIFTER_FILE))))


def _counted(reader: VideoReader, on_frame: Callable[[int], None]) -> Iterator[Frame]:
    for done, frame in enumerate(reader, start=1):
        yield frame
        on_frame(done)
