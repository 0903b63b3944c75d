"""Ensemble: several fitted heads as one, with calibrated errors, and the fusion of poses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mocap_cli.labels.fitting.error_calibration import ErrorCalibration, Novelty
from mocap_cli.labels.fitting.examples import mirror_pose
from mocap_cli.labels.fitting.regression_head import RegressionHead
from mocap_cli.types import Float32, Float64


@dataclass(frozen=True, slots=True, eq=False)
class HeadEnsemble:
    """Heads fitted to different parts of the labels, and the errors that they make."""

    basis: Float32  # (F, R) onto which image features are projected; other inputs follow them
    heads: tuple[RegressionHead, ...]
    novelty: Novelty
    calibration: ErrorCalibration

    @torch.inference_mode()
    def predict(
        self, inputs: Float32, flipped: Float32, uncertainty: Float32 | None = None
    ) -> tuple[Float64, Float64]:
        """Inputs (T, D) of frames and of their mirror images to joints and sigma.

        Joints are (T, 19, 3) about the pelvis, sigma is (T, 19), both in metres; `uncertainty`
        (T, 2) is the tracker's.
        """
        plain, mirrored = (self.project(x, self.basis) for x in (inputs, flipped))
        joints = self.mean_prediction(self.heads, plain, mirrored).astype(np.float64)
        factor = self.calibration.factor(self.novelty(plain), uncertainty)
        sigma = np.outer(factor, self.calibration.joints)
        return joints - joints[:, :1], np.maximum(sigma, ErrorCalibration.MIN_SIGMA)

    @staticmethod
    @torch.inference_mode()
    def mean_prediction(
        heads: Sequence[RegressionHead], plain: Float32, mirrored: Float32
    ) -> Float32:
        """(N, 19, 3) mean over heads, of frames and of their mirror images."""
        a, b = torch.from_numpy(plain), torch.from_numpy(mirrored)
        joints = [head(a).numpy() for head in heads]
        joints += [mirror_pose(head(b).numpy()) for head in heads]
        return np.asarray(np.mean(joints, axis=0), np.float32)

    @staticmethod
    def project(inputs: Float32, basis: Float32) -> Float32:
        """(N, D) inputs, the image features at their beginning projected onto the basis (F, R)."""
        features, rest = np.split(inputs, [len(basis)], axis=1)
        return np.concatenate((features @ basis, rest), axis=1)


def fuse_poses(parts: Sequence[tuple[Float64, Float64]]) -> tuple[Float64, Float64]:
    """Joints (T, 19, 3) with sigma (T, 19) from several estimates of the same person.

    They come from the same images and err alike: so each is weighted by the inverse fourth power
    of its sigma, not the second, and the fused sigma is their mean. NaN does not count. Poses that
    face different ways may still agree on the body: they are rotated onto each other before they
    are averaged.
    """
    weights, errors = [], np.zeros(parts[0][1].shape)
    for joints, sigma in parts:
        known = np.isfinite(joints).all(axis=-1) & np.isfinite(sigma)
        bounded = np.maximum(np.where(known, sigma, 1.0), ErrorCalibration.MIN_SIGMA)
        weights.append(np.where(known, bounded**-4, 0.0))
        errors += weights[-1] * bounded
    total = np.sum(weights, axis=0)
    poses = [np.nan_to_num(joints) for joints, _ in parts]
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = _weighted_sum(poses, weights) / total[..., None]
        rotated = [
            _rotate_onto(pose, middle, weight > 0)
            for pose, weight in zip(poses, weights, strict=True)
        ]
        return _weighted_sum(rotated, weights) / total[..., None], errors / total


def _weighted_sum(poses: Sequence[Float64], weights: Sequence[Float64]) -> Float64:
    pairs = zip(poses, weights, strict=True)
    return np.asarray(np.sum([weight[..., None] * pose for pose, weight in pairs], axis=0))


def _rotate_onto(pose: Float64, wanted: Float64, known: NDArray[np.bool_]) -> Float64:
    """(T, J, 3) poses rotated about the pelvis onto others, by their known joints."""
    both = np.where(known[..., None], np.nan_to_num(wanted), 0.0)
    u, _, vh = np.linalg.svd(pose.transpose(0, 2, 1) @ both)
    u[..., -1] *= np.sign(np.linalg.det(u @ vh))[:, None]  # a rotation, not a reflection
    return np.asarray(pose @ (u @ vh))
