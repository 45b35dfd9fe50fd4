"""Makes a peer hold what is wanted: one operation an instance at a time, decided from the newest want when its turn comes.

Nothing is queued but ids, so a want that changes ten times while the peer is away is written once, as it is then, and an old
one never comes after a new one. Writes are idempotent; where an answer is lost the same is written again. What the peer holds
is known from its answers and from listings (`reconcile`); what is ours there and nobody wants is deleted, what is not ours
is never touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import itertools
import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from twm.core import metrics
from twm.core.text import clean
from twm.gateway.canonical import canonical_json
from twm.gateway.delivery.answers import EnforceStatus
from twm.gateway.delivery.desired import Instance, Naming
from twm.gateway.delivery.peer import Answer, Outcome, Peer, PeerError, Put
from twm.gateway.delivery.record import DELETING, DELIVERED, FAILING, REJECTED, STATES, TYPE_MISSING, WAITING, Record
from twm.gateway.delivery.retry import Circuit, Pace, RetryPolicy

log = logging.getLogger(__name__)

VERIFY_BATCH = 32
"""Instances whose content is compared with each listing, the longest unseen first."""
SUSPECT_BATCH = 512
"""Instances besides these of which a write's answer was lost."""
STATUS_BATCH = 8
STATUS_AGE_S = 30.0
HELD_BACK_S = 0.25


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How hard a peer is worked."""

    concurrency: int = 16
    """Requests at once."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a listing showed."""

    listed: int
    own: int
    missing: int
    orphans: int
    seconds: float


class Engine:
    """Deliveries to one peer."""

    def __init__(
        self,
        peer: Peer,
        naming: Naming,
        options: EngineOptions,
        *,
        clock: Callable[[], float],
        steady: Callable[[], float],
        may_write: Callable[[], bool],
        on_event: Callable[[dict[str, Any]], None],
        callback_url: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`clock`: Unix [s]; `may_write`: asked before each write; `on_event`: told of each write that came to an end, for the
        audit; `callback_url`: where the peer tells the status of an instance, "" where it cannot."""
        self._peer, self._naming, self._options = peer, naming, options
        self._clock, self._steady, self._may_write, self._on_event = clock, steady, may_write, on_event
        self._callback_url = callback_url
        self.records: dict[str, Record] = {}
        self.circuit = Circuit(steady)
        self.pace = Pace(options.concurrency)
        self.dirty = False
        """Whether records have changed since somebody last put this back."""
        self.back = False
        """Whether the peer answers again after connections to it had failed, since somebody last put this back."""
        self._away = False
        self._wanted: dict[str, Instance] = {}
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._count = itertools.count()
        self._busy: set[str] = set()
        self._wake = asyncio.Event()

    @property
    def wanted(self) -> Mapping[str, Instance]:
        """What the peer should hold."""
        return self._wanted

    @property
    def settled(self) -> bool:
        """Whether the peer holds exactly what is wanted, as far as is known."""
        return not self._due and not self._busy and all(not self._differs(i) for i in self.records.keys() | self._wanted.keys())

    @property
    def concerns_peer(self) -> bool:
        """Whether there is anything to be done or kept at the peer."""
        return bool(self._wanted) or any(r.sent or r.present for r in self.records.values())

    def want(self, wanted: Mapping[str, Instance]) -> None:
        """The peer should hold this, and of ours nothing else."""
        before, self._wanted = self._wanted, dict(wanted)
        for remote_id, instance in self._wanted.items():
            record = self.records.get(remote_id)
            if record is None:
                record = self.records[remote_id] = Record(remote_id)
            record.policy_type_id, record.policy_id = instance.policy_type_id, instance.policy_id
            record.policy_set_id, record.expires_s = instance.policy_set_id, instance.expires_s
            if record.state == DELETING:
                record.state = WAITING
            if self._differs(remote_id):
                self._schedule(remote_id, 0.0)
        for remote_id in (before.keys() | self.records.keys()) - self._wanted.keys():
            self._unwanted(remote_id)
        self.dirty = True

    def expire(self) -> int:
        """Drop what is over from what is wanted; how many."""
        now_s = self._clock()
        over = [i for i, instance in self._wanted.items() if instance.expires_s <= now_s]
        for remote_id in over:
            del self._wanted[remote_id]
            self._unwanted(remote_id)
        return len(over)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; then what is in flight is finished. Cancelled, it is cut off."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            while (remote_id := await self._next(stop)) is not None:
                self._busy.add(remote_id)
                self.circuit.begin()
                task = asyncio.create_task(self._turn(remote_id))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if tasks:
                await asyncio.wait(set(tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def reconcile(self, *, verify: int = VERIFY_BATCH) -> Comparison:
        """Compare with what the peer holds, and put right what differs. `verify`: contents that are compared as well.

        Raises PeerError.
        """
        began_s = self._steady()
        try:
            actual = await self._peer.listed()
        except PeerError:
            metrics.A1_RECONCILED.labels("failed").inc()
            raise
        by_held = {r.held_id: r.remote_id for r in self.records.values() if r.held_id}
        own: dict[str, tuple[str, str]] = {}
        for held_id, policy_type_id in actual.items():
            remote_id = by_held.get(held_id, held_id)
            if self._peer.own_list or self._naming.owns(held_id) or remote_id in self._wanted:
                own[remote_id] = (held_id, policy_type_id)
        orphans = sum(self._seen(i, held, kind, began_s) for i, (held, kind) in own.items())
        missing = 0
        for remote_id, record in list(self.records.items()):
            if remote_id in own or remote_id in self._busy or record.touched_s >= began_s:
                continue
            missing += bool(record.present) and remote_id in self._wanted
            record.present, record.digest, record.enforced = False, "", None
            self._schedule(remote_id, 0.0 if record.attempts == 0 else None)
        for record in self.records.values():
            if record.state == TYPE_MISSING and record.refused_digest:
                record.refused_digest = ""
                self._schedule(record.remote_id, 0.0)
        self._choose_for_check(verify)
        self.dirty = True
        seconds = self._steady() - began_s
        metrics.A1_ORPHANS.inc(orphans)
        metrics.A1_RECONCILED.labels("compared").inc()
        metrics.A1_RECONCILED_TIME.set(self._clock())
        return Comparison(listed=len(actual), own=len(own), missing=missing, orphans=orphans, seconds=seconds)

    async def poll_statuses(self) -> None:
        """Ask for the status of a few instances: those never asked for first, then those not heard of for STATUS_AGE_S."""
        now_s = self._clock()
        asked = [
            r
            for r in self.records.values()
            if r.state == DELIVERED
            and now_s - max(r.status_s, r.changed_s if r.enforced is None else 0.0) > self._status_age(r)
        ]
        asked.sort(key=lambda r: r.status_s)

        async def ask(record: Record) -> None:
            with contextlib.suppress(PeerError):
                self.note_status(record.remote_id, await self._peer.status(record.policy_type_id, record.name))
            record.status_s = self._clock()

        if asked and not self.circuit.open:
            await asyncio.gather(*(ask(r) for r in asked[:STATUS_BATCH]))

    def note_status(self, remote_id: str, status: EnforceStatus) -> bool:
        """What the peer says of an instance; False where it is none of those that are delivered."""
        record = self.records.get(remote_id)
        if record is None or not record.sent:
            return False
        record.status_s = self._clock()
        if status.enforced is not None and (record.enforced, record.enforce_reason) != (status.enforced, status.reason):
            record.enforced, record.enforce_reason = status.enforced, status.reason
            self._tell("status", record, Answer(Outcome.DONE), enforced=status.enforced, enforce_reason=status.reason)
        self.dirty = True
        return True

    def publish(self) -> None:
        """Set the metrics."""
        counts = Counter(r.state for r in self.records.values())
        for state in STATES:
            metrics.A1_POLICIES.labels(state).set(counts[state])
        metrics.A1_CIRCUIT_OPEN.set(self.circuit.open)

    def _unwanted(self, remote_id: str) -> None:
        """Nobody wants it any more; what was never sent need not be deleted."""
        record = self.records.get(remote_id)
        if record is not None and remote_id not in self._busy and not (record.sent or record.present):
            del self.records[remote_id]
        else:
            self._schedule(remote_id, 0.0)

    def _seen(self, remote_id: str, held_id: str, policy_type_id: str, began_s: float) -> int:
        """An instance of ours is there; 1 where it is an orphan that was not known."""
        record = self.records.get(remote_id)
        if record is None:
            record = self.records[remote_id] = Record(
                remote_id, policy_type_id, held_id=held_id, present=True, sent=True, state=DELETING
            )
            self._schedule(remote_id, 0.0)
            return 1
        if remote_id in self._busy or record.touched_s >= began_s:
            return 0
        record.present, record.held_id, record.sent = True, held_id, True
        if policy_type_id and record.policy_type_id != policy_type_id and remote_id not in self._wanted:
            record.policy_type_id = policy_type_id
        if remote_id not in self._wanted or not record.digest:
            record.check = remote_id in self._wanted
            self._schedule(remote_id, 0.0 if record.attempts == 0 else None)
        return 0

    def _choose_for_check(self, verify: int) -> None:
        held = [r for i in self._wanted if (r := self.records[i]).present and r.digest and i not in self._busy]
        for record in heapq.nsmallest(verify + SUSPECT_BATCH, held, key=lambda r: (not r.suspect, r.touched_s)):
            if not record.suspect:
                verify -= 1
                if verify < 0:
                    break
            record.check, record.suspect = True, False
            self._schedule(record.remote_id, 0.0)

    def _status_age(self, record: Record) -> float:
        return 1.0 if record.enforced is None and record.status_s < record.changed_s else STATUS_AGE_S

    def _differs(self, remote_id: str) -> bool:
        record, instance = self.records.get(remote_id), self._wanted.get(remote_id)
        if record is None:
            return instance is not None
        if record.check:
            return True
        if instance is None:
            return record.sent or bool(record.present)
        if record.refused_digest == instance.digest:
            return False
        return not record.present or record.digest != instance.digest

    def _schedule(self, remote_id: str, delay_s: float | None) -> None:
        """Its turn comes in `delay_s`, or earlier where that was said before; None: only where nothing was said."""
        if delay_s is None:
            if remote_id in self._due:
                return
            delay_s = 0.0
        at_s = self._steady() + delay_s
        if self._due.get(remote_id, float("inf")) <= at_s:
            return
        self._due[remote_id] = at_s
        heapq.heappush(self._heap, (at_s, next(self._count), remote_id))
        self._wake.set()

    async def _next(self, stop: asyncio.Event) -> str | None:
        """The next whose turn has come; None at `stop`."""
        while not stop.is_set():
            now_s = self._steady()
            wait_s = max(self.circuit.wait_s(), 0.0 if self._may_write() else HELD_BACK_S)
            if len(self._busy) >= self.pace.limit:
                wait_s = max(wait_s, 0.5)  # whoever ends wakes this up
            held: list[tuple[float, int, str]] = []
            found = None
            while wait_s == 0.0 and self._heap and self._heap[0][0] <= now_s and found is None:
                at_s, number, remote_id = heapq.heappop(self._heap)
                if self._due.get(remote_id) != at_s:
                    continue  # said again for another time
                if remote_id in self._busy:
                    held.append((now_s + 0.05, number, remote_id))
                    continue
                del self._due[remote_id]
                found = remote_id
            for entry in held:
                self._due[entry[2]] = entry[0]
                heapq.heappush(self._heap, entry)
            if found is not None:
                return found
            if wait_s == 0.0:
                wait_s = max(self._heap[0][0] - now_s, 0.001) if self._heap else 0.5
            self._wake.clear()
            await _either(self._wake, min(wait_s, 0.5))
        return None

    async def _turn(self, remote_id: str) -> None:
        delay_s: float | None = None
        try:
            delay_s = await self._work(remote_id)
        except Exception:
            log.exception("A1 delivery: %s failed", remote_id)
            delay_s = self._options.retry.most_s
        finally:
            self._busy.discard(remote_id)
            self._wake.set()
            self.dirty = True
        if delay_s is not None:
            self._schedule(remote_id, delay_s)
        elif remote_id not in self._due and self._differs(remote_id):
            self._schedule(remote_id, 0.0)

    async def _work(self, remote_id: str) -> float | None:
        """Do what is due for an instance; seconds until it is due again, None where it is done."""
        record, instance = self.records.get(remote_id), self._wanted.get(remote_id)
        if record is None:
            self._idle()
            return None
        if instance is None or instance.expires_s <= self._clock():
            return await self._delete(record)
        if record.check and record.present:
            try:
                if await self._same(record, instance):
                    return None
            except PeerError as error:
                return self._failed(record, error.answer)
        if record.state == REJECTED and self._steady() - record.touched_s >= self._options.retry.rejected_s / 2:
            record.refused_digest = ""
        if not self._differs(remote_id):
            self._idle()
            return None
        record.sent = True
        put = await self._peer.put(instance, record.name, record.present, self._callback_url(remote_id))
        return self._after_put(record, instance, put)

    async def _same(self, record: Record, instance: Instance) -> bool:
        """Whether the peer's content is what is wanted; then it is adopted as delivered."""
        content = await self._peer.content(record.policy_type_id, record.name)
        record.check = False
        record.touched_s = self._steady()
        self._heard(Answer(Outcome.DONE, 200))
        if content is None:
            record.present, record.digest = False, ""
            return False
        found = _digest(content)
        wanted = _digest(json.loads(instance.body))
        if found == wanted or (found == record.strange and record.digest == instance.digest):
            record.digest, record.state, record.attempts = instance.digest, DELIVERED, 0
            record.changed_s = record.changed_s or self._clock()
            return True
        if record.digest == instance.digest:
            record.strange = found
            log.warning("A1 delivery: %s is not as it was written; writing it again", record.remote_id)
        record.digest = ""
        return False

    def _after_put(self, record: Record, instance: Instance, put: Put) -> float | None:
        answer = put.answer
        if answer.done:
            record.held_id = put.held_id if put.held_id != record.remote_id else ""
            record.present, record.digest, record.refused_digest = True, instance.digest, ""
            record.enforced, record.enforce_reason = None, ""
            self._ended(record, answer, DELIVERED)
            self._tell("put", record, answer, sha256=instance.digest)
            return None
        if answer.outcome is Outcome.REJECTED:
            record.refused_digest = instance.digest
            self._ended(record, answer, REJECTED)
            self._tell("rejected", record, answer, sha256=instance.digest)
            return self._options.retry.delay_s(answer, 1)
        if answer.outcome is Outcome.ABSENT:  # what it hangs on is not there; asked for again with the next listing
            record.sent = record.sent if answer.code else bool(record.present)
            record.refused_digest = instance.digest
            self._ended(record, answer, TYPE_MISSING)
            return None
        if answer.outcome is Outcome.UNKNOWN:
            record.present, record.suspect = None, True
        return self._failed(record, answer)

    async def _delete(self, record: Record) -> float | None:
        if record.present is False or not (record.sent or record.present):
            self.records.pop(record.remote_id, None)
            self._idle()
            return None
        record.state = DELETING
        answer = await self._peer.delete(record.policy_type_id, record.name)
        if answer.done:
            self._heard(answer)
            record.present, record.digest = False, ""
            record.latency_s, record.code, record.touched_s = answer.seconds, answer.code, self._steady()
            self._tell("deleted", record, answer)
            if record.remote_id not in self._wanted:
                self.records.pop(record.remote_id, None)
            else:
                record.sent, record.state, record.attempts = False, WAITING, 0
            return None
        if answer.outcome is Outcome.UNKNOWN:
            record.present = None
        return self._failed(record, answer)

    def _failed(self, record: Record, answer: Answer) -> float:
        record.attempts += 1
        deleting = record.state == DELETING
        self._ended(record, answer, DELETING if deleting else FAILING)
        metrics.A1_RETRIES.labels(answer.reason).inc()
        if answer.outcome is Outcome.REJECTED and deleting:
            self._tell("delete refused", record, answer)
        return self._options.retry.delay_s(answer, record.attempts)

    def _ended(self, record: Record, answer: Answer, state: str) -> None:
        self._heard(answer)
        record.state, record.code, record.reason, record.detail = state, answer.code, answer.reason, answer.detail
        record.latency_s, record.changed_s, record.touched_s = answer.seconds, self._clock(), self._steady()
        if state in (DELIVERED, REJECTED, TYPE_MISSING):
            record.attempts = 0

    def _heard(self, answer: Answer) -> None:
        self.circuit.end(answer)
        self.pace.heard(answer)
        if answer.reason == "unreachable" or self.circuit.open:
            self._away = True
        elif answer.code and self._away:
            self._away, self.back = False, True

    def _idle(self) -> None:
        """A turn in which the peer was not asked says nothing about it."""
        self.circuit.skip()

    def _tell(self, what: str, record: Record, answer: Answer, **more: Any) -> None:
        event = {
            "what": what,
            "policy_type_id": record.policy_type_id,
            "policy_id": record.policy_id,
            "remote_id": record.name,
            "policy_set_id": record.policy_set_id,
            "code": answer.code,
            "attempts": record.attempts + 1,
            "seconds": round(answer.seconds, 4),
        }
        if answer.detail:
            event["detail"] = clean(answer.detail, 200).text
        self._on_event(event | more)


def _digest(content: Any) -> str:
    """Of a policy's content, whatever the order of its keys; 20 and 20.0 are the same number."""
    return hashlib.sha256(canonical_json(_plain(content)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, float) and value - value != 0:  # infinite or no number: some peers write NaN
        return str(value)
    return value


async def _either(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
