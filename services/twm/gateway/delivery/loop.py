"""The delivery of one area: follows the policy stream, keeps one peer as it says, and notes what came of it.

The stream is followed by a cursor of our own and not by a consumer group: what is wanted is a state, the newest entry that
says ENFORCE or WITHDRAW, so none need be handled for itself; and a group whose delivery is switched off would hold the stream
back until it is full. Cursor, entry, and what is known of each instance are kept in Redis; one process of an area delivers.

Nothing is wanted in shadow mode, while the kill switch is on, and after an entry's time to live. While nothing is wanted and
nothing of ours may be at the peer, no request is sent to it at all.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from twm.core import metrics
from twm.core.clock import Clock
from twm.core.errors import AuditError, DecodeError, TwmError, UnavailableError
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import KeyWrite, StreamNames, Streams
from twm.gateway.audit import Event
from twm.gateway.delivery import record as records
from twm.gateway.delivery.answers import EnforceStatus
from twm.gateway.delivery.callbacks import RIC, STATUS, CallbackUrls, callback_key
from twm.gateway.delivery.desired import Desired, Naming, desired_of
from twm.gateway.delivery.engine import VERIFY_BATCH, Engine
from twm.gateway.delivery.lease import Lease
from twm.gateway.delivery.peer import Outcome, Peer, PeerError
from twm.gateway.delivery.settings import DeliverySettings, peer_of
from twm.gateway.modes.state import MODE_KEY, ModeState
from twm.gateway.recorder import Composition, Recorder
from twm.gateway.step_search import before_millisecond, id_key

log = logging.getLogger(__name__)

CURSOR_KEY, RECORDS_KEY, STATE_KEY = "a1-cursor", "a1-records", "a1-state"
TICK_S = 0.2
PAGE = 64
SAVE_S = 1.0
LOOK_BACK_S = 86_400.0
"""Longest time to live of a policy: entries before that are over."""
MAX_UNWRITTEN = 4096
"""Audit items in hand; above, no more writes go out until they are written."""
ITEMS_A_RECORD = 128
ALL = 1_000_000
BACK_PAUSE_S = 2.0
"""Least time between comparisons because the peer is back."""
LIST_PATIENCE_S = 30.0
"""After so long without a listing, writes go out without one."""


@dataclass(frozen=True, kw_only=True)
class PeerState:
    """How it stands with the peer."""

    leader: bool = False
    open: bool = False
    problem: str = ""
    """What last went wrong, until it goes well."""
    circuit_open: bool = False
    reconciled_s: float = 0.0
    """When the peer was last compared [Unix s]; 0: never."""
    kept_alive_s: float = 0.0
    """When it last took a sign of life [Unix s]; 0: never, or it needs none."""
    written_s: float = 0.0


class Delivery:
    """Delivers one area's policies to one peer."""

    def __init__(
        self,
        settings: DeliverySettings,
        streams: Streams,
        names: StreamNames,
        recorder: Recorder,
        *,
        clock: Clock,
        instance: str,
        healthy: Callable[[], bool],
    ) -> None:
        """`healthy`: whether signs of life may be sent. Raises InvalidInputError where a certificate cannot be used."""
        self.settings = settings
        self._streams, self._names, self._recorder = streams, names, recorder
        self._clock, self._healthy = clock, healthy
        self._lease = Lease(streams, names, instance, clock.now_s, clock.monotonic_s)
        self._naming = Naming(settings.id_prefix, settings.area_id)
        self._urls = CallbackUrls("", b"")
        self._events: deque[dict[str, Any]] = deque()
        self._compare = asyncio.Event()
        self._engine: Engine | None = None
        self._forget()
        peer_of(settings)  # certificates are looked at when the process starts

    @property
    def engine(self) -> Engine | None:
        """The engine while this process delivers."""
        return self._engine

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        backoff = Backoff()
        while not stop.is_set():
            try:
                if await self._lease.hold():
                    await self._deliver(stop)
                    backoff.reset()
            except TwmError as error:
                log.warning("A1 delivery: %s", error)
                await backoff.wait(stop)
            except Exception:  # whatever it is, judging proposals goes on
                log.exception("A1 delivery: begins anew")
                await backoff.wait(stop)
            metrics.A1_LEADER.set(0)
            await pause(stop, 1.0)

    def take_status(self, remote_id: str, code: str, status: EnforceStatus) -> bool | None:
        """A callback's word on an instance. False: not from somebody who was told the URL; None: nothing known of it here."""
        if not self._urls.holds(STATUS, remote_id, code):
            return False
        if self._engine is None:
            return None
        return self._engine.note_status(remote_id, status) or None

    def take_ric(self, ric_id: str, code: str) -> bool:
        """A policy management service tells that a RIC is there again: compare at once."""
        if not self._urls.holds(RIC, ric_id, code):
            return False
        self._compare.set()
        return True

    async def ensure_urls(self) -> None:
        """Have the key of the callback URLs; any process of the area may be called back."""
        key = await callback_key(self._streams, self._names, self.settings.callback_key_file)
        self._urls = CallbackUrls(self.settings.callback_base, key)

    async def seen(self) -> tuple[PeerState, dict[str, records.Record]]:
        """How it stands, as the delivering process has noted it in Redis, whichever that is."""
        state, kept = await asyncio.gather(*(self._streams.get(self._names.key(k)) for k in (STATE_KEY, RECORDS_KEY)))
        try:
            found = PeerState(**json.loads(state)) if state else PeerState()
        except (ValueError, TypeError):
            found = PeerState()
        return found, records.decode(kept or b"")

    def _forget(self) -> None:
        """As before the first turn."""
        self._cursor, self._desired, self._void, self._fresh = "", Desired(), False, True
        self._mode: ModeState | None = None
        self._state = PeerState()
        self._saved_s = float("-inf")
        self._opened = self._compared = self._known = False

    async def _deliver(self, stop: asyncio.Event) -> None:
        """Deliver while the lease is held."""
        self._forget()
        await self.ensure_urls()
        await self._load()
        peer = peer_of(self.settings, self._urls.url(RIC, self.settings.service.ric_id or "ric"))
        engine = Engine(
            peer,
            self._naming,
            self.settings.engine,
            clock=self._clock.now_s,
            steady=self._clock.monotonic_s,
            may_write=lambda: self._lease.held and self._opened and self._compared and len(self._events) < MAX_UNWRITTEN,
            on_event=self._events.append,
            callback_url=lambda remote_id: self._urls.url(STATUS, remote_id),
        )
        engine.records = records.decode(await self._streams.get(self._names.key(RECORDS_KEY)) or b"")
        self._engine = engine
        over = asyncio.Event()
        working = asyncio.create_task(engine.run(over), name="A1 engine")
        minding = [asyncio.create_task(self._mind(peer, engine, over), name="A1 peer")]
        if peer.keep_alive_s:
            minding.append(asyncio.create_task(self._keep_alive(peer, engine, over), name="A1 keep-alive"))
        tasks = [working, *minding]
        metrics.A1_LEADER.set(1)
        log.info("A1 delivery: this process delivers to %s (%s)", self.settings.shown_url, self.settings.kind)
        try:
            while not stop.is_set() and await self._hold() and not any(task.done() for task in tasks):
                await self._guarded(self._tick(engine))
                await pause(stop, TICK_S)
        finally:
            over.set()
            for task in minding:
                task.cancel()
            await asyncio.wait((working,), timeout=self.settings.client.timeout_s + 1.0)
            working.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await self._guarded(self._save(engine, now=True))
            self._engine = None
            await peer.close()
            await self._lease.give_back()
        for result in results:
            if isinstance(result, Exception):
                raise TwmError(f"A1 delivery: {type(result).__name__}: {result}") from result

    async def _hold(self) -> bool:
        try:
            return await self._lease.hold()
        except UnavailableError:
            return self._lease.held

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Redis may be away: then things stay as they are until it is back."""
        try:
            await work
        except UnavailableError as error:
            log.warning("A1 delivery: %s", error)

    async def _tick(self, engine: Engine) -> None:
        moved = await self._follow()
        if await self._judge() or moved:
            engine.want({} if self._void else self._desired.instances)
        self._known = True
        if engine.expire():
            log.info("A1 delivery: the time to live of %s is over", self._desired.entry_id)
        await self._save(engine)

    async def _load(self) -> None:
        """Where the last process stopped; without that, everything that may still hold is read."""
        try:
            found = json.loads(await self._streams.get(self._names.key(CURSOR_KEY)) or b"{}")
            cursor, entry_id, self._void = str(found["cursor"]), str(found["entry"]), bool(found["void"])
            id_key(cursor)
        except (ValueError, KeyError, TypeError):
            cursor, entry_id = before_millisecond(int((self._clock.now_s() - LOOK_BACK_S) * 1000)), ""
        self._cursor = cursor
        if entry_id:
            milliseconds, sequence = id_key(entry_id)
            after = f"{milliseconds}-{sequence - 1}" if sequence else before_millisecond(milliseconds)
            entries = await self._streams.range(self._names.policies, after=after, count=1)
            if entries and entries[0].id == entry_id:
                self._desired = desired_of(entry_id, entries[0].payload, self._naming) or self._desired

    async def _follow(self) -> bool:
        """Read on in the policy stream; whether something else is wanted now."""
        newest: Desired | None = None
        cursor = self._cursor
        while entries := await self._streams.range(self._names.policies, after=cursor, count=PAGE):
            for entry in entries:
                try:
                    newest = desired_of(entry.id, entry.payload, self._naming) or newest
                except DecodeError as error:
                    metrics.A1_BODIES_REFUSED.labels("stream", error.reason).inc()
            cursor = entries[-1].id
            if len(entries) < PAGE:
                break
        if cursor == self._cursor:
            return False
        self._cursor = cursor
        if newest is not None:
            self._desired, self._void = newest, False
        await self._note_cursor()
        return newest is not None

    async def _judge(self) -> bool:
        """Whether what the entry asks for has become void, or may have: the mode says that nothing is to be in force."""
        fresh, self._fresh = self._fresh, False
        try:
            mode = ModeState.decode(await self._streams.get(self._names.key(MODE_KEY)) or b"")
        except AuditError as error:  # a damaged record lets nothing out
            log.error("A1 delivery: %s", error)
            mode = ModeState(stopped=True)
        self._mode = mode
        # At the start the mode may have changed while nobody looked; the next plan is not far.
        unseen = fresh and mode.version != self._desired.mode_version
        void = mode.stopped or mode.mode == "shadow" or unseen
        if void and not self._void and self._desired.entry_id:
            self._void = True
            await self._note_cursor()
            return True
        return fresh

    async def _note_cursor(self) -> None:
        value = json.dumps({"cursor": self._cursor, "entry": self._desired.entry_id, "void": self._void}).encode()
        await self._streams.write([], [KeyWrite(self._names.key(CURSOR_KEY), value)])

    async def _mind(self, peer: Peer, engine: Engine, over: asyncio.Event) -> None:
        """Open the peer while it matters, compare it from time to time, ask for statuses."""
        retry, attempts = self.settings.engine.retry, 0
        next_s = began_s = self._clock.monotonic_s()
        last_s = float("-inf")
        all_checked = False
        while not over.is_set():
            # Compared before it is known what is wanted, everything at the peer would look left over.
            if not self._known or not engine.concerns_peer:
                self._opened = self._compared = all_checked = False
                next_s = began_s = self._clock.monotonic_s()
                attempts = 0
                await pause(over, TICK_S)
                continue
            now_s = self._clock.monotonic_s()
            if engine.back and now_s - last_s > BACK_PAUSE_S:  # it may have been restarted, with or without what it held
                self._compare.set()
            if now_s >= next_s or self._compare.is_set():
                last_s, engine.back = now_s, False
                self._compare.clear()
                try:
                    if not self._opened:
                        await peer.open()
                        self._opened = True
                    found = await engine.reconcile(verify=VERIFY_BATCH if all_checked else ALL)
                    all_checked = self._compared = True
                    attempts, next_s = 0, now_s + self.settings.reconcile_s
                    self._state = replace(self._state, problem="", reconciled_s=self._clock.now_s())
                    if found.orphans or found.missing:
                        log.info(
                            "A1 delivery: %d orphans, %d missing at %s", found.orphans, found.missing, self.settings.shown_url
                        )
                except PeerError as error:
                    attempts += 1
                    busy = replace(error.answer, outcome=Outcome.BUSY)  # a listing is asked for again whatever the answer
                    next_s = now_s + min(retry.delay_s(busy, attempts), self.settings.reconcile_s)
                    self._state = replace(self._state, problem=str(error)[:300])
                    log.warning("A1 delivery: %s: %s", self.settings.shown_url, error)
                    if self._opened and now_s - began_s > LIST_PATIENCE_S:
                        self._compared = True
            elif self._compared:
                await engine.poll_statuses()
            await pause(over, TICK_S)

    async def _keep_alive(self, peer: Peer, engine: Engine, over: asyncio.Event) -> None:
        """Signs of life while this process is healthy, delivers, and is not stopped: the peer removes our policies without."""
        next_s = 0.0
        while not over.is_set():
            now_s = self._clock.monotonic_s()
            if self._opened and engine.concerns_peer and now_s >= next_s:
                next_s = now_s + peer.keep_alive_s / 4
                if not self._lease.held or not self._healthy() or self._mode is None or self._mode.stopped:
                    metrics.A1_KEEP_ALIVES.labels("withheld").inc()
                    next_s = now_s + min(1.0, peer.keep_alive_s / 8)
                elif not await self._sign_of_life(peer):
                    next_s = now_s + min(1.0, peer.keep_alive_s / 8)
            await pause(over, TICK_S)

    async def _sign_of_life(self, peer: Peer) -> bool:
        """Whether the peer was told; where it does not know us any more, we register again."""
        try:
            known = await peer.keep_alive()
        except PeerError as error:
            metrics.A1_KEEP_ALIVES.labels("failed").inc()
            log.warning("A1 delivery: keep-alive: %s", error)
            return False
        metrics.A1_KEEP_ALIVES.labels("taken" if known else "unknown").inc()
        if known:
            self._state = replace(self._state, kept_alive_s=self._clock.now_s())
        else:
            log.warning("A1 delivery: %s does not know this service any more; registering again", self.settings.shown_url)
            self._opened = False
            self._compare.set()
        return True

    async def _save(self, engine: Engine, *, now: bool = False) -> None:
        """Write the audit, and once a second what is known of each instance."""
        while self._events:
            items = [self._events[i] for i in range(min(len(self._events), ITEMS_A_RECORD))]
            payload = {"peer": self.settings.kind, "to": self.settings.shown_url, "items": items}

            async def compose(payload: dict[str, Any] = payload) -> Composition:
                return Composition(events=[Event("delivery", payload)])

            await self._recorder.perform(compose)
            for _ in items:
                self._events.popleft()
        clock_s = self._clock.monotonic_s()
        if not now and clock_s - self._saved_s < SAVE_S:
            return
        engine.publish()
        state = replace(
            self._state,
            leader=True,
            open=self._opened,
            circuit_open=engine.circuit.open,
            written_s=self._clock.now_s(),
        )
        keys = [KeyWrite(self._names.key(STATE_KEY), json.dumps(state.__dict__).encode())]
        if engine.dirty or now:
            engine.dirty = False
            keys.append(KeyWrite(self._names.key(RECORDS_KEY), records.encode(engine.records.values())))
        await self._streams.write([], keys)
        self._saved_s = clock_s
