"""What would change the decision: the smallest change of one number, all others as they are. Computed, never guessed.

A failed check passes where its value reaches its bound, or its bound the value; an accepted plan is refused where a value that
is near its bound reaches it. The second best wins where the planner's own ranking (twm.api.planning.v1.Objective) would put it
first: the score is linear in the twin's SCM and its violation ratio, and piecewise linear in the saving that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from twm.api.explain.v1 import explain_pb2
from twm.api.planning.v1 import planning_pb2
from twm.gateway.explain.margins import check_unit

ACCEPTED, REJECTED, PASSES, RUNNER_UP = "accepted", "rejected", "passes", "runner_up"
MOST_TURNS = 12
MOST_NEAR = 3

_UNIT_AT_POINT = {"points": "share", "step": "step"}


def turns_of(
    proposal: planning_pb2.Proposal, checks: Sequence[explain_pb2.CheckMargin], *, accepted: bool
) -> list[explain_pb2.Turn]:
    """The turns, the smallest relative change first."""
    failed = [check for check in checks if not check.passed]
    found: list[explain_pb2.Turn] = []
    for check in failed:
        found += _of_failed(check, ACCEPTED if len(failed) == 1 else PASSES)
    if accepted:
        near = [check for check in checks if check.passed and check.HasField("margin_ratio")]
        found += [_turn(REJECTED, c.name, check_unit(c.name), c.value, c.bound, check=c.name) for c in near[:MOST_NEAR]]
        found += ranking_turns(proposal)
    return sorted(found, key=_relative)[:MOST_TURNS]


def _of_failed(check: explain_pb2.CheckMargin, outcome: str) -> Iterable[explain_pb2.Turn]:
    if not (check.HasField("value") and check.HasField("bound")):
        return
    unit = check_unit(check.name)
    yield _turn(outcome, check.name, unit, check.value, check.bound, check=check.name)
    yield _turn(outcome, f"{check.name}_bound", unit, check.bound, check.value, check=check.name, settable=True)


def ranking_turns(proposal: planning_pb2.Proposal) -> list[explain_pb2.Turn]:
    """By how much what would make the second best the best; none where it was not ranked, or did not hold every limit."""
    if not proposal.HasField("runner_up_index") or not proposal.HasField("objective"):
        return []
    twins = {v.candidate_index: v for v in proposal.verifications}
    best, second = twins.get(proposal.chosen_index), twins.get(proposal.runner_up_index)
    if best is None or second is None or not second.passed or not (best.HasField("score") and second.HasField("score")):
        return []
    gap = float(best.score) - float(second.score)
    if not math.isfinite(gap) or gap < 0:
        return []
    found = []
    lower = float(best.scm_mean) - gap
    if lower >= 0:
        found.append(_turn(RUNNER_UP, "twin_scm", "scm", best.scm_mean, lower))
    risk = float(proposal.objective.risk)
    if risk > 0 and best.violation_ratio + gap / risk <= 1:
        ratio = float(best.violation_ratio)
        found.append(_turn(RUNNER_UP, "twin_violation_ratio", "ratio", ratio, ratio + gap / risk))
    wanted = _wanted_saving(gap, float(best.saving_ratio), float(second.saving_ratio), proposal.objective)
    if wanted is not None:
        now = float(proposal.objective.saving_wanted_ratio)
        found.append(_turn(RUNNER_UP, "saving_wanted_ratio", "ratio", now, wanted, settable=True))
    return found


def _wanted_saving(gap: float, best: float, second: float, objective: planning_pb2.Objective) -> float | None:
    """The wanted saving at which both score alike, 0..1; None where none does."""

    def advantage(wanted: float) -> float:
        return _saving_term(best, wanted, objective) - _saving_term(second, wanted, objective)

    # The gap as a function of the wish is constant outside the two savings and linear between them.
    offset = gap - advantage(float(objective.saving_wanted_ratio))
    low, high = sorted((best, second))
    at_low, at_high = offset + advantage(low), offset + advantage(high)
    if at_low == at_high or (at_low > 0) == (at_high > 0):
        return None
    wanted = low + (high - low) * at_low / (at_low - at_high)
    return wanted if 0.0 <= wanted <= 1.0 else None


def _saving_term(saving: float, wanted: float, objective: planning_pb2.Objective) -> float:
    return objective.saving_extra * max(saving - wanted, 0.0) - objective.saving_shortfall * max(wanted - saving, 0.0)


def _turn(
    outcome: str, quantity: str, unit: str, now: float, turning_point: float, *, check: str = "", settable: bool = False
) -> explain_pb2.Turn:
    return explain_pb2.Turn(
        outcome=outcome,
        quantity=quantity[:64],
        unit=_UNIT_AT_POINT.get(unit, unit),
        now=float(now),
        turning_point=float(turning_point),
        settable=settable,
        check=check,
    )


def _relative(turn: explain_pb2.Turn) -> float:
    scale = max(abs(turn.now), abs(turn.turning_point))
    return abs(turn.turning_point - turn.now) / scale if scale > 0 else 0.0
