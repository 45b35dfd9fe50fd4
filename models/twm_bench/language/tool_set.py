"""Tool tasks of `sets/tools.jsonl`: the chat that a model is asked with, and what calls come to.

Two calls are the same where the tools would do the same: a zone is its cells, no cells are all, order counts for nothing.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from twm.core.errors import InvalidInputError
from twm.core.features import FIELD_FEATURES
from twm.core.network import NetworkSpec
from twm.gateway.canonical import canonical_json
from twm.gateway.tools import arguments as forms
from twm.gateway.tools.agent import ChatTurn, ToolCall, answer_message, call_message, opening
from twm.gateway.tools.declarations import find_tool
from twm_bench.language.intents import load

SET = "tools"
KINDS = ("first", "refuse", "after")
"""The first call to a question, what no tool may do or knows, and the next act after a tool's answer."""


def tasks(every: int = 1, limit: int | None = None) -> list[dict[str, Any]]:
    """Each `every`-th line of the set, at most `limit`."""
    return load(SET)[::every][:limit]


def chat_of(row: Mapping[str, Any], spec: NetworkSpec) -> list[dict[str, Any]]:
    """The chat up to where the model is to speak, as `twm.gateway.tools.agent` has it."""
    found = opening(row["text"], spec)
    for i, (arguments, answer) in enumerate(exchanges(row)):
        call = ToolCall(f"call-{i}", row["turns"][i]["tool"], arguments)
        found += [call_message(ChatTurn("", (call,))), answer_message(call, answer)]
    return found


def exchanges(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(arguments, answer) of each call before, as JSON texts."""
    return [
        (json.dumps(turn["arguments"], separators=(",", ":")), canonical_json(turn["answer"])) for turn in row.get("turns", ())
    ]


def effect(tool: str, arguments: str | dict[str, Any], spec: NetworkSpec) -> Hashable:
    """What a call comes to. Raises InvalidInputError where the tool or its form would refuse it, or names are unknown."""
    form = find_tool(tool).parse(arguments)
    if isinstance(form, forms.QueryState):
        return tool, _known(form.cells, [c.id for c in spec.cells], "cells")
    if isinstance(form, forms.ForecastField):
        chosen = frozenset(form.features) & frozenset(FIELD_FEATURES) or frozenset(FIELD_FEATURES[:1])
        return tool, chosen, _known(form.cells, [c.id for c in spec.cells], "cells")
    if isinstance(form, forms.ProposeCandidates):
        return tool, form.count
    if isinstance(form, forms.RollOut):
        return tool, frozenset(_plan(plan, spec) for plan in form.plans), form.samples
    if isinstance(form, forms.VerifyInTwin):
        return tool, frozenset(_plan(plan, spec) for plan in form.plans), form.scenarios
    if isinstance(form, forms.Explain):
        return tool, form.step
    raise InvalidInputError(f"tool: {tool} has no effect that is known here")


def _plan(plan: forms.Plan, spec: NetworkSpec) -> Hashable:
    moves = [_move(move, spec) for move in plan.moves if move.change]
    return plan.base, tuple(sorted(moves, key=repr))


def _move(move: forms.Move, spec: NetworkSpec) -> Hashable:
    _known((move.slice,), [s.id for s in spec.slices], "slice")
    if move.resource == "bandwidth":
        links = [link.id for link in spec.transport.links]
        return move.slice, round(move.change, 6), move.resource, _known(move.links, links, "links") or frozenset(links)
    cells = [cell.id for cell in spec.cells]
    chosen = frozenset(cells)
    if move.zone is not None:
        zones = {zone.id: zone.cells for zone in spec.zones}
        _known((move.zone,), list(zones), "zone")
        chosen &= frozenset(zones[move.zone])
    if move.cells:
        chosen &= _known(move.cells, cells, "cells")
    return move.slice, round(move.change, 6), move.resource, chosen


def _known(names: tuple[str, ...], there: list[str], field: str) -> frozenset[str]:
    unknown = [name for name in names if name not in there]
    if unknown:
        raise InvalidInputError(f"{field}: {unknown[0]!r} is none of {', '.join(there[:20])}")
    return frozenset(names)
