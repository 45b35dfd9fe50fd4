"""How the newest plan stands to an intent, and the question that remains where no plan reaches it.

The planner says in its proposals how it stands to each KPI constraint and objective of the active intents. Where no plan that
it looked at holds one, the answer is the nearest feasible offer with its predicted numbers: a question with choices, never a
guess.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.network import NetworkSpec
from twm.core.streams import StreamNames, Streams
from twm.gateway.intents.questions import question
from twm.gateway.intents.told import constraint_words, kpi_words

NewestProposal = Callable[[], Awaitable[planning_pb2.Proposal | None]]
_SLACK = 1e-6


@dataclass(frozen=True)
class PlanStanding:
    """What the newest proposal says of one intent."""

    step: int
    created: str
    """When it was made, ISO 8601."""
    met: bool | None
    """Whether all holds; None: nothing of the intent is a matter of prediction within the planned steps."""
    lines: Sequence[str]
    """Each constraint and objective in words."""
    constraints: Sequence[planning_pb2.IntentOutcome]
    objectives: Sequence[planning_pb2.ObjectiveOutcome]
    questions: Sequence[intent_pb2.Question]
    """What no plan reaches, with the nearest feasible offer."""


def newest_proposal(streams: Streams, names: StreamNames) -> NewestProposal:
    """Reads the last proposal of an area; None where there is none that can be read."""

    async def read() -> planning_pb2.Proposal | None:
        for entry in reversed(await streams.last(names.proposals, 1)):
            try:
                return planning_pb2.Proposal.FromString(entry.payload)
            except ProtobufDecodeError:
                return None
        return None

    return read


def standing_of(
    intent: intent_pb2.IntentSpec, proposal: planning_pb2.Proposal | None, spec: NetworkSpec
) -> PlanStanding | None:
    """What the proposal says of the intent; None where it was made without it. Pure."""
    if proposal is None or proposal.spec_digest != intent.spec_digest:
        return None
    constraints = [
        o for o in proposal.intent_outcomes if o.intent_id == intent.intent_id and o.constraint_index < len(intent.constraints)
    ]
    objectives = [o for o in proposal.objective_outcomes if o.intent_id == intent.intent_id]
    if not constraints and not objectives and not proposal.intent_set_version:
        return None
    lines = [_constraint_line(intent.constraints[o.constraint_index], o, spec) for o in constraints]
    lines += [_objective_line(o) for o in objectives]
    asked = [q for o in constraints for q in _asked(intent.constraints[o.constraint_index], o, spec)]
    asked += [q for o in objectives for q in _asked_objective(o)]
    outcomes = [o.met for o in constraints] + [o.met for o in objectives]
    return PlanStanding(
        step=proposal.step,
        created=proposal.created.ToJsonString(),
        met=all(outcomes) if outcomes else None,
        lines=lines,
        constraints=constraints,
        objectives=objectives,
        questions=asked,
    )


def _constraint_line(constraint: intent_pb2.KpiConstraint, found: planning_pb2.IntentOutcome, spec: NetworkSpec) -> str:
    words = constraint_words(constraint, spec)
    if not found.HasField("predicted"):
        return f"{words}: {found.reason}"
    values = [kpi_words(constraint.kpi, v) for v in (found.predicted, found.predicted_low, found.predicted_high)]
    line = (
        f"{words}: {'holds' if found.met else 'does not hold'}; {values[0]} predicted ({values[1]} to {values[2]}), "
        f"violated with {_percent(found.violation_probability)} probability, accepted {_percent(found.accepted_probability)}"
    )
    if found.HasField("running_violation_probability"):
        line += f" (as things run now: {_percent(found.running_violation_probability)})"
    return f"{line}; {found.basis}"


def _objective_line(found: planning_pb2.ObjectiveOutcome) -> str:
    parts = []
    if found.wanted_ratio > 0:
        parts.append(f"save {_percent(found.wanted_ratio)}: {_percent(found.saving_ratio)} under the plan")
    if found.hold_slas and found.HasField("any_violation_probability"):
        parts.append(
            f"hold the SLAs: one is violated with {_percent(found.any_violation_probability)} probability, "
            f"accepted {_percent(found.accepted_probability)}"
        )
    return "; ".join(parts) + ("" if found.met else f" ({found.reason})")


def _asked(
    constraint: intent_pb2.KpiConstraint, found: planning_pb2.IntentOutcome, spec: NetworkSpec
) -> Iterator[intent_pb2.Question]:
    """The nearest feasible offer, where the best plan that was looked at does not reach the bound."""
    if found.met or not found.HasField("reachable_bound"):
        return
    at_most = constraint.comparator == intent_pb2.COMPARATOR_AT_MOST
    reach = found.reachable_bound
    if (reach <= constraint.bound + _SLACK) if at_most else (reach >= constraint.bound - _SLACK):
        return  # a plan reaches it; what else it costs has been weighed against it
    offer = rounded(reach, up=at_most)
    offered = f"{'at most' if at_most else 'at least'} {kpi_words(constraint.kpi, offer)}"
    saving = found.reachable_saving_ratio if found.HasField("reachable_saving_ratio") else None
    cost = f" (saving {_percent(saving)})" if saving is not None else ""
    text = (
        f"No plan holds {constraint_words(constraint, spec)} with at most {_percent(found.accepted_probability)} violation "
        f"probability: {kpi_words(constraint.kpi, found.predicted)} is predicted, violated with "
        f"{_percent(found.violation_probability)} probability. The nearest bound that a plan holds is {offered}{cost}. "
        f"Which one counts?"
    )
    choices = [offered]
    if found.violation_probability < 1.0 - _SLACK:
        accepted = min(math.ceil(found.violation_probability * 100) / 100, 0.99)
        choices.append(f"{kpi_words(constraint.kpi, constraint.bound)} with up to {_percent(accepted)} violation probability")
    choices.append("withdraw it")
    yield question("infeasible", f"constraints[{found.constraint_index}].bound", text, choices)


def _asked_objective(found: planning_pb2.ObjectiveOutcome) -> Iterator[intent_pb2.Question]:
    if found.met or not found.HasField("any_violation_probability"):
        return
    least = found.reachable_any_violation if found.HasField("reachable_any_violation") else None
    safe = found.reachable_saving_ratio if found.HasField("reachable_saving_ratio") else None
    choices = []
    if found.wanted_ratio > 0:
        if safe is not None and safe >= found.wanted_ratio - _SLACK and found.hold_slas:
            return  # a plan does both; the next search will find it
        if safe is not None and safe > 0:
            choices.append(f"save {_percent(rounded(safe, up=False))}, SLAs held")
        if least is not None:
            choices.append(
                f"save {_percent(found.wanted_ratio)} with up to {_percent(rounded(least, up=True))} SLA violation risk"
            )
        text = (
            f"No plan saves {_percent(found.wanted_ratio)}"
            f"{' and holds the SLAs' if found.hold_slas else ''}: {_percent(found.saving_ratio)} saved, an SLA is violated "
            f"with {_percent(found.any_violation_probability)} probability. Which one counts?"
        )
    else:
        risk = found.any_violation_probability if least is None else min(least, found.any_violation_probability)
        choices.append(f"up to {_percent(rounded(risk, up=True))} SLA violation risk")
        text = (
            f"No plan holds the SLAs with at most {_percent(found.accepted_probability)} violation probability: the best has "
            f"{_percent(risk)}. Is that accepted?"
        )
    yield question("infeasible", "objective", text, [*choices, "withdraw it"])


def rounded(value: float, *, up: bool) -> float:
    """Two significant digits, never beyond what was predicted."""
    if not math.isfinite(value) or value <= 0:
        return 0.0
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float((math.ceil(value / scale - 1e-5) if up else math.floor(value / scale + 1e-5)) * scale)


def _percent(ratio: float) -> str:
    return f"{round(100 * ratio, 1):g} %"
