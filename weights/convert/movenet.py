"""MoveNet from TensorFlow.js (model.json + .bin) to ONNX: `movenet.py MODEL.json OUT.onnx`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf2onnx
from canonical import canonical
from google.protobuf import json_format
from halves import halved
from onnx import ModelProto, numpy_helper

INPUT, OUTPUT = "input", "Identity"
SHAPE = (1, 256, 256, 3)
COLOURS = (1, 1, 1, 3)
OPSET = 17
FUSED = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
CONVOLUTION = ("T", "strides", "padding", "data_format", "dilations")


def main() -> None:
    """Read, unfuse, convert."""
    source, target = (Path(name) for name in sys.argv[1:])
    graph = read(source)
    model, _ = tf2onnx.convert.from_graph_def(
        graph, input_names=[f"{INPUT}:0"], output_names=[f"{OUTPUT}:0"], opset=OPSET
    )
    model = halved(said_once(canonical(model)))
    target.write_bytes(model.SerializeToString(deterministic=True))


def said_once(model: ModelProto) -> ModelProto:
    """Numbers alike for the three colours as one: onnxruntime is ten times as fast with that."""
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.shape == COLOURS and (values == values.flat[0]).all():
            weight.CopyFrom(numpy_helper.from_array(values.reshape(-1)[0], weight.name))
    return model


def read(path: Path) -> Any:
    """The TensorFlow graph with its weights in it and only plain operations."""
    document = json.loads(path.read_text())
    topology, weights = document["modelTopology"], read_weights(path.parent, document)
    packed, graph = tf.compat.v1.GraphDef(), tf.compat.v1.GraphDef()
    json_format.ParseDict({"node": topology["node"]}, packed, ignore_unknown_fields=True)
    for node in packed.node:
        if node.op in FUSED:
            unfuse(node, graph)
            continue
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
        elif node.op == "Placeholder":
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(SHAPE).as_proto())
        graph.node.append(node)
    return graph


def read_weights(folder: Path, document: dict[str, Any]) -> dict[str, np.ndarray]:
    """Every constant by name; the package keeps floats as halves."""
    weights = {}
    for group in document["weightsManifest"]:
        data, start = b"".join((folder / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            stored = np.dtype(entry.get("quantization", entry)["dtype"])
            if entry.get("quantization", {}).get("scale") is not None:
                raise SystemExit(f"{entry['name']}: only float16 storage is understood")
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(data, stored, count, start)
            start += values.nbytes
            weights[entry["name"]] = values.reshape(entry["shape"]).astype(entry["dtype"])
    return weights


def unfuse(node: Any, graph: Any) -> None:
    """A convolution, then what was fused to it, under the name that others refer to."""
    after = [name.decode() for name in node.attr["fused_ops"].list.s]
    if not set(after) <= {"BiasAdd", "Relu", "Relu6"}:
        raise SystemExit(f"{node.name}: cannot take {after} apart")
    convolution = graph.node.add(name=f"{node.name}/convolution", op=FUSED[node.op])
    convolution.input.extend(node.input[:2])
    for key in CONVOLUTION:
        if key in node.attr:
            convolution.attr[key].CopyFrom(node.attr[key])
    last = convolution.name
    for number, op in enumerate(after, 1):
        name = node.name if number == len(after) else f"{node.name}/{number}"
        step = graph.node.add(name=name, op=op)
        step.input.extend([last, node.input[2]] if op == "BiasAdd" else [last])
        step.attr["T"].CopyFrom(node.attr["T"])
        last = name


if __name__ == "__main__":
    main()
