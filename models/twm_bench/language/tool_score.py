"""What a model did with a tool task, against what is expected: tool, arguments, answers, refusals."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from twm.core.errors import InvalidInputError
from twm.core.network import NetworkSpec
from twm.gateway.explain.numbers import check_numbers
from twm.gateway.tools.agent import ChatTurn
from twm.gateway.tools.cited import cited_facts
from twm.gateway.tools.declarations import find_tool
from twm_bench.language.tool_set import KINDS, effect, exchanges

_CANNOT = re.compile(
    r"\b(?:can(?:no|')t|cannot|can not|unable|not (?:able|allowed|possible|available)|could not"
    r"|only (?:look|read|ask)|read[- ]only|no (?:tool|way|access|permission|explanation|such)"
    r"|do(?:es)? not (?:know|have|exist)|don't (?:know|have)|(?:nothing|none) (?:of|to|is))\b",
    re.IGNORECASE,
)
"""Words that say that something is not possible, or not known."""


def judged(row: Mapping[str, Any], turn: ChatTurn | None, spec: NetworkSpec) -> dict[str, Any]:
    """What came of one task; `turn` None: nothing usable came in time."""
    expect = row["expect"]
    wants_call = "tool" in expect[0]
    out: dict[str, Any] = {
        "id": row["id"],
        "kind": row["kind"],
        "network": row["network"],
        "wants": expect[0]["tool"] if wants_call else ("refusal" if "refuse" in expect[0] else "number"),
        "did": "nothing",
        "valid": False,
        "tool_right": False,
        "right": False,
    }
    if turn is None:
        return out
    if not turn.calls:
        out |= {"did": "answer", "valid": bool(turn.text.strip()), "said": turn.text[:300]}
        out["tool_right"] = out["valid"] and not wants_call
        out["right"] = out["tool_right"] and _answer_right(row, turn.text, spec)
        return out
    call = turn.calls[0]
    out |= {"did": call.name, "said": call.arguments[:300]}
    try:
        find_tool(call.name).parse(call.arguments)
    except InvalidInputError as error:
        return {**out, "error": str(error)[:200]}
    out["valid"] = True
    out["tool_right"] = wants_call and any(call.name == one.get("tool") for one in expect)
    try:
        found = effect(call.name, call.arguments, spec)
    except InvalidInputError as error:
        return {**out, "error": str(error)[:200]}
    out["right"] = any("tool" in one and found == effect(one["tool"], one["arguments"], spec) for one in expect)
    return out


def _answer_right(row: Mapping[str, Any], text: str, spec: NetworkSpec) -> bool:
    """Whether the gateway would let the answer pass, and it says what was asked for."""
    expect = row["expect"][0]
    facts = cited_facts(row["text"], exchanges(row), spec)
    checked = check_numbers(text, facts)
    if not checked.ok:
        return False
    if "refuse" in expect:
        return bool(_CANNOT.search(text))
    told = row["turns"][-1]["answer"]
    for path in expect["cites"]:
        wanted = value_at(told, path)
        if isinstance(wanted, str):
            if wanted.rstrip(".") in text:
                return True
        elif any(fact.value == float(wanted) for fact in facts.numbers if fact.name in checked.cited):
            return True
    return False


def value_at(value: Any, path: str) -> Any:
    """The leaf of an answer at "plans.0.scm_mean"."""
    for step in path.split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def measures(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Measures of judged tasks."""
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in found:
        groups[one["wants"]].append(one)
        groups[f"network {one['network']}"].append(one)
    kinds = {kind: [one for one in found if one["kind"] == kind] for kind in KINDS}
    after = kinds["after"]
    return {
        "tasks": len(found),
        "valid": _share(found, "valid"),
        "right": _share(found, "right"),
        "first": _tally(kinds["first"]),
        "refusals": {
            "count": len(kinds["refuse"]),
            "no_call": _share(kinds["refuse"], "tool_right"),
            "right": _share(kinds["refuse"], "right"),
        },
        "after": {
            **_tally(after),
            "answers_right": _share([one for one in after if one["wants"] in ("number", "refusal")], "right"),
            "calls_right": _share([one for one in after if one["wants"] not in ("number", "refusal")], "right"),
        },
        "by": {name: _tally(group) for name, group in sorted(groups.items())},
        "taken_for": dict(Counter(f"{one['wants']} > {one['did']}" for one in found if not one["tool_right"]).most_common(12)),
    }


def _tally(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "count": len(found),
        "valid": _share(found, "valid"),
        "tool_right": _share(found, "tool_right"),
        "right": _share(found, "right"),
    }


def _share(found: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return round(sum(bool(one[key]) for one in found) / len(found), 4) if found else None
