"""Proposal + verdict + drift status -> Explanation. Pure: the same inputs give the same bytes."""

from __future__ import annotations

import math

from twm.api.explain.v1 import explain_pb2
from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.drift import DriftStatus
from twm.core.network import NetworkSpec
from twm.core.text import clean
from twm.gateway.explain.margins import margins_of
from twm.gateway.explain.moves import moves_of
from twm.gateway.explain.outlook import PROPOSED, binding_of, fans_of, forecasts_of, outlooks_of
from twm.gateway.explain.template import write_text
from twm.gateway.explain.turns import turns_of
from twm.gateway.intents.standing import standing_of

MAX_REASON, MAX_MESSAGE, MAX_ORIGIN, MAX_INTENT = 400, 1000, 128, 600
SOURCES = {
    planning_pb2.PROPOSAL_SOURCE_SEARCH: "search",
    planning_pb2.PROPOSAL_SOURCE_ACTOR: "actor",
    planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK: "reactive_fallback",
}


def explain(
    proposal: planning_pb2.Proposal,
    verdict: policy_pb2.Verdict,
    spec: NetworkSpec,
    drift: DriftStatus | None = None,
    intents: intent_pb2.ActiveIntents | None = None,
) -> explain_pb2.Explanation:
    """The explanation of `verdict` with the template's text. What the proposal does not say stays absent.

    `intents`: those that were active, as the guardrail saw them.
    """
    accepted = verdict.decision == policy_pb2.DECISION_ACCEPTED
    fans = fans_of(proposal, spec)
    checks = margins_of(verdict.checks)
    for check in checks:
        check.message = clean(check.message, MAX_MESSAGE).text
    found = explain_pb2.Explanation(
        proposal_id=verdict.proposal_id,
        area_id=verdict.area_id,
        step=verdict.step,
        decision=verdict.decision,
        handling=verdict.handling,
        source=SOURCES.get(proposal.source, "unknown"),
        fallback_reason=clean(proposal.fallback_reason, MAX_REASON).text,
        moves=moves_of(proposal.running, proposal.policy, spec),
        forecasts=forecasts_of(fans, spec),
        outlooks=outlooks_of(proposal, spec),
        checks=checks,
        turns=turns_of(proposal, checks, accepted=accepted),
        horizon_steps=fans[PROPOSED].steps if PROPOSED in fans else 0,
        confidence=_confidence(proposal, drift),
        text_source=explain_pb2.TEXT_SOURCE_TEMPLATE,
        intents=_intents(proposal, spec, intents),
    )
    for outlook in found.outlooks:
        outlook.origin = clean(outlook.origin, MAX_ORIGIN).text
    binding = binding_of(fans, spec)
    if binding is not None:
        found.binding.CopyFrom(binding)
    found.headline, found.text = write_text(found)
    return found


def _intents(proposal: planning_pb2.Proposal, spec: NetworkSpec, active: intent_pb2.ActiveIntents | None) -> list[str]:
    """How the plan stands to the intents, in words; what does not hold first."""
    if active is None or not (proposal.intent_outcomes or proposal.objective_outcomes):
        return []
    found: list[tuple[bool, str]] = []
    for entry in active.intents:
        standing = standing_of(entry.spec, proposal, spec)
        if standing is not None:
            met = [o.met for o in standing.constraints] + [o.met for o in standing.objectives]
            found += zip(met, standing.lines, strict=True)
    told = [clean(line, MAX_INTENT).text for _, line in sorted(found, key=lambda item: item[0])]
    return [line for line in told if line][:64]


def _confidence(proposal: planning_pb2.Proposal, drift: DriftStatus | None) -> explain_pb2.Confidence:
    found = explain_pb2.Confidence()
    for field, source in (
        ("violation_probability", "any_violation_probability"),
        ("disagreement", "disagreement"),
        ("ood_score", "ood_score"),
    ):
        if proposal.HasField(source) and math.isfinite(value := getattr(proposal, source)):
            setattr(found, field, value)
    chosen = proposal.chosen_index
    if chosen < len(proposal.candidates) and proposal.candidates[chosen].HasField("scm_cvar"):
        cvar = proposal.candidates[chosen].scm_cvar
        if math.isfinite(cvar):
            found.scm_cvar = cvar
    twin = next((v for v in proposal.verifications if v.candidate_index == chosen), None)
    if twin is not None and math.isfinite(twin.violation_ratio):
        found.twin_violation_ratio = twin.violation_ratio
        if proposal.HasField("predicted_scm") and math.isfinite(twin.scm_mean - proposal.predicted_scm):
            found.twin_scm_difference = twin.scm_mean - proposal.predicted_scm
    if drift is not None:
        found.drift_state = drift.state
        for kpi, (share, _, _) in sorted(drift.coverage.items())[:16]:
            if math.isfinite(share):
                found.coverage_ratio[kpi[:64]] = share
    return found
