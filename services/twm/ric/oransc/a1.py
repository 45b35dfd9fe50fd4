"""A1 policies of an SMO, as the A1 mediator hands them to xApps over RMR, put before the gateway.

20010 request -> gateway (PutSlaPolicy, DeleteSlaPolicy) -> 20011 answer to the sender. After start, and whenever the gateway
was away, 20012 asks the mediator for what it holds, and what it holds no more is deleted at the gateway. A policy whose
enforcement changes later is reported by another 20011. Mediators differ: every field may be text or number, the policy itself
JSON text or an object. Answers have a numeric policy_type_id and an instance id as it came (ric-plt-a1 pkg/rmr).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from twm.api.operations.v1 import operations_pb2, operations_pb2_grpc
from twm.core import metrics
from twm.core.errors import InvalidInputError
from twm.core.stream_worker import pause
from twm.core.text import shown
from twm.ric.oransc.a1_record import A1Record, Key
from twm.ric.rmr.messages import MessageType, RmrMessage, RmrTransport

log = logging.getLogger(__name__)

QUEUE = 256
DEADLINE_S = 10.0
QUERY_S = 60.0
QUERY_FIRST_S = 2.0
SETTLE_S = 10.0
"""From a query to the judgement of what was not announced."""
STATUS_S = 30.0
SOURCE = "a1-rmr"
MAX_POLICY_BYTES = 262144
_OPERATIONS = ("CREATE", "UPDATE", "DELETE")
_ENFORCED = operations_pb2.SLA_ENFORCE_STATUS_ENFORCED


@dataclass(frozen=True, slots=True)
class PolicyRequest:
    """One A1 policy request."""

    operation: str
    policy_type_id: int
    policy_id: str
    payload_json: str


def parse_request(payload: bytes) -> PolicyRequest:
    """Read a 20010 message. Raises InvalidInputError naming the field."""
    try:
        data = json.loads(payload.rstrip(b"\0"))  # C senders count their terminator
        if isinstance(data, str):  # some senders encode twice
            data = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"A1 request: not JSON: {shown(repr(payload[:60]))}") from error
    if not isinstance(data, dict):
        raise InvalidInputError("A1 request: not an object")
    operation = str(data.get("operation", "")).strip().upper()
    if operation not in _OPERATIONS:
        raise InvalidInputError(f"operation: {shown(operation, 40)} is none of {', '.join(_OPERATIONS)}")
    policy_id = data.get("policy_instance_id", data.get("policy_id"))
    if isinstance(policy_id, bool) or not isinstance(policy_id, str | int) or not 0 < len(str(policy_id)) <= 256:
        raise InvalidInputError(f"policy_instance_id: {shown(repr(policy_id), 60)} is not a text of 1..256 characters")
    content = data.get("payload")
    if operation == "DELETE":
        content = "{}"
    elif isinstance(content, dict):
        content = json.dumps(content, separators=(",", ":"))
    if not isinstance(content, str) or not 2 <= len(content.encode()) <= MAX_POLICY_BYTES:
        raise InvalidInputError(f"payload: expected JSON text or an object, 2..{MAX_POLICY_BYTES} bytes")
    return PolicyRequest(operation, _type_number(data.get("policy_type_id")), str(policy_id), content)


def answer(request: PolicyRequest, handler_id: str, status: str) -> bytes:
    """A 20011 message: status OK, ERROR or DELETED."""
    return json.dumps(
        {
            "policy_type_id": request.policy_type_id,
            "policy_instance_id": request.policy_id,
            "handler_id": handler_id,
            "status": status,
        }
    ).encode()


def query(policy_type_id: int) -> bytes:
    """A 20012 message."""
    return json.dumps({"policy_type_id": policy_type_id}).encode()


class A1Inbound:
    """Takes requests from the transport's thread, works on them in order, answers their sender."""

    def __init__(
        self,
        transport: RmrTransport,
        channel: grpc.aio.Channel,
        *,
        area_id: str,
        types: Sequence[int],
        handler_id: str,
        token_file: Path | None,
    ) -> None:
        self._transport, self._area_id, self._types, self._handler_id = transport, area_id, tuple(types), handler_id
        self._stub = operations_pb2_grpc.OperationsServiceStub(channel)  # type: ignore[no-untyped-call]
        self._token_file = token_file
        self._queue: asyncio.Queue[RmrMessage] = asyncio.Queue(QUEUE)
        self._ask_again = True
        self._record = A1Record()

    def put(self, message: RmrMessage) -> None:
        """Queue a request; where there is no room it is left out, and asked for again later. From the event loop's thread."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            metrics.RIC_A1_REQUESTS.labels("any", "queue_full").inc()
            self._transport.release(message)
            self._ask_again = True

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`."""
        tasks = [
            asyncio.create_task(self._ask(stop), name="a1 query"),
            asyncio.create_task(self._watch(stop), name="a1 status"),
        ]
        try:
            while not stop.is_set():
                try:
                    async with asyncio.timeout(1.0):
                        message = await self._queue.get()
                except TimeoutError:
                    continue
                await self._work(message)
        finally:
            for task in tasks:
                task.cancel()
            while not self._queue.empty():
                self._transport.release(self._queue.get_nowait())

    async def _work(self, message: RmrMessage) -> None:
        try:
            request = parse_request(message.payload)
        except InvalidInputError as error:
            log.warning("A1 request refused: %s", error)
            metrics.RIC_A1_REQUESTS.labels("unknown", "malformed").inc()
            self._transport.release(message)
            return
        if request.policy_type_id not in self._types:
            log.warning("A1 request of type %d, which is none of TWM_RIC_A1_TYPES", request.policy_type_id)
            status = "ERROR"
        else:
            status = await self._decide(request)
        metrics.RIC_A1_REQUESTS.labels(request.operation.lower(), status or "no_answer").inc()
        key = request.policy_type_id, request.policy_id
        if request.operation != "DELETE":
            self._record.announced(key)
        if status:
            self._record.told(key, status)
        if not status:  # the gateway is away: no answer is better than a wrong one, and the query brings it again
            self._ask_again = True
            self._transport.release(message)
            return
        sent = await asyncio.to_thread(
            self._transport.reply, message, MessageType.A1_POLICY_RESP, answer(request, self._handler_id, status)
        )
        metrics.RIC_MESSAGES.labels("A1_POLICY_RESP", "out", "sent" if sent else "failed").inc()
        if not sent:
            self._transport.send(RmrMessage(MessageType.A1_POLICY_RESP, answer(request, self._handler_id, status)))

    async def _decide(self, request: PolicyRequest) -> str:
        """OK, ERROR or DELETED; empty where the gateway does not answer."""
        kind, policy_id = str(request.policy_type_id), request.policy_id
        try:
            if request.operation == "DELETE":
                await self._stub.DeleteSlaPolicy(
                    operations_pb2.DeleteSlaPolicyRequest(area_id=self._area_id, policy_type_id=kind, policy_id=policy_id),
                    timeout=DEADLINE_S,
                    metadata=self._metadata(),
                )
                return "DELETED"
            put = await self._stub.PutSlaPolicy(
                operations_pb2.PutSlaPolicyRequest(
                    area_id=self._area_id,
                    policy_type_id=kind,
                    policy_id=policy_id,
                    payload_json=request.payload_json,
                    source=SOURCE,
                ),
                timeout=DEADLINE_S,
                metadata=self._metadata(),
            )
        except grpc.aio.AioRpcError as error:
            log.warning("gateway: A1 policy %s: %s %s", shown(policy_id), error.code().name, shown(error.details() or "", 200))
            return "ERROR" if error.code() is grpc.StatusCode.INVALID_ARGUMENT else ""
        self._record.numbers[put.policy.policy_type_id] = request.policy_type_id
        if put.policy.status != _ENFORCED:
            reason = operations_pb2.SlaEnforceReason.Name(put.policy.reason).removeprefix("SLA_ENFORCE_REASON_")
            log.warning("A1 policy %s is not enforced: %s %s", shown(policy_id), reason, shown(put.policy.detail, 200))
            return "ERROR"
        return "OK"

    async def _ask(self, stop: asyncio.Event) -> None:
        """Ask the mediator for its policies: soon after start, again while there is no route, and after losses."""
        wait_s = QUERY_FIRST_S
        while not stop.is_set():
            await pause(stop, wait_s)
            if not self._ask_again:
                wait_s = QUERY_FIRST_S
                continue
            if stop.is_set() or not self._transport.routed():
                continue
            self._record.begin()
            sent = [self._transport.send(RmrMessage(MessageType.A1_POLICY_QUERY, query(kind))) for kind in self._types]
            for good in sent:
                metrics.RIC_MESSAGES.labels("A1_POLICY_QUERY", "out", "sent" if good else "failed").inc()
            self._ask_again = not all(sent)
            wait_s = min(wait_s * 2, QUERY_S)
            if all(sent):
                await pause(stop, SETTLE_S)
                await self._take_leave()

    async def _take_leave(self) -> None:
        """Delete at the gateway what the mediator holds no more."""
        held = await self._held()
        gone, again = self._record.judge(key for key, _ in held)
        self._ask_again = self._ask_again or again
        for number, policy_id in gone:
            log.warning("A1 policy %s of type %d: the mediator announces it no more; deleted", shown(policy_id), number)
            status = await self._decide(PolicyRequest("DELETE", number, policy_id, "{}"))
            metrics.RIC_A1_REQUESTS.labels("orphan", status or "no_answer").inc()
            if status:
                self._record.told((number, policy_id), status)

    async def _watch(self, stop: asyncio.Event) -> None:
        """Report policies whose enforcement has changed since the mediator was told."""
        while not stop.is_set():
            await pause(stop, STATUS_S)
            for key, status in self._record.changed(await self._held()):
                request = PolicyRequest("UPDATE", *key, "{}")
                message = RmrMessage(MessageType.A1_POLICY_RESP, answer(request, self._handler_id, status))
                if await asyncio.to_thread(self._transport.send, message):
                    log.info("A1 policy %s is now reported as %s", shown(key[1]), status)
                    self._record.told(key, status)
                    metrics.RIC_A1_REQUESTS.labels("status", status).inc()

    async def _held(self) -> list[tuple[Key, str]]:
        """What the gateway holds from here, with the status to report; empty while it is away."""
        try:
            answered = await self._stub.ListSlaPolicies(
                operations_pb2.ListSlaPoliciesRequest(area_id=self._area_id), timeout=DEADLINE_S, metadata=self._metadata()
            )
        except grpc.aio.AioRpcError as error:
            log.debug("gateway: %s", error.code().name)
            return []
        return [
            ((self._record.numbers[policy.policy_type_id], policy.policy_id), "OK" if policy.status == _ENFORCED else "ERROR")
            for policy in answered.policies
            if policy.source == SOURCE and policy.policy_type_id in self._record.numbers
        ]

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        if self._token_file is None:
            return ()
        try:
            token = self._token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            log.error("TWM_RIC_GATEWAY_TOKEN_FILE: %s", str(error)[:200])
            return ()
        return (("authorization", f"Bearer {token}"),)


def _type_number(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or not 1 <= int(text) < 2**31:
        raise InvalidInputError(f"policy_type_id: {shown(repr(value), 40)} is not a number 1..2147483647")
    return int(text)
