"""A model zoo whose arithmetic is known: tiny ONNX graphs that keep the seams of cdwm, fwm and actor, and the same in numpy.

Shape suffixes: E members, J samples, N rows, G deterministic and Z stochastic latent width, X exogenous, A action, S slices.

    encode              exo_deter = ctl_deter = member constant + mean of the history; stoch = 0
    exogenous_step      deter' = deter / 2; stoch' = noise; exogenous = base (1 + mean noise / 10) + mean deter' / 10
    controllable_step   deter' = deter / 2; stoch' = noise; load = demand per slice / 1000; share = mean share per slice
                        loss = relu(load / 4 - share / 2 + mean deter' / 100 + mean noise / 50); delay = 5 + 40 loss;
                        utilisation = share; served = 1000 load; std = mean / 10
    actor               policy = running x (1 - saving) x head (1, 1/2) x sigmoid(mean of the history) in every step
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from twm.core.features import FIELD_FEATURES, HistoryLayout
from twm.core.frames import FrameArrays, block_shapes
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.ood import action_summary, history_summary
from twm.core.zoo import ModelCard, write_card
from twm.inference.dynamics import DynamicsSizes, Float, Latents

MEMBERS, DETER, STOCH, WINDOW = 3, 6, 4, 5
HEADS = (1.0, 0.5)


@dataclass
class TinyDynamics:
    """The tiny model in numpy (protocol DynamicsModel)."""

    spec: NetworkSpec
    scale: float = 1.0
    members: int = MEMBERS
    digest: str = "tiny"

    def __post_init__(self) -> None:
        c, s, n_links = self.spec.sizes
        self.sizes = DynamicsSizes(
            window=WINDOW,
            history_width=HistoryLayout.of(self.spec).width,
            members=self.members,
            exogenous_deter=DETER,
            exogenous_stoch=STOCH,
            deter=DETER,
            stoch=STOCH,
            exogenous=c * s + c + n_links,
            action=(c + n_links) * s,
            slices=s,
            kpis=len(KPI_NAMES),
        )
        e = np.arange(1, self.members + 1, dtype=np.float32)
        self.member_EG = np.repeat(e[:, None], DETER, 1)
        base_X = np.concatenate([np.full(c * s, 60.0), np.full(c, 4.0), np.full(n_links, 1000.0)])
        self.base_EX = (base_X * (1 + 0.1 * e[:, None]) * self.scale).astype(np.float32)
        self.load_XS = np.concatenate([np.tile(np.eye(s), (c, 1)), np.zeros((c + n_links, s))]).astype(np.float32) / 1000
        self.share_AS = np.tile(np.eye(s), (c + n_links, 1)).astype(np.float32) / (c + n_links)

    def encode(self, history_WD: Float) -> Latents:
        """See the module's table."""
        deter = self.member_EG + history_WD.mean(dtype=np.float64).astype(np.float32)
        stoch = np.zeros((self.members, STOCH), np.float32)
        return Latents(
            exogenous_deter_EG=deter, exogenous_stoch_EZ=stoch, controllable_deter_EG=deter, controllable_stoch_EZ=stoch
        )

    def exogenous_step(self, deter_EJG: Float, stoch_EJZ: Float, noise_EJZ: Float) -> tuple[Float, Float, Float]:
        """See the module's table."""
        del stoch_EJZ
        deter = deter_EJG * np.float32(0.5)
        noisy = 1 + 0.1 * noise_EJZ.mean(-1, keepdims=True)
        return deter, noise_EJZ, (self.base_EX[:, None] * noisy + 0.1 * deter.mean(-1, keepdims=True)).astype(np.float32)

    def controllable(self, deter: Float, noise: Float, action: Float, exogenous: Float) -> tuple[Float, Float, Float]:
        """(next deter, kpi mean, kpi std); see the module's table."""
        after = deter * np.float32(0.5)
        load = exogenous @ self.load_XS
        share = np.broadcast_to(action @ self.share_AS, load.shape)
        loss = load / 4 - share / 2 + 0.01 * after.mean(-1, keepdims=True) + 0.02 * noise.mean(-1, keepdims=True)
        loss = np.maximum(loss, 0)
        mean = np.stack([loss, 5 + 40 * loss, share, 1000 * load], -1).astype(np.float32)
        return after, mean, mean * np.float32(0.1)

    def controllable_pass(self, row_count: int) -> TinyPass:
        """Buffers for `row_count` rows."""
        return TinyPass(self, row_count)


class TinyPass:
    """Protocol ControllablePass."""

    def __init__(self, model: TinyDynamics, row_count: int) -> None:
        e, sizes = model.members, model.sizes
        self._model = model
        self._deter: Float = np.zeros((e, row_count, sizes.deter), np.float32)
        self.noise_ENZ: Float = np.zeros((e, row_count, sizes.stoch), np.float32)
        self.action_NA: Float = np.zeros((row_count, sizes.action), np.float32)
        self.exogenous_ENX: Float = np.zeros((e, row_count, sizes.exogenous), np.float32)

    def reset(self, deter_EG: Float, stoch_EZ: Float) -> None:
        """See the protocol."""
        del stoch_EZ
        self._deter = np.broadcast_to(deter_EG[:, None], self._deter.shape)

    def step(self) -> tuple[Float, Float]:
        """See the protocol."""
        self._deter, mean, std = self._model.controllable(self._deter, self.noise_ENZ, self.action_NA, self.exogenous_ENX)
        return mean, std


def _graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]],
    constants: Mapping[str, np.ndarray],
) -> bytes:
    def infos(shapes: Mapping[str, Sequence[Any]]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in shapes.items()]

    graph = helper.make_graph(
        list(nodes), "tiny", infos(inputs), infos(outputs), [numpy_helper.from_array(a, name) for name, a in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _float(value: object) -> np.ndarray:
    return np.asarray(value, np.float32)


def dynamics_graphs(tiny: TinyDynamics) -> dict[str, bytes]:
    """The three graphs of a CDWM by file name."""
    z = tiny.sizes
    e, g, s, x, a, n = z.members, z.deter, z.stoch, z.exogenous, z.action, "N"
    node = helper.make_node
    last = np.array([-1], np.int64)
    encode = _graph(
        [
            node("ReduceMean", ["history"], ["mean"], keepdims=1),
            node("Add", ["member", "mean"], ["exo_deter"]),
            node("Identity", ["exo_deter"], ["ctl_deter"]),
            node("Identity", ["zero"], ["exo_stoch"]),
            node("Identity", ["zero"], ["ctl_stoch"]),
        ],
        {"history": (z.window, z.history_width)},
        {"exo_deter": (e, g), "exo_stoch": (e, s), "ctl_deter": (e, g), "ctl_stoch": (e, s)},
        {"member": tiny.member_EG, "zero": np.zeros((e, s), np.float32)},
    )
    exogenous = _graph(
        [
            node("Mul", ["deter", "half"], ["next_deter"]),
            node("Mul", ["stoch", "nothing"], ["unused"]),
            node("Add", ["noise", "unused"], ["next_stoch"]),
            node("ReduceMean", ["noise", "last"], ["noise_mean"], keepdims=1),
            node("Mul", ["noise_mean", "tenth"], ["relative"]),
            node("Add", ["relative", "one"], ["factor"]),
            node("Mul", ["base", "factor"], ["scaled"]),
            node("ReduceMean", ["next_deter", "last"], ["deter_mean"], keepdims=1),
            node("Mul", ["deter_mean", "tenth"], ["shift"]),
            node("Add", ["scaled", "shift"], ["exogenous"]),
        ],
        {"deter": (e, "J", g), "stoch": (e, "J", s), "noise": (e, "J", s)},
        {"next_deter": (e, "J", g), "next_stoch": (e, "J", s), "exogenous": (e, "J", x)},
        {
            "half": _float(0.5),
            "nothing": _float(0),
            "tenth": _float(0.1),
            "one": _float(1),
            "last": last,
            "base": tiny.base_EX[:, None],
        },
    )
    controllable = _graph(
        [
            node("Mul", ["deter", "half"], ["next_deter"]),
            node("Mul", ["stoch", "nothing"], ["unused"]),
            node("Add", ["noise", "unused"], ["next_stoch"]),
            node("MatMul", ["exogenous", "load_of"], ["load"]),
            node("MatMul", ["action", "share_of"], ["share_row"]),
            node("Mul", ["load", "nothing"], ["zeros"]),
            node("Add", ["zeros", "share_row"], ["share"]),
            node("Mul", ["load", "quarter"], ["from_load"]),
            node("Mul", ["share", "half"], ["from_share"]),
            node("Sub", ["from_load", "from_share"], ["excess"]),
            node("ReduceMean", ["next_deter", "last"], ["deter_mean"], keepdims=1),
            node("Mul", ["deter_mean", "hundredth"], ["from_deter"]),
            node("ReduceMean", ["noise", "last"], ["noise_mean"], keepdims=1),
            node("Mul", ["noise_mean", "fiftieth"], ["from_noise"]),
            node("Add", ["from_deter", "from_noise"], ["shift"]),
            node("Add", ["excess", "shift"], ["raw"]),
            node("Relu", ["raw"], ["loss"]),
            node("Mul", ["loss", "forty"], ["delay_excess"]),
            node("Add", ["delay_excess", "five"], ["delay"]),
            node("Mul", ["load", "thousand"], ["served"]),
            *[node("Unsqueeze", [name, "last"], [f"{name}_u"]) for name in ("loss", "delay", "share", "served")],
            node("Concat", ["loss_u", "delay_u", "share_u", "served_u"], ["kpi_mean"], axis=3),
            node("Mul", ["kpi_mean", "tenth"], ["kpi_std"]),
        ],
        {"deter": (e, n, g), "stoch": (e, n, s), "noise": (e, n, s), "action": (n, a), "exogenous": (e, n, x)},
        {
            "next_deter": (e, n, g),
            "next_stoch": (e, n, s),
            "kpi_mean": (e, n, z.slices, z.kpis),
            "kpi_std": (e, n, z.slices, z.kpis),
        },
        {
            "half": _float(0.5),
            "quarter": _float(0.25),
            "nothing": _float(0),
            "tenth": _float(0.1),
            "hundredth": _float(0.01),
            "fiftieth": _float(0.02),
            "forty": _float(40),
            "five": _float(5),
            "thousand": _float(1000),
            "last": last,
            "load_of": tiny.load_XS,
            "share_of": tiny.share_AS,
        },
    )
    return {"encode.onnx": encode, "exogenous_step.onnx": exogenous, "controllable_step.onnx": controllable}


def _card(name: str, version: str, spec: NetworkSpec, graphs: Mapping[str, bytes], **more: Any) -> ModelCard:
    entry = {file: {"sha256": hashlib.sha256(data).hexdigest(), "inputs": [], "outputs": []} for file, data in graphs.items()}
    data: dict[str, Any] = {
        "name": name,
        "version": version,
        "contract": f"{name}/1",
        "network": spec.name,
        "topology_digest": spec.topology_digest(),
        "spec_digest": spec.digest(),
        "created": "2026-11-22T00:00:00Z",
        "graphs": entry,
        "window": WINDOW,
        "horizon_steps": spec.timing.horizon_steps,
        "data": {"sha256": "0" * 64, "episodes": 1, "steps": 1, "scenarios": [], "policies": {}, "seeds": {}},
        "training": {"command": "none: arithmetic", "seed": 0, "cpu_s": 0.0, "versions": {}},
        "quality": {},
    }
    return ModelCard.model_validate({**data, **more})


def _write(zoo: Path, card: ModelCard, graphs: Mapping[str, bytes]) -> Path:
    folder = zoo / card.name / card.version
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in graphs.items():
        (folder / file).write_bytes(data)
    write_card(card, folder)
    return folder


def write_dynamics(
    zoo: Path,
    spec: NetworkSpec,
    *,
    version: str = "tiny-1",
    scale: float = 1.0,
    replace: Mapping[str, bytes] | None = None,
    **more: Any,
) -> Path:
    """Write a CDWM and return its folder.

    `scale` multiplies its demand, `replace` replaces graphs, `more` overrides fields of its card.
    """
    tiny = TinyDynamics(spec, scale)
    graphs = {**dynamics_graphs(tiny), **(replace or {})}
    s, h = len(spec.slices), spec.timing.horizon_steps
    history = history_summary(np.zeros((1, tiny.sizes.window, tiny.sizes.history_width), np.float32), spec)[0]
    action = action_summary(np.zeros((1, h, tiny.sizes.action), np.float32), spec)[0]
    fields: dict[str, Any] = {
        "members": MEMBERS,
        "kpi_names": KPI_NAMES,
        "conformal": {"level": 0.9, "factor": np.ones((h, s, 4)).tolist(), "floor": np.zeros((s, 4)).tolist()},
        "ood": {
            "history_mean": [0.0] * len(history),
            "history_std": [1.0] * len(history),
            "history_radius": 10.0,
            "action_mean": [0.0] * len(action),
            "action_std": [1.0] * len(action),
            "action_radius": 1.0,
        },
    }
    return _write(zoo, _card("cdwm", version, spec, graphs, **{**fields, **more}), graphs)


def write_field(zoo: Path, spec: NetworkSpec, *, version: str = "tiny-1", value: float = 1.0, **more: Any) -> Path:
    """Write an FWM whose field is `value` + the mean of the history everywhere. Returns its folder."""
    c, s, _ = spec.sizes
    field, demand = (2, 3, c, len(FIELD_FEATURES)), (spec.timing.horizon_steps, 3, c, s)
    node = helper.make_node
    graph = _graph(
        [
            node("ReduceMean", ["history"], ["mean"], keepdims=0),
            node("ReduceMax", ["newest"], ["unused"], keepdims=0),
            node("Add", ["field_constant", "mean"], ["field"]),
            node("Add", ["demand_constant", "mean"], ["demand"]),
        ],
        {"history": (WINDOW, HistoryLayout.of(spec).width), "newest": (c, len(FIELD_FEATURES))},
        {"field": field, "demand": demand},
        {"field_constant": np.full(field, value, np.float32), "demand_constant": np.full(demand, value, np.float32)},
    )
    fields: dict[str, Any] = {
        "contract": "fwm/2",
        "feature_names": FIELD_FEATURES,
        "step_offsets": (0, 1),
        "quantile_levels": (0.05, 0.5, 0.95),
        "demand_levels": (0.1, 0.5, 0.9),
    }
    graphs = {"fwm.onnx": graph}
    return _write(zoo, _card("fwm", version, spec, graphs, **{**fields, **more}), graphs)


def write_actor(zoo: Path, spec: NetworkSpec, *, version: str = "tiny-1", scale: float = 1.0, **more: Any) -> Path:
    """Write an actor whose heads are multiplied by `scale`; `more` overrides fields of its card. Returns its folder."""
    c, s, n_links = spec.sizes
    width, steps = (c + n_links) * s, spec.timing.horizon_steps
    node = helper.make_node
    graph = _graph(
        [
            node("ReduceMean", ["history"], ["mean"], keepdims=0),
            node("Sigmoid", ["mean"], ["level"]),
            node("Sub", ["one", "saving"], ["kept"]),
            node("Mul", ["kept", "level"], ["factor"]),
            node("Mul", ["running", "factor"], ["row"]),
            node("Mul", ["heads", "row"], ["policy"]),
        ],
        {"history": (WINDOW, HistoryLayout.of(spec).width), "running": (width,), "saving": (1,)},
        {"policy": (len(HEADS), steps, width)},
        {
            "one": np.ones(1, np.float32),
            "heads": np.broadcast_to(scale * _float(HEADS)[:, None, None], (len(HEADS), steps, 1)).copy(),
        },
    )
    graphs = {"actor.onnx": graph}
    return _write(zoo, _card("actor", version, spec, graphs, **{"members": len(HEADS), **more}), graphs)


def frames(spec: NetworkSpec, count: int, *, first_step: int = 0, seed: int = 0) -> list[FrameArrays]:
    """Plausible frames of consecutive steps, one value in twenty missing."""
    generator = np.random.default_rng(seed)
    out = []
    for i in range(count):
        blocks: dict[str, Any] = {}
        for name, shape in block_shapes(spec).items():
            values = generator.uniform(0.0, 1.0, shape).astype(np.float32)
            blocks[name] = np.where(generator.uniform(size=shape) < 0.05, np.nan, values).astype(np.float32)
        step = first_step + i
        out.append(FrameArrays(step=step, start_s=step * spec.timing.slow_step_s, **blocks))
    return out
