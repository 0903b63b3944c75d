"""Keep the weights of an ONNX graph in half precision, as their makers published them.

They are widened when the network is opened, so it computes in single precision all the same.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALL = 256
"""Constants of fewer numbers stay as they are: shapes, paddings, anchors."""


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network in half the space."""
    graph, casts, kept = model.graph, [], []
    for weight in graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype != np.float32 or values.size <= SMALL:
            kept.append(weight)
            continue
        name = f"{weight.name}_half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), name))
        casts.append(helper.make_node("Cast", [name], [weight.name], to=TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(casts + nodes)
    onnx.checker.check_model(model)
    return model
