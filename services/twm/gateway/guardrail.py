"""Guardrail: Proposal + network spec + rules + what the gateway knows + clock -> Verdict. Pure and deterministic.

Every check of `CHECKS` appears in every verdict, in that order. A missing, late or non-finite input fails its check; only what
the rules of the proposal's source do not ask for may be absent. No model, language model or planner is trusted here: shares,
floors and changes are computed again from the packed columns (share_checks.py); what models said is held against declared
bounds (prediction_checks.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.errors import AuditError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.share_scopes import ShareScopes
from twm.core.text import shown
from twm.core.validation import validate
from twm.gateway.accepted import AcceptedShares
from twm.gateway.other_policies import decode_others
from twm.gateway.prediction_checks import check_intents, check_predictions
from twm.gateway.rules import GuardrailRules, SourceRules
from twm.gateway.share_checks import RATE_TOLERANCE, RUNNING_CHECK, SHARE_CHECKS, ShareChecker
from twm.gateway.share_limits import LimitTable, intent_limits, policy_limits
from twm.gateway.sheet import Sheet

__all__ = ["CHECKS", "RATE_TOLERANCE", "SHARE_CHECKS", "Guardrail", "Situation", "judge"]

CHECKS = (
    "schema",
    "proposal_id",
    "spec_digest",
    "source",
    "effective",
    "freshness",
    "clock",
    "lag",
    "step_order",
    "change_frequency",
    "ttl",
    "sizes",
    "finite",
    RUNNING_CHECK,
    *SHARE_CHECKS,
    "models",
    "predicted_scm",
    "scm_cvar",
    "do_no_harm",
    "any_violation_probability",
    "slice_violation_probability",
    "intent_constraints",
    "disagreement",
    "ood_score",
    "twin_verification",
)


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the gateway knows besides the proposal."""

    now_s: float
    """Wall clock, Unix [s]."""
    newest_step: int | None
    """Slow step of the newest frame; None: no frame in the stream."""
    accepted: AcceptedShares | None
    """Last accepted policy; None: none yet."""
    enforced: AcceptedShares | None = None
    """Last policy that was put in force; None: none yet."""
    others: str = ""
    """Policies of others as stored (other_policies.py); empty: none."""
    intents: intent_pb2.ActiveIntents | None = None
    """Active intents; None: none."""
    measured: worldmodel_pb2.PolicyBatch | None = None
    """Shares that the proposal's frame reports, one step, NaN where it does not; None: the frame is not at hand."""
    ttl_steps: float = 2.0
    """How long the policy would hold [slow steps]."""
    mode: policy_pb2.Mode = policy_pb2.MODE_SHADOW
    """Mode in force."""


class Guardrail:
    """The checks of one network and one set of rules; what does not depend on the proposal is computed once."""

    def __init__(self, spec: NetworkSpec, rules: GuardrailRules, *, spec_digest: str = "") -> None:
        """`spec_digest`: the spec's digest when already known."""
        self.spec, self.rules = spec, rules
        self.label = rules.label
        self.scopes = ShareScopes(spec)
        self._digest = spec_digest or spec.digest()
        self._shares = ShareChecker(spec, rules)

    @property
    def share_checker(self) -> ShareChecker:
        """The checks of shares."""
        return self._shares

    def _tables(self, situation: Situation) -> tuple[LimitTable | str | None, LimitTable | str | None]:
        """Limits of other policies and of intents; a text where they cannot be told, which fails the check."""
        others: LimitTable | str | None = None
        limits: LimitTable | str | None = None
        rules, now_s, size = self.rules, situation.now_s, self._shares.size
        if situation.others:
            try:
                found = policy_limits(decode_others(situation.others.encode()), self.scopes, now_s)
                others = LimitTable(self.scopes, found, size, tolerance=rules.conflicts.share_tolerance, reachable=False)
            except (InvalidInputError, AuditError) as error:
                others = str(error)
        if situation.intents is not None and situation.intents.intents:
            try:
                found = intent_limits(situation.intents, self.scopes, now_s)
                limits = LimitTable(self.scopes, found, size, tolerance=rules.intents.share_tolerance, reachable=True)
            except InvalidInputError as error:
                limits = str(error)
        return others, limits

    def judge(self, proposal: planning_pb2.Proposal, situation: Situation) -> policy_pb2.Verdict:
        """The verdict with every check."""
        sheet = Sheet()
        rules = self.rules
        source_rules = _source_rules(proposal, rules)
        hold_s = situation.ttl_steps * self.spec.timing.slow_step_s
        _check_identity(sheet, proposal, self.spec, self._digest, source_rules)
        _check_time(sheet, proposal, self.spec, rules, situation)
        memories = [m for m in (situation.accepted, situation.enforced) if m is not None]
        others, limits = self._tables(situation)
        self._shares.check(sheet, proposal, memories, others, limits, situation.now_s, hold_s)
        self._shares.check_running(sheet, proposal, situation.measured)
        if source_rules is not None:
            check_predictions(sheet, proposal, self.spec, source_rules)
        check_intents(sheet, proposal, situation.intents, rules, situation.now_s, hold_s)
        checks = sheet.in_order(CHECKS)
        verdict = policy_pb2.Verdict(
            proposal_id=proposal.proposal_id,
            area_id=proposal.area_id,
            step=proposal.step,
            decision=policy_pb2.DECISION_ACCEPTED if all(c.passed for c in checks) else policy_pb2.DECISION_REJECTED,
            mode=situation.mode,
            checks=checks,
            guardrail_version=self.label,
            trace_id=proposal.trace_id,
        )
        verdict.decided.FromNanoseconds(round(situation.now_s * 1e6) * 1000)
        return verdict


def judge(
    proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules, situation: Situation, *, spec_digest: str = ""
) -> policy_pb2.Verdict:
    """One verdict, without a Guardrail at hand (building one costs a millisecond)."""
    return Guardrail(spec, rules, spec_digest=spec_digest).judge(proposal, situation)


def _source_rules(proposal: planning_pb2.Proposal, rules: GuardrailRules) -> SourceRules | None:
    return {
        planning_pb2.PROPOSAL_SOURCE_SEARCH: rules.search,
        planning_pb2.PROPOSAL_SOURCE_ACTOR: rules.search,  # its plan is rolled out and verified as a finalist is
        planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK: rules.reactive_fallback,
    }.get(proposal.source)


def _check_identity(
    sheet: Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, digest: str, rules: SourceRules | None
) -> None:
    try:
        validate(proposal)
        sheet.fact("schema", True, "proposal: every rule of the contract holds")
    except InvalidInputError as error:
        sheet.fact("schema", False, f"proposal: {error}")
    expected = f"{spec.area_id}/{proposal.step}"
    sheet.fact(
        "proposal_id",
        proposal.area_id == spec.area_id and proposal.proposal_id == expected,
        f"proposal_id: {shown(proposal.proposal_id, 160)} of area {shown(proposal.area_id, 64)}, expected {expected!r}",
    )
    sheet.fact(
        "spec_digest",
        proposal.spec_digest == digest,
        f"spec_digest: {shown(proposal.spec_digest[:12])}, this network's is {digest[:12]!r}",
    )
    if rules is None:
        sheet.fact("source", False, f"source: {proposal.source} has no rules")
    elif not rules.allowed:
        sheet.fact("source", False, f"source: {planning_pb2.ProposalSource.Name(proposal.source)} is not allowed by the rules")
    elif proposal.source == planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK and not proposal.fallback_reason:
        sheet.fact("source", False, "fallback_reason: missing, a reactive fallback must say why")
    else:
        sheet.fact("source", True, f"source: {planning_pb2.ProposalSource.Name(proposal.source)} is allowed")


def _check_time(
    sheet: Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules, situation: Situation
) -> None:
    step_s = spec.timing.slow_step_s
    off_s = None
    if proposal.HasField("effective"):
        off_s = abs(proposal.effective.seconds + proposal.effective.nanos * 1e-9 - (proposal.step + 1) * step_s)
    sheet.at_most("effective", off_s, step_s / 2, "effective: distance to the begin of step + 1 [s]")
    age_s = None
    if proposal.HasField("created"):
        age_s = situation.now_s - (proposal.created.seconds + proposal.created.nanos * 1e-9)
    sheet.at_most("freshness", age_s, rules.timing.max_age_s, "created: age [s]")
    sheet.at_least("clock", age_s, -rules.timing.max_future_s, "created: age against this clock [s]")
    lag = None if situation.newest_step is None else float(situation.newest_step - proposal.step)
    if lag is not None and lag < 0:  # it answers a frame that nobody has seen
        sheet.at_least("lag", lag, 0.0, "step: behind the newest frame by [slow steps]")
    else:
        sheet.at_most("lag", lag, rules.timing.max_lag_steps, "step: behind the newest frame by [slow steps]")
    memories = [m for m in (situation.accepted, situation.enforced) if m is not None]
    if not memories:
        sheet.fact("step_order", True, f"step: {proposal.step}, no policy accepted before")
    else:
        last = max(m.step for m in memories)
        sheet.at_least("step_order", float(proposal.step), float(last + 1), "step: after the last accepted one")
    since = proposal.step - rules.timing.change_window_steps
    count = 1.0 + max((sum(step > since for step in m.change_steps) for m in memories), default=0)
    sheet.at_most(
        "change_frequency",
        count,
        rules.timing.max_changes_in_window,
        f"changes within {rules.timing.change_window_steps} slow steps, this one counted",
    )
    sheet.at_most("ttl", situation.ttl_steps, rules.timing.max_ttl_steps, "ttl: how long the policy would hold [slow steps]")
