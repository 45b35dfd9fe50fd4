"""A torch module as an ONNX file: exported, stripped of what differs from run to run, checked against torch in ONNX Runtime."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx_ir.passes.common import CommonSubexpressionEliminationPass
from onnxscript import optimizer
from torch import Tensor, nn

from twm.core.errors import ModelMismatchError
from twm.core.zoo import GraphSpec, TensorSpec

OPSET = 20
TOLERANCE = 2e-3
"""Largest accepted |onnx - torch| / (1 + |torch|); it is about 1e-5 in practice, sums are taken in another order."""

Named = tuple[str, tuple[int | str, ...], str]
"""Name, shape (a string is a dimension of any size), unit."""


def write_graph(
    module: nn.Module,
    args: Sequence[Tensor],
    inputs: Sequence[Named],
    outputs: Sequence[Named],
    path: Path,
    *,
    patterns: bool = True,
) -> GraphSpec:
    """Export `module` called with `args` to `path`; returns its card entry.

    `patterns`: whether the exporter looks for patterns to fuse, which takes longer than all the rest in a graph of many small
    nodes; without it constants are folded and common subexpressions merged. Raises ModelMismatchError where ONNX Runtime and
    torch differ.
    """
    module = module.eval()
    names = [name for name, _, _ in inputs]
    dims = {dim: torch.export.Dim(dim, min=1, max=1 << 20) for _, shape, _ in inputs for dim in shape if isinstance(dim, str)}
    dynamic = tuple({i: dims[d] for i, d in enumerate(shape) if isinstance(d, str)} for _, shape, _ in inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module,
            tuple(args),
            dynamo=True,
            input_names=names,
            output_names=[name for name, _, _ in outputs],
            dynamic_shapes=dynamic if dims else None,
            opset_version=OPSET,
            optimize=patterns,
            verbose=False,
        )
    if program is None:
        raise ModelMismatchError(f"{path}: export gave no program")
    if not patterns:
        for _ in range(2):  # types known after the first pass let the second drop casts
            optimizer.fold_constants(program.model)
            CommonSubexpressionEliminationPass()(program.model)
            optimizer.remove_unused_nodes(program.model)
    proto = program.model_proto
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del proto.graph.metadata_props[:]
    del proto.graph.value_info[:]
    proto.doc_string = ""
    onnx.checker.check_model(proto)
    data = proto.SerializeToString(deterministic=True)
    path.write_bytes(data)
    check_graph(path, module, dict(zip(names, args, strict=True)), [name for name, _, _ in outputs])
    tensors = lambda named: tuple(TensorSpec(name=n, shape=shape, unit=unit) for n, shape, unit in named)
    return GraphSpec(sha256=hashlib.sha256(data).hexdigest(), inputs=tensors(inputs), outputs=tensors(outputs))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's chatter: warnings, prints, log lines below errors."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def check_graph(path: Path, module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> float:
    """Largest relative difference between ONNX Runtime and torch. Raises ModelMismatchError above TOLERANCE."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found = session.run(list(outputs), {name: value.numpy() for name, value in inputs.items()})
    with torch.no_grad():
        expected = module(*inputs.values())
    expected = expected if isinstance(expected, tuple) else (expected,)
    worst = 0.0
    for name, a, b in zip(outputs, found, expected, strict=True):
        if a.shape != tuple(b.shape):
            raise ModelMismatchError(f"{path}: {name}: shape {a.shape}, torch gives {tuple(b.shape)}")
        worst = max(worst, float((np.abs(a - b.numpy()) / (1 + np.abs(b.numpy()))).max()))
    if not worst <= TOLERANCE:
        raise ModelMismatchError(f"{path}: differs from torch by {worst:.2e}, bound {TOLERANCE:.0e}")
    return worst
