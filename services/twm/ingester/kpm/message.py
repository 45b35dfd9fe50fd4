"""E2SM-KPM indication messages, Formats 1, 2 and 3 (O-RAN.WG3.E2SM-KPM clauses 8.2.1.4.1 to 8.2.1.4.3).

A message read in the wrong dialect must raise, never lose a part: every bit has to be consumed, padding has to be zero, and
each record must hold as many values as the information list has measurements x labels.
"""

from __future__ import annotations

from twm.core.e2sm.dialects import Dialect, dialect_of
from twm.core.e2sm.ue_id import read_ue_id
from twm.core.per import Reader, Reason
from twm.ingester.kpm.conditions import read_conditions
from twm.ingester.kpm.tail_cache import Tail, TailCache
from twm.ingester.kpm.types import Format1, Format2, Format3, Record, UeReport, Value
from twm.ingester.kpm.values import read_measurements, read_records, read_values

_GRANULARITY_MS = (1, 0xFFFFFFFF)
_SHARED_CACHE = TailCache()
_PLAIN_HEADS = tuple(
    {bytes((present << shift, 0, 0, 0)): present for present in range(4)}
    for shift in (2, 1)  # behind the choice of the message format, of two alternatives in its root, or three
)
"""First octets of a Format 1 that holds one record and no extension, by dialect: its presence bits. Nearly every message."""


def decode_message(data: bytes, dialect: str, cache: TailCache | None = _SHARED_CACHE) -> Format1 | Format2 | Format3:
    """Decode an indication message of at most 1 MiB.

    `cache` holds parsed information lists between calls; None parses every one anew.
    Raises DecodeError whose `reason` is one of per.Reason; InvalidInputError for an unknown dialect.
    """
    rules = dialect_of(dialect)
    reader = Reader(data)
    head = _PLAIN_HEADS[rules.format3_in_root].get(data[:4])
    if head is not None:
        reader.pos = 32
        plain = _with_tail(reader, rules, cache, head, [Record(*_plain_record(reader))])
        reader.finish()
        return plain
    extended = reader.bits(1)
    if rules.format3_in_root:
        kind = reader.choice(3)
        part = reader
    else:
        kind = reader.choice(2)
        part = reader.open_type() if kind == 2 else reader
    message: Format1 | Format2 | Format3
    if kind == 0:
        message = read_format1(part, rules, cache)
    elif kind == 1:
        message = _format2(part, rules)
    elif kind == 2:
        message = _format3(part, rules, cache)
    else:
        many_jobs = kind == 3 and not rules.format3_in_root
        reader.fail(
            Reason.UNKNOWN_FORMAT,
            "indication message Format 255 (many jobs, E2SM-KPM v5 on): subscribe by report styles 1 to 5"
            if many_jobs
            else f"indication message format {kind + 1} is not known",
        )
    if part is not reader:
        part.finish()
    if extended:
        reader.additions()
    reader.finish()
    return message


def read_format1(reader: Reader, rules: Dialect, cache: TailCache | None) -> Format1:
    """Format 1; inside Format 3, the report of one UE."""
    head = reader.bits(3)
    return _with_tail(reader, rules, cache, head, read_records(reader))


def _plain_record(reader: Reader) -> tuple[tuple[Value, ...], bool, tuple[int, ...]]:
    values, not_satisfied = read_values(reader)
    return values, False, not_satisfied


def _with_tail(reader: Reader, rules: Dialect, cache: TailCache | None, head: int, records: list[Record]) -> Format1:
    """What follows the records of a Format 1; `head`: its extension bit and two presence bits."""
    tail = _cached_tail(reader, rules, cache, head) if cache is not None else _read_tail(reader, rules, head)
    if head & 4:
        reader.additions()
    if tail.measurements is not None:
        _check_counts(reader, records, tail.label_count)
    return Format1(records, tail.measurements, tail.granularity_ms)


def _cached_tail(reader: Reader, rules: Dialect, cache: TailCache, head: int) -> Tail:
    state = head | (reader.pos & 7) << 3 | rules.format3_in_root << 6
    start = reader.pos >> 3
    tail = cache.find(reader.buffer, start, state)
    if tail is not None and start + len(tail.content) <= reader.end >> 3:
        reader.pos = (start + len(tail.content)) << 3
        reader.spend(tail.label_count)
        return tail
    tail = _read_tail(reader, rules, head)
    if not reader.pos & 7 and tail.content:
        cache.keep(reader.buffer, start, state, tail)
    return tail


def _read_tail(reader: Reader, rules: Dialect, head: int) -> Tail:
    start = reader.pos >> 3
    measurements, label_count = read_measurements(reader, rules.format3_in_root) if head & 2 else (None, 0)
    granularity_ms = reader.whole_number(*_GRANULARITY_MS) if head & 1 else None
    return Tail(reader.buffer[start : reader.pos >> 3], measurements, granularity_ms, label_count)


def _check_counts(reader: Reader, records: list[Record], expected: int) -> None:
    for index, record in enumerate(records):
        if len(record.values) != expected:
            reader.fail(
                Reason.COUNT_MISMATCH,
                f"record {index} holds {len(record.values)} values, the information list has {expected} measurements x labels",
            )


def _format2(reader: Reader, rules: Dialect) -> Format2:
    extended, with_granularity = reader.bits(1), reader.bits(1)
    records = read_records(reader)
    measurements = read_conditions(reader, rules)
    granularity_ms = reader.whole_number(*_GRANULARITY_MS) if with_granularity else None
    if extended:
        reader.additions()
    return Format2(records, measurements, granularity_ms)


def _format3(reader: Reader, rules: Dialect, cache: TailCache | None) -> Format3:
    extended = reader.bits(1)
    ues = []
    for _ in range(reader.whole_number(1, 65535)):
        reader.spend(4)
        item_extended = reader.bits(1)
        ue_id = read_ue_id(reader)
        ues.append(UeReport(ue_id, read_format1(reader, rules, cache)))
        if item_extended:
            reader.additions()
    if extended:
        reader.additions()
    return Format3(ues)
