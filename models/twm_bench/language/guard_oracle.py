"""What is unsafe, written apart from the guardrail: plain loops over the proposal, the network file and the rules file.

Nothing of `twm.gateway` is imported. Where the guardrail computes with arrays, tables and running extremes, this goes share by
share, sums exactly (`math.fsum`), and counts turns by dynamic programming. A share may be off its bound by SLACK, the
guardrail's own tolerance for float32 and a little more; every other bound is meant as it stands in the rules.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from twm.api.planning.v1 import planning_pb2
from twm_bench.language.guard_worlds import World

SLACK = 1.1e-4
FALLBACK = 2


def why_unsafe(payload: bytes, world: World, rules: dict[str, Any]) -> list[str]:
    """Reasons why a policy from these bytes must not pass; empty: it may."""
    try:
        p = planning_pb2.Proposal.FromString(payload)
        _ = p.proposal_id, p.area_id, p.spec_digest, p.fallback_reason
    except (DecodeError, UnicodeDecodeError):
        return ["bytes are no proposal"]
    reasons = list(_identity(p, world, rules))
    reasons += _sizes(p, world)
    if reasons:
        return reasons
    source = rules["reactive_fallback"] if p.source == FALLBACK else rules["search"]
    return [*_shares(p, world, rules), *_limits(p, world, rules), *_predictions(p, world, source), *_bounds(p, world, rules)]


def _identity(p: planning_pb2.Proposal, w: World, rules: dict[str, Any]) -> Iterator[str]:
    area, timing = w.net.data["area_id"], rules["timing"]
    if p.area_id != area or p.proposal_id != f"{area}/{p.step}" or p.spec_digest != w.net.digest:
        yield "identity"
    if p.source not in (1, 2, 3) or (p.source == FALLBACK and not p.fallback_reason):
        yield "source"
    slow_s = w.net.data["timing"]["slow_step_s"]
    if not p.HasField("created") or not p.HasField("effective"):
        yield "no time"
        return
    age = w.now_s - p.created.seconds - p.created.nanos / 1e9
    if age > timing["max_age_s"] or age < -timing["max_future_s"]:
        yield f"age {age}"
    if abs(p.effective.seconds + p.effective.nanos / 1e9 - (p.step + 1) * slow_s) > slow_s / 2:
        yield "begins at another time"
    if not 0 <= w.newest_step - p.step <= timing["max_lag_steps"]:
        yield "lag"
    if any(step >= p.step for step, _ in w.accepted):
        yield "replayed"
    if not 0 < w.ttl_steps <= timing["max_ttl_steps"]:
        yield "holds too long"


def _sizes(p: planning_pb2.Proposal, w: World) -> list[str]:
    n = w.net
    wrong = []
    for name, message, steps in (("policy", p.policy, n.horizon), ("running", p.running, 1)):
        expected = (1, steps, steps * n.cells * n.slices, steps * n.links * n.slices)
        if (message.policy_count, message.step_count, len(message.prb_share), len(message.bandwidth_share)) != expected:
            wrong.append(f"sizes of {name}")
        elif not all(map(math.isfinite, [*message.prb_share, *message.bandwidth_share])):
            wrong.append(f"{name} is not finite")
    return wrong


def _rows(message: Any, w: World, steps: int) -> list[list[list[float]]]:
    """[step][row][slice], cells before links."""
    n, s = w.net, w.net.slices
    out = []
    for h in range(steps):
        prb = [list(message.prb_share[(h * n.cells + c) * s : (h * n.cells + c + 1) * s]) for c in range(n.cells)]
        links = [list(message.bandwidth_share[(h * n.links + k) * s : (h * n.links + k + 1) * s]) for k in range(n.links)]
        out.append(prb + links)
    return out


def _shares(p: planning_pb2.Proposal, w: World, rules: dict[str, Any]) -> Iterator[str]:
    n = w.net
    plan, (running,) = _rows(p.policy, w, n.horizon), _rows(p.running, w, 1)
    floors = [
        [max(s.get(key, 0.0), n.data["control"].get("share_min", 0.0)) for s in n.data["slices"]]
        for key in ("prb_floor", "bandwidth_floor")
    ]
    for h, step in enumerate(plan):
        for r, row in enumerate(step):
            if min(row) < -SLACK or math.fsum(row) > 1 + SLACK:
                yield f"row {r} of step {h} is no division of 1"
            floor = floors[0 if r < n.cells else 1]
            if any(share < least - SLACK for share, least in zip(row, floor, strict=True)):
                yield f"row {r} of step {h} is below a floor"
    before = running
    for h, step in enumerate(plan):
        if _apart(before, step) > n.rate + SLACK:
            yield f"too fast in step {h}"
        before = step
    if w.accepted:
        step, shares = w.accepted[-1]
        allowed = min(n.rate * max(p.step - step, 1), 1.0)
        if _apart(shares.tolist(), plan[0]) > allowed + SLACK:
            yield "too far from what was accepted"
    seen = w.measured_RS.tolist()
    for r, row in enumerate(seen):
        if all(map(math.isfinite, row)):
            total = max(math.fsum(row), 1.0)
            if (
                max(abs(a / total - b) for a, b in zip(row, running[r], strict=True))
                > rules["shares"]["running_error_max"] + SLACK
            ):
                yield f"running shares of row {r} are not what the frame says"
    rule = rules["oscillation"]
    history = [shares.tolist() for step, shares in w.accepted if step > p.step - rule["window_steps"]]
    for r in range(len(running)):
        for s in range(n.slices):
            path = [shares[r][s] for shares in history] + [plan[0][r][s]]
            if _most_turns(path, rule["swing_min_share"] + 1e-5) > rule["max_returns"]:
                yield f"share {s} of row {r} goes to and fro"


def _apart(a: list[list[float]], b: list[list[float]]) -> float:
    return max(abs(x - y) for row_a, row_b in zip(a, b, strict=True) for x, y in zip(row_a, row_b, strict=True))


def _most_turns(path: list[float], swing: float) -> int:
    """Most turns of any subsequence whose moves all are at least `swing` and alternate, by dynamic programming."""
    up, down = [0] * len(path), [0] * len(path)  # most alternating moves that end here, the last one up (down)
    for i, value in enumerate(path):
        for j in range(i):
            if value - path[j] >= swing:
                up[i] = max(up[i], down[j] + 1)
            if path[j] - value >= swing:
                down[i] = max(down[i], up[j] + 1)
    return max([0, *up, *down]) - 1


def _places(w: World, cells: list[int], zone: str, links: list[int], resource: str) -> list[int]:
    """Rows of a scope."""
    n = w.net
    chosen = set(cells)
    for entry in n.data.get("zones", []):
        if entry["id"] == zone:
            chosen |= {i for i, c in enumerate(n.data["cells"]) if c["id"] in entry["cells"]}
    lines = set(links)
    if not chosen and not lines:
        chosen, lines = set(range(n.cells)), set(range(n.links))
    elif resource == "bandwidth" and not lines:
        routes = n.data.get("transport", {}).get("routes", {})
        ids = [k["id"] for k in n.data.get("transport", {}).get("links", [])]
        lines = {ids.index(k) for c in chosen for k in routes.get(n.data["cells"][c]["id"], ())}
    if resource == "prb":
        lines = set()
    if resource == "bandwidth":
        chosen = set()
    return sorted(chosen) + [n.cells + k for k in sorted(lines)]


def _limits(p: planning_pb2.Proposal, w: World, rules: dict[str, Any]) -> Iterator[str]:
    n = w.net
    plan, (running,) = _rows(p.policy, w, n.horizon), _rows(p.running, w, 1)
    names = [s["id"] for s in n.data["slices"]]
    slack = rules["conflicts"]["share_tolerance"] + SLACK
    for other in w.others:
        if other["expires_s"] <= w.now_s:
            continue
        for r in _places(w, other["cells"], other["zone"], other["links"], other["resource"]):
            for s in [names.index(x) for x in other["slices"]] or range(n.slices):
                before = running[r][s]
                for step in plan:
                    value = step[r][s]
                    outside = not other["min_share"] - slack <= value <= other["max_share"] + slack
                    if outside or (other["exclusive"] and abs(value - before) > slack):
                        yield f"contradicts {other['policy_id']}"
                    before = value
    hold_s = w.ttl_steps * n.data["timing"]["slow_step_s"]
    slack = rules["intents"]["share_tolerance"] + SLACK
    words = {0: "both", 1: "prb", 2: "bandwidth"}
    for intent in w.intents:
        for limit in intent["limits"]:
            timed = "start" in limit
            if timed and not (limit["start"] < w.now_s + hold_s and limit["end"] > w.now_s):
                continue
            for r in _places(w, limit["cells"], limit["zone"], [], words[limit["resource"]]):
                for s in [names.index(x) for x in limit["slices"]] or range(n.slices):
                    before = running[r][s]
                    for h, step in enumerate(plan[:1] if timed else plan):
                        value, way = step[r][s], n.rate * (h + 1)
                        low = min(limit.get("min", -1.0), running[r][s] + way)
                        high = max(limit.get("max", 2.0), running[r][s] - way)
                        moved = abs(value - before) > limit.get("change", 2.0) + slack
                        if value < low - slack or value > high + slack or moved:
                            yield f"breaks a limit of intent {intent['id']}"
                        before = value


def _bounds(p: planning_pb2.Proposal, w: World, rules: dict[str, Any]) -> Iterator[str]:
    """KPI constraints of intents that the proposal itself says it breaks."""
    rule = rules["intents"]
    for intent in w.intents:
        for index, bound in enumerate(intent["bounds"]):
            limit = rule["violation_probability_max"] if bound is None else bound
            for outcome in p.intent_outcomes:
                if (outcome.intent_id, outcome.constraint_index) != (intent["id"], index):
                    continue
                allowed = limit
                if outcome.HasField("running_violation_probability") and outcome.running_violation_probability > limit:
                    allowed = outcome.running_violation_probability + rule["harm_tolerance"]
                if not outcome.violation_probability <= allowed + 1e-6:
                    yield f"breaks constraint {index} of intent {intent['id']}"


def _predictions(p: planning_pb2.Proposal, w: World, rule: dict[str, Any]) -> Iterator[str]:
    must = p.source != FALLBACK
    for name in rule["required_models"]:
        if not any(m.name == name and m.version and m.digest for m in p.models):
            yield f"model {name} is not named"

    def value(field: str) -> float | None:
        return getattr(p, field) if p.HasField(field) else None  # type: ignore[arg-type]

    def bad(found: float | None, low: float | None, high: float | None) -> bool:
        if low is None and high is None:
            return False
        if found is None:
            return must
        return not math.isfinite(found) or (low is not None and found < low) or (high is not None and found > high)

    scm, idle_scm = value("predicted_scm"), value("running_predicted_scm")
    if bad(scm, rule["predicted_scm_min"], None):
        yield "predicted_scm"
    gain = None if scm is None or idle_scm is None else scm - idle_scm
    if bad(gain, None if rule["harm_tolerance_scm"] is None else -rule["harm_tolerance_scm"], None):
        yield "harm"
    idle = [c for c in p.candidates if c.origin == "running"]
    lost_rule = rule["lost_window"]

    def lost(probabilities: list[float]) -> float | None:
        """What the running shares themselves lead to, where that counts as lost."""
        if lost_rule is None or not probabilities or not all(map(math.isfinite, probabilities)):
            return None
        least = min(probabilities)
        return least + lost_rule["harm_tolerance"] if least >= lost_rule["running_violation_min"] else None

    whole = lost([c.violation_probability for c in idle])
    highest = rule["any_violation_probability_max"]
    if bad(value("any_violation_probability"), None, None if highest is None else max(highest, whole or 0.0)):
        yield "any_violation_probability"
    highest = rule["slice_violation_probability_max"]
    if highest is not None:
        listed = list(p.violation_probability)
        if len(listed) != w.net.slices:
            if must or listed:
                yield "violation_probability: not one for each slice"
        else:
            told = all(len(c.slice_violation_probability) == w.net.slices for c in idle)
            for s, found in enumerate(listed):
                part = lost([c.slice_violation_probability[s] for c in idle]) if told else None
                if bad(found, None, max(highest, part or 0.0)):
                    yield f"violation_probability of slice {s}"
    for field, key in (("disagreement", "disagreement_max_scm"), ("ood_score", "ood_score_max")):
        if bad(value(field), None, rule[key]):
            yield field
    chosen = p.candidates[p.chosen_index] if p.chosen_index < len(p.candidates) else None
    if rule["scm_cvar_min"] is not None:
        cvar = chosen.scm_cvar if chosen is not None and chosen.HasField("scm_cvar") else None
        if bad(cvar, rule["scm_cvar_min"], None):
            yield "scm_cvar"
        theirs = [c.scm_cvar for c in idle if c.HasField("scm_cvar")]
        known = cvar is not None and theirs and all(map(math.isfinite, theirs))
        if known and cvar < max(theirs) - rule["cvar_harm_tolerance_scm"]:
            yield "scm_cvar below the running shares'"
    found = [v for v in p.verifications if v.candidate_index == p.chosen_index]
    if rule["twin_required"] and (chosen is None or not found or not all(v.passed for v in found)):
        yield "twin"
    highest = rule["twin_violation_ratio_max"]
    if highest is not None:
        origins = {i for i, c in enumerate(p.candidates) if c.origin == "running"}
        played = [v.violation_ratio for v in p.verifications if v.candidate_index in origins]
        relief = lost(played) if played else whole
        if any(bad(v.violation_ratio, None, max(highest, relief or 0.0)) for v in found):
            yield "twin: violation_ratio"


def why_bad_a1(policies: list[tuple[str, str]], payload: bytes, world: World) -> list[str]:
    """What is wrong with the A1 objects of an accepted proposal: sums, and distance to the shares of its first step."""
    p = planning_pb2.Proposal.FromString(payload)
    (first,) = _rows(p.policy, world, 1)
    n, grid = world.net, world.net.data["prb_grid"]
    cells: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    for kind, text in policies:
        if kind.startswith("twm_RRMPolicyRatio"):
            content = json.loads(text)
            cells += content["radio"]
            links += content["transport"]
    reasons = [] if (len(cells), len(links)) == (n.cells, n.links) else ["cells or links are missing"]
    for row, cell in zip(first, cells, strict=False):
        members = cell["rRMPolicyMemberList"]
        quota = [m["prbQuota"] for m in members]
        if sum(quota) > grid["prb_count"] or sum(m["rRMPolicyMaxRatio"] for m in members) > 100:
            reasons.append("PRB quota or ratios sum to more than there is")
        step = grid.get("share_step_prb", 1)
        if any(abs(q - share * grid["prb_count"]) > 1.01 * step for q, share in zip(quota, row, strict=True)):
            reasons.append("PRB quota is not the share")
    for row, link in zip(first[n.cells :], links, strict=False):
        ratios = [m["bandwidthRatio"] for m in link["bandwidthMemberList"]]
        if math.fsum(ratios) > 100 + 1e-6 or any(abs(x - 100 * y) > 0.05 for x, y in zip(ratios, row, strict=True)):
            reasons.append("bandwidth ratios are not the shares")
    return reasons
