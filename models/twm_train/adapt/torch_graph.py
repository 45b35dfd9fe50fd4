"""An ONNX graph as a differentiable torch function, and its weights put back into the same graph.

The zoo holds graphs, not checkpoints. Their weights keep the names they had in training, so a graph can be run in torch, tuned,
and written again with nothing changed but its weights: whatever the model's insides are, and without exporting anew.
Operators: those that exported models use (opset 18 and later); another one is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from twm.core.errors import ModelMismatchError
from twm_train.onnx_file import TOLERANCE

TUNABLE = re.compile(r"\..*(weight|bias)$")
"""Names of what training learnt; normalisation constants and folded ones are left alone."""


class TorchGraph(nn.Module):
    """One graph. Inputs and outputs as in the file; `forward` takes and gives dicts by name."""

    def __init__(self, path: Path) -> None:
        """Raises ModelMismatchError where the graph has an operator that is not known here."""
        super().__init__()
        self.path = path
        self.proto = onnx.load(path)
        graph = self.proto.graph
        self.inputs = tuple(i.name for i in graph.input)
        self.outputs = tuple(o.name for o in graph.output)
        self._parameter_of: dict[str, str] = {}
        self._constants: dict[str, Tensor] = {}
        for item in graph.initializer:
            value = torch.from_numpy(np.array(numpy_helper.to_array(item)))
            if TUNABLE.search(item.name) and value.dtype == torch.float32:
                name = item.name.replace(".", "__")
                self.register_parameter(name, nn.Parameter(value))
                self._parameter_of[item.name] = name
            else:
                self._constants[item.name] = value
        known = lambda node: node.op_type in OPERATORS and node.domain in ("", "ai.onnx")
        unknown = sorted({node.op_type for node in graph.node if not known(node)})
        if unknown:
            raise ModelMismatchError(f"{path}: operators {', '.join(unknown)} cannot be tuned")
        self._nodes = [(OPERATORS[n.op_type], list(n.input), list(n.output), _attributes(n)) for n in graph.node]

    @property
    def tunable(self) -> int:
        """Weights that can be tuned."""
        return sum(p.numel() for p in self.parameters())

    def forward(self, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Run the graph."""
        values: dict[str, Tensor] = {**self._constants, **feeds}
        for name, attribute in self._parameter_of.items():
            values[name] = getattr(self, attribute)
        for run, inputs, outputs, attributes in self._nodes:
            found = run([values[name] if name else None for name in inputs], attributes, len(outputs))
            results = found if isinstance(found, tuple) else (found,)
            values.update(zip(outputs, results, strict=True))
        return {name: values[name] for name in self.outputs}

    def check(self, feeds: Mapping[str, Tensor]) -> None:
        """Raise ModelMismatchError where torch and ONNX Runtime differ on these inputs."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
        theirs = session.run(list(self.outputs), {k: v.numpy() for k, v in feeds.items()})
        with torch.no_grad():
            ours = self(feeds)
        for name, expected in zip(self.outputs, theirs, strict=True):
            worst = float((np.abs(ours[name].numpy() - expected) / (1 + np.abs(expected))).max())
            if not worst <= TOLERANCE:
                raise ModelMismatchError(f"{self.path}: {name}: torch differs by {worst:.2e}, bound {TOLERANCE:.0e}")

    def content(self) -> bytes:
        """The graph with the weights as they are now."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self.proto)
        for item in proto.graph.initializer:
            if item.name in self._parameter_of:
                value = getattr(self, self._parameter_of[item.name]).detach().numpy()
                item.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), item.name))
        return bytes(proto.SerializeToString(deterministic=True))


Inputs = Sequence[Any]
Attributes = Mapping[str, Any]
Operator = Callable[[Inputs, Attributes, int], Any]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _ints(value: Tensor | Sequence[int]) -> list[int]:
    return [int(v) for v in (value.tolist() if isinstance(value, Tensor) else value)]


def _axes(x: Inputs, a: Attributes, at: int = 1) -> list[int] | None:
    if len(x) > at and x[at] is not None:
        return _ints(x[at]) or None
    return _ints(a["axes"]) if "axes" in a else None


def _reduce(kind: Callable[..., Tensor]) -> Operator:
    def run(x: Inputs, a: Attributes, _: int) -> Tensor:
        axes, keep = _axes(x, a), bool(a.get("keepdims", 1))
        if axes is None:
            if a.get("noop_with_empty_axes", 0):
                return x[0]
            axes = list(range(x[0].dim()))
        return kind(x[0], tuple(axes), keepdim=keep)

    return run


def _reshape(x: Inputs, a: Attributes, _: int) -> Tensor:
    shape = _ints(x[1])
    if not a.get("allowzero", 0):
        shape = [x[0].shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return x[0].reshape(shape)


def _slice(x: Inputs, a: Attributes, _: int) -> Tensor:
    starts, ends = _ints(x[1]), _ints(x[2])
    axes = _ints(x[3]) if len(x) > 3 and x[3] is not None else list(range(len(starts)))
    steps = _ints(x[4]) if len(x) > 4 and x[4] is not None else [1] * len(starts)
    out = x[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = out.shape[axis]
        if step == 1:
            begin, stop, _ = slice(start, end).indices(size)
            out = out.narrow(axis, begin, max(stop - begin, 0))
        else:
            stop_at = None if step < 0 and end < -size else end
            picked = torch.tensor(list(range(size))[slice(start, stop_at, step)], dtype=torch.long)
            out = out.index_select(axis, picked)
    return out


def _gather(x: Inputs, a: Attributes, _: int) -> Tensor:
    axis, index = int(a.get("axis", 0)), x[1].long()
    axis = axis % x[0].dim()
    flat = torch.where(index < 0, index + x[0].shape[axis], index).reshape(-1)
    picked = x[0].index_select(axis, flat)
    return picked.reshape(*x[0].shape[:axis], *index.shape, *x[0].shape[axis + 1 :])


def _gather_nd(x: Inputs, a: Attributes, _: int) -> Tensor:
    data, index, batch = x[0], x[1].long(), int(a.get("batch_dims", 0))
    depth = index.shape[-1]
    if batch == 0:
        return data[tuple(index[..., i] for i in range(depth))]
    leading = torch.meshgrid(*(torch.arange(n) for n in data.shape[:batch]), indexing="ij")
    wide = [g.reshape(*g.shape, *([1] * (index.dim() - 1 - batch))) for g in leading]
    return data[(*wide, *(index[..., i] for i in range(depth)))]


def _split(x: Inputs, a: Attributes, count: int) -> tuple[Tensor, ...]:
    axis = int(a.get("axis", 0))
    if len(x) > 1 and x[1] is not None:
        return tuple(x[0].split(_ints(x[1]), axis))
    return tuple(x[0].split(-(-x[0].shape[axis] // count), axis))


def _clip(x: Inputs, _a: Attributes, _: int) -> Tensor:
    out = x[0]
    if len(x) > 1 and x[1] is not None:
        out = torch.maximum(out, x[1])
    if len(x) > 2 and x[2] is not None:
        out = torch.minimum(out, x[2])
    return out


def _expand(x: Inputs, _a: Attributes, _: int) -> Tensor:
    return x[0].broadcast_to(torch.broadcast_shapes(x[0].shape, tuple(_ints(x[1]))))


def _squeeze(x: Inputs, a: Attributes, _: int) -> Tensor:
    axes = _axes(x, a)
    return x[0].squeeze() if axes is None else x[0].squeeze(tuple(axes))


def _unsqueeze(x: Inputs, a: Attributes, _: int) -> Tensor:
    axes = _axes(x, a) or []
    rank = x[0].dim() + len(axes)
    out = x[0]
    for axis in sorted(axis % rank for axis in axes):
        out = out.unsqueeze(axis)
    return out


def _transpose(x: Inputs, a: Attributes, _: int) -> Tensor:
    return x[0].permute(*a.get("perm", range(x[0].dim() - 1, -1, -1)))


def _fold(kind: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def run(x: Inputs, _a: Attributes, _: int) -> Tensor:
        out = x[0]
        for other in x[1:]:
            out = kind(out, other)
        return out

    return run


def _gemm(x: Inputs, a: Attributes, _: int) -> Tensor:
    left = x[0].T if a.get("transA", 0) else x[0]
    right = x[1].T if a.get("transB", 0) else x[1]
    out = float(a.get("alpha", 1.0)) * (left @ right)
    return out + float(a.get("beta", 1.0)) * x[2] if len(x) > 2 and x[2] is not None else out


def _cast(x: Inputs, a: Attributes, _: int) -> Tensor:
    kind = onnx.helper.tensor_dtype_to_np_dtype(int(a["to"]))
    return x[0].to(torch.from_numpy(np.zeros(1, kind)).dtype)


def _constant_of_shape(x: Inputs, a: Attributes, _: int) -> Tensor:
    value = torch.from_numpy(np.array(numpy_helper.to_array(a["value"]))) if "value" in a else torch.zeros(1)
    return value.reshape(()).expand(_ints(x[0])).clone()


def _shape(x: Inputs, a: Attributes, _: int) -> Tensor:
    return torch.tensor(list(x[0].shape)[a.get("start", 0) : a.get("end", None)], dtype=torch.long)


def _norm(x: Inputs, a: Attributes, _: int) -> Tensor:
    axis = int(a.get("axis", -1)) % x[0].dim()
    return nn.functional.layer_norm(x[0], x[0].shape[axis:], x[1], x[2] if len(x) > 2 else None, float(a.get("epsilon", 1e-5)))


def _one(kind: Callable[[Tensor], Tensor]) -> Operator:
    return lambda x, a, n: kind(x[0])


def _two(kind: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda x, a, n: kind(x[0], x[1])


OPERATORS: dict[str, Operator] = {
    **{name: _one(kind) for name, kind in (
        ("Abs", torch.abs), ("Exp", torch.exp), ("Log", torch.log), ("Relu", torch.relu), ("Sigmoid", torch.sigmoid),
        ("Sign", torch.sign), ("Softplus", nn.functional.softplus), ("Tanh", torch.tanh), ("Neg", torch.neg),
        ("Sqrt", torch.sqrt), ("Identity", lambda v: v), ("Reciprocal", torch.reciprocal), ("Erf", torch.erf),
        ("Not", torch.logical_not), ("Floor", torch.floor), ("Ceil", torch.ceil), ("Round", torch.round),
        ("IsNaN", torch.isnan), ("Sin", torch.sin), ("Cos", torch.cos),
    )},
    **{name: _two(kind) for name, kind in (
        ("Add", torch.add), ("Sub", torch.sub), ("Mul", torch.mul), ("Div", torch.div), ("MatMul", torch.matmul),
        ("Pow", torch.pow), ("Greater", torch.gt), ("Less", torch.lt), ("Equal", torch.eq), ("GreaterOrEqual", torch.ge),
        ("LessOrEqual", torch.le), ("And", torch.logical_and), ("Or", torch.logical_or),
    )},
    **{name: _reduce(kind) for name, kind in (
        ("ReduceSum", torch.sum), ("ReduceMean", torch.mean), ("ReduceMax", torch.amax), ("ReduceMin", torch.amin),
        ("ReduceLogSumExp", torch.logsumexp), ("ReduceL2", torch.linalg.vector_norm),
    )},
    "Max": _fold(torch.maximum), "Min": _fold(torch.minimum), "Sum": _fold(torch.add),
    "Reshape": _reshape, "Slice": _slice, "Gather": _gather, "GatherND": _gather_nd, "Split": _split, "Clip": _clip,
    "Expand": _expand, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Transpose": _transpose, "Gemm": _gemm, "Cast": _cast,
    "ConstantOfShape": _constant_of_shape, "Shape": _shape, "LayerNormalization": _norm,
    "GatherElements": lambda x, a, n: torch.gather(x[0], int(a.get("axis", 0)), x[1].long()),
    "Concat": lambda x, a, n: torch.cat(list(x), int(a["axis"])),
    "Where": lambda x, a, n: torch.where(x[0], x[1], x[2]),
    "Softmax": lambda x, a, n: torch.softmax(x[0], int(a.get("axis", -1))),
    "LeakyRelu": lambda x, a, n: nn.functional.leaky_relu(x[0], float(a.get("alpha", 0.01))),
    "Elu": lambda x, a, n: nn.functional.elu(x[0], float(a.get("alpha", 1.0))),
    "Gelu": lambda x, a, n: nn.functional.gelu(x[0], approximate=a.get("approximate", b"none").decode()),
    "CumSum": lambda x, a, n: torch.cumsum(x[0], int(x[1])),
    "Einsum": lambda x, a, n: torch.einsum(a["equation"].decode(), *x),
    "Constant": lambda x, a, n: torch.from_numpy(np.array(numpy_helper.to_array(a["value"]))),
}  # fmt: skip
