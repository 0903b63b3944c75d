"""A network's convolutions in eight bits, half the time on a CPU: `eighths.py IN.onnx OUT.onnx`.

The backbone only; what tells where to a fraction of a pixel stays as it is. Ranges
are those of people cut out of the examples, upright and turned. Weights keep seven bits of eight,
without which processors older than VNNI would overflow.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

EXAMPLES = Path(__file__).parents[2] / "examples"
SIZE, EVERY = 256, 10  # pixels of a crop; frames between two of them
FIRST = 10  # the node where eight bits begin: the first layers see the picture itself
PARTS = ["Conv", "Add", "Clip"]


def main() -> None:
    """Widen, measure ranges, quantise."""
    source, target = (Path(name) for name in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(folder) / "wide.onnx"
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(wide)
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        model = named(onnx.load(wide))
        onnx.save(model, wide)
        quantize_static(
            wide,
            target,
            Crops(model.graph.input[0].name),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=PARTS,
            nodes_to_quantize=backbone(model),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def named(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with a name for every node."""
    for index, node in enumerate(model.graph.node):
        node.name = f"n{index}"
    return model


def backbone(model: onnx.ModelProto) -> list[str]:
    """The nodes behind the first layers and before its maps are made finer again."""
    last = next(i for i, node in enumerate(model.graph.node) if node.op_type == "Resize")
    return [node.name for node in model.graph.node[FIRST:last] if node.op_type in PARTS]


class Crops(CalibrationDataReader):
    """People of the examples, cut out the way up that they are and three others."""

    def __init__(self, name: str) -> None:
        self._crops: Iterator[dict[str, NDArray[Any]]] = (
            {name: crop[None].astype(np.int32)} for crop in crops()
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """One crop, or that there are no more."""
        return next(self._crops, None)


def crops() -> Iterator[NDArray[np.uint8]]:
    """Every tenth frame of each example, another quarter turn each time."""
    for clip in ("dive", "walk", "ski"):
        truth = json.loads((EXAMPLES / f"{clip}.truth.json").read_text())["keypoints"]["xy"]
        with av.open(str(EXAMPLES / f"{clip}.mp4")) as file:
            for index, frame in enumerate(file.decode(video=0)):
                if index % EVERY == 0:
                    points = np.array(truth[index], np.float64)
                    turned = np.rot90(cut(frame.to_ndarray(format="rgb24"), points), index // EVERY)
                    yield np.ascontiguousarray(turned)


def cut(picture: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A square round the points, with a margin, black beyond the picture."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = SIZE / (1.4 * (high - low).max())
    move = SIZE / 2 - scale * (low + high) / 2
    onto = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
    return np.asarray(cv2.warpAffine(picture, onto, (SIZE, SIZE), flags=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main()
