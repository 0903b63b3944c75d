"""Growth: how much larger errors are in some frames than in others, by signs that frames give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from mocap_cli.types import Float64

_FEWEST = 12  # frames, below which nothing is told apart
_RIDGE = 0.02  # of the frames: holds slopes to zero where few frames speak for them
_STEEPEST = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class ErrorScaling:
    """Errors grow with signs, never shrink with them, and not beyond what was seen."""

    usual: Float64  # (S,) signs of a usual frame
    slopes: Float64  # (S,) of the errors' logarithm
    least: Float64  # (S,) signs that frames had
    most: Float64  # (S,)

    def __call__(self, signs: NDArray[np.floating]) -> Float64:
        """(N, S) to (N,): 1 in a usual frame."""
        known = np.clip(signs, self.least, self.most)
        return np.asarray(np.exp((known - self.usual) @ self.slopes), np.float64)


def fit_error_scaling(off: Float64, signs: NDArray[np.floating]) -> ErrorScaling:
    """From errors (N, J) of frames, NaN where unknown, and their signs (N, S)."""
    known = np.isfinite(off)
    usual = np.array(
        [np.median(c[k]) if k.any() else 1.0 for c, k in zip(off.T, known.T, strict=True)]
    )
    size = np.where(known, np.log(off / np.maximum(usual, 1e-6) + 1e-3), 0.0)
    good = np.asarray(known.any(axis=1))
    x = signs[good].astype(np.float64)
    if len(x) < _FEWEST:
        middle = signs.mean(axis=0).astype(np.float64)
        return ErrorScaling(middle, np.zeros_like(middle), middle.copy(), middle.copy())
    y = (size.sum(axis=1) / np.maximum(known.sum(axis=1), 1))[good]
    middle, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
    hold = np.sqrt(_RIDGE * len(x)) * np.eye(x.shape[1])
    wanted = np.concatenate((y - y.mean(), np.zeros(x.shape[1])))
    slopes, _ = nnls(np.concatenate(((x - middle) / spread, hold)), wanted)
    steep = np.minimum(slopes / spread, _STEEPEST)
    return ErrorScaling(middle, steep, x.min(axis=0), x.max(axis=0))
