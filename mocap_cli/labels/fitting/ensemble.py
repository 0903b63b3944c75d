"""Expert: fitted heads that know how far off they may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mocap_cli.body.skeleton import BODY
from mocap_cli.labels.fitting.examples import Examples, mirror_pose
from mocap_cli.labels.fitting.regression_head import RegressionHead
from mocap_cli.labels.growth import ErrorScaling, fit_error_scaling
from mocap_cli.types import Float32, Float64

_COVERED_SHARE = 0.7  # of errors that lie within the expected one, as the lifter's do
_PRIOR_FRAMES = 20  # labelled frames after which a joint's own errors count as much as all joints'
_IDENTICAL = 1e-4  # metres: the label is the lifter's pose
_MIN_SIGMA = 0.01  # metres: nothing is surer


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """How unlike everything that was labelled a frame is: 1 is usual."""

    known: Float32  # (M, R) inputs of labelled frames, each number of unit spread
    mean: Float32  # (R,)
    spread: Float32  # (R,)
    usual: float  # distance to the nearest that labelled frames have from those of other times

    def __call__(self, inputs: Float32) -> Float64:
        """(N, R) to (N,)."""
        scaled = (inputs - self.mean) / self.spread
        square = np.square(scaled).sum(1)[:, None] + np.square(self.known).sum(1)
        apart = np.sqrt(np.maximum(square - 2 * scaled @ self.known.T, 0)).min(axis=1)
        return np.clip(apart / self.usual, 0.3, 10.0).astype(np.float64)


def fit_novelty(inputs: Float32, most: int) -> Novelty:
    """From what is known of labelled frames (N, R), thinned to at most so many."""
    at = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), most)).round().astype(int))
    mean = inputs.mean(0)
    spread = np.maximum(inputs.std(0), 1e-3 * inputs.std() + 1e-9)
    known = ((inputs[at] - mean) / spread).astype(np.float32)
    square = np.square(known).sum(1)
    apart = np.sqrt(np.maximum(square[:, None] + square - 2 * known @ known.T, 0))
    near = np.abs(np.subtract.outer(np.arange(len(at)), np.arange(len(at)))) <= len(at) // 10
    apart[near] = np.inf
    nearest = apart.min(axis=1)
    usual = float(np.median(nearest[np.isfinite(nearest)])) if np.isfinite(nearest).any() else 1.0
    return Novelty(known, mean, np.asarray(spread, np.float32), max(usual, 1e-6))


@dataclass(frozen=True, slots=True, eq=False)
class ErrorCalibration:
    """What errors to expect, from frames that were held out."""

    joints: Float64  # (19,) metres of a usual frame
    growth: ErrorScaling  # with the logarithm of the novelty, and with the tracker's doubt
    lifter: Float64  # (19,) times the lifter's own expected error
    beside: float  # how large errors are beside the lifter's
    held_out: float  # metres: the mean error on held-out frames
    counted: int  # held-out frames


@dataclass(frozen=True, slots=True, eq=False)
class HeadEnsemble:
    """Heads, and what errors they make."""

    basis: Float32  # (F, R) onto which codes are projected; what else is known follows them
    heads: tuple[RegressionHead, ...]
    novelty: Novelty
    calibration: ErrorCalibration

    @torch.inference_mode()
    def ask(
        self, inputs: Float32, flipped: Float32, doubt: Float32 | None = None
    ) -> tuple[Float64, Float64]:
        """(T, D) what is known of frames and of their mirror images to joints (T, 19, 3) about the
        pelvis and expected errors (T, 19), both in metres; `doubt` (T, 2) is the tracker's."""
        a, b = project_inputs(inputs, self.basis), project_inputs(flipped, self.basis)
        said = [head(torch.from_numpy(a)).numpy() for head in self.heads]
        said += [mirror_pose(head(torch.from_numpy(b)).numpy()) for head in self.heads]
        joints = np.asarray(np.stack(said).mean(axis=0), np.float64)
        growth = self.calibration.growth
        worse = growth(
            _error_predictors(self.novelty(a), growth.usual[1:] if doubt is None else doubt)
        )
        sigma = np.outer(worse, self.calibration.joints)
        return joints - joints[:, :1], np.maximum(sigma, _MIN_SIGMA)


def project_inputs(inputs: Float32, basis: Float32) -> Float32:
    """(N, D) inputs, the codes at their beginning seen in the directions of the basis (F, R)."""
    codes, rest = np.split(inputs, [len(basis)], axis=1)
    return np.concatenate((codes @ basis, rest), axis=1)


def calibrate_errors(unseen: Float32, news: Float64, examples: Examples) -> ErrorCalibration:
    """From answers (N, 19, 3) about frames that the answering head was not taught.

    Labels may be off themselves, by what they say; that comes on top. Where the lifter's pose is
    the label, it tells nothing about the lifter.
    """
    off, theirs = _label_errors(unseen, examples), _label_errors(examples.lifted, examples)
    apart = np.abs(examples.lifted - examples.joints).max(axis=-1)
    theirs[np.all(np.isnan(apart) | (apart < _IDENTICAL), axis=1)] = np.nan
    growth = fit_error_scaling(off, _error_predictors(news, examples.doubt))
    growth.most[0] = np.inf  # frames may be newer than all that were held out
    joints = _quantile(off / growth(_error_predictors(news, examples.doubt))[:, None])
    lifter = _quantile(theirs / examples.lifted_sigma, usual=1.0)
    _, first = np.unique((examples.clips, examples.frames), axis=1, return_index=True)
    mean = float(np.nanmean(off[first]))  # of frames as they are, not of their copies
    both = np.isfinite(off + theirs)
    beside = (
        float(off[both].mean()) / max(float(theirs[both].mean()), _MIN_SIGMA) if both.any() else 1
    )
    return ErrorCalibration(joints, growth, lifter, beside, mean, len(first))


def _error_predictors(news: Float64, doubt: NDArray[np.floating]) -> Float64:
    """(N, 3) what errors grow with: (N,) novelty and (N, 2) the tracker's doubt."""
    doubt = np.broadcast_to(doubt, (len(news), 2))
    return np.column_stack((np.log(news), doubt)).astype(np.float64)


def _label_errors(joints: Float32, examples: Examples) -> Float64:
    """(N, 19) metres between joints and the truth, as far as labels know it."""
    apart = np.linalg.norm(joints - examples.joints, axis=-1)
    off = np.hypot(apart, examples.sigma).astype(np.float64)
    off[:, 0] = np.nan
    return off


def _quantile(off: Float64, usual: float | None = None) -> Float64:
    """(19,) what SHARE of a joint's values lie within; with few of them, of all joints'."""
    everything = off[np.isfinite(off)]
    if not len(everything):
        return np.ones(len(BODY)) * (1.0 if usual is None else usual)
    whole = float(np.quantile(everything, _COVERED_SHARE))
    if usual is not None:
        way = len(off) / (len(off) + _PRIOR_FRAMES)
        whole = float(np.exp(way * np.log(max(whole, 1e-6)) + (1 - way) * np.log(usual)))
    own = np.full(len(BODY), whole)
    for joint, column in enumerate(off.T):
        known = column[np.isfinite(column)]
        if len(known):
            way = len(known) / (len(known) + _PRIOR_FRAMES)
            value = max(float(np.quantile(known, _COVERED_SHARE)), 1e-6)
            own[joint] = np.exp(way * np.log(value) + (1 - way) * np.log(whole))
    return own


def fuse_poses(parts: Sequence[tuple[Float64, Float64]]) -> tuple[Float64, Float64]:
    """Joints (T, 19, 3) with expected errors (T, 19) from several that know the same person.

    All look at the same pictures and err alike: so each counts by the inverse fourth power of its
    error, not the second, and together they are as unsure as they are on average. NaN does not
    count. Who takes the body to face another way than the others may still know how it is bent:
    poses are turned to face alike before they are mixed.
    """
    shares, errors = [], np.zeros(parts[0][1].shape)
    for joints, sigma in parts:
        known = np.isfinite(joints).all(axis=-1) & np.isfinite(sigma)
        off = np.maximum(np.where(known, sigma, 1.0), _MIN_SIGMA)
        shares.append(np.where(known, off**-4, 0.0))
        errors += shares[-1] * off
    weight = np.sum(shares, axis=0)
    poses = [np.nan_to_num(joints) for joints, _ in parts]
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = _weighted_sum(poses, shares) / weight[..., None]
        alike = [
            _rotate_onto(pose, middle, share > 0) for pose, share in zip(poses, shares, strict=True)
        ]
        return _weighted_sum(alike, shares) / weight[..., None], errors / weight


def _weighted_sum(poses: Sequence[Float64], shares: Sequence[Float64]) -> Float64:
    pairs = zip(poses, shares, strict=True)
    return np.asarray(np.sum([share[..., None] * pose for pose, share in pairs], axis=0))


def _rotate_onto(pose: Float64, wanted: Float64, known: NDArray[np.bool_]) -> Float64:
    """(T, J, 3) poses turned about the pelvis to lie on others as their known joints do best."""
    both = np.where(known[..., None], np.nan_to_num(wanted), 0.0)
    u, _, vh = np.linalg.svd(pose.transpose(0, 2, 1) @ both)
    u[..., -1] *= np.sign(np.linalg.det(u @ vh))[:, None]  # a turn, not a mirror
    return np.asarray(pose @ (u @ vh))
