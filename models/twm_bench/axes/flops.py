"""Floating-point operations of an ONNX graph, counted from its matrix products as they run.

The graph is run once with the operands of every product as outputs, so that shapes are those that truly occur.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from twm.core.errors import UnavailableError

PRODUCTS = ("MatMul", "Gemm", "Einsum")


def product_flops(content: bytes, feeds: Mapping[str, NDArray[np.float32]]) -> int:
    """Two for each multiply-add of the graph's MatMul, Gemm and Einsum nodes at these inputs; elementwise work is not counted.

    Raises UnavailableError where the `onnx` package is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise UnavailableError("onnx: not installed, needed to count a graph's products (extra: training)") from error
    model = onnx.load_model_from_string(content)
    nodes = [node for node in model.graph.node if node.op_type in PRODUCTS]
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    known = {name: array.shape for name, array in feeds.items()}
    wanted = {name for node in nodes for name in (*node.input, *node.output) if name} - set(constants) - set(known)
    declared = {value.name for value in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(wanted - declared))
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = sorted(wanted)
    shapes = constants | known
    if names:
        shapes |= {name: np.shape(value) for name, value in zip(names, session.run(names, dict(feeds)), strict=True)}
    return sum(
        _node_flops(node.op_type, _text(node), [shapes[n] for n in node.input], shapes[node.output[0]]) for node in nodes
    )


def _text(node: Any) -> str:
    for attribute in node.attribute:
        if attribute.name == "equation":
            return str(attribute.s.decode())
        if attribute.name == "transA" and attribute.i:
            return "transA"
    return ""


def _node_flops(kind: str, text: str, inputs: Sequence[tuple[int, ...]], output: tuple[int, ...]) -> int:
    if kind == "Einsum":
        sizes: dict[str, int] = {}
        for term, shape in zip(text.replace(" ", "").partition("->")[0].split(","), inputs, strict=True):
            if "." in term:
                raise UnavailableError(f"einsum {text!r}: an ellipsis is not counted")
            sizes |= dict(zip(term, shape, strict=True))
        return 2 * math.prod(sizes.values())
    inner = inputs[0][0] if kind == "Gemm" and text == "transA" else inputs[0][-1]
    return 2 * math.prod(output) * int(inner)
