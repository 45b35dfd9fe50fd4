"""The O-RAN SC side put together: messages of RMR to where they belong, inventory to subscriptions, health."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from twm.api.telemetry.v1 import telemetry_pb2
from twm.core import metrics
from twm.core.errors import TwmError, UnavailableError
from twm.core.probes import Health
from twm.core.stream_worker import pause
from twm.ric.forwarder import Forwarder
from twm.ric.nodes import Nodes
from twm.ric.oransc.a1 import A1Inbound
from twm.ric.oransc.book import Book
from twm.ric.oransc.discovery import Functions, functions_of
from twm.ric.oransc.plan import subscriptions
from twm.ric.oransc.subscriber import Subscriber
from twm.ric.rmr.messages import MessageType, RmrMessage, RmrTransport
from twm.ric.sdl.rnib import NodeRecord

log = logging.getLogger(__name__)

HEALTH_S = 1.0
DEAF_S = 60.0
"""After so long without a turn of the receiving thread the process ends, to be started anew."""

Inventory = Callable[[], Coroutine[Any, Any, list[NodeRecord]]]


class ControlAnswers(Protocol):
    """Takes RIC_CONTROL_ACK and RIC_CONTROL_FAILURE."""

    def answered(self, message: RmrMessage) -> None:
        """One of them, on the event loop's thread."""
        ...


class OranScAdapter:
    """Dispatches messages and keeps the subscriptions in step with the inventory.

    `functions`: RAN functions by RAN name, which it fills from the inventory for all who need them.
    """

    def __init__(
        self,
        nodes: Nodes,
        transport: RmrTransport,
        forwarder: Forwarder,
        book: Book,
        *,
        subscriber: Subscriber | None,
        a1: A1Inbound | None,
        control: ControlAnswers | None,
        functions: dict[str, Functions],
        inventory: Inventory | None,
        inventory_s: float,
        health: Health,
    ) -> None:
        self._nodes, self._transport, self._forwarder, self._book = nodes, transport, forwarder, book
        self._subscriber, self._a1, self._control = subscriber, a1, control
        self._inventory, self._inventory_s, self._health = inventory, inventory_s, health
        self._loop = asyncio.get_running_loop()
        self._connected: dict[str, bool] = {}
        self._problems: dict[str, str] = {}
        self._functions = functions

    def deliver(self, message: RmrMessage) -> None:
        """A message of RMR, on the transport's thread."""
        mtype = message.mtype
        if mtype == MessageType.RIC_INDICATION:
            metrics.RIC_MESSAGES.labels("RIC_INDICATION", "in", self._indication(message)).inc()
            return
        if mtype == MessageType.RIC_HEALTH_CHECK_REQ:
            good = self._health.ready and self._health.alive
            payload = b"OK\n" if good else b"ERROR [twm is not ready]\n"
            sent = self._transport.reply(message, MessageType.RIC_HEALTH_CHECK_RESP, payload)
            metrics.RIC_MESSAGES.labels("RIC_HEALTH_CHECK_REQ", "in", "answered" if sent else "not_answered").inc()
            return
        if mtype == MessageType.A1_POLICY_REQ and self._a1 is not None:
            self._loop.call_soon_threadsafe(self._a1.put, message)
            outcome = "taken"
        elif mtype in (MessageType.RIC_CONTROL_ACK, MessageType.RIC_CONTROL_FAILURE) and self._control is not None:
            self._loop.call_soon_threadsafe(self._control.answered, message)
            outcome = "taken"
        else:
            self._transport.release(message)
            outcome = "ignored"
        known = mtype in MessageType.__members__.values()
        metrics.RIC_MESSAGES.labels(MessageType(mtype).name if known else "other", "in", outcome).inc()

    def _indication(self, message: RmrMessage) -> str:
        wanted = self._book.indication(message.sub_id, time.monotonic())
        if wanted is not None:
            node_id, cell_id = wanted.node_id, wanted.cell_id
        else:  # of an earlier run, or of a RIC that renumbers: told apart only where the node has one cell
            found = self._nodes.of_ran_name(message.meid)
            if found is None or len(self._nodes.cells[found]) != 1:
                return "unknown_subscription"
            node_id, cell_id = found, self._nodes.cells[found][0].id
        report = telemetry_pb2.Report(node_id=node_id, cell_id=cell_id, e2ap_pdu=message.payload)
        report.received.GetCurrentTime()
        self._forwarder.put(report)
        return "forwarded" if wanted is not None else "forwarded_by_node"

    async def keep_subscribed(self, stop: asyncio.Event) -> None:
        """Look at the inventory, and want what it allows, until `stop`."""
        if self._subscriber is None:
            return
        if self._inventory is None:
            self._want()
            self._subscriber.resume()
            await stop.wait()
            return
        resumed = False
        while not stop.is_set():
            try:
                await self._look()
                self._want()
                if not resumed:
                    self._subscriber.resume()
                    resumed = True
            except TwmError as error:
                log.warning("inventory: %s; trying again", error)
            await pause(stop, self._inventory_s if resumed else min(self._inventory_s, 2.0))

    async def watch(self, set_ready: Callable[[bool], None], stop: asyncio.Event) -> None:
        """Ready while RMR receives.

        Neither a routing table nor a subscription manager is waited for: the platform routes to xApps that are ready, so that
        waiting for it here would be a deadlock of start orders.
        """
        deaf_since_s: float | None = None
        while not stop.is_set():
            good = self._transport.healthy()
            set_ready(good)
            now_s = time.monotonic()
            deaf_since_s = None if good else deaf_since_s or now_s
            if deaf_since_s is not None and now_s - deaf_since_s > DEAF_S:
                raise UnavailableError(f"RMR has received nothing, not even its own time-outs, for {DEAF_S:g} s")
            await pause(stop, HEALTH_S)

    async def _look(self) -> None:
        assert self._inventory is not None
        records = {record.ran_name: record for record in await self._inventory()}
        for ran_name in (name for node_id in self._nodes.node for name in self._nodes.ran_names(node_id)):
            record = records.get(ran_name)
            before, now = self._connected.get(ran_name), record is not None and record.connected
            if record is not None and record.functions:
                self._functions[ran_name] = functions_of(record.functions)
            if before is False and now and self._subscriber is not None:
                log.info("%s is connected again", ran_name)
                self._subscriber.node_back(ran_name)
            elif before is not now:
                log.info("%s is %s", ran_name, "connected" if now else "not connected" if record else "not in the inventory")
            self._connected[ran_name] = now
        connected = sum(self._connected.values())
        metrics.RIC_NODES.labels("connected").set(connected)
        metrics.RIC_NODES.labels("away").set(len(self._connected) - connected)

    def _want(self) -> None:
        assert self._subscriber is not None
        wanted, problems = subscriptions(self._nodes, self._functions)
        if problems != self._problems:
            self._problems = problems
            for ran_name, why in problems.items():
                log.error("%s is not subscribed to: %s", ran_name, why)
        if self._inventory is not None:
            # A node that went away keeps its subscription wanted: the RIC drops it, and it is asked for again on return.
            wanted = [e for e in wanted if self._connected.get(e.ran_name) or self._book.of_ran_name(e.ran_name)]
        self._subscriber.want(wanted)
