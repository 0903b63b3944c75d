"""Lifter network in torch, as it is trained; `mocap_cli/lifting/network.py` runs it in numpy.

A transformer over frames. Time enters in seconds, as rotary embedding of queries and keys, so that
any frame rate and uneven frames are treated alike.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.io.sealed import write_tensors
from mocap_cli.lifting.network import Lifter, LifterConfig

J, K = len(BODY), len(KEYPOINTS)
_FEATURES = K * 3 + 3
"""x, y and score of every keypoint; the path of the centre and the size."""


@dataclass(frozen=True, slots=True)
class LifterTensors:
    """The output for a batch of windows, in axes that look at the person."""

    joints: Tensor  # (B, T, J, 3) metres about the pelvis for a person of LIFTER_HEIGHT
    log_sigma: Tensor  # (B, T, J) log of metres
    contact_logits: Tensor  # (B, T, 2) logits, left and right foot

    def float(self) -> "LifterTensors":
        """The same in full precision."""
        return LifterTensors(
            self.joints.float(), self.log_sigma.float(), self.contact_logits.float()
        )


class LifterNetwork(nn.Module):
    """(features, times, valid) of windows to LifterTensors."""

    LOG_SIGMA = slice(J * 3, J * 4)
    """Output columns of log sigma, after the joints."""
    INITIAL_LOG_SIGMA = -3.0
    """Added to log sigma (metres) until the lifter is calibrated."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        self.config = config
        self.enter = nn.Sequential(
            nn.Linear(_FEATURES, 2 * config.width),
            nn.GELU(),
            nn.Linear(2 * config.width, config.width),
        )
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.leave = nn.Linear(config.width, J * 4 + 2)
        self.calibration: Tensor
        self.register_buffer("calibration", torch.full((J,), self.INITIAL_LOG_SIGMA))

    @staticmethod
    def load(path: Path) -> "LifterNetwork":
        """Read what `save` wrote, or the bundled lifter."""
        stored = Lifter.load(path)
        model = LifterNetwork(stored.config)
        model.load_state_dict({k: torch.from_numpy(v) for k, v in stored.weights.items()})
        return model.eval()

    def save(self, path: Path) -> None:
        """Write weights and configuration as safetensors, in half precision."""
        metadata = {"lifter": json.dumps(asdict(self.config))}
        state = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        write_tensors(path, state, metadata)

    def in_numpy(self) -> Lifter:
        """The same network as the tracker runs it."""
        state = self.state_dict()
        return Lifter(self.config, {k: v.float().cpu().numpy() for k, v in state.items()})

    def forward(self, features: Tensor, times: Tensor, valid: Tensor) -> LifterTensors:
        """(B, T, FEATURES), (B, T) seconds, (B, T) bool -> LifterTensors."""
        return self.decode(self.encode(features, times, valid))

    def encode(self, features: Tensor, times: Tensor, valid: Tensor) -> Tensor:
        """(B, T, width) features of each frame."""
        x = self.enter(features)
        turn = _rotary_angles(times, self.config.width // self.config.heads)
        for block in self.blocks:
            x = block(x, turn, valid)
        read: Tensor = self.norm(x)
        return read

    def decode(self, read: Tensor) -> LifterTensors:
        """Joints, log sigma and contacts from the features."""
        y = self.leave(read)
        joints = y[..., : J * 3].unflatten(-1, (J, 3))
        joints = joints - joints[..., :1, :]
        return LifterTensors(joints, y[..., self.LOG_SIGMA] + self.calibration, y[..., J * 4 :])


class _Block(nn.Module):
    """Attention over the window, then a feed-forward step for every frame."""

    def __init__(self, config: LifterConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.attend_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, config.spread * width),
            nn.GELU(),
            nn.Linear(config.spread * width, width),
        )
        self.drop = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor], valid: Tensor) -> Tensor:
        """(B, T, width) to the same."""
        qkv = self.query_key_value(self.attend_norm(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, T, width / heads)
        attended = F.scaled_dot_product_attention(
            _rotate_pairs(q, turn), _rotate_pairs(k, turn), v, attn_mask=valid[:, None, None, :]
        )
        x = x + self.drop(self.merge(attended.transpose(1, 2).flatten(2)))
        return x + self.drop(self.feed(self.feed_norm(x)))


def _rotary_angles(times: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (B, 1, T, size / 2) of time at periods from 0.1 to 10 seconds."""
    octave = torch.linspace(0, 1, size // 2, device=times.device)
    rate = 2 * math.pi / (0.1 * 100**octave)
    angle = times[:, None, :, None] * rate
    return angle.cos(), angle.sin()


def _rotate_pairs(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Pairs of features rotated by their frame's time: products depend on time differences."""
    cos, sin = turn
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
