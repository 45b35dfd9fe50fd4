"""ONNX Runtime sessions behind the seam: graphs opened from bytes that match their card, run without copies.

Shape suffixes: see dynamics.py. A session is shared by threads; a pass (buffers and bindings) belongs to one thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from twm.core.errors import ModelMismatchError
from twm.inference.dynamics import DynamicsSizes, Latents

Float = NDArray[np.float32]

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
_ERRORS_ONLY = 3


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How sessions are opened."""

    intra_op_threads: int = 1
    """Threads inside one call; 1 where candidates are spread over worker threads instead."""
    use_cuda: bool = True
    """Take the CUDA provider where the installed runtime and the machine have it."""


def choose_providers(use_cuda: bool) -> list[str]:
    """CUDA first where it is wanted and there, then CPU."""
    available = ort.get_available_providers()
    return [CUDA, CPU] if use_cuda and CUDA in available else [CPU]


class Graph:
    """One ONNX graph with checked inputs and outputs."""

    def __init__(self, content: bytes, name: str, options: EngineOptions) -> None:
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.intra_op_threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.log_severity_level = _ERRORS_ONLY
        # Idle workers must not burn the cores of the other processes. A memory plan is kept for each row count: 12 MB for
        # all there can be, and a call of a hundred rows takes a tenth less.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        settings.enable_mem_pattern = True
        self.name = name
        providers = choose_providers(options.use_cuda)
        try:
            self.session = ort.InferenceSession(content, settings, providers=providers)
        except Exception as error:  # the runtime raises a class of its own per status, with no common base but Exception
            raise ModelMismatchError(f"{name}: ONNX Runtime refuses it: {str(error)[:500]}") from error
        self.on_cuda = CUDA in self.session.get_providers()
        self.inputs = {node.name: node for node in self.session.get_inputs()}
        self.outputs = {node.name: node for node in self.session.get_outputs()}
        self.output_names = tuple(self.outputs)

    def check(self, inputs: Mapping[str, Sequence[int | None]], outputs: Mapping[str, Sequence[int | None]]) -> None:
        """Raise ModelMismatchError unless names, float32 type, rank and fixed sizes are those expected (None: free)."""
        for kind, expected, found in (("input", inputs, self.inputs), ("output", outputs, self.outputs)):
            if set(expected) != set(found):
                raise ModelMismatchError(f"{self.name}: {kind}s {sorted(found)}, expected {sorted(expected)}")
            for key, shape in expected.items():
                node = found[key]
                if node.type != "tensor(float)":
                    raise ModelMismatchError(f"{self.name}.{key}: type {node.type}, expected tensor(float)")
                if not _fits(node.shape, shape):
                    raise ModelMismatchError(f"{self.name}.{key}: shape {node.shape}, expected {list(shape)}")

    def output_size(self, name: str) -> int:
        """Last, fixed size of an output. Raises ModelMismatchError where there is none."""
        if name not in self.outputs:
            raise ModelMismatchError(f"{self.name}: no output {name!r}, has {sorted(self.outputs)}")
        shape = self.outputs[name].shape
        if not shape or not isinstance(shape[-1], int):
            raise ModelMismatchError(f"{self.name}.{name}: shape {shape}, expected a fixed last size")
        return shape[-1]

    def run(self, feeds: Mapping[str, Float]) -> dict[str, Float]:
        """All outputs by name."""
        return dict(zip(self.output_names, self.session.run(self.output_names, dict(feeds)), strict=True))


def _fits(found: Sequence[object], expected: Sequence[int | None]) -> bool:
    """A symbolic size in the graph fits anything; a fixed one must be the expected one."""
    return len(found) == len(expected) and all(
        not isinstance(f, int) or e is None or f == e for f, e in zip(found, expected, strict=True)
    )


class OnnxDynamics:
    """A control/dynamics world model in ONNX Runtime (protocol DynamicsModel)."""

    def __init__(
        self, encode: Graph, exogenous_step: Graph, controllable_step: Graph, sizes: DynamicsSizes, digest: str
    ) -> None:
        """Raises ModelMismatchError where a graph does not have the inputs and outputs of the seam in these sizes."""
        self._encode, self._exogenous, self._controllable = encode, exogenous_step, controllable_step
        self._sizes, self._digest = sizes, digest
        e, g, z, x, a = sizes.members, sizes.deter, sizes.stoch, sizes.exogenous, sizes.action
        kpi = (e, None, sizes.slices, sizes.kpis)
        f, y = sizes.exogenous_deter, sizes.exogenous_stoch
        encode.check(
            {"history": (sizes.window, sizes.history_width)},
            {"exo_deter": (e, f), "exo_stoch": (e, y), "ctl_deter": (e, g), "ctl_stoch": (e, z)},
        )
        exogenous_step.check(
            {"deter": (e, None, f), "stoch": (e, None, y), "noise": (e, None, y)},
            {"next_deter": (e, None, f), "next_stoch": (e, None, y), "exogenous": (e, None, x)},
        )
        controllable_step.check(
            {
                "deter": (e, None, g),
                "stoch": (e, None, z),
                "noise": (e, None, z),
                "action": (None, a),
                "exogenous": (e, None, x),
            },
            {"next_deter": (e, None, g), "next_stoch": (e, None, z), "kpi_mean": kpi, "kpi_std": kpi},
        )

    @property
    def sizes(self) -> DynamicsSizes:
        """Array sizes."""
        return self._sizes

    @property
    def digest(self) -> str:
        """Identifies the weights."""
        return self._digest

    def encode(self, history_WD: Float) -> Latents:
        """Latent state after the history."""
        out = self._encode.run({"history": history_WD})
        return Latents(
            exogenous_deter_EG=out["exo_deter"],
            exogenous_stoch_EZ=out["exo_stoch"],
            controllable_deter_EG=out["ctl_deter"],
            controllable_stoch_EZ=out["ctl_stoch"],
        )

    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """One slow step of the exogenous part."""
        out = self._exogenous.run({"deter": deter_EJG, "stoch": stoch_EJZ, "noise": noise_EJZ})
        return out["next_deter"], out["next_stoch"], out["exogenous"]

    def controllable_pass(self, row_count: int) -> BoundPass | CopyingPass:
        """Buffers and bindings for `row_count` rows, for one thread."""
        kind = CopyingPass if self._controllable.on_cuda else BoundPass
        return kind(self._controllable, self._sizes, row_count)


class CopyingPass:
    """N rows through the controllable graph by plain runs, which move arrays to whatever device the session is on."""

    def __init__(self, graph: Graph, sizes: DynamicsSizes, row_count: int) -> None:
        self._graph, self._sizes, self._rows = graph, sizes, row_count
        e, n = sizes.members, row_count
        self.noise_ENZ: Float = np.empty((e, n, sizes.stoch), np.float32)
        self.action_NA: Float = np.empty((n, sizes.action), np.float32)
        self.exogenous_ENX: Float = np.empty((e, n, sizes.exogenous), np.float32)
        self._feeds = {"noise": self.noise_ENZ, "action": self.action_NA, "exogenous": self.exogenous_ENX}

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """Put every row into its member's state."""
        for key, state in (("deter", deter_EG), ("stoch", stoch_EZ)):
            shape = (state.shape[0], self._rows, state.shape[1])
            self._feeds[key] = np.ascontiguousarray(np.broadcast_to(state[:, None], shape), np.float32)

    def step(self) -> tuple[Float, Float]:
        """One slow step; see ControllablePass."""
        out = self._graph.run(self._feeds)
        self._feeds["deter"], self._feeds["stoch"] = out["next_deter"], out["next_stoch"]
        return out["kpi_mean"], out["kpi_std"]


class BoundPass:
    """The same on the CPU without copies: inputs and outputs are bound to numpy memory, two state buffers take turns."""

    def __init__(self, graph: Graph, sizes: DynamicsSizes, row_count: int) -> None:
        e, n = sizes.members, row_count
        self.noise_ENZ: Float = np.empty((e, n, sizes.stoch), np.float32)
        self.action_NA: Float = np.empty((n, sizes.action), np.float32)
        self.exogenous_ENX: Float = np.empty((e, n, sizes.exogenous), np.float32)
        self._kpi_mean: Float = np.empty((e, n, sizes.slices, sizes.kpis), np.float32)
        self._kpi_std: Float = np.empty_like(self._kpi_mean)
        self._deter = [np.empty((e, n, sizes.deter), np.float32) for _ in range(2)]
        self._stoch = [np.empty((e, n, sizes.stoch), np.float32) for _ in range(2)]
        self._session = graph.session
        self._bindings = [self._bind(now, 1 - now) for now in range(2)]
        self._now = 0

    def _bind(self, now: int, after: int) -> ort.IOBinding:
        binding = self._session.io_binding()
        for key, array in (
            ("deter", self._deter[now]),
            ("stoch", self._stoch[now]),
            ("noise", self.noise_ENZ),
            ("action", self.action_NA),
            ("exogenous", self.exogenous_ENX),
        ):
            binding.bind_input(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        for key, array in (
            ("next_deter", self._deter[after]),
            ("next_stoch", self._stoch[after]),
            ("kpi_mean", self._kpi_mean),
            ("kpi_std", self._kpi_std),
        ):
            binding.bind_output(key, "cpu", 0, np.float32, array.shape, array.ctypes.data)
        return binding

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """Put every row into its member's state."""
        self._now = 0
        self._deter[0][:] = deter_EG[:, None]
        self._stoch[0][:] = stoch_EZ[:, None]

    def step(self) -> tuple[Float, Float]:
        """One slow step; see ControllablePass."""
        self._session.run_with_iobinding(self._bindings[self._now])
        self._now = 1 - self._now
        return self._kpi_mean, self._kpi_std
