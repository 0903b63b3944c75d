"""Subject size: measured from frames and their backgrounds, without labels, for the box prior."""

import torch
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.learning.data.batch import Batch

_MIN_DIFFERENCE = 0.1  # of a colour from the background's to count as foreground, 0..1
_SPREADS = 2.0  # standard deviations from a person's middle to the edge of the box
_UNKNOWN = (0.5, 0.5)  # the paper's, for footage that was cropped to the person


def measure_subject_size(batch: Batch) -> tuple[float, float]:
    """The median share of the image that the subject's box takes, horizontally and vertically.

    The median over frames tolerates some whose background is wrong.
    """
    H, W = batch.frames.shape[-2:]
    frames, plates = (
        images.reshape(-1, 3, H, W).float() / 255 for images in (batch.frames, batch.plates)
    )
    difference = (frames - plates).abs().amax(1)  # (N, H, W)
    difference = F.avg_pool2d(difference, 3, 1, 1)  # averages out the camera's noise
    weight = (difference - _MIN_DIFFERENCE).clamp(min=0) * batch.known.reshape(-1, H, W)
    visible = weight.sum((1, 2)) > 1e-3 * H * W * _MIN_DIFFERENCE
    if not visible.any():
        return _UNKNOWN
    weight = weight[visible]
    spreads = torch.stack((_spread(weight.sum(1)), _spread(weight.sum(2))))
    sizes = (_SPREADS * spreads).median(-1).values.clamp(0.05, 1)
    return float(sizes[0]), float(sizes[1])


def _spread(weight: Tensor) -> Tensor:
    """Weighted standard deviation of the positions -1..1 along the last axis: (N, L) to (N,)."""
    length = weight.shape[-1]
    positions = (torch.arange(length, device=weight.device) + 0.5) * (2 / length) - 1
    total = weight.sum(-1)
    mean = (weight * positions).sum(-1) / total
    return ((weight * (positions - mean[:, None]).square()).sum(-1) / total).sqrt()
