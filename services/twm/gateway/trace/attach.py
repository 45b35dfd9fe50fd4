"""Adds to a verdict what belongs to it: explanation and evidence as stream entries, and the trace as an audit record.

Neither may cost the verdict: where an explanation cannot be made, the verdict goes out without one, and the log says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2, trace_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core import metrics
from twm.core.drift import DriftStatus
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import Output, StreamNames
from twm.gateway.audit import Event
from twm.gateway.explain.compose import explain
from twm.gateway.guardrail import Situation
from twm.gateway.rules import GuardrailRules
from twm.gateway.trace.gate import gate_inputs
from twm.gateway.trace.record import trace_payload

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What goes out with a verdict."""

    outputs: tuple[Output, ...]
    events: tuple[Event, ...]


def attach(
    proposal: planning_pb2.Proposal,
    payload: bytes,
    verdict: policy_pb2.Verdict,
    situation: Situation,
    rules: GuardrailRules,
    spec: NetworkSpec,
    drift: DriftStatus | None,
    *,
    spec_digest: str,
    trace_id: str = "",
) -> Attached:
    """Explanation and trace of `verdict`, whose headline is set here. `payload`: the proposal as it came."""
    explanation: explain_pb2.Explanation | None = None
    try:
        explanation = explain(proposal, verdict, spec, drift, situation.intents)
    except Exception:  # a defect in here must not cost the verdict
        log.exception("step %d: no explanation", verdict.step)
    outputs: list[Output] = []
    if explanation is not None:
        verdict.headline = explanation.headline
        data = explanation.SerializeToString(deterministic=True)
        outputs.append(Output(StreamNames.of(spec.area_id).explanations, data, trace_id))
        metrics.EXPLANATIONS.labels("template").inc()
    events: list[Event] = []
    try:
        gate, inputs = gate_inputs(situation, rules, spec_digest)
        events.append(Event("trace", trace_payload(proposal, payload, gate, verdict, explanation, drift)))
        if inputs:
            kept = trace_pb2.DecisionEvidence(step=verdict.step, inputs=inputs)
            outputs.append(Output(StreamNames.of(spec.area_id).evidence, kept.SerializeToString(deterministic=True), trace_id))
    except InvalidInputError as error:
        log.warning("step %d: no trace record: %s", verdict.step, ascii(str(error)[:200]))
    return Attached(outputs=tuple(outputs), events=tuple(events))
