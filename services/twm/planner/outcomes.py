"""How plans stand to what the active intents ask: the world model's word and the twin's in one, as the proposal tells it.

Where the twin has played a plan, its futures and the prediction count the same: violation probabilities and quantiles are their
means. Where it has not, the prediction stands alone.

Shape suffixes: M targets, J futures, Q quantiles (5, 50, 95 %), K candidates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.kpis import ASKED_RATIO, LEVELS_PER_COMPONENT
from twm.planner.answers import TargetColumns
from twm.planner.goals import Goals, Objective, Target
from twm.planner.objective import Predictions

Float = NDArray[np.float64]
_SPREAD_LEAST = 0.02
"""Least relative width of what a future stands for."""
_OFFSET = {
    intent_pb2.KPI_LOSS_RATIO: 0.01,
    intent_pb2.KPI_THROUGHPUT_MBPS: 1.0,
    intent_pb2.KPI_UTILISATION_RATIO: 0.02,
}
_KERNEL = 0.9
"""Width of the kernels: Silverman's rule of thumb."""
_HARM_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One plan against all targets."""

    known_M: NDArray[np.bool_]
    violation_M: Float
    excess_M: Float
    quantiles_MQ: Float
    reach_M: Float
    """Bound that is held with the accepted probability."""
    basis_M: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Reached:
    """The best that any plan looked at reaches for one target, whatever else it costs."""

    bound: float
    saving: float
    any_violation: float


def predicted_standing(targets: Sequence[Target], row: TargetColumns) -> Standing:
    """What the world model says of one plan; `row`: its columns."""
    basis = tuple(_basis(t.message) if known else "" for t, known in zip(targets, row.predicted_M, strict=True))
    return Standing(
        known_M=row.predicted_M,
        violation_M=row.violation_KM[0],
        excess_M=row.excess_KM[0],
        quantiles_MQ=row.quantiles_KMQ[0],
        reach_M=row.reach_KM[0],
        basis_M=basis,
    )


def _basis(message: worldmodel_pb2.KpiTarget) -> str:
    area = not message.cells and not message.links
    modelled = area and message.kpi in (intent_pb2.KPI_DELAY_P99_MS, intent_pb2.KPI_LOSS_RATIO)
    if area and message.kpi == intent_pb2.KPI_UTILISATION_RATIO:
        modelled = len(message.slices) == 1
    return "world model" if modelled else "queueing"


def verified_standing(
    targets: Sequence[Target],
    predicted: Standing,
    measured_M: NDArray[np.bool_],
    value_JM: Float,
    state_J: NDArray[np.intp],
    demand_mbps_JHCS: NDArray[np.floating],
) -> Standing:
    """The same with the twin's values in its futures; `demand_mbps_JHCS`: what was played."""
    violation, excess = predicted.violation_M.copy(), predicted.excess_M.copy()
    quantiles, reach = predicted.quantiles_MQ.copy(), predicted.reach_M.copy()
    basis = list(predicted.basis_M)
    for m, target in enumerate(targets):
        if not measured_M[m]:
            continue
        bound_J = _bounds(target.message, demand_mbps_JHCS)
        p, q, r, over = _twin_word(target.message, value_JM[:, m], bound_J, state_J)
        if predicted.known_M[m]:
            p, q, r = 0.5 * (p + violation[m]), 0.5 * (q + quantiles[m]), 0.5 * (r + reach[m])
            over = 0.5 * (over + float(excess[m]))
        violation[m], quantiles[m], reach[m], excess[m] = p, q, r, over
        basis[m] = f"{basis[m]} and twin" if basis[m] else "twin"
    return Standing(
        known_M=predicted.known_M | measured_M,
        violation_M=violation,
        excess_M=excess,
        quantiles_MQ=quantiles,
        reach_M=reach,
        basis_M=tuple(basis),
    )


def _bounds(message: worldmodel_pb2.KpiTarget, demand_mbps_JHCS: NDArray[np.floating]) -> Float:
    """The bound in each future [J]: of a throughput no more is asked than is offered."""
    bound_J = np.full(len(demand_mbps_JHCS), float(message.bound))
    if message.kpi != intent_pb2.KPI_THROUGHPUT_MBPS or message.comparator == intent_pb2.COMPARATOR_AT_MOST:
        return bound_J
    offered = demand_mbps_JHCS.astype(np.float64)
    for indices, axis in ((message.slices, 3), (message.cells, 2), (message.steps, 1)):
        kept = [i for i in indices if i < offered.shape[axis]]
        offered = offered.take(kept, axis) if kept else offered
    return np.asarray(np.minimum(bound_J, ASKED_RATIO * offered.sum((2, 3)).mean(1)))


def _twin_word(
    message: worldmodel_pb2.KpiTarget, value_J: Float, bound_J: Float, state_J: NDArray[np.intp]
) -> tuple[float, Float, float, float]:
    """(violation probability, quantiles, bound held, excess) in the worst state, from its futures.

    Each future stands for what lies near it (a Gaussian kernel in log space): a handful of them is all there is, and a link
    that fails in one of them is no reason to expect the worse of the others.
    """
    at_most = message.comparator == intent_pb2.COMPARATOR_AT_MOST
    offset = _OFFSET.get(message.kpi, 0.0)
    found = []
    for state in message.states or sorted(set(state_J.tolist())):
        log, bound = np.log(np.maximum(value_J[state_J == state] + offset, 1e-6)), bound_J[state_J == state]
        if not log.size:
            continue
        quarter, three = np.quantile(log, (0.25, 0.75))
        width = max(_KERNEL * min(float(log.std()), float(three - quarter) / 1.34) * log.size**-0.2, _SPREAD_LEAST)
        z = (np.log(bound + offset + 1e-9) - log) / width
        below = float(np.mean([0.5 * (1.0 + math.erf(v / math.sqrt(2.0))) for v in z.tolist()]))
        level = 1.0 - message.accepted_probability if at_most else message.accepted_probability
        draws = np.exp(log[:, None] + width * np.array(LEVELS_PER_COMPONENT)) - offset
        values = np.maximum(np.quantile(draws, (0.05, 0.5, 0.95, level)), 0.0)
        beyond = (draws - bound[:, None]) * (1.0 if at_most else -1.0)
        over = float(np.clip(beyond / max(float(message.bound), 1e-6), 0.0, 3.0).mean())
        found.append((1.0 - below if at_most else below, values, over))
    worst = np.maximum if at_most else np.minimum
    values = worst.reduce([f[1] for f in found])
    return max(f[0] for f in found), values[:3], float(values[3]), max(f[2] for f in found)


def best_reach(
    goals: Goals,
    known: Sequence[Reached | None],
    found: TargetColumns,
    predictions: Predictions,
    saving_K: Float,
    harm_K: Float,
) -> list[Reached | None]:
    """`known` with what these plans reach besides, those that do harm left out."""
    fit = np.flatnonzero(harm_K <= _HARM_TOLERANCE)
    out = list(known) or [None] * len(goals.targets)
    for m, target in enumerate(goals.targets):
        if not found.predicted_M[m] or not fit.size:
            continue
        at_most = target.message.comparator == intent_pb2.COMPARATOR_AT_MOST
        i = int(fit[found.reach_KM[fit, m].argmin() if at_most else found.reach_KM[fit, m].argmax()])
        bound, before = float(found.reach_KM[i, m]), out[m]
        if before is None or (bound < before.bound if at_most else bound > before.bound):
            out[m] = Reached(bound=bound, saving=float(saving_K[i]), any_violation=float(predictions.any_violation_K[i]))
    return out


def intent_outcomes(
    goals: Goals, plan: Standing, running: Standing | None, reached: Sequence[Reached | None]
) -> list[planning_pb2.IntentOutcome]:
    """One entry for each KPI constraint; where nothing says how the plan stands to it, it counts as violated."""
    out = []
    for m, target in enumerate(goals.targets):
        asked = target.message
        outcome = planning_pb2.IntentOutcome(
            intent_id=target.intent_id,
            constraint_index=target.index,
            kpi=asked.kpi,
            comparator=asked.comparator,
            bound=asked.bound,
            accepted_probability=asked.accepted_probability,
            violation_probability=1.0,
            basis=plan.basis_M[m],
        )
        if not plan.known_M[m]:
            outcome.reason = "not predicted: the frames do not measure what it takes, or it begins beyond the steps planned for"
            out.append(outcome)
            continue
        outcome.violation_probability = _ratio(plan.violation_M[m])
        outcome.predicted_low, outcome.predicted, outcome.predicted_high = (float(v) for v in plan.quantiles_MQ[m])
        outcome.held_bound = float(plan.reach_M[m])
        if running is not None and running.known_M[m]:
            outcome.running_violation_probability = _ratio(running.violation_M[m])
            outcome.running_predicted = float(running.quantiles_MQ[m, 1])
        best = reached[m] if m < len(reached) else None
        at_most = asked.comparator == intent_pb2.COMPARATOR_AT_MOST
        if best is None or (plan.reach_M[m] <= best.bound if at_most else plan.reach_M[m] >= best.bound):
            outcome.reachable_bound = float(plan.reach_M[m])
        else:
            outcome.reachable_bound = best.bound
            outcome.reachable_saving_ratio, outcome.reachable_any_violation = best.saving, _ratio(best.any_violation)
        outcome.met = outcome.violation_probability <= asked.accepted_probability
        if not outcome.met:
            outcome.reason = (
                f"violated with probability {outcome.violation_probability:.3g}, accepted {asked.accepted_probability:.3g}; "
                f"a bound of {outcome.held_bound:.4g} would hold under this plan, {outcome.reachable_bound:.4g} under the best"
            )
        out.append(outcome)
    return out


def objective_outcome(
    wanted: Objective,
    proposal: planning_pb2.Proposal,
    accepted: float,
) -> planning_pb2.ObjectiveOutcome:
    """How the proposal stands to what an intent strives for, and what its front says could be had."""
    outcome = planning_pb2.ObjectiveOutcome(
        intent_id=wanted.intent_id,
        wanted_ratio=wanted.wanted_ratio,
        saving_ratio=proposal.saving_ratio,
        hold_slas=wanted.hold_slas,
        accepted_probability=accepted,
    )
    points = [(float(p.saving_ratio), float(p.violation_probability)) for p in proposal.front]
    known = proposal.HasField("any_violation_probability")
    if known:
        outcome.any_violation_probability = proposal.any_violation_probability
        points.append((float(proposal.saving_ratio), float(proposal.any_violation_probability)))
    if safe := [saving for saving, violation in points if violation <= accepted]:
        outcome.reachable_saving_ratio = max(safe)
    if saving_enough := [violation for saving, violation in points if saving >= wanted.wanted_ratio - 1e-6]:
        outcome.reachable_any_violation = _ratio(min(saving_enough))
    reasons = []
    if proposal.saving_ratio < wanted.wanted_ratio - 1e-4:
        reasons.append(f"saves {proposal.saving_ratio:.3g}, wanted {wanted.wanted_ratio:.3g}")
    if wanted.hold_slas and not known:
        reasons.append("no model says whether the SLAs hold")
    elif wanted.hold_slas and proposal.any_violation_probability > accepted:
        reasons.append(f"an SLA is violated with probability {proposal.any_violation_probability:.3g}, accepted {accepted:.3g}")
    outcome.met, outcome.reason = not reasons, "; ".join(reasons)[:400]
    return outcome


def _ratio(value: float) -> float:
    return float(min(max(value, 0.0), 1.0))
