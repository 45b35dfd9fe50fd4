"""Guardrail: Proposal + network spec + rules + last accepted shares + clock -> Verdict. Pure and deterministic.

Every check of `CHECKS` appears in every verdict, in that order. A missing, late or non-finite input fails its check; only what
the rules of the proposal's source do not ask for may be absent. No model, language model or planner is trusted here: shares,
floors and changes are computed again from the packed columns.

Shape suffixes: H slow steps, C cells, L links, S slices.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.api.worldmodel.v1 import worldmodel_pb2
from twm.core.actions import SHARE_SUM_TOLERANCE
from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.validation import validate
from twm.gateway.accepted import AcceptedShares
from twm.gateway.prb import quantisation_error_steps
from twm.gateway.rules import GuardrailRules, SourceRules

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
    "sizes",
    "finite",
    "simplex",
    "floors",
    "rate_from_running",
    "rate_from_accepted",
    "rate_within_policy",
    "prb_quantisation",
    "models",
    "predicted_scm",
    "do_no_harm",
    "any_violation_probability",
    "slice_violation_probability",
    "disagreement",
    "ood_score",
    "twin_verification",
)
SHARE_CHECKS = CHECKS[CHECKS.index("simplex") : CHECKS.index("models")]
"""Those that need usable shares."""
RATE_TOLERANCE = 1e-4
"""float32 rounding of a difference of two shares."""
_MESSAGE_LENGTH = 1000

Float = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What the gateway knows besides the proposal."""

    now_s: float
    """Wall clock, Unix [s]."""
    newest_step: int | None
    """Slow step of the newest frame; None: no frame in the stream."""
    accepted: AcceptedShares | None
    """Last accepted policy; None: none yet."""
    mode: policy_pb2.Mode = policy_pb2.MODE_SHADOW
    """Mode in force."""


def judge(
    proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules, situation: Situation, *, spec_digest: str = ""
) -> policy_pb2.Verdict:
    """The verdict with every check. `spec_digest`: the spec's digest when already known (it costs a millisecond)."""
    sheet = _Sheet()
    source_rules = _source_rules(proposal, rules)
    _check_identity(sheet, proposal, spec, spec_digest or spec.digest(), source_rules)
    _check_time(sheet, proposal, spec, rules, situation)
    _check_shares(sheet, proposal, spec, rules, situation)
    _check_predictions(sheet, proposal, spec, source_rules)
    checks = sheet.in_order()
    verdict = policy_pb2.Verdict(
        proposal_id=proposal.proposal_id,
        area_id=proposal.area_id,
        step=proposal.step,
        decision=policy_pb2.DECISION_ACCEPTED if all(c.passed for c in checks) else policy_pb2.DECISION_REJECTED,
        mode=situation.mode,
        checks=checks,
        guardrail_version=rules.label,
        trace_id=proposal.trace_id,
    )
    verdict.decided.FromNanoseconds(round(situation.now_s * 1e6) * 1000)
    return verdict


class _Sheet:
    """Checks by name. Comparisons are written so that NaN fails."""

    def __init__(self) -> None:
        self._checks: dict[str, policy_pb2.Check] = {}

    def fact(self, name: str, passed: bool, message: str) -> None:
        """A check without a number."""
        self._put(name, passed, message)

    def at_most(self, name: str, value: float | None, bound: float | None, what: str, *, required: bool = True) -> None:
        """`value` <= `bound`."""
        self._number(name, value, bound, what, required, "<=", lambda v, b: v <= b)

    def at_least(self, name: str, value: float | None, bound: float | None, what: str, *, required: bool = True) -> None:
        """`value` >= `bound`."""
        self._number(name, value, bound, what, required, ">=", lambda v, b: v >= b)

    def in_order(self) -> list[policy_pb2.Check]:
        """All checks in the order of `CHECKS`; one that nobody filled in has failed."""
        return [self._checks[n] if n in self._checks else _not_checked(n) for n in CHECKS]

    def _number(self, name, value, bound, what, required, sign, holds) -> None:  # type: ignore[no-untyped-def]
        if bound is None:
            self._put(name, True, f"{what}: {_text(value)}, the rules set no bound", value)
        elif value is None:
            self._put(name, not required, f"{what}: missing" + ("" if required else ", not asked of this source"), None, bound)
        else:
            passed = bool(math.isfinite(value) and holds(value, bound))
            self._put(name, passed, f"{what}: {_text(value)}, bound {sign} {bound:.6g}", value, bound)

    def _put(self, name: str, passed: bool, message: str, value: float | None = None, bound: float | None = None) -> None:
        check = policy_pb2.Check(name=name, passed=passed, message=message[:_MESSAGE_LENGTH])
        if value is not None and math.isfinite(value):
            check.value = value
        if bound is not None:
            check.bound = bound
        self._checks[name] = check


def _not_checked(name: str) -> policy_pb2.Check:
    return policy_pb2.Check(name=name, passed=False, message=f"{name}: not checked")


def _text(value: float | None) -> str:
    return "missing" if value is None else f"{value:.6g}"


def _source_rules(proposal: planning_pb2.Proposal, rules: GuardrailRules) -> SourceRules | None:
    return {
        planning_pb2.PROPOSAL_SOURCE_SEARCH: rules.search,
        planning_pb2.PROPOSAL_SOURCE_ACTOR: rules.search,  # its plan is rolled out and verified as a finalist is
        planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK: rules.reactive_fallback,
    }.get(proposal.source)


def _check_identity(
    sheet: _Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, digest: str, rules: SourceRules | None
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
        f"proposal_id: {proposal.proposal_id[:160]!r} of area {proposal.area_id[:64]!r}, expected {expected!r}",
    )
    sheet.fact(
        "spec_digest",
        proposal.spec_digest == digest,
        f"spec_digest: {proposal.spec_digest[:12]!r}, this network's is {digest[:12]!r}",
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
    sheet: _Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules, situation: Situation
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
    accepted = situation.accepted
    if accepted is None:
        sheet.fact("step_order", True, f"step: {proposal.step}, no policy accepted before")
    else:
        sheet.at_least("step_order", float(proposal.step), float(accepted.step + 1), "step: after the last accepted one")
    since = proposal.step - rules.timing.change_window_steps
    count = 1.0 + sum(step > since for step in (accepted.change_steps if accepted else ()))
    sheet.at_most(
        "change_frequency",
        count,
        rules.timing.max_changes_in_window,
        f"changes within {rules.timing.change_window_steps} slow steps, this one counted",
    )


def _check_shares(
    sheet: _Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: GuardrailRules, situation: Situation
) -> None:
    topology = spec.topology()
    policy, problems = _unpack(proposal.policy, spec, spec.timing.horizon_steps, "policy")
    running: tuple[Float, Float] | None = None
    if proposal.HasField("running"):
        running, running_problems = _unpack(proposal.running, spec, 1, "running")
        problems += running_problems
    sheet.fact("sizes", not problems, "; ".join(problems) or "policy and running: sizes fit the network spec")
    unusable = [name for name, found in (("policy", policy), ("running", running)) if found is not None and not _finite(found)]
    known = policy is not None
    text = f"{', '.join(unusable)}: a share is not finite" if unusable else "shares: every one is finite"
    sheet.fact("finite", known and not unusable, text if known else "finite: the policy has no usable shares")
    if policy is None or "policy" in unusable:
        for name in SHARE_CHECKS:
            sheet.fact(name, False, f"{name}: the policy has no usable shares")
        return
    if unusable:
        running = None

    floors = (topology.prb_floor, topology.bandwidth_floor)
    low = min((float(block.min()) for block in policy if block.size), default=0.0)
    total = max((float(block.sum(-1).max()) for block in policy if block.size), default=0.0)
    in_range = bool(low >= -SHARE_SUM_TOLERANCE)
    if in_range:
        sheet.at_most("simplex", total, 1.0 + SHARE_SUM_TOLERANCE, "shares: largest sum of a row")
    else:
        sheet.at_least("simplex", low, 0.0, "shares: least share")
    margin = min((float((block - floor).min()) for block, floor in zip(policy, floors, strict=True) if block.size), default=0.0)
    sheet.at_least("floors", margin, -SHARE_SUM_TOLERANCE, "shares: least share above the slice's floor")

    limit = spec.control.max_share_change
    first = [block[0] for block in policy]
    bound = _either(rules.shares.max_change_from_running, limit) + RATE_TOLERANCE
    before = None if running is None else [block[0] for block in running]
    sheet.at_most("rate_from_running", _largest_change(before, first), bound, "shares: largest change from the running ones")
    accepted = situation.accepted
    if accepted is None:
        sheet.fact("rate_from_accepted", True, "shares: no policy accepted before")
    else:
        steps = max(proposal.step - accepted.step, 1)
        bound = min(_either(rules.shares.max_change_from_accepted, limit) * steps, 1.0) + RATE_TOLERANCE
        previous = accepted.arrays(spec)
        sheet.at_most(
            "rate_from_accepted",
            _largest_change(previous, first),
            bound,
            f"shares: largest change from those accepted {steps} slow steps before",
        )
    moves = [np.abs(np.diff(block, axis=0)) for block in policy if block.size and len(block) > 1]
    within = max((float(block.max()) for block in moves), default=0.0)
    bound = _either(rules.shares.max_change_within_policy, limit) + RATE_TOLERANCE
    sheet.at_most("rate_within_policy", within, bound, "shares: largest change between two steps of the policy")
    _check_quantisation(sheet, first[0], topology.prb_floor, spec, rules)


def _check_quantisation(sheet: _Sheet, share_CS: Float, floor_S: Float, spec: NetworkSpec, rules: GuardrailRules) -> None:
    try:
        error = quantisation_error_steps(share_CS, floor_S, spec.prb_grid)
    except InvalidInputError as problem:
        sheet.fact("prb_quantisation", False, f"prb_quantisation: {problem}")
        return
    sheet.at_most(
        "prb_quantisation", error, rules.shares.quantisation_error_max_steps + RATE_TOLERANCE, "shares: off whole PRB steps by"
    )


def _check_predictions(sheet: _Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: SourceRules | None) -> None:
    if rules is None:
        return
    required = proposal.source != planning_pb2.PROPOSAL_SOURCE_REACTIVE_FALLBACK
    named = {m.name for m in proposal.models if m.version and m.digest}
    missing = [name for name in rules.required_models if name not in named]
    sheet.fact("models", not missing, f"models: {', '.join(missing)} missing" if missing else "models: all named")
    predicted = _optional(proposal, "predicted_scm")
    sheet.at_least("predicted_scm", predicted, rules.predicted_scm_min, "predicted_scm", required=required)
    running = _optional(proposal, "running_predicted_scm")
    gain = None if running is None or predicted is None else predicted - running
    harm = None if rules.harm_tolerance_scm is None else -rules.harm_tolerance_scm
    sheet.at_least("do_no_harm", gain, harm, "predicted_scm - running_predicted_scm", required=required)
    sheet.at_most(
        "any_violation_probability",
        _optional(proposal, "any_violation_probability"),
        rules.any_violation_probability_max,
        "any_violation_probability",
        required=required,
    )
    worst = _worst(proposal.violation_probability, len(spec.slices))
    sheet.at_most(
        "slice_violation_probability",
        worst,
        rules.slice_violation_probability_max,
        f"violation_probability: largest of {len(proposal.violation_probability)} (slices: {len(spec.slices)})",
        required=required,
    )
    sheet.at_most(
        "disagreement", _optional(proposal, "disagreement"), rules.disagreement_max_scm, "disagreement [SCM]", required=required
    )
    sheet.at_most("ood_score", _optional(proposal, "ood_score"), rules.ood_score_max, "ood_score", required=required)
    _check_twin(sheet, proposal, rules)


def _check_twin(sheet: _Sheet, proposal: planning_pb2.Proposal, rules: SourceRules) -> None:
    found = [v for v in proposal.verifications if v.candidate_index == proposal.chosen_index]
    if not found:
        text = f"verifications: none of candidate {proposal.chosen_index}"
        sheet.fact("twin_verification", not rules.twin_required, text if rules.twin_required else text + ", not required")
        return
    if rules.twin_required and proposal.chosen_index >= len(proposal.candidates):
        text = f"chosen_index: {proposal.chosen_index}, there are {len(proposal.candidates)} candidates"
        sheet.fact("twin_verification", False, text)
    elif rules.twin_required and not all(v.passed for v in found):
        sheet.fact("twin_verification", False, f"verifications: the twin did not pass candidate {proposal.chosen_index}")
    else:
        worst = max((float(v.violation_ratio) for v in found), key=lambda v: math.inf if math.isnan(v) else v)
        sheet.at_most("twin_verification", worst, rules.twin_violation_ratio_max, "verifications: violation_ratio in the twin")


def _unpack(
    message: worldmodel_pb2.PolicyBatch, spec: NetworkSpec, step_count: int, name: str
) -> tuple[tuple[Float, Float] | None, list[str]]:
    """Shares of the one policy ([H, C, S], [H, L, S]) and what is wrong with the sizes; None where they do not fit."""
    c, s, n_links = spec.sizes
    problems = []
    if message.policy_count != 1:
        problems.append(f"{name}.policy_count: {message.policy_count}, expected 1")
    if message.step_count != step_count:
        problems.append(f"{name}.step_count: {message.step_count}, expected {step_count}")
    for field, count, rows in (
        ("prb_share", len(message.prb_share), c),
        ("bandwidth_share", len(message.bandwidth_share), n_links),
    ):
        if count != step_count * rows * s:
            problems.append(f"{name}.{field}: {count} values, expected {step_count} x {rows} x {s} = {step_count * rows * s}")
    if problems:
        return None, problems
    return (
        np.array(message.prb_share, np.float64).reshape(step_count, c, s),
        np.array(message.bandwidth_share, np.float64).reshape(step_count, n_links, s),
    ), []


def _finite(blocks: Iterable[Float]) -> bool:
    return all(bool(np.isfinite(block).all()) for block in blocks)


def _largest_change(before: Iterable[Float] | None, after: Iterable[Float]) -> float | None:
    if before is None:
        return None
    changes = [float(np.abs(b - a).max()) for a, b in zip(before, after, strict=True) if b.size]
    return float(np.max(changes)) if changes else 0.0


def _either(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound


def _optional(proposal: planning_pb2.Proposal, field: str) -> float | None:
    return float(getattr(proposal, field)) if proposal.HasField(field) else None


def _worst(values: Iterable[float], expected: int) -> float | None:
    """The largest; NaN where one is NaN; None where not every slice has one."""
    listed = list(values)
    return float(np.max(listed)) if listed and len(listed) == expected else None
