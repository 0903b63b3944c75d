"""Heads A and B: from image features to a pose; the only part that is fitted to labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from mocap_cli.body.skeleton import BODY
from mocap_cli.io.json_fields import check_ranges
from mocap_cli.learning.model.pose_head import PoseHead

HeadKind = Literal["A", "B"]
_WIDTHS: dict[HeadKind, int] = {"A": 2048, "B": 1024}  # the paper's
_PAPER_FEATURES = 600
_LENGTH = (0, 1 << 16)
_RANGES = {"inputs": _LENGTH, "codes": _LENGTH, "width": (1, 1 << 16), "pose": _LENGTH,
           "dropout": (0, 1)}  # fmt: skip
_RIDGES = (0.03, 0.3, 1.0, 3.0, 30.0, 1000.0)  # of the inputs' mean power


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """Architecture of a head; stored with its weights."""

    kind: HeadKind = "B"
    inputs: int  # image features, and what 2D keypoints and the lifter add
    codes: int  # how many of them are image features, at the beginning
    width: int
    pose: int = 0  # how far from the end of the inputs the lifted pose begins; 0: there is none
    dropout: float = 0.5  # of head A

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)

    @staticmethod
    def default(kind: HeadKind, inputs: int, codes: int, pose: int = 0) -> "HeadConfig":
        """As wide as in the paper for features as long as there, else a quarter of that."""
        width = _WIDTHS[kind] // (1 if codes >= _PAPER_FEATURES else 4)
        return HeadConfig(kind=kind, inputs=inputs, codes=codes, width=width, pose=pose)


class RegressionHead(nn.Module):
    """Inputs (N, D) of frames to joints (N, 19, 3) about the pelvis, in metres.

    Inputs and outputs are normalised to unit variance. Where a lifted pose is among the inputs,
    the head predicts a correction of it: untrained, it is as good as the lifter. The linear part
    is solved in closed form; the network starts at zero and learns the rest.
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
        """Set means and scales from (N, D) inputs, (N, 19, 3) targets and (N, 19) what is known."""
        self.mean.copy_(inputs.mean(0))
        spread = inputs.std(0, correction=0)
        # Features that hardly vary are mostly noise and must not be amplified.
        usual = spread[: self.config.codes].square().mean().sqrt().clamp(min=1e-6)
        spread[: self.config.codes].clamp_(min=usual)
        spread[self.config.codes :].clamp_(min=0.05)
        self.spread.copy_(spread)
        targets = targets - self.base(inputs)
        weight = known[..., None].float()
        middle = (targets.nan_to_num() * weight).sum(0) / weight.sum(0).clamp(min=1)
        self.usual.copy_(middle.flatten())
        residual = (targets.nan_to_num() - middle) * weight
        variance = residual.square().sum() / (3 * weight.sum()).clamp(min=1)
        self.scale.copy_(variance.sqrt() + 1e-3)

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, D) to (N, 19, 3) metres."""
        scaled = self.scaled(inputs)
        residual = self.usual + self.scale * (scaled @ self.linear + self.net(scaled))
        return self.base(inputs) + residual.unflatten(-1, (-1, 3))

    def scaled(self, inputs: Tensor) -> Tensor:
        """(N, D) of about unit variance; values far outside the training range are clamped."""
        return ((inputs - self.mean) / self.spread).clamp(-8, 8)

    def fit_linear(
        self, inputs: Tensor, targets: Tensor, weight: Tensor, error: Callable[[], float]
    ) -> None:
        """Solve the linear part with the ridge penalty that gives the least validation error."""

        def error_with(ridge: float) -> float:
            self._solve(inputs, targets, weight, ridge)
            return error()

        error_with(min(_RIDGES, key=error_with))

    def _solve(self, inputs: Tensor, targets: Tensor, weight: Tensor, ridge: float) -> None:
        """Weighted least squares with a ridge penalty."""
        x = self.scaled(inputs).double()
        residual = (targets - self.base(inputs)).flatten(1) - self.usual
        y = (residual / self.scale).unflatten(-1, (-1, 3)).double()  # (N, 19, 3)
        # One weight a frame, not a joint, so that all joints share one system of equations.
        frame = weight.double().sum(1, keepdim=True) / weight.sum(1).max().clamp(min=1e-6)
        y = y * (weight > 0)[..., None]
        normal = x.T @ (frame * x)
        normal.diagonal().add_(ridge * normal.diagonal().mean() + 1e-9)
        solved = torch.linalg.solve(normal, x.T @ (frame * y.flatten(1)))
        self.linear.copy_(solved.float())

    def base(self, inputs: Tensor) -> Tensor:
        """(N, 19, 3) the lifted pose among the inputs, or zeros."""
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
