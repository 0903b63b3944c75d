"""Lifter network: 2D keypoints over about two seconds to 3D joints, their sigma, and contacts.

A transformer over frames. Time enters in seconds, as rotary embedding of queries and keys, so that
any frame rate and uneven frames are treated alike. This is its forward pass in numpy: `mocap track`
starts faster without torch. `training/lifter/network.py` is the same network as it is trained.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from scipy.special import erf

from mocap_cli.body.skeleton import BODY, KEYPOINTS
from mocap_cli.errors import MocapError
from mocap_cli.types import Bool, Float32

LIFTER_HEIGHT = 1.70
"""Metres: the height of everybody in the lifter's output; the tracker scales it."""
_J = len(BODY)
_EPSILON = np.float32(1e-5)  # of the layer norms, as in torch
_HALF, _ROOT_HALF = np.float32(0.5), np.float32(math.sqrt(0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class LifterConfig:
    """The size of the network; stored with its weights."""

    width: int = 256
    layers: int = 5
    heads: int = 8
    spread: int = 2  # hidden units of a feed-forward block for each unit of width
    dropout: float = 0.05

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight: matrices are (out, in)."""
        width, hidden = self.width, self.spread * self.width
        layers = {
            "enter.0": (2 * width, len(KEYPOINTS) * 3 + 3),
            "enter.2": (width, 2 * width),
            "leave": (_J * 4 + 2, width),
        }
        for i in range(self.layers):
            layers[f"blocks.{i}.query_key_value"] = (3 * width, width)
            layers[f"blocks.{i}.merge"] = (width, width)
            layers[f"blocks.{i}.feed.0"] = (hidden, width)
            layers[f"blocks.{i}.feed.2"] = (width, hidden)
        norms = [f"blocks.{i}.{n}_norm" for i in range(self.layers) for n in ("attend", "feed")]
        return {
            "calibration": (_J,),
            **{f"{name}.weight": shape for name, shape in layers.items()},
            **{f"{name}.bias": shape[:1] for name, shape in layers.items()},
            **{f"{n}.{part}": (width,) for n in (*norms, "norm") for part in ("weight", "bias")},
        }


@dataclass(frozen=True, slots=True, eq=False)
class LifterOutput:
    """The output for a batch of windows, in axes that look at the person."""

    joints: Float32  # (B, T, J, 3) metres about the pelvis for a person of LIFTER_HEIGHT
    log_sigma: Float32  # (B, T, J) log of metres
    contact_logits: Float32  # (B, T, 2) logits, left and right foot


@dataclass(frozen=True, slots=True, eq=False)
class Lifter:
    """The trained network: features, times and valid frames of windows to LifterOutput."""

    config: LifterConfig
    weights: Mapping[str, Float32]  # by the names of the file

    def __post_init__(self) -> None:
        wanted = self.config.shapes()
        if {name: value.shape for name, value in self.weights.items()} != wanted:
            raise ValueError("the weights are not those of a network of that size")

    @staticmethod
    def load(path: Path) -> "Lifter":
        """Read a lifter's safetensors file."""
        try:
            with safe_open(path, "np") as file:
                config = LifterConfig(**json.loads(file.metadata()["lifter"]))
                weights = {n: file.get_tensor(n).astype(np.float32) for n in file.keys()}  # noqa: SIM118
            return Lifter(config, weights)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise MocapError(
                f"{path} is not a lifter: {error}", "install mocap-cli again"
            ) from error

    def __call__(self, features: Float32, times: Float32, valid: Bool) -> LifterOutput:
        """(B, T, FEATURES), (B, T) seconds, (B, T) bool -> LifterOutput."""
        x = self._linear("enter.2", _gelu(self._linear("enter.0", features)))
        turn = _rotary_angles(times, self.config.width // self.config.heads)
        unseen = np.where(valid, np.float32(0), np.float32(-np.inf))[:, None, None]
        for i in range(self.config.layers):
            block = f"blocks.{i}"
            x = x + self._attend(block, self._norm(f"{block}.attend_norm", x), turn, unseen)
            hidden = _gelu(self._linear(f"{block}.feed.0", self._norm(f"{block}.feed_norm", x)))
            x = x + self._linear(f"{block}.feed.2", hidden)
        y = self._linear("leave", self._norm("norm", x))
        joints = y[..., : _J * 3].reshape(*y.shape[:-1], _J, 3)
        log_sigma = y[..., _J * 3 : _J * 4] + self.weights["calibration"]
        return LifterOutput(joints - joints[..., :1, :], log_sigma, y[..., _J * 4 :])

    def _attend(
        self, block: str, x: Float32, turn: tuple[Float32, Float32], unseen: Float32
    ) -> Float32:
        """(B, T, width) every frame from all valid frames of its window."""
        B, T, width = x.shape
        qkv = self._linear(f"{block}.query_key_value", x).reshape(B, T, 3, self.config.heads, -1)
        q, k, v = qkv.transpose(2, 0, 3, 1, 4)  # each (B, heads, T, width / heads)
        q, k = _rotate_pairs(q, turn), _rotate_pairs(k, turn)
        score = q @ k.swapaxes(-1, -2) / np.float32(math.sqrt(q.shape[-1])) + unseen
        share = np.exp(score - score.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True)) @ v
        return self._linear(f"{block}.merge", mixed.transpose(0, 2, 1, 3).reshape(B, T, width))

    def _linear(self, name: str, x: Float32) -> Float32:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        flat = x.reshape(-1, x.shape[-1]) @ weight.T  # one large product, not one for each window
        return np.asarray((flat + bias).reshape(*x.shape[:-1], -1))

    def _norm(self, name: str, x: Float32) -> Float32:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(-1, keepdims=True) + _EPSILON)
        return centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def _gelu(x: Float32) -> Float32:
    return np.asarray(_HALF * x * (1 + erf(x * _ROOT_HALF)))


def _rotary_angles(times: Float32, size: int) -> tuple[Float32, Float32]:
    """Cosines and sines (B, 1, T, size / 2) of time at periods from 0.1 to 10 seconds."""
    octave = np.linspace(0, 1, size // 2, dtype=np.float32)
    rate = np.float32(2 * math.pi) / (np.float32(0.1) * np.float32(100) ** octave)
    angle = times[:, None, :, None] * rate
    return np.cos(angle), np.sin(angle)


def _rotate_pairs(x: Float32, turn: tuple[Float32, Float32]) -> Float32:
    """Pairs of features rotated by their frame's time: products depend on time differences."""
    cos, sin = turn
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate((a * cos - b * sin, a * sin + b * cos), axis=-1)
