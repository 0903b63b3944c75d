"""MoveNet as a torch module that trains, and its weights back in the eight bits of its file."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mocap_cli.io.onnx_file import Node, OnnxFile
from mocap_cli.keypoints.pose_networks import MOVENET
from mocap_cli.weights import weight_path

CELLS = 64
"""Cells of its maps along a side of the crop."""
COUNT = 17
"""Keypoints that it predicts, the first of `KEYPOINTS`."""
_OUTPUTS = ("t296", "t348", "t313")
"""Of each keypoint: heat, its place in the cell, and its way from the cell of the body's middle."""
_QUANTISED, _WIDENED = "DequantizeLinear", "Cast"
_LEVELS = 63  # seven bits: see weights/convert/eighths.py
_LIMITS = (0, 255)  # of an activation


class MoveNet(nn.Module):
    """Crops (N, 256, 256, 3) in 0..255 to heat maps and offsets.

    Activations are limited as in the file, where eight bits do it.
    """

    def __init__(self, file: OnnxFile) -> None:
        super().__init__()
        self._file, self._aliases = file, dict[str, str]()
        self._stored = {
            node.outputs[0]: node
            for node in file.nodes
            if node.kind in (_QUANTISED, _WIDENED) and node.inputs[0] in file.constants
        }
        self._plan = [self._prepared(node) for node in file.nodes if self._runs(node)]
        self._plan = _needed(self._plan, set(_OUTPUTS))
        self.convolutions = [node for node in self._plan if node.kind == "Conv"]
        self._values = nn.ParameterDict(
            {
                name: nn.Parameter(torch.from_numpy(self._constant(name)))
                for node in self.convolutions
                for name in node.inputs[1:]
            }
        )

    @staticmethod
    def bundled() -> "MoveNet":
        """The network in weights/."""
        return MoveNet(OnnxFile.parse(weight_path(f"{MOVENET}.onnx").read_bytes()))

    def freeze(self, convolutions: int) -> None:
        """Keep the weights of the first convolutions."""
        for node in self.convolutions[:convolutions]:
            for name in node.inputs[1:]:
                self._values[name].requires_grad_(requires_grad=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, 17, 64, 64) heat in 0..1, and two times (N, 17, 2, 64, 64): down and right in cells.

        These are a keypoint's place in its cell, and its way from the cell of the body's middle.
        """
        values = {node.inputs[0]: crops for node in self._plan[:1]}
        for node in self._plan:
            parts = [values[name] if name in values else self._value(name) for name in node.inputs]
            values[node.outputs[0]] = _OPERATIONS[node.kind](node, *parts)
        heat, *ways = (values[name] for name in _OUTPUTS)
        offsets, reach = (way.unflatten(1, (COUNT, 2)) for way in ways)
        return heat, offsets, reach

    def constants(self) -> dict[str, NDArray[Any]]:
        """The file's constants with the present weights."""
        found: dict[str, NDArray[Any]] = {}
        for node in self.convolutions:
            weight = self._numbers(node.inputs[1])
            stored = self._stored.get(node.inputs[1])
            if stored is None or stored.kind == _WIDENED:
                found |= {k: v for n in node.inputs[1:] for k, v in self._plain(n).items()}
                continue
            quantised, scale, _ = stored.inputs
            steps = np.maximum(np.abs(weight).reshape(len(weight), -1).max(axis=1), 1e-8) / _LEVELS
            levels = np.round(weight / steps.reshape(-1, 1, 1, 1)).astype(np.int8)
            found |= {quantised: levels, scale: steps.astype(np.float32)}
            for name in node.inputs[2:]:
                number, unit, _ = self._stored[name].inputs
                units = steps * self._range_step(node.inputs[0])
                whole = np.round(self._numbers(name) / units)
                found |= {number: whole.astype(np.int32), unit: units.astype(np.float32)}
        return found

    def _numbers(self, name: str) -> NDArray[np.float32]:
        return np.asarray(self._values[name].detach().cpu().numpy(), np.float32)

    def _plain(self, name: str) -> dict[str, NDArray[Any]]:
        """A constant that is kept as it is, or in half precision."""
        source = self._stored[name].inputs[0] if name in self._stored else name
        return {source: self._numbers(name).astype(self._file.constants[source].dtype)}

    def _range_step(self, name: str) -> float:
        """Size of a level of an activation."""
        (step,) = [
            float(self._file.constants[node.inputs[1]])
            for node in self._file.nodes
            if node.kind == "QuantizeLinear" and self._same(node.outputs[0]) == self._same(name)
        ]
        return step

    def _runs(self, node: Node) -> bool:
        """Whether a node computes something; what only passes a value on gets an alias."""
        if node.outputs[0] in self._stored or not node.inputs:
            return False
        if node.kind in (_QUANTISED, "Split", "Identity", "Squeeze"):
            self._aliases[node.outputs[0]] = node.inputs[0]
            return False
        return True

    def _same(self, name: str) -> str:
        while name in self._aliases:
            name = self._aliases[name]
        return name

    def _prepared(self, node: Node) -> Node:
        """The node with the names of what it reads, and constants that never change."""
        attributes = dict(node.attributes)
        inputs = tuple(self._same(name) for name in node.inputs)
        constants = self._file.constants
        if node.kind == "QuantizeLinear":
            step, zero = float(constants[inputs[1]]), int(constants[inputs[2]])
            attributes = {"range": tuple((limit - zero) * step for limit in _LIMITS)}
            inputs = inputs[:1]
        elif node.kind == "Clip":
            attributes = {"range": tuple(float(constants[name]) for name in inputs[1:])}
            inputs = inputs[:1]
        elif node.kind == "Resize":
            attributes = {"scales": constants[next(n for n in reversed(inputs) if n)].tolist()}
            inputs = inputs[:1]
        return Node(node.kind, tuple(name for name in inputs if name), node.outputs, attributes)

    def _constant(self, name: str) -> NDArray[np.float32]:
        """Numbers of a weight in single precision."""
        stored, constants = self._stored.get(name), self._file.constants
        if stored is None:
            return constants[name].astype(np.float32)
        values = constants[stored.inputs[0]].astype(np.float32)
        if stored.kind == _WIDENED:
            return values
        scale = constants[stored.inputs[1]]
        return np.asarray(values * scale.reshape(-1, *[1] * (values.ndim - 1)), np.float32)

    def _value(self, name: str) -> Tensor:
        if name in self._values:
            return self._values[name]
        device = next(self.parameters()).device
        return torch.from_numpy(self._constant(name)).to(device)


def _needed(nodes: Iterable[Node], wanted: set[str]) -> list[Node]:
    """The nodes that those values come from, in their order."""
    kept = []
    for node in reversed(list(nodes)):
        if wanted & set(node.outputs):
            wanted = wanted | set(node.inputs)
            kept.append(node)
    return kept[::-1]


def _convolve(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    how = node.attributes
    top, left, bottom, right = how.get("pads", (0, 0, 0, 0))
    x = F.pad(x, (left, right, top, bottom))
    return F.conv2d(x, weight, bias, how.get("strides", 1), groups=how.get("group", 1))


def _resize(node: Node, x: Tensor) -> Tensor:
    scales = node.attributes["scales"]
    size = round(x.shape[2] * scales[2]), round(x.shape[3] * scales[3])
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


def _limited(node: Node, x: Tensor) -> Tensor:
    return x.clamp(*node.attributes["range"])


_OPERATIONS: dict[str, Any] = {
    "Conv": _convolve,
    "Resize": _resize,
    "Clip": _limited,
    "QuantizeLinear": _limited,
    "Relu": lambda node, x: x.relu(),
    "Sigmoid": lambda node, x: x.sigmoid(),
    "Add": lambda node, x, y: x + y,
    "Mul": lambda node, x, y: x * y,
    "Sub": lambda node, x, y: x - y,
    "Cast": lambda node, x: x,
    "Transpose": lambda node, x: x.permute(*node.attributes["perm"]),
}
