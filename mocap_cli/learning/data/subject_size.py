"""How large the subject is, as far as frames and their backgrounds tell without any label."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.data.dataset import Dataset
from mocap_cli.learning.data.sampling import sample_batch
from mocap_cli.learning.loop.settings import Settings
from mocap_cli.learning.model.model import to_float

_MIN_DIFFERENCE = 0.1
"""By how much a colour must differ from the background's to speak of a subject, 0..1."""
_ITEMS = 32  # of four frames each, to measure at
_SPREADS = 2.0  # from the middle of a person to the edge of the box, both across and down


def with_measured_prior(settings: Settings, footage: Dataset) -> Settings:
    """The settings with the box prior's size as this footage suggests it."""
    slots = settings.method_at(0).slots
    chosen = sample_batch(
        footage.usable_frames("train"), slots, settings.gaps, _ITEMS, (settings.seed,)
    )
    weights = replace(settings.weights, prior_size=subject_size(footage.gather(chosen)))
    return replace(settings, weights=weights)


def subject_size(batch: Batch) -> tuple[float, float]:
    """The usual share of the picture that a subject's box takes, across and down.

    The box prior wants it: the paper's one half is right for pictures that were cut to the person.
    The median over frames bears with some whose background is wrong.
    """
    H, W = batch.frames.shape[-2:]
    apart = (to_float(batch.frames) - to_float(batch.plates)).abs().amax(1)  # (N, H, W)
    apart = F.avg_pool2d(apart, 3, 1, 1)  # a camera's noise is everywhere, but never agrees
    weight = (apart - _MIN_DIFFERENCE).clamp(min=0) * batch.known.reshape(-1, H, W)
    seen = weight.sum((1, 2)) > 1e-3 * H * W * _MIN_DIFFERENCE
    if not seen.any():
        return 0.5, 0.5
    weight = weight[seen]
    across, down = _spread(weight.sum(1)), _spread(weight.sum(2))
    sizes = (_SPREADS * torch.stack((across, down))).median(-1).values.clamp(0.05, 1)
    return float(sizes[0]), float(sizes[1])


def _spread(weight: Tensor) -> Tensor:
    """Standard deviation of the places -1..1 along the last axis, weighted: (N, L) to (N,)."""
    length = weight.shape[-1]
    places = (torch.arange(length, device=weight.device) + 0.5) * (2 / length) - 1
    total = weight.sum(-1)
    middle = (weight * places).sum(-1) / total
    return ((weight * (places - middle[:, None]).square()).sum(-1) / total).sqrt()
