"""Heads A and B: what reads a pose from a code; the only part that learns from labels."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mocap_cli.body.skeleton import BODY
from mocap_cli.learning.model.pose_head import PoseHead

HeadKind = Literal["A", "B"]
_WIDTHS: dict[HeadKind, int] = {"A": 2048, "B": 1024}  # the paper's
_PAPERS_CODE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """What a head is built of; stored with its weights."""

    kind: HeadKind = "B"
    inputs: int  # numbers that are known of a frame: the code, and what 2D keypoints tell
    codes: int  # how many of them are the code, at the beginning
    width: int
    pose: int = 0  # how far from the end of the inputs a lifted pose begins; 0 where there is none
    dropout: float = 0.5  # of head A


def default_head(kind: HeadKind, inputs: int, codes: int, pose: int = 0) -> HeadConfig:
    """As wide as the paper's for codes like the paper's, else as few labels can teach soon."""
    width = _WIDTHS[kind] // (1 if codes >= _PAPERS_CODE else 4)
    return HeadConfig(kind=kind, inputs=inputs, codes=codes, width=width, pose=pose)


class RegressionHead(nn.Module):
    """What is known of frames (N, inputs) to joints (N, 19, 3) about the pelvis, in metres.

    Inputs and answers are of unit spread inside. Where a lifted pose is among the inputs, the head
    tells by how much it is off: knowing nothing, it is as good as the lifter. What inputs tell by
    lines is solved for at once; the network begins at zero and learns the rest.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        enter, leave = config.inputs, 3 * len(BODY)
        self.net = _net(config, enter, leave)
        self.mean: Tensor
        self.spread: Tensor
        self.usual: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(enter))
        self.register_buffer("spread", torch.ones(enter))
        self.register_buffer("usual", torch.zeros(leave))
        self.register_buffer("scale", torch.ones(()))
        self.linear: Tensor
        self.register_buffer("linear", torch.zeros(enter, leave))

    def normalise(self, inputs: Tensor, targets: Tensor, known: Tensor) -> None:
        """Take means and spreads from what there is to learn: (N, D), (N, 19, 3), (N, 19)."""
        self.mean.copy_(inputs.mean(0))
        spread = inputs.std(0, correction=0)
        # What hardly differs is mostly noise: it must not be made as large as what differs.
        usual = spread[: self.config.codes].square().mean().sqrt().clamp(min=1e-6)
        spread[: self.config.codes].clamp_(min=usual)
        spread[self.config.codes :].clamp_(min=0.05)
        self.spread.copy_(spread)
        targets = targets - self.base(inputs)
        weight = known[..., None].float()
        middle = (targets.nan_to_num() * weight).sum(0) / weight.sum(0).clamp(min=1)
        self.usual.copy_(middle.flatten())
        off = (targets.nan_to_num() - middle) * weight
        self.scale.copy_((off.square().sum() / (3 * weight.sum()).clamp(min=1)).sqrt() + 1e-3)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, D) to (N, 19, 3) metres."""
        scaled = self.scaled(inputs)
        told = self.usual + self.scale * (scaled @ self.linear + self.net(scaled))
        return self.base(inputs) + told.unflatten(-1, (-1, 3))

    def scaled(self, inputs: Tensor) -> Tensor:
        """(N, D) of about unit spread; what is beyond everything learnt stays near it."""
        return ((inputs - self.mean) / self.spread).clamp(-8, 8)

    def solve(self, inputs: Tensor, targets: Tensor, weight: Tensor, ridge: float) -> None:
        """The linear part: least squares, held to zero by `ridge`."""
        x = self.scaled(inputs).double()
        off = (targets - self.base(inputs)).flatten(1) - self.usual
        y = (off / self.scale).unflatten(-1, (-1, 3)).double()  # (N, 19, 3)
        # A weight a frame stands for those of its joints: all of them share one equation.
        frame = weight.double().sum(1, keepdim=True) / weight.sum(1).max().clamp(min=1e-6)
        y = y * (weight > 0)[..., None]
        normal = x.T @ (frame * x)
        normal.diagonal().add_(ridge * normal.diagonal().mean() + 1e-9)
        solved = torch.linalg.solve(normal, x.T @ (frame * y.flatten(1)))
        self.linear.copy_(solved.float())

    def base(self, inputs: Tensor) -> Tensor:
        """(N, 19, 3) the lifted pose that is among the inputs; zeros where there is none."""
        pose = inputs.new_zeros(len(inputs), len(BODY), 3)
        if self.config.pose:
            first, count = inputs.shape[1] - self.config.pose, len(BODY) - 1
            pose[:, 1:] = inputs[:, first : first + 3 * count].unflatten(-1, (count, 3))
        return pose


def _zero_last_layer(net: nn.Sequential | PoseHead) -> nn.Module:
    last = net.leave if isinstance(net, PoseHead) else net[-1]
    nn.init.zeros_(last.weight)  # type: ignore[arg-type]
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return net


def _net(config: HeadConfig, enter: int, leave: int) -> nn.Module:
    if config.kind == "B":
        return _zero_last_layer(PoseHead(enter, leave, config.width))
    wide = config.width
    net = nn.Sequential(
        nn.Linear(enter, wide), nn.ReLU(), nn.Dropout(config.dropout),
        nn.Linear(wide, wide), nn.ReLU(), nn.Dropout(config.dropout),
        nn.Linear(wide, leave),
    )  # fmt: skip
    return _zero_last_layer(net)
