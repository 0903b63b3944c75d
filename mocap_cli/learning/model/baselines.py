"""Parts that only two of the compared methods need: DrNet's critic and NSD's rotated codes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mocap_cli.errors import MocapError


@dataclass(frozen=True, slots=True)
class CriticOutputs:
    """The critic's logits for pairs of codes, half of them from one clip."""

    critic_logits: Tensor  # (P,) logits of "one clip"; their gradient reaches the critic alone
    encoder_logits: Tensor  # (P,) the same numbers; their gradient reaches the encoder alone
    same_clip: Tensor  # (P,) 1 where the pair is from one clip, else 0
    weight: Tensor  # (P,) 0 where that is not known, else 1


class Critic(nn.Module):
    """DrNet: two codes to the logit that they are from one clip."""

    def __init__(self, code: int, width: int = 100) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * code, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, codes: Tensor, clips: Tensor | None) -> CriticOutputs:
        """(B, S, code) and (B,) clips: each item's first frame with its own and another's last."""
        B = len(codes)
        # Pairing neighbours keeps the pairs the same when a batch is shared among processes.
        other = torch.arange(B, device=codes.device) ^ 1
        other = other.clamp(max=B - 1)
        first, last = codes[:, 0], codes[:, -1]
        pairs = torch.cat((torch.cat((first, last), -1), torch.cat((first, last[other]), -1)))
        same_clip = torch.arange(2 * B, device=codes.device) < B
        known = torch.ones_like(same_clip)
        distinct = other != torch.arange(B, device=codes.device)
        known[B:] = distinct if clips is None else distinct & (clips != clips[other])
        frozen = {name: value.detach() for name, value in self.layers.named_parameters()}
        return CriticOutputs(
            critic_logits=self.layers(pairs.detach()).squeeze(-1).float(),
            encoder_logits=functional_call(self.layers, frozen, (pairs,)).squeeze(-1).float(),
            same_clip=same_clip.to(codes.dtype),
            weight=known.to(codes.dtype),
        )


def rotate_between_views(tv: Tensor, rotations: Tensor | None) -> Tensor:
    """NSD: codes (B, S, 3 n) are points; slots 0 and 1, one moment in two views, are exchanged.

    `rotations` are camera_from_world (B, S, 3, 3). The other slots keep their own codes.
    """
    if rotations is None:
        raise MocapError(
            "method nsd needs the rotations of the cameras",
            "write cameras.json (docs/pretrain.md), or choose another method",
        )
    here_from_there = rotations @ _exchanged(rotations).transpose(-1, -2)
    points = tv.unflatten(-1, (-1, 3))  # (B, S, n, 3)
    return (_exchanged(points) @ here_from_there.transpose(-1, -2)).flatten(-2)


def _exchanged(values: Tensor) -> Tensor:
    """(B, S, ...) with slots 0 and 1 exchanged."""
    return torch.cat((values[:, 1:2], values[:, :1], values[:, 2:]), dim=1)
