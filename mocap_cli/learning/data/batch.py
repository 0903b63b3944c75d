"""Batch: what one training step takes, a few frames of each of a few clips."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

# The subject size for the box prior is measured without labels.
_MIN_DIFFERENCE = 0.1  # of a colour from the background's to count as foreground, 0..1
_SPREADS = 2.0  # standard deviations from a person's middle to the edge of the box
_UNKNOWN = (0.5, 0.5)  # the paper's, for footage that was cropped to the person


@dataclass(frozen=True, slots=True)
class Batch:
    """B items of S frames each, all frames of an item from one clip.

    Slots hold the reference, a near, a middle and a far frame; in the free-fall stage four frames
    equally spaced in time. For methods with several views, slot 1 is the moment of the reference
    as filmed by another camera.
    """

    frames: Tensor  # (B, S, 3, H, W) uint8, RGB
    plates: Tensor  # (B, S, 3, H, W) uint8, the background of each frame
    known: Tensor  # (B, S, 1, H, W) bool, where the background is known
    times: Tensor  # (B, S) seconds
    views: Tensor  # (B, S) int, camera number
    labels: Tensor | None = None  # (B, S, K, 3) weak 2D labels: x, y (0..1 of the image), weight
    clips: Tensor | None = None  # (B,) int, clip number; without it all items are different clips
    rotations: Tensor | None = None  # (B, S, 3, 3) camera_from_world, for calibrated views
    boxes: Tensor | None = None  # (B, S, 4) given ones, which the model then does not detect

    def __post_init__(self) -> None:
        B, S, _, H, W = self.frames.shape
        if self.plates.shape != self.frames.shape or self.known.shape != (B, S, 1, H, W):
            raise ValueError("give a background and its mask for every frame")
        if self.times.shape != (B, S) or self.views.shape != (B, S):
            raise ValueError("give a time and a camera number for every frame")

    def __len__(self) -> int:
        return len(self.frames)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on that device; from pinned memory the copy runs asynchronously."""
        return self._each(lambda value: value.to(device, non_blocking=True))

    def pinned(self) -> "Batch":
        """The same batch in page-locked memory, from which a GPU copies by itself."""
        return self._each(lambda value: value.pin_memory() if value.device.type == "cpu" else value)

    def first(self, count: int) -> "Batch":
        """The first items only."""
        return self._each(lambda value: value[:count])

    def subject_size(self) -> tuple[float, float]:
        """The median share of the image that the subject's box takes, horizontally and vertically.

        The median over frames tolerates some whose background is wrong.
        """
        H, W = self.frames.shape[-2:]
        frames, plates = (
            images.reshape(-1, 3, H, W).float() / 255 for images in (self.frames, self.plates)
        )
        difference = (frames - plates).abs().amax(1)  # (N, H, W)
        difference = F.avg_pool2d(difference, 3, 1, 1)  # averages out the camera's noise
        weight = (difference - _MIN_DIFFERENCE).clamp(min=0) * self.known.reshape(-1, H, W)
        visible = weight.sum((1, 2)) > 1e-3 * H * W * _MIN_DIFFERENCE
        if not visible.any():
            return _UNKNOWN
        weight = weight[visible]
        spreads = torch.stack((_spread(weight.sum(1)), _spread(weight.sum(2))))
        sizes = (_SPREADS * spreads).median(-1).values.clamp(0.05, 1)
        return float(sizes[0]), float(sizes[1])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, Any] = {}
        for field in fields(self):
            value: Tensor | None = getattr(self, field.name)
            changed[field.name] = None if value is None else change(value)
        return replace(self, **changed)


def _spread(weight: Tensor) -> Tensor:
    """Weighted standard deviation of the positions -1..1 along the last axis: (N, L) to (N,)."""
    length = weight.shape[-1]
    positions = (torch.arange(length, device=weight.device) + 0.5) * (2 / length) - 1
    total = weight.sum(-1)
    mean = (weight * positions).sum(-1) / total
    return ((weight * (positions - mean[:, None]).square()).sum(-1) / total).sqrt()
