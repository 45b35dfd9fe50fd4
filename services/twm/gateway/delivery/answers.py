"""What a RIC says: JSON of bounded size and depth, read leniently, never trusted. Pure.

Peers spell the same thing differently: a status may be an object, a JSON string that holds one, or sit inside an envelope;
"NOT_ENFORCED" is also "NOT ENFORCED" and "NOT IN EFFECT"; a list of ids may be of numbers, of objects, or null.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from twm.core.errors import DecodeError
from twm.core.text import clean, shown

MAX_DEPTH = 32
MAX_STATUS_BYTES = 16 * 1024
MAX_IDS = 200_000
MAX_ID_CHARACTERS = 512
_NESTED_STRINGS = 3
_STATUS_KEYS = ("enforceStatus", "enforce_status", "enforcementStatus", "instance_status", "instanceStatus")
_REASON_KEYS = ("enforceReason", "enforce_reason", "enforcementReason")
_REASONS = ("SCOPE_NOT_APPLICABLE", "STATEMENT_NOT_APPLICABLE", "OTHER_REASON")
_WORDS = {
    "ENFORCED": True,
    "IN EFFECT": True,
    "NOT ENFORCED": False,
    "NOT IN EFFECT": False,
    "UNDEFINED": None,
    "": None,
}


@dataclass(frozen=True, slots=True)
class EnforceStatus:
    """Whether a RIC enforces a policy."""

    enforced: bool | None
    """None: it does not say."""
    reason: str = ""
    """A1's word, where it says why not."""


def read_json(data: bytes, limit: int) -> Any:
    """The value. Raises DecodeError with a short reason where it is too long, too deep or no JSON."""
    if len(data) > limit:
        raise DecodeError(f"body: {len(data)} bytes, at most {limit}", reason="too_long")
    depth = deepest = 0
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        for byte in data:  # brackets within strings count too: a bound, not a parser
            if byte in b"{[":
                depth += 1
                deepest = max(deepest, depth)
            elif byte in b"}]":
                depth -= 1
        if deepest > MAX_DEPTH:
            raise DecodeError(f"body: nested deeper than {MAX_DEPTH}", reason="too_deep")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"body: no JSON: {shown(str(error), 80)}", reason="no_json") from None


def read_status(data: bytes) -> EnforceStatus:
    """A policy's status, from an answer or a callback. Raises DecodeError where it is none."""
    return status_of(read_json(data, MAX_STATUS_BYTES))


def status_of(value: Any) -> EnforceStatus:
    """A status in any of the known spellings. Raises DecodeError where it is none."""
    for _ in range(_NESTED_STRINGS):
        if isinstance(value, str):
            value = read_json(value.encode("utf-8", "replace"), MAX_STATUS_BYTES)
        elif isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, dict):
            word = next((value[key] for key in _STATUS_KEYS if key in value), None)
            if word is None and "status" in value:  # an envelope (A1 Policy Management Service v2), or a short form
                if not isinstance(value["status"], str) or value["status"].lstrip().startswith("{"):
                    value = value["status"]
                    continue
                word = value["status"]
            return _status(word, next((value[key] for key in _REASON_KEYS if key in value), ""), value)
        else:
            break
    if isinstance(value, dict) and not value:
        return EnforceStatus(None)
    raise DecodeError("status: an object with enforceStatus is expected", reason="no_status")


def _status(word: Any, reason: Any, value: dict[str, Any]) -> EnforceStatus:
    if word is None and not value:
        return EnforceStatus(None)
    if not isinstance(word, str):
        raise DecodeError("status: enforceStatus is missing or no text", reason="no_status")
    text = " ".join(word.upper().replace("_", " ").split())[:64]
    if text not in _WORDS:
        raise DecodeError(f"status: enforceStatus {shown(word, 40)} is not known", reason="unknown_status")
    enforced = _WORDS[text]
    said = reason.upper().replace(" ", "_") if isinstance(reason, str) else ""
    return EnforceStatus(enforced, (said if said in _REASONS else "") if enforced is False else "")


def read_ids(value: Any, *keys: str) -> list[str]:
    """Ids in a list, bare or under one of `keys`, each a text, a number, or an object that has it under one of `keys`.

    Raises DecodeError where it is something else. null is an empty list (Go writes one so).
    """
    if isinstance(value, dict):
        value = next((value[key] for key in keys if key in value), None)
    if value is None:
        return []
    if not isinstance(value, list):
        raise DecodeError("ids: a list is expected", reason="no_list")
    if len(value) > MAX_IDS:
        raise DecodeError(f"ids: {len(value)}, at most {MAX_IDS}", reason="too_many")
    found = []
    for item in value:
        entry = next((item[key] for key in keys if key in item), None) if isinstance(item, dict) else item
        if isinstance(entry, bool) or not isinstance(entry, str | int):
            raise DecodeError("ids: a text or a number is expected", reason="no_id")
        text = str(entry) if not isinstance(entry, int) or abs(entry) < 2**63 else ""
        if not 1 <= len(text) <= MAX_ID_CHARACTERS:
            raise DecodeError(f"ids: {len(text)} characters, expected 1..{MAX_ID_CHARACTERS}", reason="no_id")
        found.append(text)
    return found


def read_content(value: Any, key: str = "") -> Any:
    """A policy's content, under `key` where given; a JSON string is taken as what it holds. None: it is not there."""
    if key:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, str):
        return read_json(value.encode("utf-8", "replace"), 1024 * 1024)
    return value


def problem_text(data: bytes) -> str:
    """What a problem+json, or whatever else came with an error code, says; short and clean."""
    text = data[:2048].decode("utf-8", "replace")
    try:
        value = json.loads(data[:16384])
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        words = [str(value[key]) for key in ("title", "detail", "message", "error") if isinstance(value.get(key), str)]
        text = ": ".join(words) or text
    return clean(text, 200).text
