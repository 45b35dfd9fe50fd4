"""Tool calls of a model without a native form for them: one JSON object, a call or an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twm.gateway.language.extract import one_object

TOOL_RULES = "Call one tool or answer. JSON only."


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
