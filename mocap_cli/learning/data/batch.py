"""Batch: what one training step takes, a few frames of each of a few clips."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


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

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, Any] = {}
        for field in fields(self):
            value: Tensor | None = getattr(self, field.name)
            changed[field.name] = None if value is None else change(value)
        return replace(self, **changed)
