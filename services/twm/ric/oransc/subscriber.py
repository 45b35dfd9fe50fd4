"""Keeps the wanted subscriptions alive: asks, waits for the callback, watches for silence, asks again, deletes at the end.

What the RIC holds for us is kept in a file, so that a process killed and started again takes its subscriptions over, and
deletes those that are not wanted any more.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twm.core import metrics
from twm.core.errors import ConflictError, InvalidInputError, TwmError, UnavailableError
from twm.core.stream_worker import pause
from twm.ric.oransc.book import Answer, Book, Subscription
from twm.ric.oransc.plan import Wanted
from twm.ric.oransc.submgr import ClientEndpoint, SubscriptionManager, parse_response, request_body

log = logging.getLogger(__name__)

TICK_S = 0.2
AT_ONCE = 8
DELETE_TRIES = 3
SHUTDOWN_S = 5.0
FINISH_S = 2.0
MAX_STRAYS = 65536
MAX_FILE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Waiting times."""

    silence_s: float | None = None
    """Silence after which a subscription is renewed; None: `silent_periods` report periods, 10 s at least."""
    silent_periods: float = 5.0
    settle_s: float = 6.0
    """Between a deletion and asking for the same again: the subscription manager cleans routes up for 5 s, and meanwhile would
    hand out the subscription that it is deleting."""
    check_s: float = 30.0
    """Between two looks at what the subscription manager holds; 0: never."""


class Subscriber:
    """One xApp's subscriptions."""

    def __init__(
        self,
        manager: SubscriptionManager,
        book: Book,
        endpoint: ClientEndpoint,
        file: Path | None,
        patience: Patience,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._manager, self._book, self._endpoint, self._file = manager, book, endpoint, file
        self._patience, self._now_s = patience, now_s
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._strays: dict[str, float] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._changed = True
        self.answering = True
        """Whether the subscription manager answered the last call."""

    def want(self, wanted: Iterable[Wanted]) -> None:
        """Make these the wanted ones."""
        self._discard(self._book.want(wanted, self._now_s()))

    def resume(self) -> None:
        """Take over what an earlier run left."""
        if self._file is None:
            return
        try:
            if self._file.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"more than {MAX_FILE_BYTES} bytes")
            saved = json.loads(self._file.read_text(encoding="utf-8"))
            items = [item for item in saved["subscriptions"] if isinstance(item, dict)]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s: not read (%s); subscriptions of an earlier run may remain", self._file, str(error)[:120])
            return
        strays = self._book.resume(items, self._now_s())
        self._discard(strays)
        log.info("%d subscriptions of an earlier run: %d to be deleted", len(items), len(strays))

    def on_response(self, body: Any) -> None:
        """A callback. Raises InvalidInputError for a body that is none. From the event loop's thread only."""
        for answer in parse_response(body):
            self._answered(answer)
        self._publish()

    def on_response_safely(self, body: Any) -> None:
        """As `on_response`; a body that is none is logged."""
        try:
            self.on_response(body)
        except InvalidInputError as error:
            self._event("callback_malformed")
            log.warning("subscription callback refused: %s", error)

    def node_back(self, ran_name: str) -> None:
        """A node has connected anew: the RIC has dropped what it had."""
        for entry in self._book.of_ran_name(ran_name):
            self._event("node_back")
            held = bool(entry.subscription_id)
            self._discard([entry.subscription_id] if held else [])
            self._book.restart(entry, self._now_s() + (self._patience.settle_s if held else 0.0))

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then deletes what the RIC holds for us, for SHUTDOWN_S at most."""
        next_check_s = self._now_s() + self._patience.check_s
        while not stop.is_set():
            now_s = self._now_s()
            for entry in self._book.unanswered(now_s):
                self._fail(entry, "no callback came", "callback_timeout")
            for entry in self._book.silent(now_s, self._patience.silence_s, self._patience.silent_periods):
                self._fail(entry, "subscribed, but no indications come", "renewed_silent")
            for entry in self._book.due(now_s):
                self._start(entry.wanted.key, lambda entry=entry: self._ask(entry))  # type: ignore[misc]
            for subscription_id, due_s in list(self._strays.items())[: 4 * AT_ONCE]:
                if due_s <= now_s:
                    self._start(f"delete {subscription_id}", lambda i=subscription_id: self._delete(i))  # type: ignore[misc]
            if self._patience.check_s and now_s >= next_check_s:
                next_check_s = now_s + self._patience.check_s
                self._start("check", self._check)
            self._publish()
            await pause(stop, TICK_S)
        await self._shut_down()

    def _answered(self, answer: Answer) -> None:
        entry = self._book.answered(answer, self._now_s())
        if entry is None:
            self._event("callback_unknown")
            log.warning("callback for subscription %s, which is none of ours", answer.subscription_id)
        elif answer.sub_id <= 0:
            self._fail(entry, f"the RIC refused it: {answer.error or 'no reason given'}", "refused")
        else:
            self._event("active")
            log.info("%s active: sub_id %d %s", entry.wanted.key, answer.sub_id, answer.error)

    async def _ask(self, entry: Subscription) -> None:
        self._book.asking(entry, self._now_s())
        body = request_body(entry.wanted, entry.event_id, self._endpoint)
        try:
            subscription_id, answers = await self._manager.subscribe(body)
        except UnavailableError as error:
            self.answering = error.reason.startswith("http_")
            self._fail(entry, str(error), error.reason)
            return
        except (InvalidInputError, ConflictError) as error:
            self.answering = True
            self._fail(entry, str(error), "rejected")
            return
        self.answering = True
        self._event("asked")
        if not self._book.posted(entry, subscription_id):
            self._discard([subscription_id])
            return
        for answer in answers:
            self._answered(answer)

    async def _delete(self, subscription_id: str) -> None:
        try:
            if await self._manager.unsubscribe(subscription_id):
                self._strays.pop(subscription_id, None)
                self._event("deleted")
                return
        except TwmError as error:
            log.warning("subscription %s not deleted: %s", subscription_id, error)
        if subscription_id in self._strays:
            self._strays[subscription_id] = self._now_s() + 5.0

    async def _check(self) -> None:
        """Ask again for what the subscription manager has forgotten (it was restarted without its database)."""
        before = {entry.wanted.key: entry.sub_id for entry in self._book.entries() if entry.sub_id}
        try:
            held = await self._manager.known()
        except TwmError:
            return
        if held is None:
            return
        for entry in self._book.entries():
            if entry.sub_id and before.get(entry.wanted.key) == entry.sub_id and entry.sub_id not in held:
                self._event("lost")
                log.warning("%s: the RIC does not know sub_id %d any more; asking again", entry.wanted.key, entry.sub_id)
                self._book.restart(entry, self._now_s())

    def _fail(self, entry: Subscription, why: str, event: str) -> None:
        """Delete what the RIC holds, let that settle, ask again after a growing wait."""
        self._event(event)
        held, now_s = entry.subscription_id, self._now_s()
        self._discard([held] if held else [])
        self._book.failed(entry, now_s)
        if held:
            entry.due_s = max(entry.due_s, now_s + self._patience.settle_s)
        wait_s = entry.due_s - now_s
        log.warning("subscription %s: %s; again in %.1f s (failure %d)", entry.wanted.key, why, wait_s, entry.failures)

    def _discard(self, subscription_ids: Sequence[str]) -> None:
        self._changed = True
        for subscription_id in subscription_ids:
            if len(self._strays) < MAX_STRAYS:
                self._strays.setdefault(subscription_id, self._now_s())

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if name in self._busy:
            return

        async def bounded() -> None:
            async with self._slots:
                await work()

        task = asyncio.create_task(bounded(), name=name)
        self._busy[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        self._busy.pop(name, None)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s failed", name, exc_info=task.exception())

    async def _shut_down(self) -> None:
        under_way = list(self._busy.values())
        if under_way:  # a POST given up half-way might leave a subscription that nobody knows
            _, late = await asyncio.wait(under_way, timeout=FINISH_S)
            for task in late:
                task.cancel()
        for entry in self._book.entries():
            self._discard([entry.subscription_id] if entry.subscription_id else [])
        self._book.want([], self._now_s())
        slots = asyncio.Semaphore(AT_ONCE)

        async def delete(subscription_id: str) -> None:
            async with slots:
                for _ in range(DELETE_TRIES):
                    await self._delete(subscription_id)
                    if subscription_id not in self._strays:
                        return

        try:
            async with asyncio.timeout(SHUTDOWN_S):
                await asyncio.gather(*(delete(i) for i in list(self._strays)))
        except TimeoutError:
            log.warning("%d subscriptions not deleted; the next run will", len(self._strays))
        self._publish()

    def _event(self, event: str) -> None:
        self._changed = True
        metrics.RIC_SUBSCRIPTION_EVENTS.labels(event).inc()

    def _publish(self) -> None:
        for state, count in self._book.counts().items():
            metrics.RIC_SUBSCRIPTIONS.labels(state.value).set(count)
        if self._file is None or not self._changed:
            return
        self._changed = False
        held = self._book.to_json() + [{"key": "", "subscription_id": i} for i in self._strays]
        text = json.dumps({"version": 1, "subscriptions": held}, sort_keys=True)
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_suffix(".new")
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self._file)
        except OSError as error:
            self._changed = True
            log.warning("%s: not written: %s", self._file, error.strerror)
