"""The subscriptions of this xApp and where each of them stands. Pure: no clock, no socket of its own.

idle --POST--> asked --callback with an E2 instance--> active --silence, loss or shutdown--> idle
What fails goes back to idle with a growing wait. Event instance ids (16 bits on the wire) are taken from a pool and given back,
so that they never wrap however often nodes come and go.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from twm.core.errors import InvalidInputError
from twm.ric.oransc.plan import Wanted

MAX_EVENT_ID = 65535
RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
SILENCE_MOST_S = 300.0


class State(StrEnum):
    """Where a subscription stands."""

    IDLE = "idle"
    ASKED = "asked"
    ACTIVE = "active"


@dataclass(slots=True)
class Subscription:
    """One wanted subscription."""

    wanted: Wanted
    event_id: int
    """XappEventInstanceId: ours, 1..65535, of no other subscription."""
    state: State = State.IDLE
    due_s: float = 0.0
    """Idle: when to ask. Asked: when to give up waiting for the callback."""
    subscription_id: str = ""
    """The subscription manager's id, a text; empty: none is known."""
    sub_id: int = 0
    """E2 event instance id, the RMR sub_id of the indications; 0: none."""
    last_s: float = 0.0
    """When the last indication came, or it became active."""
    failures: int = 0
    """Failures since the last indication."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One instance of a callback of the subscription manager."""

    subscription_id: str
    event_id: int
    sub_id: int
    error: str


class IdPool:
    """Whole numbers 1..limit; the lowest free one first."""

    def __init__(self, limit: int) -> None:
        self._limit, self._next, self._free = limit, 1, list[int]()

    def take(self) -> int:
        """A number nobody has. Raises InvalidInputError where all are taken."""
        if self._free:
            return heapq.heappop(self._free)
        if self._next > self._limit:
            raise InvalidInputError(f"subscriptions: more than {self._limit} at a time")
        self._next += 1
        return self._next - 1

    def give_back(self, number: int) -> None:
        """It is free again."""
        heapq.heappush(self._free, number)


@dataclass
class Book:
    """All subscriptions. `indication` and `owner` may be called from another thread; everything else from one."""

    callback_s: float = 30.0
    """How long a callback may take."""
    retry_s: float = RETRY_FIRST_S
    """Wait after the first failure; each further one doubles it, up to RETRY_MOST_S."""
    _entries: dict[str, Subscription] = field(default_factory=dict)
    _by_event: dict[int, Subscription] = field(default_factory=dict)
    _by_sub: dict[int, Subscription] = field(default_factory=dict)
    _ids: IdPool = field(default_factory=lambda: IdPool(MAX_EVENT_ID))

    def want(self, wanted: Iterable[Wanted], now_s: float) -> list[str]:
        """Make these the wanted ones. Returns ids of the subscription manager that are to be deleted."""
        strays: list[str] = []
        new = {entry.key: entry for entry in wanted}
        for key, held in list(self._entries.items()):
            if key not in new or new[key].digest != held.wanted.digest:
                strays += [held.subscription_id] if held.subscription_id else []
                self._forget(held)
        for key, entry in new.items():
            if key not in self._entries:
                held = Subscription(entry, self._ids.take(), due_s=now_s)
                self._entries[key] = self._by_event[held.event_id] = held
        return strays

    def due(self, now_s: float) -> list[Subscription]:
        """Idle ones whose time to ask has come."""
        return [entry for entry in self._entries.values() if entry.state is State.IDLE and entry.due_s <= now_s]

    def unanswered(self, now_s: float) -> list[Subscription]:
        """Asked ones whose callback has not come in time."""
        return [entry for entry in self._entries.values() if entry.state is State.ASKED and entry.due_s <= now_s]

    def silent(self, now_s: float, silence_s: float | None, period_factor: float) -> list[Subscription]:
        """Active ones without an indication for `silence_s`, or for `period_factor` report periods (10 s at least).

        Each renewal in vain doubles that, up to SILENCE_MOST_S: a cell without UEs may have nothing to report.
        """
        found = []
        for entry in self._entries.values():
            bound_s = silence_s or max(period_factor * entry.wanted.period_s, 10.0)
            bound_s = max(bound_s, min(bound_s * 2.0 ** min(entry.failures, 10), SILENCE_MOST_S))
            if entry.state is State.ACTIVE and now_s - entry.last_s > bound_s:
                found.append(entry)
        return found

    def asking(self, entry: Subscription, now_s: float) -> None:
        """A POST is on its way: a callback may overtake its answer."""
        entry.state, entry.due_s = State.ASKED, now_s + self.callback_s

    def posted(self, entry: Subscription, subscription_id: str) -> bool:
        """The POST was answered with an id. False where the entry does not wait for it any more: the id is a stray."""
        if self._by_event.get(entry.event_id) is not entry or entry.state is State.IDLE:
            return False
        entry.subscription_id = subscription_id
        return True

    def failed(self, entry: Subscription, now_s: float) -> float:
        """It did not come about, or is over: idle, asked again after the wait returned."""
        self._unmap(entry)
        entry.state, entry.subscription_id = State.IDLE, ""
        entry.failures += 1
        wait_s: float = min(self.retry_s * 2.0 ** min(entry.failures - 1, 10), RETRY_MOST_S) * random.uniform(0.75, 1.25)
        entry.due_s = now_s + wait_s
        return wait_s

    def restart(self, entry: Subscription, now_s: float) -> None:
        """Ask again at `now_s` or later, without counting a failure."""
        self._unmap(entry)
        entry.state, entry.subscription_id, entry.due_s = State.IDLE, "", now_s

    def answered(self, answer: Answer, now_s: float) -> Subscription | None:
        """A callback: the subscription it made active or, with sub_id 0, refused; None where it is none of ours."""
        entry = self._by_event.get(answer.event_id)
        if entry is None or entry.subscription_id not in ("", answer.subscription_id):
            entry = next((e for e in self._entries.values() if e.subscription_id == answer.subscription_id), None)
        if entry is None or entry.state is State.IDLE:
            return None
        if answer.sub_id <= 0:
            return entry
        other = self._by_sub.get(answer.sub_id)
        if other is not None and other is not entry:
            self.restart(other, now_s)  # the RIC gave the number to another: the earlier one is gone
        self._unmap(entry)
        entry.state, entry.subscription_id, entry.sub_id = State.ACTIVE, answer.subscription_id, answer.sub_id
        entry.last_s = now_s
        self._by_sub[answer.sub_id] = entry
        return entry

    def indication(self, sub_id: int, now_s: float) -> Wanted | None:
        """What an indication is about; None where the subscription id is not ours."""
        entry = self._by_sub.get(sub_id)
        if entry is None:
            return None
        entry.last_s, entry.failures = now_s, 0
        return entry.wanted

    def entries(self) -> Sequence[Subscription]:
        """All of them."""
        return tuple(self._entries.values())

    def of_ran_name(self, ran_name: str) -> list[Subscription]:
        """Those of one E2 node, by the RIC's name of it."""
        return [entry for entry in self._entries.values() if entry.wanted.ran_name == ran_name]

    def counts(self) -> dict[State, int]:
        """How many there are in each state."""
        out = dict.fromkeys(State, 0)
        for entry in self._entries.values():
            out[entry.state] += 1
        return out

    # --- over a restart

    def to_json(self) -> list[dict[str, Any]]:
        """What the RIC holds for us."""
        return [
            {"key": e.wanted.key, "digest": e.wanted.digest, "subscription_id": e.subscription_id, "sub_id": e.sub_id}
            for e in self._entries.values()
            if e.subscription_id
        ]

    def resume(self, saved: Iterable[Mapping[str, Any]], now_s: float) -> list[str]:
        """Take over what an earlier run left, where it is still wanted as it was. Returns ids that are to be deleted."""
        strays = []
        for item in saved:
            entry = self._entries.get(str(item.get("key")))
            subscription_id, sub_id = str(item.get("subscription_id") or ""), item.get("sub_id")
            fits = (
                entry is not None
                and entry.state is State.IDLE
                and entry.wanted.digest == item.get("digest")
                and isinstance(sub_id, int)
                and sub_id > 0
                and sub_id not in self._by_sub
            )
            if fits and entry is not None and isinstance(sub_id, int):
                entry.state, entry.subscription_id, entry.sub_id, entry.last_s = State.ACTIVE, subscription_id, sub_id, now_s
                self._by_sub[sub_id] = entry
            elif subscription_id:
                strays.append(subscription_id)
        return strays

    def _forget(self, entry: Subscription) -> None:
        self._unmap(entry)
        entry.state = State.IDLE
        del self._entries[entry.wanted.key]
        del self._by_event[entry.event_id]
        self._ids.give_back(entry.event_id)

    def _unmap(self, entry: Subscription) -> None:
        if self._by_sub.get(entry.sub_id) is entry:
            del self._by_sub[entry.sub_id]
        entry.sub_id = 0
