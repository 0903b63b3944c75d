"""Parts that only two of the compared methods need: DrNet's critic and NSD's rotated codes."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mocap_cli.camera.pinhole import Pinhole
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


def rotate_between_views(
    tv: Tensor, rotations: Tensor | None, crop_from_camera: Tensor | None = None
) -> Tensor:
    """NSD: codes (B, S, 3 n) are points; slots 0 and 1, one moment in two views, are exchanged.

    `rotations` are camera_from_world (B, S, 3, 3), and the points are in the axes of the crop's
    own camera. The other slots keep their own codes.
    """
    if rotations is None:
        raise MocapError(
            "method nsd needs the rotations of the cameras",
            "write cameras.json (docs/pretrain.md), or choose another method",
        )
    if crop_from_camera is not None:
        rotations = crop_from_camera.view_as(rotations) @ rotations
    here_from_there = rotations @ _exchanged(rotations).transpose(-1, -2)
    points = tv.unflatten(-1, (-1, 3))  # (B, S, n, 3)
    return (_exchanged(points) @ here_from_there.transpose(-1, -2)).flatten(-2)


def crop_from_camera(boxes: Tensor, images: Tensor) -> Tensor:
    """NSD: the rotation to a camera that looks at the middle of each box: (N, 3, 3).

    The shortest rotation of the ray through the middle to the view direction, -Z. The focal
    length is the one to assume for images (N, 3, H, W) of that size.
    """
    height, width = images.shape[-2:]
    focal = Pinhole.guess(width, height).focal
    x, y = boxes.detach()[:, 2] * width / 2 / focal, boxes.detach()[:, 3] * height / 2 / focal
    cos = (1 + x.square() + y.square()).rsqrt()  # of the ray's angle to the view direction
    zero = torch.zeros_like(x)
    # The cross product with the axis of rotation, which is as long as the angle's sine.
    rows = (zero, zero, x, zero, zero, -y, -x, y, zero)
    across = cos[:, None, None] * torch.stack(rows, -1).unflatten(-1, (3, 3))
    eye = torch.eye(3, device=boxes.device)
    return eye + across + across @ across / (1 + cos)[:, None, None]


def _exchanged(values: Tensor) -> Tensor:
    """(B, S, ...) with slots 0 and 1 exchanged."""
    return torch.cat((values[:, 1:2], values[:, :1], values[:, 2:]), dim=1)
