"""Put an ONNX graph into one order with one set of names, so that its bytes tell what it is.

tf2onnx gives the same network with its nodes shuffled and numbered differently in every run.
"""

from typing import Any

import onnx


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, nodes in the order in which its outputs ask for them."""
    graph = model.graph
    maker = {name: node for node in graph.node for name in node.output}
    weight = {tensor.name: tensor for tensor in graph.initializer}
    names = {value.name: value.name for value in (*graph.input, *graph.output)} | {"": ""}
    nodes, weights = _in_order([value.name for value in graph.output], maker, weight)
    for tensor in weights:
        names[tensor.name] = tensor.name = f"w{len(names)}"
    for node in nodes:
        for name in node.output:
            names.setdefault(name, f"t{len(names)}")
        inputs, outputs = [names[n] for n in node.input], [names[n] for n in node.output]
        del node.input[:], node.output[:]
        node.input.extend(inputs)
        node.output.extend(outputs)
        node.name = node.doc_string = ""
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)
    graph.name, graph.doc_string = "network", ""
    return model


def _in_order(
    outputs: list[str], maker: dict[str, onnx.NodeProto], weight: dict[str, onnx.TensorProto]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes after those they depend on, and weights in the order of their use."""
    nodes, weights, done, stack = [], [], set(), [(name, False) for name in reversed(outputs)]
    while stack:
        name, ready = stack.pop()
        if name in weight and name not in done:
            done.add(name)
            weights.append(_copy(weight[name]))
        node = maker.get(name)
        if node is None or id(node) in done:
            continue
        if ready:
            done.add(id(node))
            nodes.append(_copy(node))
        else:
            stack.append((name, True))
            stack.extend((source, False) for source in reversed(node.input))
    return nodes, weights


def _copy(message: Any) -> Any:
    twin = type(message)()
    twin.CopyFrom(message)
    return twin
