"""The text that is always there: a few lines an operator reads in ten seconds, every number out of the explanation's fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twm.api.explain.v1 import explain_pb2
from twm.api.policy.v1 import policy_pb2
from twm.gateway.explain.margins import check_unit
from twm.gateway.explain.rounding import INTERVAL_TEXT, kpi_unit, kpi_words, write, write_apart, write_range

MAX_HEADLINE, MAX_TEXT = 500, 4000
MOST_MOVES, MOST_KPIS, MOST_FAILED, MOST_TURNS, MOST_INTENTS = 3, 2, 4, 3, 3
LEAST_CHANGE = 0.02
"""KPIs that change by less, relative to the larger value, are left out."""
ZONE_RATIO = 0.6
"""A zone's mean move stands for its largest cell's from this part of it on."""
_SOURCES = {"search": "found by the search", "actor": "proposed by the actor", "reactive_fallback": "from the reactive rule"}
_HANDLINGS = {
    policy_pb2.HANDLING_SHADOW: " (shadow mode, nothing is sent)",
    policy_pb2.HANDLING_PENDING: " (waits for an approver)",
    policy_pb2.HANDLING_ENFORCED: " (sent without approval)",
    policy_pb2.HANDLING_STOPPED: " (held back by the kill switch)",
}
_OUTCOMES = {
    "accepted": "it would be accepted",
    "rejected": "it would be refused",
    "passes": "that check would hold",
    "runner_up": "the runner-up would be proposed",
    "running": "the shares in force would stay",
}
_QUANTITIES = {
    "any_violation_probability": "the predicted violation probability",
    "slice_violation_probability": "the largest violation probability of a slice",
    "predicted_scm": "the predicted SCM",
    "do_no_harm": "the predicted gain in SCM over doing nothing",
    "disagreement": "the disagreement of the ensemble",
    "ood_score": "the out-of-distribution score",
    "twin_verification": "the share of violated twin scenarios",
    "twin_scm": "its SCM in the twin",
    "twin_violation_ratio": "its share of violated twin scenarios",
    "saving_wanted_ratio": "the saving that is wanted",
    "rate_from_running": "the largest change of a share",
    "rate_from_accepted": "the largest change from the last accepted shares",
    "rate_within_policy": "the largest change between two steps",
    "change_frequency": "the number of changes in the window",
    "freshness": "its age",
    "lag": "its distance to the newest frame",
}


def write_text(found: explain_pb2.Explanation) -> tuple[str, str]:
    """(headline, text) of an explanation; the text begins with the headline."""
    headline = _headline(found)[:MAX_HEADLINE]
    lines = [headline, *filter(None, (part(found) for part in _PARTS))]
    return headline, "\n".join(lines)[:MAX_TEXT]


def quantity_words(quantity: str) -> str:
    """A check or quantity in words."""
    if quantity.endswith("_bound"):
        return f"the bound on {quantity_words(quantity[: -len('_bound')])}"
    return _QUANTITIES.get(quantity, quantity.replace("_", " "))


def _headline(found: explain_pb2.Explanation) -> str:
    accepted = found.decision == policy_pb2.DECISION_ACCEPTED
    word = f"Accepted{_HANDLINGS.get(found.handling, '')}" if accepted else "Refused"
    begin = f"{word}: plan of step {found.step}, {_SOURCES.get(found.source, 'of unknown source')}"
    if not accepted:
        failed = [check for check in found.checks if not check.passed]
        first = f"; {_check_words(failed[0])}" if failed else ""
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{begin[:120]}{first[:300]}{more}. No policy goes out."
    moves, kpis = _told_moves(found), _told_kpis(found)
    parts = [_move_words(moves[0]) if moves else "no share moves"]
    parts += [_kpi_words(forecast, short=True) for forecast in kpis[:1]]
    outlooks = {o.policy: o for o in found.outlooks}
    proposed, running = outlooks.get("proposed"), outlooks.get("running")
    if proposed is not None and proposed.HasField("scm_mean"):
        instead = (
            f" instead of {write(running.scm_mean, 'scm')}" if running is not None and running.HasField("scm_mean") else ""
        )
        parts.append(f"predicted SCM {write(proposed.scm_mean, 'scm')}{instead}")
    if found.confidence.HasField("violation_probability"):
        parts.append(f"some SLA breaks with probability {write(found.confidence.violation_probability, 'probability')}")
    told = "; ".join(parts)
    return f"{begin}. {told[0].upper()}{told[1:]}."


def _what(found: explain_pb2.Explanation) -> str:
    moves = _told_moves(found)
    if found.fallback_reason:
        reason = f" No result of a search: {found.fallback_reason.rstrip('.')}."
    else:
        reason = ""
    told = "; ".join(_move_words(move) for move in moves[:MOST_MOVES]) if moves else "no share moves"
    return f"What: {told}.{reason}"


def _told_moves(found: explain_pb2.Explanation) -> list[explain_pb2.Move]:
    """The largest of each slice and resource; a zone's where it says nearly as much as a single cell's."""
    told: dict[tuple[int, str], explain_pb2.Move] = {}
    for move in found.moves:  # largest first
        key = (move.resource, move.slice)
        before = told.get(key)
        if move.span == explain_pb2.SPAN_AREA:
            continue
        wider = before is not None and before.span == explain_pb2.SPAN_CELL and move.span == explain_pb2.SPAN_ZONE
        if before is None or (wider and _size(move) >= ZONE_RATIO * _size(before)):
            told[key] = move
    return sorted(told.values() or found.moves, key=lambda move: -_size(move))


def _size(move: explain_pb2.Move) -> float:
    return abs(move.after_share - move.before_share)


def _move_words(move: explain_pb2.Move) -> str:
    what = "PRB share" if move.resource == explain_pb2.RESOURCE_PRB else "bandwidth share"
    where = {
        explain_pb2.SPAN_ZONE: f"in zone {move.scope}",
        explain_pb2.SPAN_CELL: f"in {move.scope}",
        explain_pb2.SPAN_LINK: f"on {move.scope}",
    }.get(move.span, "on average")
    change = move.after_share - move.before_share
    word = "rises" if change > 0 else "falls"
    before, after = write_apart(move.before_share, move.after_share, "share")
    return f"{what} of {move.slice} {where} {word} from {before} to {after}"


def _why(found: explain_pb2.Explanation) -> str:
    outlooks = {o.policy: o for o in found.outlooks}
    proposed = outlooks.get("proposed")
    parts = [_kpi_words(f) for f in _told_kpis(found)]
    if proposed is not None and proposed.HasField("scm_mean"):
        text = f"predicted SCM {write(proposed.scm_mean, 'scm')}"
        others = [
            f"{words} {write(other.scm_mean, 'scm')}"
            for name, words in (("running", "doing nothing"), ("runner_up", "runner-up"))
            if (other := outlooks.get(name)) is not None and other.HasField("scm_mean")
        ]
        parts.insert(0, text + (f" ({', '.join(others)})" if others else ""))
    if proposed is not None and proposed.HasField("saving_ratio"):
        parts.append(f"control saving {write(proposed.saving_ratio, 'ratio')}")
    if not parts:
        return "Why: no model answered, so nothing is predicted."
    ranges = f" In brackets: {INTERVAL_TEXT} intervals." if any("(" in p and " to " in p for p in parts) else ""
    return f"Why: {'; '.join(parts)}.{ranges}"


def _intents(found: explain_pb2.Explanation) -> str:
    if not found.intents:
        return ""
    more = len(found.intents) - MOST_INTENTS
    return f"Intents: {'; '.join(found.intents[:MOST_INTENTS])}{f' (and {more} more)' if more > 0 else ''}."


def _told_kpis(found: explain_pb2.Explanation) -> list[explain_pb2.KpiForecast]:
    """The KPIs that change most against doing nothing, those with an SLA bound first."""

    def size(forecast: explain_pb2.KpiForecast) -> float:
        scale = max(abs(forecast.proposed.median), abs(forecast.running.median))
        return abs(forecast.change_from_running.median) / scale if scale > 0 else 0.0

    told = [f for f in found.forecasts if f.HasField("change_from_running") and size(f) >= LEAST_CHANGE]
    bounded = [f for f in told if f.HasField("bound")]
    rest = [f for f in told if not f.HasField("bound")]
    return [*sorted(bounded, key=size, reverse=True), *sorted(rest, key=size, reverse=True)][:MOST_KPIS]


def _kpi_words(forecast: explain_pb2.KpiForecast, *, short: bool = False) -> str:
    unit = kpi_unit(forecast.kpi)
    name = f"{forecast.slice} {kpi_words(forecast.kpi)}"
    if short:
        return f"{name} {write(forecast.proposed.median, unit)} instead of {write(forecast.running.median, unit)}"
    return f"{name} {_interval_words(forecast.proposed, unit)} instead of {_interval_words(forecast.running, unit)}"


def _interval_words(interval: explain_pb2.Interval, unit: str) -> str:
    text = write(interval.median, unit)
    if interval.HasField("low") and interval.HasField("high"):
        text += f" ({write_range(interval.low, interval.high, unit)})"
    return text


def _limits(found: explain_pb2.Explanation) -> str:
    parts = []
    if found.HasField("binding"):
        binding = found.binding
        unit = kpi_unit(binding.kpi)
        size = write(abs(binding.margin_ratio), "ratio")
        side = "at" if not size.strip("0. %") else f"{size} {'inside' if binding.margin_ratio > 0 else 'beyond'}"
        value = _interval_words(binding.value, unit)
        parts.append(
            f"nearest SLA: {binding.slice} {kpi_words(binding.kpi)} {value}, {side} its bound of {write(binding.bound, unit)}"
        )
    failed = [check for check in found.checks if not check.passed]
    if failed:
        told = "; ".join(_check_words(check) for check in failed[:MOST_FAILED])
        more = f"; {len(failed) - MOST_FAILED} more" if len(failed) > MOST_FAILED else ""
        parts.append(f"failed checks: {told}{more}")
    near = next((check for check in found.checks if check.passed), None)
    if near is not None and not failed:
        parts.append(f"nearest check: {_check_words(near)}")
    return f"Limits: {'. '.join(part[0].upper() + part[1:] if i else part for i, part in enumerate(parts))}." if parts else ""


def _check_words(check: explain_pb2.CheckMargin) -> str:
    if not (check.HasField("value") and check.HasField("bound")):
        return f"{check.name}: {check.message}" if check.message else check.name
    unit = check_unit(check.name)
    at_most = (check.value > check.bound) != check.passed
    side = "at most" if at_most else "at least"
    return f"{quantity_words(check.name)} is {write(check.value, unit)}, allowed {side} {write(check.bound, unit)}"


def _sure(found: explain_pb2.Explanation) -> str:
    sure = found.confidence
    parts = []
    if sure.HasField("violation_probability"):
        parts.append(f"some SLA breaks with probability {write(sure.violation_probability, 'probability')}")
    if sure.HasField("scm_cvar"):
        parts.append(f"SCM in the worst quarter of futures {write(sure.scm_cvar, 'scm')}")
    if sure.HasField("disagreement"):
        parts.append(f"ensemble members differ by {write(sure.disagreement, 'scm')} SCM")
    if sure.HasField("ood_score"):
        where = "inside" if sure.ood_score <= 1.0 else "outside"
        parts.append(f"inputs {where} what was trained on (score {write(sure.ood_score, 'ood')})")
    if sure.HasField("twin_violation_ratio"):
        twin = f"twin breaks an SLA in {write(sure.twin_violation_ratio, 'ratio')} of its scenarios"
        if sure.HasField("twin_scm_difference"):
            twin += f", its SCM differs by {write(sure.twin_scm_difference, 'scm', signed=True)}"
        parts.append(twin)
    if sure.drift_state:
        parts.append(f"drift monitor: {sure.drift_state}{_coverage_words(sure)}")
    return f"How sure: {'; '.join(parts)}." if parts else "How sure: no model answered."


def _coverage_words(sure: explain_pb2.Confidence) -> str:
    if not sure.coverage_ratio:
        return ""
    kpi, share = min(sure.coverage_ratio.items(), key=lambda item: (item[1], item[0]))
    return f", least coverage {write(share, 'ratio')} ({kpi_words(kpi)}) of nominal {INTERVAL_TEXT}"


def _turns(found: explain_pb2.Explanation) -> str:
    told = [_turn_words(turn) for turn in _told_turns(found.turns)]
    return f"What would change it: {'; '.join(told)}." if told else ""


def _told_turns(turns: Iterable[explain_pb2.Turn]) -> list[explain_pb2.Turn]:
    """The smallest of each outcome first, what an operator can set before what he cannot."""
    chosen: list[explain_pb2.Turn] = []
    seen: set[tuple[str, bool]] = set()
    for turn in turns:
        if (turn.outcome, turn.settable) not in seen:
            seen.add((turn.outcome, turn.settable))
            chosen.append(turn)
    return chosen[:MOST_TURNS]


def _turn_words(turn: explain_pb2.Turn) -> str:
    now, then = write_apart(turn.now, turn.turning_point, turn.unit)
    return f"with {quantity_words(turn.quantity)} at {then} instead of {now} {_OUTCOMES.get(turn.outcome, turn.outcome)}"


_PARTS: tuple[Callable[[explain_pb2.Explanation], str], ...] = (_what, _why, _intents, _limits, _sure, _turns)
