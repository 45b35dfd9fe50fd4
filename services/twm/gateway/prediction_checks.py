"""The guardrail's checks of what models and twin said: harm, violations, CVaR, uncertainty, intents' constraints. Pure.

In an SLA window that is lost whatever is done every plan violates it, and refusing all of them protects nobody. Where the
rules declare so (`lost_window`), bounds on violations then give way to the running policy's own probabilities, slice by
slice: a slice that the running shares would save keeps its bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.core.intents import window_of
from twm.core.network import NetworkSpec
from twm.gateway.rules import GuardrailRules, LostWindowRules, SourceRules
from twm.gateway.sheet import Sheet

RUNNING_ORIGIN = "running"
"""Origin of the candidate that leaves the shares as they are."""


def check_predictions(sheet: Sheet, proposal: planning_pb2.Proposal, spec: NetworkSpec, rules: SourceRules) -> None:
    """Fill in models, predicted_scm, scm_cvar, do_no_harm, violations, disagreement, ood_score and twin_verification."""
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
    idle = Running(proposal, len(spec.slices))
    _check_cvar(sheet, proposal, idle, rules, required)
    _check_violations(sheet, proposal, idle, rules, required, len(spec.slices))
    sheet.at_most(
        "disagreement", _optional(proposal, "disagreement"), rules.disagreement_max_scm, "disagreement [SCM]", required=required
    )
    sheet.at_most("ood_score", _optional(proposal, "ood_score"), rules.ood_score_max, "ood_score", required=required)
    _check_twin(sheet, proposal, idle, rules)


class Running:
    """What was predicted of leaving the shares as they are: the least favourable reading of all candidates of that origin."""

    def __init__(self, proposal: planning_pb2.Proposal, slice_count: int) -> None:
        self.indices = [i for i, c in enumerate(proposal.candidates) if c.origin == RUNNING_ORIGIN]
        found = [proposal.candidates[i] for i in self.indices]
        self.any_violation = _least([c.violation_probability for c in found])
        """Least predicted probability that any SLA is violated; None: not predicted."""
        columns = [list(c.slice_violation_probability) for c in found]
        fits = bool(columns) and all(len(column) == slice_count for column in columns)
        self.slice_violation = [_least(column[s] for column in columns) for s in range(slice_count)] if fits else None
        """The same per slice; None: not predicted."""
        cvars = [c.scm_cvar for c in found if c.HasField("scm_cvar")]
        self.scm_cvar = max(cvars) if cvars and all(map(math.isfinite, cvars)) else None
        """CVaR of the SCM; None: not predicted."""


def relieved(bound: float | None, running: float | None, rules: LostWindowRules | None) -> float | None:
    """The bound on a violation probability, given the running shares': raised where those count as lost."""
    if bound is None or running is None or rules is None or not running >= rules.running_violation_min:
        return bound
    return max(bound, min(running + rules.harm_tolerance, 1.0))


def check_intents(
    sheet: Sheet,
    proposal: planning_pb2.Proposal,
    active: intent_pb2.ActiveIntents | None,
    rules: GuardrailRules,
    now_s: float,
    hold_s: float,
) -> None:
    """Fill in `intent_constraints`: the KPI constraints of active intents, as far as the proposal speaks of them."""
    outcomes: dict[tuple[str, int], list[planning_pb2.IntentOutcome]] = {}
    for outcome in proposal.intent_outcomes:
        outcomes.setdefault((outcome.intent_id, outcome.constraint_index), []).append(outcome)
    bounds = rules.intents
    broken, silent, count = [], [], 0
    for entry in active.intents if active is not None else ():
        spec = entry.spec
        if spec.HasField("expires") and spec.expires.seconds + spec.expires.nanos * 1e-9 <= now_s:
            continue
        for index, constraint in enumerate(spec.constraints):
            start, end = window_of(constraint.window if constraint.HasField("window") else None, spec)
            if start >= now_s + hold_s or end <= now_s:
                continue
            count += 1
            name = f"intent {spec.intent_id}, constraint {index}"
            found = outcomes.get((spec.intent_id, index), [])
            if not found:
                silent.append(name)
                continue
            limit = constraint.max_violation_probability if constraint.HasField("max_violation_probability") else None
            limit = bounds.violation_probability_max if limit is None else limit
            for outcome in found:
                allowed = limit
                if outcome.HasField("running_violation_probability") and outcome.running_violation_probability > limit:
                    allowed = max(limit, outcome.running_violation_probability + bounds.harm_tolerance)
                if not outcome.violation_probability <= allowed:
                    broken.append(f"{name}: violation probability {outcome.violation_probability:.4g}, bound <= {allowed:.4g}")
    if broken:
        sheet.fact("intent_constraints", False, "; ".join(broken[:4]))
    elif silent and bounds.outcomes_required:
        sheet.fact("intent_constraints", False, f"the proposal does not say how it stands to {', '.join(silent[:4])}")
    elif silent:
        text = f"intent_constraints: {count - len(silent)} hold, the proposal is silent about {', '.join(silent[:4])}"
        sheet.fact("intent_constraints", True, text)
    else:
        sheet.fact("intent_constraints", True, f"intent_constraints: {count} hold" if count else "intent_constraints: none")


def _check_cvar(sheet: Sheet, proposal: planning_pb2.Proposal, idle: Running, rules: SourceRules, required: bool) -> None:
    """CVaR of the chosen candidate against its floor, and against the running shares'."""
    value = None
    if proposal.chosen_index < len(proposal.candidates):
        chosen = proposal.candidates[proposal.chosen_index]
        value = float(chosen.scm_cvar) if chosen.HasField("scm_cvar") else None
    bound = rules.scm_cvar_min
    if rules.cvar_harm_tolerance_scm is not None and idle.scm_cvar is not None and (value is not None or bound is not None):
        least = idle.scm_cvar - rules.cvar_harm_tolerance_scm
        bound = least if bound is None else max(bound, least)
    sheet.at_least("scm_cvar", value, bound, "scm_cvar of the chosen candidate", required=required)


def _check_violations(
    sheet: Sheet, proposal: planning_pb2.Proposal, idle: Running, rules: SourceRules, required: bool, slice_count: int
) -> None:
    bound = relieved(rules.any_violation_probability_max, idle.any_violation, rules.lost_window)
    lost = bound != rules.any_violation_probability_max
    sheet.at_most(
        "any_violation_probability",
        _optional(proposal, "any_violation_probability"),
        bound,
        "any_violation_probability" + (" (lost window: against the running shares)" if lost else ""),
        required=required,
    )
    listed = [float(v) for v in proposal.violation_probability]
    what = f"violation_probability: {len(listed)} values for {slice_count} slices"
    highest = rules.slice_violation_probability_max
    value, bound = None, highest
    if listed and len(listed) == slice_count:
        running = idle.slice_violation or [None] * slice_count
        bounds = [relieved(highest, p, rules.lost_window) for p in running]
        margins = [math.inf if math.isnan(v) else v - (b or 0.0) for v, b in zip(listed, bounds, strict=True)]
        worst = max(range(slice_count), key=margins.__getitem__)
        value, bound = listed[worst], bounds[worst]
        what = f"violation_probability of slice {worst}"
        what += " (lost window: against the running shares)" if bound != highest else ""
    sheet.at_most("slice_violation_probability", value, bound, what, required=required)


def _check_twin(sheet: Sheet, proposal: planning_pb2.Proposal, idle: Running, rules: SourceRules) -> None:
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
        bound = rules.twin_violation_ratio_max
        played = [v.violation_ratio for v in proposal.verifications if v.candidate_index in idle.indices]
        # Where the twin has not played the running shares, the world model's word on them stands in.
        bound = relieved(bound, _least(played) if played else idle.any_violation, rules.lost_window)
        sheet.at_most("twin_verification", worst, bound, "verifications: violation_ratio in the twin")


def _optional(proposal: planning_pb2.Proposal, field: str) -> float | None:
    return float(getattr(proposal, field)) if proposal.HasField(field) else None


def _least(values: Iterable[float]) -> float | None:
    """The least; None where there is none, or one is not finite."""
    listed = [float(v) for v in values]
    return min(listed) if listed and all(map(math.isfinite, listed)) else None
