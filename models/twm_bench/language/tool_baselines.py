"""What tool tasks come to without a model: always the state, and thirty lines of keywords."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twm.core.network import NetworkSpec
from twm.gateway.tools.agent import ChatTurn, ToolCall

Baseline = Callable[[Mapping[str, Any], NetworkSpec], ChatTurn]
_TOOLS: tuple[tuple[str, str], ...] = (
    ("verify_in_twin", r"\b(?:twin|simulat\w+)\b"),
    ("explain", r"\b(?:why|explain|reasons?|verdict)\b"),
    ("roll_out", r"\b(?:what if|what would|what happens|would|suppose|compare|predict|roll out|risk\w*|probability)\b"),
    ("propose_candidates", r"\b(?:candidates?|plans|options|alternatives|suggest\w*)\b"),
    ("forecast_field", r"\b(?:forecast|expect\w*|going to|will|ahead|predicted|coming)\b"),
)
_CELLS = re.compile(r"\bcells? ?-?(\d+)(?: ?(?:to|-) ?(\d+))?(?: ?(?:,|and|&) ?(?:cell-)?(\d+))?", re.IGNORECASE)


def always_state(row: Mapping[str, Any], spec: NetworkSpec) -> ChatTurn:
    """query_state, whatever is asked."""
    return _call("query_state", {})


def keywords(row: Mapping[str, Any], spec: NetworkSpec) -> ChatTurn:
    """The first tool with a keyword in the question, with step, count and cells where they stand; never an answer."""
    text = row["text"].lower()
    tool = next((name for name, words in _TOOLS if re.search(words, text)), "query_state")
    cells = _cells(text, [cell.id for cell in spec.cells])
    number = re.search(r"\b\d+\b", text)
    if tool == "explain":
        return _call(tool, {"step": int(number.group())} if number else {})
    if tool == "propose_candidates":
        return _call(tool, {"count": int(number.group())} if number and 1 <= int(number.group()) <= 8 else {})
    if tool in ("roll_out", "verify_in_twin"):
        base = "proposed" if "propos" in text else "uniform" if re.search(r"\beven", text) else "running"
        return _call(tool, {"plans": [{"base": base}]})
    return _call(tool, {"cells": cells} if cells else {})


def _cells(text: str, known: Sequence[str]) -> list[str]:
    found: list[str] = [name for name in known if re.search(rf"\b{re.escape(name)}\b", text)]
    for match in _CELLS.finditer(text):
        first, last, other = (int(part) if part else None for part in match.groups())
        assert first is not None
        numbers = [*range(first, (last if last is not None else first) + 1), *([] if other is None else [other])]
        found += [name for number in numbers for name in known if name == f"cell-{number}"]
    return list(dict.fromkeys(found))


def _call(name: str, arguments: dict[str, Any]) -> ChatTurn:
    return ChatTurn("", (ToolCall("call-0", name, json.dumps(arguments)),))


BASELINES: Mapping[str, Baseline] = {"always-state": always_state, "keywords": keywords}
