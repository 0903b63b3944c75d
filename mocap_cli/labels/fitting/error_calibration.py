"""Error calibration: the errors to expect of fitted heads, from frames that were held out."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from mocap_cli.body.skeleton import BODY
from mocap_cli.labels.fitting.examples import Examples
from mocap_cli.types import Float32, Float64

_COVERED_SHARE = 0.7  # of errors that lie within the expected one, as the lifter's do
_PRIOR_FRAMES = 20  # labelled frames after which a joint's own errors count as much as all joints'
_IDENTICAL = 1e-4  # metres: the label is the lifter's pose
_NOVELTY_FRAMES = 500  # labelled frames that new ones are compared with
_MIN_FRAMES = 12  # held-out frames, below which errors are taken to be alike everywhere
_RIDGE = 0.02  # of the frames: shrinks slopes that few frames support
_MAX_SLOPE = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """Novelty: distance of a frame from the labelled frames, relative to the usual one."""

    known: Float32  # (M, R) inputs of labelled frames, each number of unit variance
    mean: Float32  # (R,)
    spread: Float32  # (R,)
    usual: float  # typical distance of a labelled frame to the nearest one at another time

    @staticmethod
    def fit(inputs: Float32) -> "Novelty":
        """From the inputs of labelled frames (N, R), thinned to some hundreds."""
        count = min(len(inputs), _NOVELTY_FRAMES)
        at = np.unique(np.linspace(0, len(inputs) - 1, count).round().astype(int))
        mean = inputs.mean(0)
        spread = np.maximum(inputs.std(0), 1e-3 * inputs.std() + 1e-9)
        known = ((inputs[at] - mean) / spread).astype(np.float32)
        square = np.square(known).sum(1)
        distance = np.sqrt(np.maximum(square[:, None] + square - 2 * known @ known.T, 0))
        near = np.abs(np.subtract.outer(np.arange(len(at)), np.arange(len(at)))) <= len(at) // 10
        distance[near] = np.inf
        nearest = distance.min(axis=1)
        finite = nearest[np.isfinite(nearest)]
        usual = float(np.median(finite)) if len(finite) else 1.0
        return Novelty(known, mean, np.asarray(spread, np.float32), max(usual, 1e-6))

    def __call__(self, inputs: Float32) -> Float64:
        """(N, R) to (N,)."""
        scaled = (inputs - self.mean) / self.spread
        square = np.square(scaled).sum(1)[:, None] + np.square(self.known).sum(1)
        nearest = np.sqrt(np.maximum(square - 2 * scaled @ self.known.T, 0)).min(axis=1)
        return np.clip(nearest / self.usual, 0.3, 10.0).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorScaling:
    """Errors as a monotonic function of predictors, constant outside the observed range."""

    usual: Float64  # (S,) predictors of a usual frame
    slopes: Float64  # (S,) of the logarithm of the error
    least: Float64  # (S,) range of the predictors
    most: Float64  # (S,)

    @staticmethod
    def fit(errors: Float64, predictors: NDArray[np.floating]) -> "ErrorScaling":
        """From errors (N, J) of frames, NaN where unknown, and their predictors (N, S)."""
        known = np.isfinite(errors)
        usual = np.array(
            [np.median(c[k]) if k.any() else 1.0 for c, k in zip(errors.T, known.T, strict=True)]
        )
        logs = np.where(known, np.log(errors / np.maximum(usual, 1e-6) + 1e-3), 0.0)
        good = np.asarray(known.any(axis=1))
        x = predictors[good].astype(np.float64)
        if len(x) < _MIN_FRAMES:
            middle = predictors.mean(axis=0).astype(np.float64)
            return ErrorScaling(middle, np.zeros_like(middle), middle.copy(), middle.copy())
        y = (logs.sum(axis=1) / np.maximum(known.sum(axis=1), 1))[good]
        middle, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        shrink = np.sqrt(_RIDGE * len(x)) * np.eye(x.shape[1])
        wanted = np.concatenate((y - y.mean(), np.zeros(x.shape[1])))
        slopes, _ = nnls(np.concatenate(((x - middle) / spread, shrink)), wanted)
        steep = np.minimum(slopes / spread, _MAX_SLOPE)
        return ErrorScaling(middle, steep, x.min(axis=0), x.max(axis=0))

    def __call__(self, predictors: NDArray[np.floating]) -> Float64:
        """(N, S) to (N,) factors: 1 in a usual frame."""
        known = np.clip(predictors, self.least, self.most)
        return np.asarray(np.exp((known - self.usual) @ self.slopes), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCalibration:
    """The errors to expect, from frames that were held out."""

    MIN_SIGMA: ClassVar[float] = 0.01  # metres: no pose is more certain

    joints: Float64  # (19,) metres in a usual frame
    scaling: ErrorScaling  # with the logarithm of the novelty and the tracker's uncertainty
    lifter: Float64  # (19,) factors for the lifter's own sigma
    lifter_ratio: float  # mean error by that of the lifter
    held_out: float  # metres: mean error on held-out frames
    counted: int  # held-out frames

    @staticmethod
    def fit(predicted: Float32, novelty: Float64, examples: Examples) -> "ErrorCalibration":
        """From predictions (N, 19, 3) by heads that were not fitted to those frames.

        The uncertainty of the labels themselves is added. Where the label is the lifter's pose,
        the frame says nothing about the lifter.
        """
        own, theirs = _label_errors(predicted, examples), _label_errors(examples.lifted, examples)
        distance = np.abs(examples.lifted - examples.joints).max(axis=-1)
        theirs[np.all(np.isnan(distance) | (distance < _IDENTICAL), axis=1)] = np.nan
        predictors = _error_predictors(novelty, examples.uncertainty)
        scaling = ErrorScaling.fit(own, predictors)
        scaling.most[0] = np.inf  # frames may be newer than all that were held out
        joints = _joint_quantiles(own / scaling(predictors)[:, None])
        lifter = _joint_quantiles(theirs / examples.lifted_sigma, prior=1.0)
        _, first = np.unique((examples.clips, examples.frames), axis=1, return_index=True)
        mean = float(np.nanmean(own[first]))  # of frames as they are, not of degraded copies
        both = np.isfinite(own + theirs)
        ratio = (
            float(own[both].mean()) / max(float(theirs[both].mean()), ErrorCalibration.MIN_SIGMA)
            if both.any()
            else 1
        )
        return ErrorCalibration(joints, scaling, lifter, ratio, mean, len(first))

    def factor(self, novelty: Float64, uncertainty: Float32 | None) -> Float64:
        """(N,) errors by those of a usual frame; uncertainty None is that of a usual frame."""
        given = self.scaling.usual[1:] if uncertainty is None else uncertainty
        return self.scaling(_error_predictors(novelty, given))


def _error_predictors(novelty: Float64, uncertainty: NDArray[np.floating]) -> Float64:
    """(N, 3) what errors grow with: (N,) novelty and (N, 2) the tracker's uncertainty."""
    uncertainty = np.broadcast_to(uncertainty, (len(novelty), 2))
    return np.column_stack((np.log(novelty), uncertainty)).astype(np.float64)


def _label_errors(joints: Float32, examples: Examples) -> Float64:
    """(N, 19) metres between joints and labels, with the uncertainty of the labels."""
    distance = np.linalg.norm(joints - examples.joints, axis=-1)
    errors = np.hypot(distance, examples.sigma).astype(np.float64)
    errors[:, 0] = np.nan
    return errors


def _joint_quantiles(values: Float64, prior: float | None = None) -> Float64:
    """(19,) the quantile of a joint's values, drawn towards that of all joints if they are few."""
    everything = values[np.isfinite(values)]
    if not len(everything):
        return np.ones(len(BODY)) * (1.0 if prior is None else prior)
    whole = float(np.quantile(everything, _COVERED_SHARE))
    if prior is not None:
        share = len(values) / (len(values) + _PRIOR_FRAMES)
        whole = float(np.exp(share * np.log(max(whole, 1e-6)) + (1 - share) * np.log(prior)))
    own = np.full(len(BODY), whole)
    for joint, column in enumerate(values.T):
        known = column[np.isfinite(column)]
        if len(known):
            share = len(known) / (len(known) + _PRIOR_FRAMES)
            value = max(float(np.quantile(known, _COVERED_SHARE)), 1e-6)
            own[joint] = np.exp(share * np.log(value) + (1 - share) * np.log(whole))
    return own
