"""Observed windows: keypoints of a batch of people as the lifter gets them, in torch."""

from dataclasses import dataclass

import torch
from torch import Tensor

from mocap_cli.lifting.windows import KeypointWindows


@dataclass(frozen=True, slots=True)
class ObservedWindows:
    """`KeypointWindows` of tensors."""

    rays: Tensor  # (B, T, K, 2) tangents, right and up of the optical axis
    score: Tensor  # (B, T, K) 0..1
    times: Tensor  # (B, T) seconds
    valid: Tensor  # (B, T) frames that exist

    def features(self) -> tuple[Tensor, Tensor]:
        """The network's input and the rotations camera_from_view, by the tracker's own code."""
        arrays = (part.numpy() for part in (self.rays, self.score, self.times, self.valid))
        shown, turn = KeypointWindows(*arrays).features()
        return torch.from_numpy(shown), torch.from_numpy(turn)
