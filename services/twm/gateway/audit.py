"""Audit hash chain: each record's SHA-256 covers its content and the hash of the record before. Pure.

A record's line is canonical JSON: {"hash", "kind", "payload", "previous_hash", "sequence", "written"}; the hash is taken over
the same text without "hash". The stream holds the same records as protobuf AuditRecord. So every edit, gap, swap or repetition
shows; a cut-off end shows where the expected head is known (the head stands in Redis, and in whoever noted it).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError as ProtobufDecodeError

from twm.api.policy.v1 import policy_pb2
from twm.core.errors import AuditError, InvalidInputError
from twm.gateway.canonical import canonical_json

ZERO_HASH = "0" * 64
MAX_PAYLOAD_CHARACTERS = 1024 * 1024
MAX_LINE_BYTES = 4 * MAX_PAYLOAD_CHARACTERS + 4096
_KEYS = ("hash", "kind", "payload", "previous_hash", "sequence", "written")


@dataclass(frozen=True)
class ChainHead:
    """Sequence number and hash of the last record; 0 and zeros before the first."""

    sequence: int = 0
    hash: str = ZERO_HASH

    def encode(self) -> bytes:
        """Canonical JSON."""
        return canonical_json({"hash": self.hash, "sequence": self.sequence}).encode()

    @classmethod
    def decode(cls, data: bytes) -> ChainHead:
        """Back from `encode`; b"" is the head before the first record. Raises AuditError."""
        if not data:
            return cls()
        try:
            fields = json.loads(data)
            head = cls(int(fields["sequence"]), str(fields["hash"]))
        except (ValueError, KeyError, TypeError) as error:
            raise AuditError(f"audit head: {data[:80]!r} is not one") from error
        if head.sequence < 1 or len(head.hash) != 64:
            raise AuditError(f"audit head: {data[:80]!r} is not one")
        return head


@dataclass(frozen=True)
class Event:
    """Something to record."""

    kind: str
    """"verdict", "policy", "score", "start" ..."""
    payload: dict[str, Any]
    """Canonical-JSON-able content."""


def extend(head: ChainHead, events: Sequence[Event], written_s: float) -> tuple[list[policy_pb2.AuditRecord], ChainHead]:
    """Records for `events` after `head`, and the new head. Raises AuditError where a payload is too large."""
    records = []
    for event in events:
        payload = canonical_json(event.payload)
        if len(payload) > MAX_PAYLOAD_CHARACTERS:
            raise AuditError(f"audit {event.kind}: payload of {len(payload)} characters, at most {MAX_PAYLOAD_CHARACTERS}")
        record = policy_pb2.AuditRecord(
            sequence=head.sequence + 1, kind=event.kind, payload_json=payload, previous_hash=head.hash
        )
        record.written.FromNanoseconds(round(written_s * 1e6) * 1000)
        record.hash = record_hash(record)
        records.append(record)
        head = ChainHead(record.sequence, record.hash)
    return records, head


def record_hash(record: policy_pb2.AuditRecord) -> str:
    """The hash the record ought to have."""
    return hashlib.sha256(_body(record).encode("utf-8", "surrogatepass")).hexdigest()


def to_line(record: policy_pb2.AuditRecord) -> str:
    """The record as one line of canonical JSON, without the line end."""
    return f'{{"hash":{json.dumps(record.hash)},' + _body(record)[1:]


def from_line(line: str) -> policy_pb2.AuditRecord:
    """A record from its line. Raises AuditError unless the line is exactly the canonical form."""
    try:
        fields = json.loads(line)
        if not isinstance(fields, dict) or tuple(sorted(fields)) != _KEYS:
            raise AuditError(f"not an audit record: fields are not {', '.join(_KEYS)}")
        record = policy_pb2.AuditRecord(
            sequence=fields["sequence"],
            kind=fields["kind"],
            payload_json=canonical_json(fields["payload"]),
            previous_hash=fields["previous_hash"],
            hash=fields["hash"],
        )
        record.written.FromJsonString(fields["written"])
    except (ValueError, TypeError, RecursionError, InvalidInputError) as error:
        raise AuditError(f"not an audit record: {str(error)[:200]}") from error
    if to_line(record) != line:
        raise AuditError("not in canonical form")
    return record


def from_payload(payload: bytes) -> policy_pb2.AuditRecord:
    """A record from its stream entry. Raises AuditError."""
    try:
        return policy_pb2.AuditRecord.FromString(payload)
    except ProtobufDecodeError as error:
        raise AuditError("not an audit record: not protobuf") from error


class ChainVerifier:
    """Checks records one by one; raises AuditError naming the first bad one."""

    def __init__(self, *, partial: bool = False) -> None:
        self._partial = partial
        self.head = ChainHead()
        """Head after the last good record."""
        self.first_sequence = 0
        """Sequence of the first record; 0: none yet."""

    @property
    def count(self) -> int:
        """Good records so far."""
        return self.head.sequence - self.first_sequence + 1 if self.first_sequence else 0

    def feed(self, record: policy_pb2.AuditRecord) -> None:
        """Check the next record. `partial` chains may begin later than 1 (their begin was trimmed)."""
        first = not self.first_sequence
        if first and self._partial and record.sequence > 1:
            self.head = ChainHead(record.sequence - 1, record.previous_hash)
        expected = self.head.sequence + 1
        if record.sequence != expected:
            kind = "gap" if record.sequence > expected else "repeated or out of order"
            raise AuditError(f"record {record.sequence}: {kind}, expected sequence {expected}")
        if record.previous_hash != self.head.hash:
            raise AuditError(
                f"record {record.sequence}: previous_hash {record.previous_hash[:12]}... is not the hash "
                f"of record {self.head.sequence} ({self.head.hash[:12]}...)"
            )
        if not _is_canonical(record.payload_json):
            raise AuditError(f"record {record.sequence}: payload is not canonical JSON")
        actual = record_hash(record)
        if record.hash != actual:
            raise AuditError(f"record {record.sequence}: edited, hash is {record.hash[:12]}..., content gives {actual[:12]}...")
        self.head = ChainHead(record.sequence, record.hash)
        self.first_sequence = self.first_sequence or record.sequence

    def finish(self, expected: ChainHead | None) -> None:
        """Raise AuditError where the chain does not end in `expected` (None: unknown); its sequence 0: not compared."""
        if expected is None:
            return
        if expected.sequence and expected.sequence != self.head.sequence:
            raise AuditError(f"record {self.head.sequence + 1}: missing, the chain should end with record {expected.sequence}")
        if expected.hash != self.head.hash:
            raise AuditError(
                f"record {self.head.sequence}: the chain ends in {self.head.hash[:12]}..., expected {expected.hash[:12]}..."
            )


def _body(record: policy_pb2.AuditRecord) -> str:
    return (
        f'{{"kind":{json.dumps(record.kind, ensure_ascii=False)},"payload":{record.payload_json},'
        f'"previous_hash":{json.dumps(record.previous_hash, ensure_ascii=False)},"sequence":{record.sequence},'
        f'"written":"{written_text(record)}"}}'
    )


def written_text(record: policy_pb2.AuditRecord) -> str:
    """When it was written, RFC 3339 in microseconds."""
    seconds, nanos = record.written.seconds, record.written.nanos
    try:
        whole = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise AuditError(f"record {record.sequence}: written {seconds} s is no time") from error
    fraction = f"{nanos // 1000:06d}" if nanos % 1000 == 0 else f"{nanos:09d}"
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{fraction}Z"


def _is_canonical(text: str) -> bool:
    try:
        return canonical_json(json.loads(text)) == text
    except (ValueError, RecursionError, InvalidInputError):
        return False
