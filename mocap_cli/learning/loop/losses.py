"""The losses, one function each; docs/method.md says which equation each one is."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch import distributed as dist
from torch.nn import functional as F

from mocap_cli.io.json_fields import check_ranges
from mocap_cli.learning.data.batch import Batch
from mocap_cli.learning.model.baselines import CriticOutputs
from mocap_cli.learning.model.methods import Method
from mocap_cli.learning.model.model import Outputs

_LABEL_REACH = 2.0  # half sides from the crop's middle: nothing shows a keypoint farther outside


Similarity = Literal["clamped", "plain"]
"""What Eq. 5 does with codes of far frames: until orthogonal, or until opposite."""

_WEIGHT = (0, 1e9)
_RANGES = {
    "pixels": _WEIGHT, "features": _WEIGHT, "contrast": _WEIGHT, "track": _WEIGHT,
    "labels": _WEIGHT, "prior": _WEIGHT, "adversary": _WEIGHT, "content": _WEIGHT,
    "far": (1e-9, 1e9), "temperature": (1e-9, 1e9), "margin": (0, 1e9), "step": (0, 1e9),
    "prior_size": (1e-6, 10), "prior_spread": (1e-6, 1e3),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """The weight of each loss and its constants; stored with the run."""

    pixels: float = 2.0  # alpha of Eq. 2; 0.05 where the background is rough, as in skiing
    features: float = 2.0  # beta
    similarity: Similarity = "clamped"  # max(s, 0) in Eq. 5, or s as it is
    contrast: float = 0.1  # missing in the paper's text; docs/method.md has what was tried
    far: float = 4.0  # seconds from which poses count as unlike, D of Eq. 5
    temperature: float = 0.1  # tau of Eq. 3
    margin: float = 0.2  # of Eq. 4, between squared distances
    track: float = 1.0
    step: float = 0.05  # half image heights that a falling box moves at least, Eq. 10
    labels: float = 10.0
    prior: float = 0.1
    prior_size: tuple[float, float] = (0.5, 0.5)  # share of the image, horizontally and vertically
    prior_spread: float = 0.1
    prior_centred: bool = False
    adversary: float = 0.1
    content: float = 1.0  # of DrNet: TI of two frames of a clip

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)


def losses(
    outputs: Outputs, batch: Batch, method: Method, weights: LossWeights
) -> dict[str, Tensor]:
    """Every loss of the method by its name, weighted: Eq. 14 is their sum."""
    found: dict[str, Tensor] = {}
    if outputs.composite is not None:
        found["pixels"] = weights.pixels * _pixel_loss(outputs.composite, batch.frames)
        found["features"] = weights.features * _feature_loss(outputs.maps)
    if method.contrast == "dsl":
        found["contrast"] = weights.contrast * _dsl_loss(outputs.tv, batch.times, weights)
    elif method.contrast == "css":
        found["contrast"] = weights.contrast * _css_loss(outputs.tv, weights.temperature)
    elif method.contrast == "triplet":
        found["contrast"] = weights.contrast * _triplet_loss(outputs.tv, weights.margin)
    if outputs.boxes is not None and batch.boxes is None:  # given boxes are not learnt
        found |= _box_losses(outputs.boxes, method, weights)
    if outputs.keypoints is not None and batch.labels is not None:
        label = _label_loss(outputs.keypoints, batch.labels, outputs.boxes)
        found["labels"] = weights.labels * label
    if method.steady:
        found["content"] = weights.content * _content_loss(outputs.ti, batch.times)
    if outputs.critic is not None:
        found["critic"] = _critic_loss(outputs.critic)
        found["confusion"] = weights.adversary * _confusion_loss(outputs.critic)
    return found


def _box_losses(boxes: Tensor, method: Method, weights: LossWeights) -> dict[str, Tensor]:
    size, spread = weights.prior_size, weights.prior_spread
    prior = _prior_loss(boxes, size, spread, centred=weights.prior_centred and not method.gravity)
    found = {"prior": weights.prior * prior}
    if method.gravity:
        found["acceleration"] = weights.track * _acceleration_loss(boxes)
        found["order"] = weights.track * _order_loss(boxes, weights.step)
        found["scale"] = weights.track * _scale_loss(boxes)
    return found


def _pixel_loss(composite: Tensor, frames: Tensor) -> Tensor:
    """Eq. 2, first half: mean square of (B, S, 3, H, W) in 0..1 against uint8 frames.

    In units of 0.225, the standard deviation of colours, as if both were normalised.
    """
    return ((composite - frames.float() / 255) / 0.225).square().mean()


def _feature_loss(maps: tuple[tuple[Tensor, Tensor], ...]) -> Tensor:
    """Eq. 2, second half: the sum over maps of their mean squared differences."""
    # Maps may be bfloat16, too coarse for a mean over a million squares.
    means = [
        (reconstruction.float() - target.float()).square().mean() for target, reconstruction in maps
    ]
    return torch.stack(means).sum()


def _css_loss(codes: Tensor, temperature: float) -> Tensor:
    """Eq. 3 on (B, S, C): slot 1 is similar to slot 0, slots from 2 on are not."""
    similarity = F.cosine_similarity(codes[:, :1], codes[:, 1:], dim=-1) / temperature
    return F.cross_entropy(similarity, similarity.new_zeros(len(similarity), dtype=torch.long))


def _triplet_loss(codes: Tensor, margin: float) -> Tensor:
    """Eq. 4 on (B, S, C): slot 1 nearer to slot 0 than slot 2, by a margin.

    Codes are scaled to length 1; otherwise the margin would mean nothing.
    """
    codes = F.normalize(codes, dim=-1)
    near, far = (codes[:, :1] - codes[:, 1:3]).square().sum(-1).unbind(-1)
    return (near - far + margin).clamp(min=0).mean()


def _dsl_loss(codes: Tensor, times: Tensor, weights: LossWeights) -> Tensor:
    """Eq. 6 on (B, S, C) and (B, S) seconds: the reference against each of the others."""
    distance = (times[:, :1] - times[:, 1:]).abs()
    similarity = F.cosine_similarity(codes[:, :1], codes[:, 1:], dim=-1)
    loss = _distance_similarity(similarity, distance, weights.far, weights.similarity)
    return loss.sum(-1).mean()


def _distance_similarity(
    similarity: Tensor, distance: Tensor, far: float, form: Similarity = "clamped"
) -> Tensor:
    """Eq. 5: codes should be similar at near times, and from `far` seconds on orthogonal.

    With the plain form they are pushed apart until they are opposite.
    """
    w = (distance / far).clamp(max=1)
    unlike = similarity.clamp(min=0) if form == "clamped" else similarity
    return (1 - w) * (1 - similarity) + w * unlike


def _content_loss(codes: Tensor, times: Tensor) -> Tensor:
    """DrNet: mean square between TI of the first and the last frame of each item, (B, S, C)."""
    ends = torch.stack((times.argmin(-1), times.argmax(-1)), dim=-1)
    first, last = codes.gather(1, ends[..., None].expand(-1, -1, codes.shape[-1])).unbind(1)
    return (first - last).square().mean()


def _acceleration_loss(boxes: Tensor) -> Tensor:
    """Eq. 9 on (B, 4, 4): in free fall the third difference of the height is zero."""
    y = boxes[..., 3]
    return (y[:, 0] - 3 * y[:, 1] + 3 * y[:, 2] - y[:, 3]).square().mean()


def _order_loss(boxes: Tensor, step: float) -> Tensor:
    """Eq. 10: each box lies at least `step` below the one before; y points down."""
    fall = boxes[:, 1:, 3] - boxes[:, :-1, 3]
    return (step - fall).clamp(min=0).sum(-1).mean()


def _scale_loss(boxes: Tensor) -> Tensor:
    """Eq. 11: boxes keep their size, instead of growing to reach the subject."""
    return (boxes[:, 1:, :2] - boxes[:, :-1, :2]).square().sum((-1, -2)).mean()


def _label_loss(keypoints: Tensor, labels: Tensor, boxes: Tensor | None) -> Tensor:
    """Eq. 13: mean square of (B, S, K, 2) in the crop against labels (B, S, K, 3) in the image.

    In units of the crop's side, x and y alike, so that the same mistake on the body costs the same
    in a small box as in a large one. Keypoints far outside the crop count nothing.
    """
    target = 2 * labels[..., :2].nan_to_num() - 1
    if boxes is not None:
        size, centre = boxes.detach().unsqueeze(-2).split(2, dim=-1)
        target = (target - centre) / size
    near = (target.abs() <= _LABEL_REACH).all(-1, keepdim=True)
    weight = labels[..., 2:] * near
    error = (((keypoints - target) / 2).square() * weight).sum()
    return error / _mean_over_processes(weight.sum() * 2).clamp(min=1e-6)


def _prior_loss(
    boxes: Tensor, size: tuple[float, float], spread: float, *, centred: bool = False
) -> Tensor:
    """A Gaussian on the MEAN box of the mini-batch, never on single boxes."""
    mean = _mean_over_processes(boxes.flatten(0, -2).mean(0))
    # Numbers, not a tensor of them: copying one to a GPU would wait for the step.
    loss = ((mean[0] - size[0]) / spread).square() + ((mean[1] - size[1]) / spread).square()
    return loss + (mean[2:] / spread).square().sum() if centred else loss


def _critic_loss(outputs: CriticOutputs) -> Tensor:
    """Trains DrNet's critic to tell whether two codes share a clip."""
    return F.binary_cross_entropy_with_logits(
        outputs.critic_logits, outputs.same_clip, outputs.weight
    )


def _confusion_loss(outputs: CriticOutputs) -> Tensor:
    """Trains the encoder so that the critic finds both answers equally likely."""
    half = torch.full_like(outputs.encoder_logits, 0.5)
    return F.binary_cross_entropy_with_logits(outputs.encoder_logits, half, outputs.weight)


def _mean_over_processes(value: Tensor) -> Tensor:
    """The mean over all processes that share a batch, as one process would compute it."""
    if not (dist.is_available() and dist.is_initialized()):
        return value
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(value) / dist.get_world_size()
