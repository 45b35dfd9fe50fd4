"""Checks the answers of world model, actor and twin before anyone believes them.

Shape suffixes as in twm.planner.answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twm.api.twin.v1 import twin_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import decode_policies
from twm.core.errors import InvalidInputError, ModelMismatchError, TwmError
from twm.core.network import NetworkSpec
from twm.planner.answers import ActorPlans, Rollout, Scenarios, TargetColumns, TwinVerdict
from twm.planner.objective import Predictions

MAX_DETAIL = 300
MAX_ACTOR_POLICIES = 16
_TOLERANCE = 1e-3


class GarbageError(TwmError):
    """A peer's answer has wrong sizes, or numbers that cannot be."""

    reason = "garbage_answer"


def read_rollout(answer: worldmodel_pb2.RolloutResponse, count: int, spec: NetworkSpec, *, with_trajectories: bool) -> Rollout:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    s, h = len(spec.slices), spec.timing.horizon_steps
    predictions = Predictions(
        scm_mean_K=_column(answer.scm_mean, (count,), "scm_mean", -np.inf, 1.0),
        violation_KS=_column(answer.violation_probability, (count, s), "violation_probability", 0.0, 1.0),
        any_violation_K=_column(answer.any_violation_probability, (count,), "any_violation_probability", 0.0, 1.0),
        disagreement_K=_column(answer.disagreement, (count,), "disagreement", 0.0, np.inf),
        ood_K=_column(answer.ood_score, (count,), "ood_score", 0.0, np.inf),
        cvar_K=_column(answer.scm_cvar, (count,), "scm_cvar", -np.inf, 1.0) if len(answer.scm_cvar) else np.full(count, np.nan),
        shortfall_K=_column(answer.shortfall, (count,), "shortfall", 0.0, 1.0) if len(answer.shortfall) else np.zeros(count),
        soft_K=_column(answer.soft_margin, (count,), "soft_margin", -np.inf, 1.0)
        if len(answer.soft_margin)
        else np.full(count, np.nan),
    )
    models = models_of(answer)
    if not with_trajectories:
        return Rollout(predictions=predictions, models=models, sample_count=answer.sample_count)
    q, p = len(answer.quantile_levels), len(answer.kpi_names)
    if not (1 <= q <= 64 and 1 <= p <= 64):
        raise GarbageError(f"{q} quantile_levels, {p} kpi_names: one is 0 or absurd")
    return Rollout(
        predictions=predictions,
        models=models,
        sample_count=answer.sample_count,
        quantile_levels=tuple(answer.quantile_levels),
        kpi_names=tuple(name[:64] for name in answer.kpi_names),
        fans_KHQSP=_column(answer.kpi_quantiles, (count, h, q, s, p), "kpi_quantiles", -np.inf, np.inf).astype(np.float32),
        scenarios=read_scenarios(answer, spec),
    )


def read_targets(answer: worldmodel_pb2.RolloutResponse, count: int, target_count: int) -> TargetColumns:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    shape = (count, target_count)
    return TargetColumns(
        predicted_M=_flags(answer.target_predicted, target_count, "target_predicted"),
        violation_KM=_column(answer.target_violation, shape, "target_violation", 0.0, 1.0),
        excess_KM=_column(answer.target_excess, shape, "target_excess", 0.0, np.inf),
        quantiles_KMQ=_column(answer.target_quantiles, (*shape, 3), "target_quantiles", 0.0, np.inf),
        reach_KM=_column(answer.target_reach, shape, "target_reach", 0.0, np.inf),
    )


def _flags(values: Sequence[bool], count: int, name: str) -> NDArray[np.bool_]:
    if len(values) != count:
        raise GarbageError(f"{name}: {len(values)} values, expected {count}")
    return np.array(values, bool)


def read_scenarios(answer: worldmodel_pb2.RolloutResponse, spec: NetworkSpec) -> Scenarios:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    (c, s, n_links), h, j = spec.sizes, spec.timing.horizon_steps, answer.sample_count
    if not 1 <= j <= 4096:
        raise GarbageError(f"sample_count {j}: 0 or absurd")
    sizes = (j * h * c * s, j * h * c, j * h * n_links)
    flat = _column(answer.exogenous_scenarios, (sum(sizes),), "exogenous_scenarios", 0.0, np.inf).astype(np.float32)
    parts = np.split(flat, np.cumsum(sizes)[:-1])
    return Scenarios(
        demand_mbps_JHCS=parts[0].reshape(j, h, c, s),
        spectral_efficiency_JHC=parts[1].reshape(j, h, c),
        link_capacity_mbps_JHL=parts[2].reshape(j, h, n_links),
    )


def models_of(answer: worldmodel_pb2.RolloutResponse) -> tuple[tuple[str, str, str], ...]:
    """(name, version, digest) of each model."""
    return tuple((m.name[:64], m.version[:64], m.digest[:128]) for m in answer.models[:16])


def read_actor(answer: worldmodel_pb2.ProposeResponse, spec: NetworkSpec) -> ActorPlans:
    """Check and unpack. Raises GarbageError naming field, value and bound."""
    batch = answer.policies
    if not 1 <= batch.policy_count <= MAX_ACTOR_POLICIES or batch.step_count != spec.timing.horizon_steps:
        raise GarbageError(
            f"actor: {batch.policy_count} policies of {batch.step_count} steps, "
            f"expected 1..{MAX_ACTOR_POLICIES} of {spec.timing.horizon_steps}"
        )
    try:
        policies = decode_policies(batch, spec)
    except InvalidInputError as error:
        raise GarbageError(f"actor: {error}"[:MAX_DETAIL]) from error
    model = answer.model
    return ActorPlans(policies=policies, model=(model.name[:64], model.version[:64], model.digest[:128]))


def read_verdict(
    answer: twin_pb2.VerifyResponse,
    policy_count: int,
    scenario_count: int,
    spec: NetworkSpec,
    spec_digest: str,
    target_count: int = 0,
) -> TwinVerdict:
    """Check and unpack. Raises GarbageError, or ModelMismatchError where the twin runs another spec."""
    if answer.spec_digest != spec_digest:
        raise ModelMismatchError(f"twin: spec_digest {answer.spec_digest[:16]!r}, expected {spec_digest[:16]!r}")
    shape = (policy_count, scenario_count)
    scm_PJ = _column(answer.scm, shape, "scm", 0.0, 1.0)
    slices = len(spec.slices)
    if len(answer.violated) != policy_count * scenario_count * slices:
        raise GarbageError(f"violated: {len(answer.violated)} values, expected {policy_count * scenario_count * slices}")
    violated = np.array(answer.violated, bool).reshape(*shape, slices).any(-1)
    by_slice = (*shape, slices)
    by_target = (*shape, target_count)
    return TwinVerdict(
        scm_PJ=scm_PJ,
        violated_PJ=np.asarray(violated),
        loss_PJS=_column(answer.loss_ratio, by_slice, "loss_ratio", 0.0, 1.0),
        delay_PJS=_column(answer.delay_p99_ms, by_slice, "delay_p99_ms", 0.0, np.inf),
        call_count=answer.twin_call_count,
        target_measured_M=_flags(answer.target_measured, target_count, "target_measured"),
        target_PJM=_column(answer.target_value, by_target, "target_value", 0.0, np.inf)
        if target_count
        else np.zeros(by_target),
    )


def _column(values: Sequence[float], shape: tuple[int, ...], name: str, low: float, high: float) -> NDArray[np.float64]:
    """A packed column as an array of `shape`; sizes, finiteness and bounds checked, rounding error clipped."""
    size = math.prod(shape)
    if len(values) != size:
        raise GarbageError(f"{name}: {len(values)} values, expected {size}")
    array = np.array(values, np.float64)
    if not size:
        return array.reshape(shape)
    least, most = float(array.min()), float(array.max())
    if not (math.isfinite(least) and math.isfinite(most)):
        raise GarbageError(f"{name}: not finite at index {int(np.argmin(np.isfinite(array)))}")
    if least < low - _TOLERANCE or most > high + _TOLERANCE:
        raise GarbageError(f"{name}: {least:.6g}..{most:.6g}, expected {low:g}..{high:g}")
    if least < low or most > high:
        np.clip(array, low, high, out=array)
    return array.reshape(shape)
