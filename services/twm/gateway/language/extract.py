"""The one JSON object in what a model wrote: alone, in a code fence, or with words around it. Nothing is mended."""

from __future__ import annotations

import json
from typing import Any

MAX_TEXT = 64 * 1024
MAX_TRIES = 32


def one_object(text: str) -> dict[str, Any] | None:
    """The object; None where there is none, more than one, or the text is too long to look through."""
    if len(text) > MAX_TEXT:
        return None
    decoder = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_once)
    found: list[dict[str, Any]] = []
    at, tries = text.find("{"), 0
    while at >= 0 and tries < MAX_TRIES:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found[0] if len(found) == 1 else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise ValueError("a key stands twice")
    return out


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
