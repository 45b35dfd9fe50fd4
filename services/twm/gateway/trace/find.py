"""A decision's trace record in the audit stream."""

from __future__ import annotations

import json
from typing import Any

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import AuditError
from twm.core.streams import StreamNames, Streams
from twm.gateway.audit import from_payload
from twm.gateway.step_search import DISORDER_STEPS, cursor_before_step

KIND = "trace"
_PAGE = 64


def audit_step(payload: bytes) -> int | None:
    """Slow step that an audit record is about; None where it is about none, or not readable."""
    try:
        step = json.loads(from_payload(payload).payload_json).get("step")
    except (AuditError, ValueError, AttributeError):
        return None
    return step if isinstance(step, int) else None


async def find_trace(streams: Streams, names: StreamNames, step: int) -> policy_pb2.AuditRecord | None:
    """The newest trace record of a slow step; None where there is none (trimmed, or never there)."""
    cursor = await cursor_before_step(streams, names.audit, step, audit_step)
    found: policy_pb2.AuditRecord | None = None
    while entries := await streams.range(names.audit, after=cursor, count=_PAGE):
        for entry in entries:
            try:
                record = from_payload(entry.payload)
            except AuditError:
                continue
            if record.kind != KIND:
                continue
            at = audit_step(entry.payload)
            if at == step:
                found = record
            elif at is not None and at > step + DISORDER_STEPS:
                return found
        cursor = entries[-1].id
    return found


def trace_fields(record: policy_pb2.AuditRecord) -> dict[str, Any]:
    """Payload of a trace record. Raises AuditError where it is another kind or no JSON object."""
    if record.kind != KIND:
        raise AuditError(f"record {record.sequence}: {record.kind[:32]!a}, expected {KIND!r}")
    try:
        found = json.loads(record.payload_json)
    except ValueError as error:
        raise AuditError(f"record {record.sequence}: payload is no JSON") from error
    if not isinstance(found, dict):
        raise AuditError(f"record {record.sequence}: payload is no JSON object")
    return found
