"""Where the time of a graph goes: ONNX Runtime's own profile of its kernels, by kind of work.

A target in GFLOP/s counts matrix products alone. What else a graph computes takes its time too, so the most that such a share
can reach is measured here: with products as fast as the machine's best matrix product, and all other work as it is.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from twm.core.errors import UnavailableError
from twm_bench.axes.scores import short

PROFILED_RUNS = 40
PRODUCTS, FUNCTIONS, REDUCTIONS, MOVING, ELEMENTWISE = (
    "matrix_products",
    "functions",
    "reductions",
    "moving_and_shaping",
    "elementwise_arithmetic",
)
_KINDS: Mapping[str, Set[str]] = {
    PRODUCTS: {"MatMul", "Gemm", "Einsum", "FusedMatMul", "FusedGemm"},
    FUNCTIONS: {"Exp", "Log", "Pow", "Tanh", "Sigmoid", "Softplus", "Sqrt", "Erf", "Gelu", "QuickGelu", "Softmax"},
    REDUCTIONS: {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "LayerNormalization", "ArgMax", "CumSum"},
    MOVING: {
        *("Reshape", "Transpose", "Concat", "Slice", "Split", "Unsqueeze", "Squeeze", "Gather", "Expand", "Tile", "Shape"),
        *("Cast", "Identity", "ConstantOfShape", "Range", "ScatterND", "GatherElements", "Flatten", "Pad"),
    },
}
"""Kinds of work by ONNX operator; what is in none of them is arithmetic element by element."""


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One node as it ran."""

    operator: str
    seconds: float
    """Median over the runs."""
    reached: bool
    """Whether one of the named inputs reaches it."""


def profile(content: bytes, feeds: Mapping[str, NDArray[np.float32]], marked: Set[str]) -> list[Kernel]:
    """Kernels of a graph at these inputs, one thread, options as the engine has them. `marked`: inputs that `reached` asks for.

    Raises UnavailableError where the `onnx` package is not installed.
    """
    try:
        import onnx
    except ImportError as error:
        raise UnavailableError("onnx: not installed, needed to read a graph (extra: training)") from error
    with tempfile.TemporaryDirectory(prefix="twm-kernels-") as folder:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder) / "profile")
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
        for _ in range(PROFILED_RUNS):
            session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    reached = _reached(graph.node, marked)
    runs: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            key = event["name"].removesuffix("_kernel_time"), event["args"]["op_name"]
            runs[key].append(1e-6 * event["dur"])
    return [
        Kernel(operator=operator, seconds=float(np.median(seconds)), reached=reached.get(name, True))
        for (name, operator), seconds in runs.items()
    ]


def _reached(nodes: Sequence[Any], marked: Set[str]) -> dict[str, bool]:
    """Node name to whether a marked input reaches it; nodes are in the order they run in."""
    values, found = set(marked), {}
    for node in nodes:
        found[node.name] = any(name in values for name in node.input)
        if found[node.name]:
            values.update(node.output)
    return found


def time_shares(
    kernels: Sequence[Kernel], *, flops: float, step_s: float, one_row_s: float, peak_gflops: float
) -> dict[str, Any]:
    """What the profile says, with names that explain themselves.

    `flops`: of the products of one step; `step_s`, `one_row_s`: time of a step without the profiler, of this batch and of a
    single row; `peak_gflops`: the machine's measured GEMM peak.
    """
    by_kind: dict[str, float] = dict.fromkeys((*_KINDS, ELEMENTWISE), 0.0)
    for kernel in kernels:
        by_kind[_kind(kernel.operator)] += kernel.seconds
    total = max(sum(by_kind.values()), 1e-12)
    products_s = step_s * by_kind[PRODUCTS] / total
    at_peak_s = 1e-9 * flops / peak_gflops
    ceiling = at_peak_s / (at_peak_s + step_s - products_s)
    shares = {kind: short(seconds / total) for kind, seconds in by_kind.items()}
    return {
        "nodes": len(kernels),
        "share_of_kernel_time": shares,
        "fixed_cost_of_a_call_share": short(min(one_row_s / step_s, 1.0)),
        "products_alone_share_of_gemm_peak": short(at_peak_s / max(products_s, 1e-12)),
        "ceiling_share_of_gemm_peak": short(ceiling),
        "share_no_action_reaches": short(sum(k.seconds for k in kernels if not k.reached) / total),
        "reading": (
            f"matrix products take {100 * by_kind[PRODUCTS] / total:.0f} % of the kernels' time; with them at the GEMM peak, "
            f"and all other work as it is, the graph would reach {100 * ceiling:.0f} % of that peak"
        ),
    }


def _kind(operator: str) -> str:
    return next((kind for kind, operators in _KINDS.items() if operator in operators), ELEMENTWISE)
