"""SLA policies that others asked for over A1: kept, judged, and put among the active intents, in one atomic write each.

Whether a policy is enforced is told when it is asked for, not stored: it is while its intent is active. So what an operator
withdraws, and what has expired, shows at once. What could not be enforced for a reason that may pass is tried again when the
gateway starts and when another policy goes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

from twm.core.errors import AuditError, ConflictError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.core.text import clean, shown
from twm.gateway.a1_inbound import OTHER, NotApplicable, TypeIds, intent_id_of, intent_of, parse_payload
from twm.gateway.audit import Event
from twm.gateway.canonical import canonical_json
from twm.gateway.intents.store import IntentStore
from twm.gateway.recorder import Composition, Recorder

SLA_POLICIES_KEY = "gateway-a1-policies"
MAX_POLICIES = 256
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class SlaPolicy:
    """One policy, as kept."""

    policy_type_id: str
    """Name of the type."""
    policy_id: str
    payload_json: str
    source: str
    changed_s: float
    """Unix [s]."""
    reason: str = ""
    """Why it is not enforced, A1's word; empty: it is, as long as its intent is active."""
    detail: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Type and id."""
        return self.policy_type_id, self.policy_id

    @property
    def intent_id(self) -> str:
        """Id of its intent."""
        return intent_id_of(self.policy_type_id, self.policy_id)


class SlaPolicies:
    """The SLA policies of one area."""

    def __init__(
        self,
        streams: Streams,
        names: StreamNames,
        recorder: Recorder,
        spec: NetworkSpec,
        intents: IntentStore,
        type_ids: TypeIds,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: Unix [s]."""
        self._streams, self._names, self._recorder, self._spec = streams, names, recorder, spec
        self._intents, self._type_ids, self._clock = intents, type_ids, clock

    @property
    def area_id(self) -> str:
        """The area."""
        return self._spec.area_id

    async def put(self, by: str, type_id: str, policy_id: str, payload_json: str, source: str) -> tuple[SlaPolicy, bool]:
        """(the policy as it is kept now, whether it is new). `by`: who wrote it. Raises InvalidInputError where type, id or
        payload cannot be, ConflictError where there are too many."""
        name = self._type_ids.name(type_id)
        policy_id = _plain("policy_id", policy_id, 256)
        source = _plain("source", source, 64)
        content = parse_payload(name, payload_json)
        wanted = SlaPolicy(
            policy_type_id=name,
            policy_id=policy_id,
            payload_json=canonical_json(content),
            source=source,
            changed_s=self._clock(),
        )
        outcome: list[tuple[SlaPolicy, bool]] = []

        async def compose() -> Composition:
            stored, held = await self._held()
            before = next((p for p in held if p.key == wanted.key), None)
            if before is not None and before.payload_json == wanted.payload_json and await self._stands(before):
                outcome[:] = [(before, False)]
                return Composition()
            kept, part = await self._judged(wanted, by)
            after = [kept if p.key == kept.key else p for p in held] if before is not None else [*held, kept]
            outcome[:] = [(kept, before is None)]
            return self._written(stored, after, part, "put", kept, by)

        await self._recorder.perform(compose)
        return outcome[0]

    async def delete(self, by: str, type_id: str, policy_id: str) -> bool:
        """Whether there was one. Others that could not be enforced are tried again."""
        key = (self._type_ids.name(type_id), policy_id)
        found: list[SlaPolicy] = []

        async def compose() -> Composition:
            stored, held = await self._held()
            found[:] = [p for p in held if p.key == key]
            if not found:
                return Composition()
            part, _ = await self._intents.exchange(found[0].intent_id, None, by)
            return self._written(stored, [p for p in held if p.key != key], part, "deleted", found[0], by)

        await self._recorder.perform(compose)
        if found:
            await self.retry()
        return bool(found)

    async def listed(self, type_id: str = "") -> list[SlaPolicy]:
        """All, or those of one type, as they stand now."""
        name = self._type_ids.name(type_id) if type_id else ""
        _, held = await self._held()
        active = {entry.spec.intent_id for entry in (await self._intents.active()).intents}
        found = []
        for policy in held:
            if not name or policy.policy_type_id == name:
                gone = not policy.reason and policy.intent_id not in active
                detail = "its intent is not active any more: withdrawn by an operator, or its time is over"
                found.append(replace(policy, reason=OTHER, detail=detail) if gone else policy)
        return found

    async def retry(self) -> None:
        """Judge again what is not enforced for a reason that may have passed."""
        _, held = await self._held()
        for waiting in [p for p in held if p.reason == OTHER]:

            async def compose(waiting: SlaPolicy = waiting) -> Composition:
                stored, held = await self._held()
                if waiting not in held:
                    return Composition()
                kept, part = await self._judged(waiting, waiting.source)
                if kept.reason:
                    return Composition()
                after = [kept if p.key == kept.key else p for p in held]
                return self._written(stored, after, part, "enforced", kept, waiting.source)

            await self._recorder.perform(compose)

    async def refresh(self) -> None:
        """Judge everything again for the network spec in use: at the start."""
        _, held = await self._held()
        for old in held:
            if not await self._other_spec(old):
                continue

            async def compose(old: SlaPolicy = old) -> Composition:
                stored, held = await self._held()
                if old not in held or not await self._other_spec(old):
                    return Composition()
                kept, part = await self._judged(old, old.source)
                after = [kept if p.key == kept.key else p for p in held]
                return self._written(stored, after, part, "judged again", kept, old.source)

            await self._recorder.perform(compose)
        await self.retry()

    async def _other_spec(self, policy: SlaPolicy) -> bool:
        """Whether its intent is active for another version of the network."""
        entries = (await self._intents.active()).intents
        return any(e.spec.intent_id == policy.intent_id and e.spec.spec_digest != self._spec.digest() for e in entries)

    async def _judged(self, policy: SlaPolicy, by: str) -> tuple[SlaPolicy, Composition]:
        """(the policy with its outcome, what goes into the set of active intents)."""
        now = dt.datetime.fromtimestamp(self._clock(), dt.UTC)
        try:
            content = parse_payload(policy.policy_type_id, policy.payload_json)
            intent = intent_of(policy.policy_type_id, policy.policy_id, content, policy.source, self._spec, now)
        except NotApplicable as refusal:
            part, _ = await self._intents.exchange(policy.intent_id, None, by)
            return replace(policy, reason=refusal.reason, detail=refusal.detail), part
        part, why = await self._intents.exchange(policy.intent_id, intent, by)
        return replace(policy, reason=OTHER if why else "", detail=clean(why, 1000).text), part

    async def _stands(self, policy: SlaPolicy) -> bool:
        """Whether the stored outcome is that of now."""
        if policy.reason:
            return policy.reason != OTHER
        return any(e.spec.intent_id == policy.intent_id for e in (await self._intents.active()).intents)

    async def _held(self) -> tuple[bytes, list[SlaPolicy]]:
        stored = await self._streams.get(self._names.key(SLA_POLICIES_KEY)) or b""
        return stored, decode(stored)

    def _written(
        self, stored: bytes, after: Sequence[SlaPolicy], part: Composition, what: str, policy: SlaPolicy, by: str
    ) -> Composition:
        value = canonical_json([asdict(p) for p in after]).encode()
        if len(after) > MAX_POLICIES or len(value) > MAX_BYTES:
            raise ConflictError(f"SLA policies: {len(after)} with {len(value)} bytes, at most {MAX_POLICIES} and {MAX_BYTES}")
        event = {
            "what": what,
            "by": by,
            "policy_type_id": policy.policy_type_id,
            "policy_id": policy.policy_id,
            "source": policy.source,
            "status": "NOT_ENFORCED" if policy.reason else "ENFORCED",
            "reason": policy.reason,
            "detail": policy.detail,
            "policy": json.loads(policy.payload_json),
            "intent_id": policy.intent_id,
        }
        return Composition(
            outputs=part.outputs,
            keys=[*part.keys, KeyWrite(self._names.key(SLA_POLICIES_KEY), value, stored)],
            events=[*part.events, Event("sla_policy", event)],
        )


def decode(data: bytes) -> list[SlaPolicy]:
    """The stored policies; b"" is none. Raises AuditError where it is something else."""
    if not data:
        return []
    try:
        return [SlaPolicy(**entry) for entry in json.loads(data)]
    except (ValueError, TypeError) as error:
        raise AuditError(f"{SLA_POLICIES_KEY}: stored policies are damaged: {type(error).__name__}") from error


def _plain(field: str, text: str, limit: int) -> str:
    """Raises InvalidInputError where `text` is not what a reader would see of it."""
    if not text or len(text) > limit or clean(text, limit).text != text:
        raise InvalidInputError(f"{field}: {shown(text)} is empty, longer than {limit} or no plain text")
    return text
