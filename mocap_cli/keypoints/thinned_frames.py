"""Thinned frames: detect people in some frames of a video, and interpolate in the others."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.fusion import interpolate
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.video.shots import TimedImage

Quality = Literal["fast", "balanced"]
"""How much is computed of a video."""
_INTERVAL = 0.075  # seconds: every third frame at 30 frames/s, every fifth at 60
_ROUNDING = 1e-3  # seconds


class ThinnedFrames:
    """Iterates the frames to detect people in; then `restore` gives keypoints of all frames.

    Frames that begin a shot and the last one are among them.
    """

    def __init__(self, frames: Iterable[tuple[TimedImage, bool]]) -> None:
        self._frames = frames
        self._times: list[float] = []
        self._cut: list[bool] = []
        self._chosen: list[int] = []

    def __iter__(self) -> Iterator[tuple[TimedImage, bool]]:
        due = -np.inf
        skipped: TimedImage | None = None
        for frame, cut in self._frames:
            self._times.append(frame.time)
            self._cut.append(cut)
            skipped = frame
            if cut or frame.time >= due - _ROUNDING:
                due, skipped = frame.time + _INTERVAL, None
                self._chosen.append(len(self._times) - 1)
                yield frame, cut
        if skipped is not None:
            self._chosen.append(len(self._times) - 1)
            yield skipped, False

    def restore(self, keypoints: Keypoints) -> Keypoints:
        """The keypoints of the chosen frames, and interpolated ones between two of them."""
        T, K = len(self._times), len(KEYPOINTS)
        whole = Keypoints(
            times=np.array(self._times, np.float64),
            xy=np.full((T, K, 2), np.nan, np.float32),
            score=np.zeros((T, K), np.float32),
            detected=np.zeros(T, np.bool_),
            cut=np.array(self._cut, np.bool_),
            switches=keypoints.switches,
        )
        for name in ("xy", "score", "detected"):
            getattr(whole, name)[self._chosen] = getattr(keypoints, name)
        known = [t for t in self._chosen if np.isfinite(whole.xy[t]).all()]
        crops = {t: Crop.around_body(whole.xy[t], whole.score[t]) for t in known}
        for before, after in pairwise(self._chosen):
            if before in crops and after in crops and not whole.cut[after]:
                between = slice(before + 1, after)
                found = interpolate(whole, before, crops[before], after, crops[after])
                whole.xy[between] = found
                whole.score[between] = np.minimum(whole.score[before], whole.score[after])
                whole.detected[between] = whole.detected[before] & whole.detected[after]
        return whole
