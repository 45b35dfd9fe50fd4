"""Two compilers' answers compared field by field; every difference becomes a question to the operator."""

from __future__ import annotations

import json
from typing import Any

from twm.api.intent.v1 import intent_pb2
from twm.core.network import NetworkSpec
from twm.gateway.intents.plain import to_plain
from twm.gateway.intents.questions import question, unique
from twm.gateway.intents.told import told

_TOLERANCE = 1e-6


def agree(
    first: intent_pb2.CompileResult, second: intent_pb2.CompileResult | None, spec: NetworkSpec
) -> intent_pb2.CompileResult:
    """The answer that two compilers give together; the first is the deterministic one.

    Same: the first one's. Both ask: the first one's questions. They differ, or one asks: questions, and what was read to choose
    from (`readings`). `second` None: it gave nothing usable in time, the first one's stands.
    """
    result = intent_pb2.CompileResult()
    result.CopyFrom(first)
    if second is None:
        result.agreement = intent_pb2.AGREEMENT_SECOND_ABSENT
        return result
    asks, second_asks = first.HasField("questions"), second.HasField("questions")
    if asks and second_asks:
        result.agreement = intent_pb2.AGREEMENT_FULL
        return result
    if asks:
        items = [*first.questions.items, _offered(second, spec)]
    elif second_asks:
        items = [_doubted(first, second, spec), *second.questions.items]
    else:
        found = differences(comparable(first.spec, spec), comparable(second.spec, spec))
        if not found:
            result.agreement = intent_pb2.AGREEMENT_FULL
            return result
        items = [_asked(field, a, b, first.compiler, second.compiler) for field, a, b in found]
    result.questions.CopyFrom(intent_pb2.Questions(items=unique(items)))
    result.agreement = intent_pb2.AGREEMENT_DISAGREE
    result.readings.extend(one.spec for one in (first, second) if one.HasField("spec"))
    return result


def comparable(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> dict[str, Any]:
    """The plain form with one way to say the same: all cells of a zone are the zone, shares of links are bandwidth."""
    plain = to_plain(intent, spec)
    zones = {tuple(sorted(zone.cells)): zone.id for zone in spec.zones}
    items = [*plain.get("constraints", ()), *plain.get("limits", ()), *plain.get("context", {}).get("surges", ())]
    for item in items:
        scope = item["scope"]
        zone = zones.get(tuple(sorted(scope.get("cells", ()))))
        if zone is not None and "zone" not in scope:
            del scope["cells"]
            scope["zone"] = zone
    for limit in plain.get("limits", ()):
        if limit["scope"].get("links") and not {"zone", "cells"} & set(limit["scope"]):
            limit["resource"] = "bandwidth"
    return plain


def differences(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(field, value in a, value in b) of everything that differs between two plain forms; None: absent. Lists have no order."""
    return _differences("", _sorted(a), _sorted(b))


def _differences(path: str, a: Any, b: Any) -> list[tuple[str, Any, Any]]:
    if isinstance(a, dict) and isinstance(b, dict):
        out = []
        for key in sorted({*a, *b}):
            out += _differences(f"{path}.{key}" if path else key, a.get(key), b.get(key))
        return out
    if isinstance(a, list) and isinstance(b, list) and (_records(a) or _records(b)):
        return [d for i, (x, y) in enumerate(_paired(a, b)) for d in _differences(f"{path}[{i}]", x, y)]
    return [] if _same(a, b) else [(path, a, b)]


def _paired(a: list[Any], b: list[Any]) -> list[tuple[Any, Any]]:
    """Entries that differ least together, so that one that is missing does not shift the others; None beside what is over."""
    order = sorted((len(_differences("", x, y)), i, j) for i, x in enumerate(a) for j, y in enumerate(b))
    partner: dict[int, int] = {}
    for _, i, j in order:
        if i not in partner and j not in partner.values():
            partner[i] = j
    found = [(x, b[partner[i]] if i in partner else None) for i, x in enumerate(a)]
    return found + [(None, y) for j, y in enumerate(b) if j not in partner.values()]


def _records(value: list[Any]) -> bool:
    return any(isinstance(v, dict) for v in value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool) or not (isinstance(a, int | float) and isinstance(b, int | float)):
        return bool(a == b)
    return abs(a - b) <= _TOLERANCE * max(1.0, abs(a), abs(b))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((_sorted(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def _offered(second: intent_pb2.CompileResult, spec: NetworkSpec) -> intent_pb2.Question:
    text = f"{second.compiler} reads: {_in_words(second.spec, spec)}. Is that meant?"
    return question("compilers_differ", "", text, ("yes: send back that reading", "no: say it in other words"))


def _doubted(first: intent_pb2.CompileResult, second: intent_pb2.CompileResult, spec: NetworkSpec) -> intent_pb2.Question:
    text = f"{first.compiler} reads: {_in_words(first.spec, spec)}; {second.compiler} is not sure. Is that meant?"
    return question("compilers_differ", "", text, ("yes: send back that reading", "no: say it in other words"))


def _in_words(intent: intent_pb2.IntentSpec, spec: NetworkSpec) -> str:
    text = "; ".join(told(intent, spec))
    return text if len(text) <= 700 else text[:697] + "..."


def _asked(field: str, a: Any, b: Any, first: str, second: str) -> intent_pb2.Question:
    said_a, said_b = _shown(a), _shown(b)
    text = f"{field}: {first} reads {said_a}, {second} reads {said_b}. Which is meant?"
    return question("compilers_differ", field, text, (said_a, said_b))


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return text if len(text) <= 120 else text[:117] + "..."
