"""DrNet's critic: do two codes come from one clip? The encoder learns to leave it guessing."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call


@dataclass(frozen=True, slots=True)
class CriticOutputs:
    """What the critic says of pairs of codes, half of them from one clip."""

    critic_logits: Tensor  # (P,) logits of 'one clip' that teach the critic alone
    encoder_logits: Tensor  # (P,) the same numbers, teaching the encoder alone
    same_clip: Tensor  # (P,) 1 where the pair is from one clip, else 0
    weight: Tensor  # (P,) 0 where that is not known, else 1


class Critic(nn.Module):
    """Two codes to the logit of their being from one clip."""

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
        # Neighbours are exchanged, so that a batch shared out among machines makes the same pairs.
        other = torch.arange(B, device=codes.device) ^ 1
        other = other.clamp(max=B - 1)
        first, last = codes[:, 0], codes[:, -1]
        pairs = torch.cat((torch.cat((first, last), -1), torch.cat((first, last[other]), -1)))
        same = torch.arange(2 * B, device=codes.device) < B
        known = torch.ones_like(same)
        apart = other != torch.arange(B, device=codes.device)
        known[B:] = apart if clips is None else apart & (clips != clips[other])
        fixed = {name: value.detach() for name, value in self.layers.named_parameters()}
        return CriticOutputs(
            critic_logits=self.layers(pairs.detach()).squeeze(-1).float(),
            encoder_logits=functional_call(self.layers, fixed, (pairs,)).squeeze(-1).float(),
            same_clip=same.to(codes.dtype),
            weight=known.to(codes.dtype),
        )
