"""Pose errors by the measures of the literature, in the unit of the joints.

Joints are (..., J, 3) with the pelvis first; `known` (..., J) leaves joints out of the fits, and
their errors are NaN.
"""

import torch
from torch import Tensor


def mpjpe(predicted: Tensor, truth: Tensor, known: Tensor | None = None) -> Tensor:
    """(..., J) distance of each joint with both poses about the pelvis."""
    p, t, weight = _prepared(_about_pelvis(predicted), _about_pelvis(truth), known)
    return _distances(p, t, weight)


def n_mpjpe(predicted: Tensor, truth: Tensor, known: Tensor | None = None) -> Tensor:
    """(..., J) the same after the best scale of each pose."""
    p, t, weight = _prepared(_about_pelvis(predicted), _about_pelvis(truth), known)
    scale = (weight * p * t).sum((-1, -2), keepdim=True)
    scale = scale / (weight * p * p).sum((-1, -2), keepdim=True).clamp(min=1e-12)
    return _distances(scale * p, t, weight)


def p_mpjpe(predicted: Tensor, truth: Tensor, known: Tensor | None = None) -> Tensor:
    """(..., J) the same after the best rotation, scale and shift of each pose (Procrustes)."""
    p, t, weight = _prepared(_about_pelvis(predicted), _about_pelvis(truth), known)
    share = weight.clone()
    share[..., 0, :] = 1  # the pelvis of both is the origin
    share = share / share.sum(-2, keepdim=True)
    p, t = p - (share * p).sum(-2, keepdim=True), t - (share * t).sum(-2, keepdim=True)
    u, s, vh = torch.linalg.svd((share * p).transpose(-1, -2) @ t)
    sign = torch.ones_like(s)
    sign[..., -1] = torch.linalg.det(u @ vh).sign()  # no reflection
    rotation = (u * sign[..., None, :]) @ vh
    scale = (s * sign).sum(-1) / (share * p * p).sum((-1, -2)).clamp(min=1e-12)
    return _distances(scale[..., None, None] * p @ rotation, t, weight)


def _about_pelvis(joints: Tensor) -> Tensor:
    return joints - joints[..., :1, :]


def _prepared(
    predicted: Tensor, truth: Tensor, known: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Both without NaN in unknown joints, and weights (..., J, 1) of 0 and 1."""
    if known is None:
        return predicted, truth, torch.ones_like(predicted[..., :1])
    weight = known[..., None]
    return predicted.where(weight, 0.0), truth.where(weight, 0.0), weight.to(predicted.dtype)


def _distances(predicted: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    return (predicted - truth).norm(dim=-1).where(weight[..., 0] > 0, torch.nan)


def safe_norm(vectors: Tensor) -> Tensor:
    """Lengths (...) of vectors (..., 3), at least a millimetre: the norm has no slope at 0."""
    return (vectors.square().sum(-1) + 1e-6).sqrt()
