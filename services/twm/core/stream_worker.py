"""The loop of a stream consumer: effects are exactly-once although entries are delivered at least once.

Order of work: what this consumer left behind (after a restart), new entries, and every `stale_ms` what dead consumers hold.
Each entry is handled alone and in order; its effect and its acknowledgement are one write. What can go wrong:

- the handler raises InvalidInputError: the entry is a dead letter at once;
- it raises anything else, or takes longer than `handle_timeout_s`: tried again, a dead letter after MAX_DELIVERIES;
- it raises UnavailableError, or Redis is away: nobody's fault but the outage's, so tried again, without count, until it passes;
- the process dies: the entry stays pending, its delivery count grows, and one that kills every consumer ends as a dead letter;
- the effect is refused because a guarded key moved: `on_refused` runs (reload state there) and the handler is asked again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from twm.core import metrics, tracing
from twm.core.errors import InvalidInputError, TwmError, UnavailableError
from twm.core.streams import SPAN_FIELD, Entry, KeyWrite, Output, Streams

log = logging.getLogger(__name__)

MAX_DELIVERIES = 3
BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
LAG_PERIOD_S = 2.0
FORGET_CONSUMERS_IDLE_MS = 3_600_000


@dataclass(frozen=True)
class Effect:
    """What handling an entry does to the world: entries to write and keys to set, with the acknowledgement, all or none."""

    outputs: Sequence[Output] = ()
    keys: Sequence[KeyWrite] = ()


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond `stop`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class Backoff:
    """Growing, jittered waits: 0.1 s, 0.2 s ... 2 s."""

    def __init__(self) -> None:
        self._next_s = BACKOFF_FIRST_S

    def reset(self) -> None:
        """Start over after a success."""
        self._next_s = BACKOFF_FIRST_S

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait once, not beyond `stop`."""
        delay_s, self._next_s = self._next_s, min(2 * self._next_s, BACKOFF_MOST_S)
        await pause(stop, delay_s * random.uniform(0.75, 1.25))


class StreamWorker:
    """One consumer of one stream and group."""

    def __init__(
        self,
        streams: Streams,
        stream: str,
        group: str,
        consumer: str,
        handle: Callable[[Entry], Awaitable[Effect]],
        *,
        batch: int = 16,
        block_ms: int = 500,
        stale_ms: int = 5000,
        handle_timeout_s: float = 60.0,
        on_refused: Callable[[Entry], Awaitable[None]] | None = None,
    ) -> None:
        self._streams = streams
        self._stream = stream
        self._group = group
        self._consumer = consumer
        self._handle = handle
        self._batch = batch
        self._block_ms = block_ms
        self._stale_ms = stale_ms
        self._handle_timeout_s = handle_timeout_s
        self._on_refused = on_refused
        self._held: deque[Entry] = deque()
        self._kind = stream.rpartition(":")[2]

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; entries in hand are finished or left pending."""
        backoff = Backoff()
        background = asyncio.create_task(self._keep_alive(stop), name=f"{self._kind} keep-alive")
        try:
            while not stop.is_set():
                try:
                    await self._streams.ensure_group(self._stream, self._group)
                    await self._finish_own(stop)
                    await self._consume(stop, backoff)
                except UnavailableError as error:
                    log.warning("stream %s: %s; trying again", self._kind, error)
                    await backoff.wait(stop)
        finally:
            background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await background

    async def _consume(self, stop: asyncio.Event, backoff: Backoff) -> None:
        next_take_over = time.monotonic() + self._stale_ms / 1000.0
        while not stop.is_set():
            entries = await self._streams.read(
                self._stream, self._group, self._consumer, count=self._batch, block_ms=self._block_ms
            )
            backoff.reset()
            await self._process(entries, stop)
            if time.monotonic() >= next_take_over:
                await self._take_over(stop)
                next_take_over = time.monotonic() + self._stale_ms / 1000.0

    async def _finish_own(self, stop: asyncio.Event) -> None:
        # One at a time: an entry that kills the process must not raise the delivery counts of those behind it.
        while not stop.is_set():
            entries = await self._streams.pending(self._stream, self._group, self._consumer, count=1)
            if not entries:
                return
            await self._process(entries, stop)

    async def _take_over(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            entries = await self._streams.claim_stale(
                self._stream, self._group, self._consumer, min_idle_ms=self._stale_ms, count=1
            )
            if not entries:
                return
            metrics.STREAM_TAKEOVERS.labels(self._kind).inc(len(entries))
            log.info("stream %s: took over %s (delivery %d)", self._kind, entries[0].id, entries[0].delivery_count)
            await self._process(entries, stop)

    async def _process(self, entries: Sequence[Entry], stop: asyncio.Event) -> None:
        self._held.extend(entries)
        try:
            while self._held and not stop.is_set():
                await self._finish(self._held[0], stop)
                self._held.popleft()
        finally:
            self._held.clear()

    async def _finish(self, entry: Entry, stop: asyncio.Event) -> None:
        """Handle one entry until its effect is written, it is a dead letter, another consumer did it, or `stop`."""
        backoff = Backoff()
        delivery = entry.delivery_count
        failure: Exception | None = None
        effect: Effect | None = None
        if delivery > MAX_DELIVERIES:
            failure = TwmError(f"not finished in {MAX_DELIVERIES} deliveries", reason="deliveries_exhausted")
        while True:
            try:
                if failure is not None:
                    if await self._give_up(entry, delivery, failure):
                        return
                    delivery += 1
                    await self._streams.touch(self._stream, self._group, self._consumer, [entry.id], delivery_count=delivery)
                    failure = None
                if effect is None:
                    with tracing.span(
                        f"{self._group} {self._kind}",
                        kind="CONSUMER",
                        trace_id=entry.trace_id,
                        parent=entry.extra.get(SPAN_FIELD, b"").decode("ascii", "replace"),
                        attributes={"messaging.system": "redis", "messaging.message.id": entry.id},
                    ):
                        async with asyncio.timeout(self._handle_timeout_s):
                            effect = await self._handle(entry)
                done = await self._streams.write_and_ack(self._stream, self._group, [entry.id], effect.outputs, effect.keys)
                if done or not await self._streams.is_pending(self._stream, self._group, entry.id):
                    return
                effect = None
                if self._on_refused is not None:
                    await self._on_refused(entry)
            except UnavailableError as error:
                log.warning("stream %s: %s waits: %s", self._kind, entry.id, error)
            except Exception as error:
                effect, failure = None, error
                log.warning(
                    "stream %s: %s failed (delivery %d): %s", self._kind, entry.id, delivery, error,
                    exc_info=None if isinstance(error, TwmError) else error,
                )  # fmt: skip
                if isinstance(error, InvalidInputError) or delivery >= MAX_DELIVERIES:
                    continue
            await backoff.wait(stop)
            if stop.is_set():
                return

    async def _give_up(self, entry: Entry, delivery: int, failure: Exception) -> bool:
        """Whether the entry's time is over; then it is a dead letter."""
        if not isinstance(failure, InvalidInputError) and delivery < MAX_DELIVERIES:
            return False
        reason = failure.reason if isinstance(failure, TwmError) else type(failure).__name__
        if await self._streams.dead_letter(entry, self._group, f"{reason}: {failure}"):
            metrics.DEAD_LETTERS.labels(self._kind, reason).inc()
        return True

    async def _keep_alive(self, stop: asyncio.Event) -> None:
        """Show that held entries are in work, publish the lag, and forget consumers that are gone for good."""
        touch_s = self._stale_ms / 3000.0
        next_lag = next_forget = 0.0
        while not stop.is_set():
            await pause(stop, min(touch_s, LAG_PERIOD_S))
            try:
                held = [entry.id for entry in self._held]
                if held:
                    await self._streams.touch(self._stream, self._group, self._consumer, held)
                now = time.monotonic()
                if now >= next_lag:
                    await self._streams.lag(self._stream, self._group)
                    next_lag = now + LAG_PERIOD_S
                if now >= next_forget:
                    await self._streams.forget_consumers(self._stream, self._group, idle_ms=FORGET_CONSUMERS_IDLE_MS)
                    next_forget = now + FORGET_CONSUMERS_IDLE_MS / 1000.0
            except TwmError as error:
                log.debug("stream %s: keep-alive: %s", self._kind, error)
