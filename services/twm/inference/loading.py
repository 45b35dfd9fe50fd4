"""From a zoo entry to a model ready to answer: opened, checked against its card, self-tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twm.core.actions import uniform_policy
from twm.core.errors import ModelMismatchError
from twm.core.features import FIELD_FEATURES, HistoryLayout, action_vector, exogenous_layout
from twm.core.kpis import KPI_NAMES
from twm.core.network import NetworkSpec
from twm.core.zoo import ModelCard, ModelEntry, check_network
from twm.inference.dynamics import DynamicsSizes, Float
from twm.inference.engine import EngineOptions, Graph, OnnxDynamics
from twm.inference.futures import sample_futures

ENCODE, EXOGENOUS, CONTROLLABLE, FIELD = "encode.onnx", "exogenous_step.onnx", "controllable_step.onnx", "fwm.onnx"


@dataclass(frozen=True, kw_only=True)
class LoadedDynamics:
    """A control/dynamics world model ready to answer."""

    card: ModelCard
    model: OnnxDynamics


@dataclass(frozen=True, kw_only=True)
class LoadedField:
    """A field world model ready to answer."""

    card: ModelCard
    graph: Graph


def load_dynamics(entry: ModelEntry, spec: NetworkSpec, options: EngineOptions) -> LoadedDynamics:
    """Open, check and self-test a CDWM. Raises ModelMismatchError."""
    card = entry.card
    check_network(card, spec)
    if card.kpi_names != KPI_NAMES:
        raise ModelMismatchError(f"cdwm {card.version}: kpi_names: found {card.kpi_names}, expected {KPI_NAMES}")
    files = (ENCODE, EXOGENOUS, CONTROLLABLE)
    encode, exogenous, controllable = (Graph(entry.read_graph(f), f"{card.version}/{f}", options) for f in files)
    sizes = DynamicsSizes(
        window=card.window,
        history_width=HistoryLayout.of(spec).width,
        members=card.members,
        exogenous_deter=encode.output_size("exo_deter"),
        exogenous_stoch=encode.output_size("exo_stoch"),
        deter=encode.output_size("ctl_deter"),
        stoch=encode.output_size("ctl_stoch"),
        exogenous=exogenous_layout(spec).width,
        action=action_vector(uniform_policy(spec)).shape[-1],
        slices=len(spec.slices),
        kpis=len(KPI_NAMES),
    )
    check_conformal(card, sizes)
    loaded = LoadedDynamics(card=card, model=OnnxDynamics(encode, exogenous, controllable, sizes, card.digest))
    self_test(loaded, spec)
    return loaded


def check_conformal(card: ModelCard, sizes: DynamicsSizes) -> None:
    """Raise ModelMismatchError unless the correction is there for every step, slice and KPI."""
    if card.conformal is None or card.ood is None:
        raise ModelMismatchError(f"cdwm {card.version}: conformal and ood: missing in the card")
    conformal, cells = card.conformal, (sizes.slices, sizes.kpis)
    steps, shares = (card.horizon_steps, *cells), (len(conformal.nominal), *cells) if conformal.nominal else (0,)
    expected = (steps, steps, cells, shares, shares)
    tables = (conformal.factor, conformal.factor_of(True), conformal.floor, conformal.share, conformal.share_of(True))
    try:
        found = tuple(np.array(table, float) for table in tables)
    except ValueError as error:
        raise ModelMismatchError(f"cdwm {card.version}: conformal: ragged, expected {steps}") from error
    if (shapes := tuple(table.shape for table in found)) != expected:
        raise ModelMismatchError(f"cdwm {card.version}: conformal: shapes {shapes}, expected {expected}")
    if any(not np.isfinite(table).all() or (table < 0).any() for table in found):
        raise ModelMismatchError(f"cdwm {card.version}: conformal: negative or not finite")
    if any((np.diff(table, axis=0) < 0).any() for table in found[3:] if len(table)):
        raise ModelMismatchError(f"cdwm {card.version}: conformal: share falls as coverage rises")


def self_test(loaded: LoadedDynamics, spec: NetworkSpec) -> None:
    """One small rollout of two opposite actions: finite everywhere, and the exogenous part the same bit by bit.

    Raises ModelMismatchError.
    """
    name, model, sizes = f"cdwm {loaded.card.version}", loaded.model, loaded.model.sizes
    history = np.zeros((sizes.window, sizes.history_width), np.float32)
    uniform = action_vector(uniform_policy(spec))[:, 0]
    before: Float | None = None
    for action in (uniform, np.eye(1, sizes.action, dtype=np.float32)):
        try:
            futures = sample_futures(model, history, steps=2, samples=2, seed=0, check=lambda: None)
            rows = model.controllable_pass(2)
            rows.reset(futures.latents.controllable_deter_EG, futures.latents.controllable_stoch_EZ)
            rows.action_NA[:] = action
            for h in range(2):
                rows.noise_ENZ[:], rows.exogenous_ENX[:] = futures.noise_HEJZ[h], futures.exogenous_HEJX[h]
                mean, std = rows.step()
                if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std >= 0).all()):
                    raise ModelMismatchError(f"{name}: self-test: KPIs are not finite, or a deviation is negative")
        except ModelMismatchError:
            raise
        except Exception as error:  # the runtime raises a class of its own per status, with no common base but Exception
            raise ModelMismatchError(f"{name}: self-test: {str(error)[:500]}") from error
        if before is not None and before.tobytes() != futures.exogenous_HEJX.tobytes():
            raise ModelMismatchError(f"{name}: self-test: the exogenous part is not the same under another action")
        before = futures.exogenous_HEJX


def load_field(entry: ModelEntry, spec: NetworkSpec, options: EngineOptions) -> LoadedField:
    """Open, check and self-test an FWM. Raises ModelMismatchError."""
    card = entry.card
    check_network(card, spec)
    if card.feature_names and card.feature_names != FIELD_FEATURES:
        raise ModelMismatchError(f"fwm {card.version}: feature_names: found {card.feature_names}, expected {FIELD_FEATURES}")
    graph = Graph(entry.read_graph(FIELD), f"{card.version}/{FIELD}", options)
    c, s, _ = spec.sizes
    inputs = {"history": (card.window, HistoryLayout.of(spec).width), "newest": (c, len(FIELD_FEATURES))}
    outputs = {
        "field": (len(card.step_offsets), len(card.quantile_levels), c, len(FIELD_FEATURES)),
        "demand": (card.horizon_steps, len(card.demand_levels), c, s),
    }
    graph.check(inputs, outputs)
    found = graph.run({name: np.zeros(shape, np.float32) for name, shape in inputs.items()})
    for name, shape in outputs.items():
        if found[name].shape != shape or not np.isfinite(found[name]).all():
            raise ModelMismatchError(
                f"fwm {card.version}: self-test: {name}: {found[name].shape} or not finite, expected {shape}"
            )
    return LoadedField(card=card, graph=graph)
