"""BlazePose's landmark network from TFLite to ONNX: `blazepose.py MODEL.tflite OUT.onnx`.

Only the outputs that are used are kept, so the decoder of the person's mask falls away. TFLite
has its channels last, ONNX first: every picture-like tensor is carried in ONNX's order.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from halves import halved
from onnx import TensorProto, helper, numpy_helper
from tensorflow.lite.python import schema_py_generated as schema

WANTED = {"Identity": "landmarks", "Identity_1": "person", "Identity_4": "world"}
OPSET = 17
OPERATIONS = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
NONE, RELU, RELU6 = 0, 1, 3
SAME = 0


def main() -> None:
    """Read, rewrite, check."""
    source, target = (Path(name) for name in sys.argv[1:])
    model = Rewriter(source.read_bytes()).model()
    target.write_bytes(halved(model).SerializeToString(deterministic=True))


class Rewriter:
    """Turns the operations of a TFLite graph into ONNX nodes, those that are needed."""

    def __init__(self, data: bytes) -> None:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        self.graph = model.subgraphs[0]
        self.codes = model.operatorCodes
        self.buffers = model.buffers
        self.constants: dict[int, np.ndarray] = {}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        """The whole network."""
        (image,) = self.graph.inputs
        outputs = {i: WANTED.get(self.graph.tensors[i].name.decode()) for i in self.graph.outputs}
        outputs = {i: name for i, name in outputs.items() if name}
        self.add("Transpose", ["image"], self.name(image), perm=[0, 3, 1, 2])
        for operator in self.needed(set(outputs)):
            self.rewrite(operator)
        for index, name in outputs.items():
            self.add("Identity", [self.name(index)], name)
        graph = helper.make_graph(
            self.nodes,
            "blazepose",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape(image))],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, self.shape(index))
                for index, name in outputs.items()
            ],
            self.weights,
        )
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )

    def needed(self, wanted: set[int]) -> list[Any]:
        """The operations that those tensors come from, in their order."""
        kept = []
        for operator in reversed(self.graph.operators):
            if wanted & {int(i) for i in operator.outputs}:
                wanted |= {int(i) for i in operator.inputs}
                kept.append(operator)
        return kept[::-1]

    def rewrite(self, operator: Any) -> None:
        """One operation to its nodes."""
        code = self.codes[operator.opcodeIndex]
        kind = OPERATIONS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        inputs, (output,) = [int(i) for i in operator.inputs], operator.outputs
        options = operator.builtinOptions
        match kind:
            case "DEQUANTIZE":
                self.constants[int(output)] = self.constant(inputs[0]).astype(np.float32)
            case "CONV_2D" | "DEPTHWISE_CONV_2D":
                self.convolve(inputs, output, options, deep=kind == "DEPTHWISE_CONV_2D")
            case "ADD":
                self.activate("Add", [self.name(i) for i in inputs], output, options)
            case "PAD":
                before, after = self.constant(inputs[1])[[0, 3, 1, 2]].T
                pads = self.weight(np.concatenate((before, after)).astype(np.int64))
                self.add("Pad", [self.name(inputs[0]), pads], self.name(output))
            case "MAX_POOL_2D":
                kernel = [options.filterHeight, options.filterWidth]
                strides = [options.strideH, options.strideW]
                pads = self.pads(inputs[0], options, kernel, [1, 1])
                self.add(
                    "MaxPool", [self.name(inputs[0])], self.name(output),
                    kernel_shape=kernel, strides=strides, pads=pads,
                )  # fmt: skip
            case "RESIZE_BILINEAR":
                self.resize(inputs[0], output, options)
            case "RESHAPE":  # of what is one pixel large, so the order of axes does not matter
                shape = self.weight(np.array(self.shape(output), np.int64))
                self.add("Reshape", [self.name(inputs[0]), shape], self.name(output))
            case "LOGISTIC":
                self.add("Sigmoid", [self.name(inputs[0])], self.name(output))
            case _:
                raise SystemExit(f"cannot rewrite {kind}")

    def convolve(self, inputs: list[int], output: int, options: Any, deep: bool) -> None:
        """Weights are stored (out, h, w, in), the deep ones (1, h, w, channels)."""
        kernel = self.constant(inputs[1]).transpose((3, 0, 1, 2) if deep else (0, 3, 1, 2))
        dilations = [options.dilationHFactor, options.dilationWFactor]
        names = [self.name(inputs[0]), self.weight(kernel), self.weight(self.constant(inputs[2]))]
        self.activate(
            "Conv",
            names,
            output,
            options,
            strides=[options.strideH, options.strideW],
            dilations=dilations,
            group=len(kernel) if deep else 1,
            pads=self.pads(inputs[0], options, list(kernel.shape[2:]), dilations),
        )

    def resize(self, source: int, output: int, options: Any) -> None:
        """Bilinear, by a whole factor."""
        if options.alignCorners or not options.halfPixelCenters:
            raise SystemExit("cannot rewrite this way of resizing")
        height, width = (self.shape(output)[i] / self.shape(source)[i] for i in (1, 2))
        scales = self.weight(np.array([1, 1, height, width], np.float32))
        self.add("Resize", [self.name(source), "", scales], self.name(output), mode="linear")

    def pads(self, source: int, options: Any, kernel: list[int], dilations: list[int]) -> list[int]:
        """Top, left, bottom, right; TFLite puts the odd pixel at the end."""
        if options.padding != SAME:
            return [0, 0, 0, 0]
        before, after = [], []
        for axis, stride in enumerate((options.strideH, options.strideW)):
            length = self.shape(source)[1 + axis]
            reach = (kernel[axis] - 1) * dilations[axis] + 1
            missing = max((-(-length // stride) - 1) * stride + reach - length, 0)
            before.append(missing // 2)
            after.append(missing - missing // 2)
        return before + after

    def activate(
        self, kind: str, names: list[str], output: int, options: Any, **attributes: Any
    ) -> None:
        """A node and the activation that TFLite has fused to it."""
        name, act = self.name(output), options.fusedActivationFunction
        if act == NONE:
            self.add(kind, names, name, **attributes)
            return
        self.add(kind, names, f"{name}_raw", **attributes)
        if act == RELU:
            self.add("Relu", [f"{name}_raw"], name)
        elif act == RELU6:
            limits = [self.weight(np.array(v, np.float32)) for v in (0, 6)]
            self.add("Clip", [f"{name}_raw", *limits], name)
        else:
            raise SystemExit(f"cannot rewrite activation {act}")

    def add(self, kind: str, names: list[str], output: str, **attributes: Any) -> None:
        """One more node."""
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))

    def weight(self, values: np.ndarray) -> str:
        """Put a constant into the graph; its name."""
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def constant(self, index: int) -> np.ndarray:
        """What the file holds for that tensor."""
        if index not in self.constants:
            tensor = self.graph.tensors[index]
            data = bytes(bytearray(self.buffers[tensor.buffer].data))
            values = np.frombuffer(data, TYPES[tensor.type]).reshape(self.shape(index))
            self.constants[index] = values
        return self.constants[index]

    def shape(self, index: int) -> list[int]:
        """As in TFLite, channels last."""
        return [int(size) for size in self.graph.tensors[index].shape]

    def name(self, index: int) -> str:
        """What the tensor is called in ONNX."""
        return f"t{int(index)}"


if __name__ == "__main__":
    main()
