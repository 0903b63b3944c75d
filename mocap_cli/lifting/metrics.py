"""How far predicted joints are from the truth: the measures of the pose literature, in metres."""

import torch
from torch import Tensor


def _centred(joints: Tensor) -> Tensor:
    """(..., J, 3) about the pelvis, the first joint."""
    return joints - joints[..., :1, :]


def mpjpe(predicted: Tensor, truth: Tensor) -> Tensor:
    """Distance per joint (..., J) with both about the pelvis."""
    return (_centred(predicted) - _centred(truth)).norm(dim=-1)


def n_mpjpe(predicted: Tensor, truth: Tensor) -> Tensor:
    """The same after the prediction is scaled to fit, frame by frame."""
    p, g = _centred(predicted), _centred(truth)
    scale = (p * g).sum((-1, -2), keepdim=True) / (p * p).sum((-1, -2), keepdim=True)
    return (scale * p - g).norm(dim=-1)


def p_mpjpe(predicted: Tensor, truth: Tensor) -> Tensor:
    """The same after the best turn, scale and shift, frame by frame."""
    p = predicted - predicted.mean(-2, keepdim=True)
    g = truth - truth.mean(-2, keepdim=True)
    u, s, vh = torch.linalg.svd(p.transpose(-1, -2) @ g)
    sign = torch.linalg.det(u @ vh).sign()
    fix = torch.ones_like(s)
    fix[..., -1] = sign
    turn = (u * fix[..., None, :]) @ vh
    scale = (s * fix).sum(-1) / (p * p).sum((-1, -2))
    return (scale[..., None, None] * p @ turn - g).norm(dim=-1)


def safe_norm(vectors: Tensor) -> Tensor:
    """Of (..., 3), a millimetre at least: the pelvis is never off, and a root has no slope at 0."""
    return (vectors.square().sum(-1) + 1e-6).sqrt()
