"""Thinned frames: detect people in some frames of a video, and interpolate in the others.

The faster somebody rotates, the more frames are chosen: a body that turns far between two
detections is lost, or interpolated wrongly.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Literal

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.keypoints.crop import Crop
from mocap_cli.keypoints.fusion import interpolate
from mocap_cli.keypoints.keypoints import Keypoints
from mocap_cli.video.shots import TimedImage

Quality = Literal["fast", "balanced", "best"]
"""How much is computed of a video."""
_INTERVAL = 0.1  # seconds: every third frame at 30 frames/s, every sixth at 60
_TURN = 0.2  # radians from one detection to the next
_ROUNDING = 1e-3  # seconds


class ThinnedFrames:
    """Iterates the frames to detect people in; then `restore` gives keypoints of all frames.

    Frames that begin a shot and the last one are among them. `spin` gives the radians per second by
    which somebody rotates in the latest frame; without it every frame is chosen.
    """

    def __init__(
        self, frames: Iterable[tuple[TimedImage, bool]], spin: Callable[[], float] | None
    ) -> None:
        self._frames = frames
        self._spin = spin
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
                skipped = None
                self._chosen.append(len(self._times) - 1)
                yield frame, cut
                due = frame.time + self._interval()
        if skipped is not None:
            self._chosen.append(len(self._times) - 1)
            yield skipped, False

    def _interval(self) -> float:
        """Seconds to the next frame that is chosen."""
        if self._spin is None:
            return -np.inf
        return min(_INTERVAL, _TURN / max(self._spin(), _ROUNDING))

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
            other=keypoints.other,
        )
        for name in ("xy", "score", "detected"):
            getattr(whole, name)[self._chosen] = getattr(keypoints, name)
        for before, after in pairwise(self._chosen):
            known = np.isfinite(whole.xy[[before, after]]).all()
            if known and before + 1 < after and not whole.cut[after]:
                between = slice(before + 1, after)
                first, last = (
                    Crop.around_body(whole.xy[t], whole.score[t]) for t in (before, after)
                )
                whole.xy[between] = interpolate(whole, before, first, after, last)
                whole.score[between] = np.minimum(whole.score[before], whole.score[after])
                whole.detected[between] = whole.detected[before] & whole.detected[after]
        return whole
