"""The audit trail read backwards: so many records before a sequence number."""

from __future__ import annotations

from twm.core.errors import AuditError
from twm.core.streams import StreamNames, Streams
from twm.gateway.audit import from_payload
from twm.gateway.console.models import AuditTail
from twm.gateway.rest_views import audit_view
from twm.gateway.step_search import DISORDER_STEPS, cursor_before_step

MAX_LOOKED_AT = 400
"""Records looked at in one answer where only one kind is wanted."""


def sequence_of(payload: bytes) -> int | None:
    """Sequence number of a record; None where it is none."""
    try:
        return from_payload(payload).sequence
    except AuditError:
        return None


async def audit_tail(streams: Streams, names: StreamNames, *, limit: int, before: int | None, kind: str) -> AuditTail:
    """At most `limit` records with sequence numbers below `before` (None: the newest), of one kind ("": all)."""
    wanted = MAX_LOOKED_AT if kind else limit
    if before is None:
        entries = await streams.last(names.audit, wanted)
    else:
        cursor = await cursor_before_step(streams, names.audit, before - wanted, sequence_of)
        entries = await streams.range(names.audit, after=cursor, count=wanted + 2 * DISORDER_STEPS)
    records = []
    for entry in entries:
        try:
            record = from_payload(entry.payload)
        except AuditError:
            continue  # /v1/audit/verify tells of it
        if before is None or before - wanted <= record.sequence < before:
            records.append(record)
    kept = [record for record in records if not kind or record.kind == kind][-limit:]
    first = records[0].sequence if records else 0
    if kind and len(kept) == limit:
        first = kept[0].sequence
    return AuditTail(
        items=[audit_view(record) for record in kept],
        first_sequence=first,
        last_sequence=records[-1].sequence if records else 0,
    )
