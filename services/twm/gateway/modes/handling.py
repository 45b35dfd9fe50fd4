"""What becomes of an accepted policy: logged, waiting for an approval, put in force, or held back.

Every effect that may let a policy out carries the mode record as a guard (`Known.mode_guard`): it is refused where the mode has
changed since it was read.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.intent.v1 import intent_pb2
from twm.api.planning.v1 import planning_pb2
from twm.api.policy.v1 import policy_pb2
from twm.core.actions import decode_policies
from twm.core.errors import AuditError, InvalidInputError
from twm.core.network import NetworkSpec
from twm.core.streams import Entry, KeyWrite, Output, StreamNames, Streams
from twm.gateway.audit import Event
from twm.gateway.drift_watch import DriftWatch
from twm.gateway.guardrail import Guardrail, Situation
from twm.gateway.modes.approvals import APPROVALS_KEY, Book, Waiting
from twm.gateway.modes.enforced import ENFORCED_KEY, Enforced
from twm.gateway.modes.policy_event import policy_event
from twm.gateway.modes.record import ShadowRecord
from twm.gateway.modes.risk import RiskClass
from twm.gateway.modes.state import MODE_KEY, ModeState
from twm.gateway.other_policies import OTHERS_KEY
from twm.gateway.recorder import Composition
from twm.gateway.rules import GuardrailRules

INTENTS_KEY = "intents-active"
_REASON_CHARACTERS = 1000


@dataclass(frozen=True, kw_only=True)
class Known:
    """Everything that decides what a policy may do, as Redis has it, with the stored bytes to compare in the write."""

    names: StreamNames
    mode: ModeState
    mode_stored: bytes
    book: Book
    book_stored: bytes
    enforced: Enforced
    enforced_stored: bytes
    others: str
    intents: intent_pb2.ActiveIntents | None

    @classmethod
    async def read(cls, streams: Streams, names: StreamNames) -> Known:
        """Raises AuditError where a record is damaged: then nothing is decided."""
        keys = (MODE_KEY, APPROVALS_KEY, ENFORCED_KEY, OTHERS_KEY, INTENTS_KEY)
        mode, book, enforced, others, intents = [
            found or b"" for found in await asyncio.gather(*(streams.get(names.key(key)) for key in keys))
        ]
        try:
            active = intent_pb2.ActiveIntents.FromString(intents) if intents else None
            text = others.decode()
        except (ProtobufDecodeError, UnicodeDecodeError) as error:
            raise AuditError(f"{INTENTS_KEY} or {OTHERS_KEY}: stored state is damaged") from error
        return cls(
            names=names,
            mode=ModeState.decode(mode),
            mode_stored=mode,
            book=Book.decode(book),
            book_stored=book,
            enforced=Enforced.decode(enforced),
            enforced_stored=enforced,
            others=text,
            intents=active,
        )

    @property
    def mode_guard(self) -> KeyWrite:
        """Refuses the effect where the mode has changed."""
        return KeyWrite(self.names.key(MODE_KEY), self.mode_stored, self.mode_stored)

    def mode_write(self, state: ModeState) -> KeyWrite:
        """A new mode record in place of the one that was read."""
        return KeyWrite(self.names.key(MODE_KEY), state.encode(), self.mode_stored)

    def book_write(self, book: Book) -> KeyWrite:
        """A new book of approvals in place of the one that was read."""
        return KeyWrite(self.names.key(APPROVALS_KEY), book.encode(), self.book_stored)

    def enforced_write(self, enforced: Enforced) -> KeyWrite:
        """A new state of enforcement in place of the one that was read."""
        return KeyWrite(self.names.key(ENFORCED_KEY), enforced.encode(), self.enforced_stored)


class RecordWatch:
    """The shadow record of an area, computed again when there is a new score."""

    def __init__(
        self, streams: Streams, names: StreamNames, spec: NetworkSpec, rules: GuardrailRules, drift: DriftWatch
    ) -> None:
        self._streams, self._names, self._drift = streams, names, drift
        self._rules = rules.modes.shadow_record
        self._horizon = spec.timing.horizon_steps
        self._held: tuple[str, ShadowRecord] | None = None

    async def record(self) -> ShadowRecord:
        """The figures now."""
        last = await self._streams.last(self._names.scores, 1)
        if not last:
            return ShadowRecord.of([], self._horizon)
        if self._held is None or self._held[0] != last[0].id:
            entries = await self._streams.last(self._names.scores, self._rules.window_scores)
            scores, unreadable = [], 0
            for entry in entries:
                try:
                    scores.append(policy_pb2.ShadowScore.FromString(entry.payload))
                except ProtobufDecodeError:
                    unreadable += 1
            self._held = last[0].id, ShadowRecord.of(scores, self._horizon, unreadable=unreadable)
        return self._held[1]

    async def missing(self, newest_step: int | None) -> list[str]:
        """What is missing to autonomous mode, in words."""
        return (await self.record()).missing(self._rules, (await self._drift.status()).state, newest_step)


class Handler:
    """Decides what becomes of accepted policies of one area."""

    def __init__(
        self,
        streams: Streams,
        names: StreamNames,
        spec: NetworkSpec,
        rules: GuardrailRules,
        guardrail: Guardrail,
        drift: DriftWatch,
    ) -> None:
        self._names, self._spec, self._rules = names, spec, rules
        self.risk = RiskClass(spec, rules, guardrail.share_checker)
        self.watch = RecordWatch(streams, names, spec, rules, drift)

    async def handle(
        self,
        entry: Entry,
        proposal: planning_pb2.Proposal,
        policy: policy_pb2.SlicePolicy,
        verdict: policy_pb2.Verdict,
        known: Known,
        situation: Situation,
    ) -> Composition:
        """What is written for an accepted policy; sets the verdict's handling. `entry`: the proposal's."""
        policy.mode_version = known.mode.version
        if known.mode.stopped:
            _say(verdict, policy_pb2.HANDLING_STOPPED, f"kill switch of {known.mode.changed_by}: {known.mode.reason}")
            return self.sweep(known, situation.now_s)
        if known.mode.mode == "shadow":
            _say(verdict, policy_pb2.HANDLING_SHADOW, "")
            policy.enforcement = policy_pb2.ENFORCEMENT_SHADOW
            return joined(self.sweep(known, situation.now_s), written(self._names, policy, entry.trace_id))
        reasons = ["advisory mode"]
        if known.mode.mode == "autonomous":
            reasons = self.risk.reasons(proposal, situation.enforced)
            reasons += await self.watch.missing(situation.newest_step)
            if situation.measured is None:
                reasons.append("the frame it answers is not at hand")
        if not reasons:
            _say(verdict, policy_pb2.HANDLING_ENFORCED, "of low risk")
            return joined(self.sweep(known, situation.now_s), self.enforce(proposal, policy, known, "", entry.trace_id))
        text = "; ".join(reasons)[:_REASON_CHARACTERS]
        _say(verdict, policy_pb2.HANDLING_PENDING, text)
        policy.enforcement = policy_pb2.ENFORCEMENT_ADVISED
        rules, now_s = self._rules, situation.now_s
        created_s = proposal.created.seconds + proposal.created.nanos * 1e-9
        waiting = Waiting(
            proposal_id=proposal.proposal_id,
            step=proposal.step,
            entry_id=entry.id,
            proposal_sha256=hashlib.sha256(entry.payload).hexdigest(),
            created_s=now_s,
            expires_s=min(now_s + rules.modes.approval_expiry_s, created_s + rules.timing.max_age_s),
            waits_for=text,
            trace_id=entry.trace_id,
        )
        book, swept = known.book.swept(now_s)
        book, away = book.with_waiting(waiting, rules.modes.max_pending, now_s)
        return joined(
            Composition(keys=[known.book_write(book)], events=[approval_event(w) for w in (*swept, *away, waiting)]),
            written(self._names, policy, entry.trace_id),
        )

    def enforce(
        self, proposal: planning_pb2.Proposal, policy: policy_pb2.SlicePolicy, known: Known, by: str, trace_id: str
    ) -> Composition:
        """The policy goes out: stream entry, state of enforcement, audit."""
        policy.enforcement = policy_pb2.ENFORCEMENT_ENFORCE
        policy.authorised_by = by
        policy.mode_version = known.mode.version
        shares = decode_policies(proposal.policy, self._spec)
        state = known.enforced.followed_by(policy, shares, self._rules.timing)
        return joined(written(self._names, policy, trace_id), Composition(keys=[known.enforced_write(state)]))

    def sweep(self, known: Known, now_s: float) -> Composition:
        """Ends what waited too long."""
        book, swept = known.book.swept(now_s)
        if not swept:
            return Composition()
        return Composition(keys=[known.book_write(book)], events=[approval_event(w) for w in swept])


def written(names: StreamNames, policy: policy_pb2.SlicePolicy, trace_id: str) -> Composition:
    """The policy's stream entry and audit event."""
    payload = policy.SerializeToString(deterministic=True)
    return Composition(outputs=[Output(names.policies, payload, trace_id)], events=[policy_event(policy, payload)])


def approval_event(waiting: Waiting) -> Event:
    """Audit event of an approval's change."""
    return Event(
        "approval",
        {
            "proposal_id": waiting.proposal_id,
            "proposal_sha256": waiting.proposal_sha256,
            "state": waiting.state,
            "by": waiting.decided_by,
            "reason": waiting.reason,
            "waits_for": waiting.waits_for,
            "expires_s": waiting.expires_s,
            "trace_id": waiting.trace_id,
        },
    )


def check_types(policy: policy_pb2.SlicePolicy, rules: GuardrailRules) -> None:
    """Raises InvalidInputError where a policy type is not on the rules' allow-list."""
    wrong = sorted({p.policy_type_id for p in policy.policies} - set(rules.actions.policy_types))
    if wrong:
        raise InvalidInputError(f"actions.policy_types: {', '.join(wrong)} is not on the allow-list")


def _say(verdict: policy_pb2.Verdict, handling: policy_pb2.Handling, reason: str) -> None:
    verdict.handling, verdict.handling_reason = handling, reason[:_REASON_CHARACTERS]


def joined(*parts: Composition) -> Composition:
    return Composition(
        outputs=[o for p in parts for o in p.outputs],
        keys=[k for p in parts for k in p.keys],
        events=[e for p in parts for e in p.events],
    )
