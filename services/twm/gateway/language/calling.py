"""Tool calls of a model without a native form for them: one JSON object, a call or an answer."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from twm.gateway.language.extract import one_object

TOOL_RULES = "Call one tool or answer. JSON only."
NAME_KINDS = ("slices ", "zones ", "cells ", "links ")
"""How the lines of names begin that `twm.gateway.language.prompt.network_lines` makes."""
MAX_NAME_LINE, MAX_TOLD = 1500, 4000


def tool_prompt(tools: Sequence[dict[str, Any]], names: str) -> str:
    """The system message of the small adapter (`twm_train.language`): tools in short, names of the network."""
    return "\n".join(part for part in (TOOL_RULES, tool_lines(tools), names) if part)


def told_names(messages: Sequence[dict[str, Any]]) -> str:
    """The lines of names in the system messages of a chat: of those, all that a model of this size can follow."""
    lines = [line for one in messages if one["role"] == "system" for line in str(one.get("content") or "").splitlines()]
    return "\n".join(line[:MAX_NAME_LINE] for line in lines if line.startswith(NAME_KINDS))


def plain_chat(messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chat for a model without a form for tools: past calls as it writes them, answers of tools as the user's words."""
    out = [{"role": "system", "content": tool_prompt(tools, told_names(messages))}]
    for one in messages:
        if one["role"] == "system":
            continue
        content = str(one.get("content") or "")
        for call in one.get("tool_calls") or ():
            content = written_call(call.get("function", {}))
        out.append({"role": "user" if one["role"] == "tool" else one["role"], "content": content[:MAX_TOLD]})
    return out


def written_call(function: dict[str, Any]) -> str:
    """A call of the OpenAI API as the model writes it."""
    arguments = function.get("arguments")
    with contextlib.suppress(ValueError, RecursionError):  # else it is told back as it was written
        arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    return json.dumps({"tool": function.get("name"), "arguments": arguments}, separators=(",", ":"))


def tool_lines(tools: Sequence[dict[str, Any]]) -> str:
    """The tools in short: name and arguments, one a line."""
    lines = []
    for tool in tools:
        function = tool["function"]
        names = " ".join(function.get("parameters", {}).get("properties", {}))
        lines.append(f"{function['name']}({names})")
    return "\n".join(lines)


def calling_schema(tools: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """JSON schema of a call of one of `tools`, or an answer in words."""
    options: list[dict[str, Any]] = []
    definitions: dict[str, Any] = {}
    for tool in tools:
        function = tool["function"]
        parameters = dict(function.get("parameters") or {"type": "object"})
        definitions |= parameters.pop("$defs", {})
        options.append(_record({"tool": {"const": function["name"]}, "arguments": parameters}))
    options.append(_record({"answer": {"type": "string", "maxLength": 600}}))
    return {"oneOf": options, **({"$defs": definitions} if definitions else {})}


def call_or_answer(text: str) -> tuple[str, dict[str, Any] | None]:
    """(words, None) or ("", the call as OpenAI has it)."""
    found = one_object(text)
    if found is None:
        return text, None
    if isinstance(found.get("tool"), str) and isinstance(found.get("arguments"), dict):
        arguments = json.dumps(found["arguments"], separators=(",", ":"))
        return "", {"id": "call-0", "type": "function", "function": {"name": found["tool"], "arguments": arguments}}
    answer = found.get("answer")
    return (answer if isinstance(answer, str) else text), None


def _record(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(properties)}
