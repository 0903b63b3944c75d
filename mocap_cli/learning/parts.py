"""Parts: everything between a frame and its redrawing, for looking at."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class PreviewImages:
    """N frames, one of each item of a batch, and what the model made of them; 0..1 colours."""

    frames: Tensor  # (N, 3, H, W)
    plates: Tensor  # (N, 3, H, W)
    crops: Tensor  # (N, 3, side, side)
    boxes: Tensor | None  # (N, 4) as in transformer.py
    masks: Tensor | None  # (N, 1, side, side)
    drawn: Tensor | None  # (N, 3, side, side) under their masks, on grey
    composite: Tensor | None  # (N, 3, H, W)
    swaps: Tensor | None  # (N, N, 3, side, side) row: whose pose; column: whose looks; on grey


def on_grey(colours: Tensor, masks: Tensor) -> Tensor:
    """Drawn crops as a person looks at them."""
    return (masks * colours + (1 - masks) * 0.5).clamp(0, 1)
