"""Active intents of one area in Redis: the set that planner and guardrail read, and the stream of what happened to each.

Every change is one atomic write: the set (compared with what was read), the stream entry and the audit record. The same intent
twice is activated once. What has expired counts for nothing at once, and is taken out with the next change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.intent.v1 import intent_pb2
from twm.core.errors import AuditError, ConflictError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import KeyWrite, Output, StreamNames, Streams
from twm.core.validation import validate
from twm.gateway.audit import Event
from twm.gateway.intents.plain import to_plain
from twm.gateway.intents.validate import check, conflicts
from twm.gateway.recorder import Composition, Recorder

ACTIVE_KEY = "intents-active"
MAX_ACTIVE = 64
MAX_LOOKED_AT = 1024
EVENT_WORDS = {
    intent_pb2.INTENT_EVENT_ACTIVATED: "activated",
    intent_pb2.INTENT_EVENT_WITHDRAWN: "withdrawn",
    intent_pb2.INTENT_EVENT_EXPIRED: "expired",
}


@dataclass(frozen=True)
class Stand:
    """An intent and what became of it."""

    spec: intent_pb2.IntentSpec
    state: str
    """ "active", "withdrawn" or "expired"."""
    subject: str
    """Who did the last thing to it."""
    changed_s: float
    """When [s]."""


@dataclass(frozen=True)
class Activation:
    """What activating led to."""

    stand: Stand | None
    fresh: bool
    """It was not active before."""
    questions: Sequence[intent_pb2.Question] = ()
    """Why it was not activated."""


class IntentStore:
    """Operations on the active intents."""

    def __init__(
        self, streams: Streams, names: StreamNames, recorder: Recorder, spec: NetworkSpec, clock: Callable[[], float]
    ) -> None:
        """`clock`: Unix [s]."""
        self._streams = streams
        self._names = names
        self._recorder = recorder
        self._spec = spec
        self._clock = clock

    async def active(self) -> intent_pb2.ActiveIntents:
        """The set without what has expired. Raises AuditError where the stored one is damaged."""
        found = decode(await self._streams.get(self._names.key(ACTIVE_KEY)) or b"")
        now = self._clock()
        return intent_pb2.ActiveIntents(version=found.version, intents=[e for e in found.intents if not expired(e.spec, now)])

    async def activate(self, intent: intent_pb2.IntentSpec, subject: str) -> Activation:
        """Make an intent count. Raises InvalidInputError where it does not hold for this network, or the set is full;
        ConflictError where another intent has its id."""
        check(intent, self._spec)
        questions: list[intent_pb2.Question] = []
        known: list[intent_pb2.ActiveIntent] = []

        async def compose() -> Composition:
            now_s = self._clock()
            stored, kept, gone = await self._split(now_s)
            questions.clear()
            known.clear()
            for entry in kept:
                if entry.spec.intent_id == intent.intent_id:
                    if _content(entry.spec) != _content(intent):
                        raise ConflictError(
                            f"intent_id: {intent.intent_id!a} is active with another content; withdraw it first"
                        )
                    known.append(entry)
                    return Composition()
            now = dt.datetime.fromtimestamp(now_s, dt.UTC)
            questions.extend(conflicts(intent, [entry.spec for entry in kept], self._spec, now))
            if questions:
                return Composition()
            if len(kept) >= MAX_ACTIVE:
                raise InvalidInputError(f"intents: {len(kept)} are active, at most {MAX_ACTIVE}")
            entry = intent_pb2.ActiveIntent(spec=intent, subject=subject[:256])
            _stamp(entry.activated, now_s)
            changes = [*_gone(gone), (intent_pb2.INTENT_EVENT_ACTIVATED, intent, subject)]
            return self._composition(stored, [*kept, entry], changes, now_s)

        await self._recorder.perform(compose)
        if questions:
            return Activation(None, False, tuple(questions))
        if known:
            return Activation(_stand(known[0]), False)
        return Activation(Stand(intent, "active", subject, self._clock()), True)

    async def withdraw(self, intent_id: str, subject: str) -> Stand | None:
        """Take an intent back; None where it is not active."""
        found: list[intent_pb2.IntentSpec] = []

        async def compose() -> Composition:
            now_s = self._clock()
            stored, kept, gone = await self._split(now_s)
            found[:] = [e.spec for e in kept if e.spec.intent_id == intent_id]
            if not found:
                return Composition()
            rest = [e for e in kept if e.spec.intent_id != intent_id]
            return self._composition(
                stored, rest, [*_gone(gone), (intent_pb2.INTENT_EVENT_WITHDRAWN, found[0], subject)], now_s
            )

        await self._recorder.perform(compose)
        return Stand(found[0], "withdrawn", subject, self._clock()) if found else None

    async def exchange(self, intent_id: str, intent: intent_pb2.IntentSpec | None, subject: str) -> tuple[Composition, str]:
        """(what to write so that `intent`, None: nothing, stands in place of the active one of that id; why `intent` cannot,
        in words: then the old one goes and nothing comes). For callers that write it together with something else."""
        now_s = self._clock()
        stored, kept, gone = await self._split(now_s)
        before = next((e for e in kept if e.spec.intent_id == intent_id), None)
        rest = [e for e in kept if e is not before]
        changes = _gone(gone)
        why = ""
        if intent is not None:
            check(intent, self._spec)
            asked = conflicts(intent, [e.spec for e in rest], self._spec, dt.datetime.fromtimestamp(now_s, dt.UTC))
            if asked:
                why = asked[0].text
            elif len(rest) >= MAX_ACTIVE:
                why = f"{len(rest)} intents are active, at most {MAX_ACTIVE}"
            elif before is not None and _content(before.spec) == _content(intent):
                return Composition(), ""
        if before is not None:
            changes.append((intent_pb2.INTENT_EVENT_WITHDRAWN, before.spec, subject))
        if intent is not None and not why:
            entry = intent_pb2.ActiveIntent(spec=intent, subject=subject[:256])
            _stamp(entry.activated, now_s)
            rest.append(entry)
            changes.append((intent_pb2.INTENT_EVENT_ACTIVATED, intent, subject))
        return (self._composition(stored, rest, changes, now_s) if changes else Composition()), why

    async def find(self, intent_id: str) -> Stand | None:
        """An active intent, or the last thing that happened to one of that id as far back as the stream goes."""
        for entry in (await self.active()).intents:
            if entry.spec.intent_id == intent_id:
                return _stand(entry)
        for item in reversed(await self._streams.last(self._names.intents, MAX_LOOKED_AT)):
            change = parse_change(item.payload)
            if change is not None and change.spec.intent_id == intent_id:
                state = EVENT_WORDS.get(change.event, "")
                over = "expired" if state == "activated" else state
                return Stand(change.spec, over, change.subject, change.changed.ToNanoseconds() / 1e9)
        return None

    async def _split(self, now_s: float) -> tuple[bytes, list[intent_pb2.ActiveIntent], list[intent_pb2.ActiveIntent]]:
        """(stored bytes, entries that count, entries that have expired)."""
        stored = await self._streams.get(self._names.key(ACTIVE_KEY)) or b""
        entries = decode(stored).intents
        kept = [e for e in entries if not expired(e.spec, now_s)]
        return stored, kept, [e for e in entries if expired(e.spec, now_s)]

    def _composition(
        self,
        stored: bytes,
        entries: Sequence[intent_pb2.ActiveIntent],
        changes: Sequence[tuple[intent_pb2.IntentEvent, intent_pb2.IntentSpec, str]],
        now_s: float,
    ) -> Composition:
        version = decode(stored).version + 1
        value = intent_pb2.ActiveIntents(version=version, intents=entries)
        validate(value)
        outputs, events = [], []
        for what, intent, subject in changes:
            change = intent_pb2.IntentChange(event=what, spec=intent, subject=subject[:256], set_version=version)
            _stamp(change.changed, now_s)
            validate(change)
            outputs.append(Output(self._names.intents, change.SerializeToString(deterministic=True)))
            payload = {
                "event": EVENT_WORDS[what],
                "intent_id": intent.intent_id,
                "subject": subject[:256],
                "set_version": version,
                "source": intent_pb2.IntentSource.Name(intent.source),
                "text": intent.text,
                "spec_digest": intent.spec_digest,
                "intent": to_plain(intent, self._spec) if intent.spec_digest == self._spec.digest() else {},
            }
            events.append(Event("intent", payload))
        key = KeyWrite(self._names.key(ACTIVE_KEY), value.SerializeToString(deterministic=True), stored)
        return Composition(outputs=outputs, keys=[key], events=events)


def decode(data: bytes) -> intent_pb2.ActiveIntents:
    """The stored set. Raises AuditError where it is none."""
    try:
        return intent_pb2.ActiveIntents.FromString(data)
    except ProtobufDecodeError as error:
        raise AuditError(f"{ACTIVE_KEY}: stored state is damaged") from error


def parse_change(payload: bytes) -> intent_pb2.IntentChange | None:
    """A stream entry; None where another writer has put something else there."""
    try:
        return intent_pb2.IntentChange.FromString(payload)
    except ProtobufDecodeError:
        return None


def expired(intent: intent_pb2.IntentSpec, now_s: float) -> bool:
    """Whether its time is over."""
    return intent.HasField("expires") and intent.expires.ToNanoseconds() / 1e9 <= now_s


def _gone(
    entries: Sequence[intent_pb2.ActiveIntent],
) -> list[tuple[intent_pb2.IntentEvent, intent_pb2.IntentSpec, str]]:
    return [(intent_pb2.INTENT_EVENT_EXPIRED, e.spec, e.subject) for e in entries]


def _stand(entry: intent_pb2.ActiveIntent) -> Stand:
    return Stand(entry.spec, "active", entry.subject, entry.activated.ToNanoseconds() / 1e9)


def _content(intent: intent_pb2.IntentSpec) -> bytes:
    copy = intent_pb2.IntentSpec()
    copy.CopyFrom(intent)
    copy.ClearField("text")
    return copy.SerializeToString(deterministic=True)


def _stamp(target: object, now_s: float) -> None:
    target.FromNanoseconds(round(now_s * 1e6) * 1000)  # type: ignore[attr-defined]
