"""The active intents as they stand in Redis: read by the planner, which plans for them, and by the guardrail, which holds
plans against them. The gateway writes them (twm.gateway.intents.store).
"""

from __future__ import annotations

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import InvalidInputError
from twm.core.text import shown

ACTIVE_KEY = "intents-active"
"""Name of the key (StreamNames.key)."""
ACCEPTED_PROBABILITY = 0.2
"""Violation probability that counts as held where an intent names none; the guardrail's rules say the same by default."""
MAX_CONTENT_BYTES = 65_536


def parse_active(data: bytes) -> intent_pb2.ActiveIntents:
    """The stored set; b"" is the empty one. Raises InvalidInputError where it is something else."""
    try:
        return intent_pb2.ActiveIntents.FromString(data)
    except ProtobufDecodeError as error:
        raise InvalidInputError(f"{ACTIVE_KEY}: stored state is damaged") from error


def readable_intents(data: bytes, area_id: str, spec_digest: str) -> tuple[intent_pb2.ActiveIntents, str]:
    """(intents to plan for, without their words; why others are left out, in words).

    What is damaged, made for another network, or too much for a decision's tape (the lowest priority goes first) is left out:
    a plan that says so is better than none.
    """
    try:
        stored = parse_active(data)
    except InvalidInputError as error:
        return intent_pb2.ActiveIntents(), str(error)
    kept, left_out = [], []
    for entry in stored.intents:
        intent = entry.spec
        if intent.area_id != area_id or (intent.spec_digest and intent.spec_digest != spec_digest):
            left_out.append(f"{shown(intent.intent_id)} was made for another network or another version of it")
            continue
        copy = intent_pb2.ActiveIntent(spec=intent, activated=entry.activated)
        copy.spec.ClearField("text")
        kept.append(copy)
    found = intent_pb2.ActiveIntents(version=stored.version, intents=kept)
    while found.ByteSize() > MAX_CONTENT_BYTES:
        least = max(range(len(found.intents)), key=lambda i: (found.intents[i].spec.priority, i))
        left_out.append(f"{shown(found.intents[least].spec.intent_id)} is too much to plan for at once")
        del found.intents[least]
    return found, "; ".join(left_out)[:400]


def in_force(active: intent_pb2.ActiveIntents, now_s: float) -> list[intent_pb2.ActiveIntent]:
    """Those whose time is not over, in order of activation."""
    return [e for e in active.intents if (end := seconds(e.spec, "expires")) is None or end > now_s]


def window_of(window: intent_pb2.Window | None, intent: intent_pb2.IntentSpec) -> tuple[float, float]:
    """(start, end) [Unix s] in which something of an intent holds: its own window within the intent's.

    An occasion ("during the surge") does not narrow it: whether the occasion is there is a guess, and limits are hard.
    """
    start, end = float("-inf"), float("inf")
    for part in (window, intent.window if intent.HasField("window") else None):
        if part is not None:
            begins, ends = seconds(part, "start"), seconds(part, "end")
            start = max(start, begins) if begins is not None else start
            end = min(end, ends) if ends is not None else end
    return start, end


def seconds(message: object, field: str) -> float | None:
    """A timestamp field [Unix s]; None where it is not set."""
    if not message.HasField(field):  # type: ignore[attr-defined]
        return None
    time = getattr(message, field)
    return float(time.seconds + time.nanos * 1e-9)
