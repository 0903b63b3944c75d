"""Keypoints: the 2D keypoints of one person in every frame of a video."""

from dataclasses import dataclass

import numpy as np

from mocap_cli.body.skeleton import KEYPOINTS
from mocap_cli.types import Bool, Float32, Float64

_CONFIDENT_SCORE = 0.3  # mean score of a frame's keypoints from which they are trusted
_TRUSTED_SCORE = 0.5  # score of a keypoint that is nearly always right
_SQUARE_MARGIN = 1.25  # side of the person's square, in sides of the keypoints' bounding box


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypoints:
    """The 21 keypoints of the followed person over time; K counts as in `KEYPOINTS`.

    Frames without the person hold NaN in `xy` and a score of 0. Short gaps are interpolated:
    `detected` is False, `xy` is finite and the score is low.
    """

    times: Float64  # (T,) seconds, strictly rising
    xy: Float32  # (T, K, 2) displayed pixels, Y down, a pixel's middle at +0.5
    score: Float32  # (T, K) 0..1: 0.2 is a guess, 0.3 right two times in three, 0.5 nearly always
    detected: Bool  # (T,) the networks detected the person in this frame
    cut: Bool  # (T,) the frame begins a shot: nothing is interpolated across
    switches: tuple[float, ...] = ()  # seconds: from then on it may be another person
    other: tuple[float, ...] = ()  # x, y and seconds of somebody who may be meant instead

    def __post_init__(self) -> None:
        T, K = len(self.times), len(KEYPOINTS)
        wanted = {"xy": (T, K, 2), "score": (T, K), "detected": (T,), "cut": (T,)}
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} is {getattr(self, name).shape}, wanted {shape}")
        if not (np.diff(self.times) > 0).all():
            raise ValueError("times must rise strictly")

    def __len__(self) -> int:
        return len(self.times)

    @property
    def tracked(self) -> Bool:
        """(T,) frames that have keypoints, detected or interpolated."""
        return np.asarray(np.isfinite(self.xy).all(axis=(1, 2)))

    @property
    def confident(self) -> Bool:
        """(T,) frames whose keypoints can be trusted."""
        return np.asarray(self.tracked & (self.score.mean(axis=1) > _CONFIDENT_SCORE))

    @property
    def trusted_score(self) -> Float64:
        """(T, K) the score of keypoints that are nearly always right; 0 of the others."""
        return np.where(self.score >= _TRUSTED_SCORE, self.score, 0).astype(np.float64)

    def bounding_squares(self) -> Float64:
        """(T, 3) middle and side of a square around the person, in pixels; NaN without one."""
        xy = self.xy.astype(np.float64)
        low, high = xy.min(axis=1), xy.max(axis=1)
        side = _SQUARE_MARGIN * (high - low).max(axis=1, keepdims=True)
        return np.concatenate(((low + high) / 2, side), axis=1)
