"""E2 control of slice quotas: the newest policy that says ENFORCE is what nodes are to have, WITHDRAW or its end takes it away.

The policy stream is followed by a cursor of our own: what is wanted is a state, and a consumer group that is switched off would
hold the stream's bound for ever. Nothing but ENFORCE and WITHDRAW is acted on; a shadow or advised policy is never sent.
A policy ends by itself when nothing renews it within its time (a dead-man's switch of the planner's side), also over a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.policy.v1 import policy_pb2
from twm.core import metrics
from twm.core.errors import DecodeError, InvalidInputError, UnavailableError
from twm.core.stream_worker import Backoff, pause
from twm.core.streams import Entry, StreamNames, Streams
from twm.core.text import shown
from twm.ric.control.e2ap import decode_control_outcome, encode_control_request
from twm.ric.control.requests import ControlRequest, Model, by_node, neutral, requests
from twm.ric.control.state import Applied, AppliedFile
from twm.ric.e2sm import CellQuotas, cell_quotas
from twm.ric.nodes import Nodes
from twm.ric.oransc.discovery import Functions
from twm.ric.rmr.messages import MessageType, RmrMessage, RmrTransport

log = logging.getLogger(__name__)

POLL_S = 0.5
LAST_READ = 256
RETRY_FIRST_S, RETRY_MOST_S = 2.0, 60.0
FIRST_INSTANCE, LAST_INSTANCE = 64536, 65535
"""Instance ids of our requests. E2 termination routes an answer by this number, as indications by that of a subscription, and
subscriptions are numbered from 1: from the other end, no answer goes astray. Each is used again only once it is free."""
_DEFAULT_FUNCTION = {"rc": 3, "ccc": 4}


@dataclass(slots=True)
class _Try:
    """How a node stands to what it is to have."""

    failures: int = 0
    due_s: float = 0.0


class E2Controller:
    """Brings E2 nodes to the quotas of the policy stream."""

    def __init__(
        self,
        nodes: Nodes,
        transport: RmrTransport,
        model: Model,
        functions: Callable[[str], Functions],
        *,
        requestor_id: int,
        ack_s: float,
        file: AppliedFile,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._nodes, self._transport, self._model, self._functions = nodes, transport, model, functions
        self._requestor_id, self._ack_s, self._file, self._now_s = requestor_id, ack_s, file, now_s
        self._given = file.read()
        self._wanted: Applied = {}
        self._tries: dict[str, _Try] = {}
        self._free = deque(range(FIRST_INSTANCE, LAST_INSTANCE + 1))
        self._waiting: dict[int, asyncio.Future[str]] = {}
        self._cursor = ""
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._version = 0
        """Counts changes of what is wanted: requests for an older one stop where they are."""

    def answered(self, message: RmrMessage) -> None:
        """RIC_CONTROL_ACK or RIC_CONTROL_FAILURE, on the event loop's thread."""
        try:
            outcome = decode_control_outcome(message.payload)
        except DecodeError as error:
            log.warning("control outcome of %s: %s", shown(message.meid, 40), error)
            self._count("malformed_answer")
            return
        waiting = self._waiting.get(outcome.instance_id) if outcome.requestor_id == self._requestor_id else None
        if waiting is None or waiting.done():
            self._count("unknown_answer")
            return
        waiting.set_result("" if outcome.acknowledged else outcome.cause or "no cause given")

    async def run(self, connect: Callable[[], Awaitable[Streams]], stop: asyncio.Event) -> None:
        """Follow the policies of the area until `stop`. What nodes have then, they keep: the next run takes over.

        Policies end in time also while Redis is away.
        """
        stream = StreamNames.of(self._nodes.spec.area_id).policies
        streams: Streams | None = None
        backoff = Backoff()
        try:
            while not stop.is_set():
                try:
                    streams = streams or await connect()
                    await self._read(streams, stream)
                    backoff.reset()
                except UnavailableError as error:
                    log.warning("policies: %s; trying again", error)
                    await backoff.wait(stop)
                self._expire()
                self._bring_about()
                await pause(stop, POLL_S)
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            if streams is not None:
                await streams.close()

    def take(self, entry: Entry) -> None:
        """One entry of the policy stream."""
        self._cursor = entry.id
        try:
            policy = policy_pb2.SlicePolicy.FromString(entry.payload)
        except ProtobufDecodeError:
            log.error("policy entry %s is malformed", entry.id)
            return
        if policy.enforcement == policy_pb2.ENFORCEMENT_WITHDRAW:
            self._want({}, 0.0)
            log.info("policy %s withdrawn", policy.policy_set_id[:80])
            return
        if policy.enforcement != policy_pb2.ENFORCEMENT_ENFORCE:
            return
        until_s = int(entry.id.partition("-")[0]) / 1000.0 + policy.ttl_s
        if until_s <= self._now_s():
            return
        try:
            wanted = by_node(self._nodes, cell_quotas(policy))
        except InvalidInputError as error:
            log.error("policy %s is not sent: %s", policy.policy_set_id[:80], error)
            self._count("refused_policy")
            return
        self._want(wanted, until_s)

    def _want(self, wanted: Applied, until_s: float) -> None:
        self._wanted, self._given.until_s, self._tries = wanted, until_s, {}
        self._version += 1

    async def _read(self, streams: Streams, stream: str) -> None:
        if not self._cursor:
            entries = await streams.last(stream, LAST_READ)
            for entry in entries:
                self.take(entry)
            self._cursor = self._cursor or "0"
            return
        while entries := await streams.range(stream, after=self._cursor, count=LAST_READ):
            for entry in entries:
                self.take(entry)

    def _expire(self) -> None:
        if self._wanted and self._now_s() >= self._given.until_s:
            log.warning("the policy in force has not been renewed in time: nodes go back to no quotas")
            self._want({}, 0.0)

    def _bring_about(self) -> None:
        """Set to work on every node that has not what it is to have, without waiting: a withdrawal must not wait either."""
        now_s = self._now_s()
        given = self._given
        for node_id in {*self._wanted, *given.applied, *given.sent}:
            target = self._wanted.get(node_id)
            if target is None:
                if not self._wanted and now_s < given.until_s:
                    continue  # given by an earlier run, neither withdrawn nor over
                target = neutral(given.sent.get(node_id) or given.applied[node_id])
            elif target == given.applied.get(node_id) and node_id not in given.sent:
                continue
            if node_id in self._busy or self._tries.setdefault(node_id, _Try()).due_s > now_s:
                continue
            task = asyncio.create_task(self._give(node_id, target, relieved=node_id not in self._wanted))
            self._busy[node_id] = task
            task.add_done_callback(lambda done, node_id=node_id: self._done(node_id, done))  # type: ignore[misc]

    def _done(self, node_id: str, task: asyncio.Task[None]) -> None:
        del self._busy[node_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("E2 control of %s failed", node_id, exc_info=task.exception())
            self._tries.setdefault(node_id, _Try()).due_s = self._now_s() + RETRY_MOST_S

    async def _give(self, node_id: str, target: tuple[CellQuotas, ...], *, relieved: bool) -> None:
        given, version = self._given, self._version
        running = {entry.cell: entry.quotas for entry in given.applied.get(node_id, ())}
        attempt = self._tries.setdefault(node_id, _Try())
        try:
            asked = requests(self._nodes, node_id, self._model, target, running)
        except InvalidInputError as error:
            log.error("%s: %s", node_id, error)
            self._count("not_expressible")
            attempt.due_s = self._now_s() + RETRY_MOST_S
            return
        given.sent[node_id] = target  # noted before it goes out: whatever becomes of us or of the answer, the node may have it
        self._file.write(given)
        for request in asked:
            if version != self._version:
                return
            problem = await self._ask(node_id, request)
            if problem:
                attempt.failures += 1
                wait_s = min(RETRY_FIRST_S * 2 ** min(attempt.failures - 1, 10), RETRY_MOST_S)
                attempt.due_s = self._now_s() + wait_s
                log.warning("E2 control of %s: %s; again in %.0f s", node_id, problem, wait_s)
                return
        given.sent.pop(node_id, None)
        if relieved:
            given.applied.pop(node_id, None)
        else:
            given.applied[node_id] = target
        attempt.failures = 0
        self._file.write(given)
        log.info("%s: %s", node_id, "no quotas any more" if relieved else f"quotas of {len(target)} cells")

    async def _ask(self, node_id: str, request: ControlRequest) -> str:
        """What went wrong; empty: acknowledged."""
        functions, link = self._functions(node_id), self._nodes.link[node_id].control
        function_id = link.function_id
        if function_id is None:
            function_id = functions.rc if self._model == "rc" else functions.ccc
        if function_id is None:
            function_id = _DEFAULT_FUNCTION[self._model]
        if not self._free:
            return f"{LAST_INSTANCE - FIRST_INSTANCE + 1} requests are under way"
        instance = self._free.popleft()
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting[instance] = answer
        try:
            pdu = encode_control_request(self._requestor_id, instance, function_id, request.header, request.message)
            message = RmrMessage(MessageType.RIC_CONTROL_REQ, pdu, meid=self._nodes.ran_name(node_id))
            if not await asyncio.to_thread(self._transport.send, message):
                self._count("not_sent")
                return "no route to it"
            self._count("sent")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._ack_s):
                    cause = await answer
                    self._count("failed" if cause else "acknowledged")
                    return f"refused: {cause}" if cause else ""
            self._count("timeout")
            return f"no answer within {self._ack_s:g} s"
        finally:
            del self._waiting[instance]
            self._free.append(instance)

    def _count(self, outcome: str) -> None:
        metrics.RIC_CONTROLS.labels(self._model, outcome).inc()
