"""E2SM-KPM indication headers and messages to aligned PER, in the dialects of twm.core.e2sm.dialects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from twm.core.e2sm.dialects import Dialect, dialect_of
from twm.core.e2sm.kpm_writer import write_condition, write_measurement, write_measurement_type
from twm.core.e2sm.labels import TRUE
from twm.core.e2sm.ue_id import write_ue_id
from twm.core.per_writer import Writer, real_octets
from twm.ingester.kpm.header import NTP_UNIX_OFFSET_S, STRINGS
from twm.ingester.kpm.types import (
    Clock,
    ConditionMeasurement,
    Format1,
    Format2,
    Format3,
    Measurement,
    Record,
    UeId,
    Value,
)

_GRANULARITY_MS = (1, 0xFFFFFFFF)


def encode_header(
    start_s: float,
    dialect: str,
    *,
    clock: Clock | None = None,
    strings: Sequence[str | None] = (None, None, None, None),
) -> bytes:
    """Indication header Format 1.

    `start_s`: Unix time; `clock`: how it is written (default: the dialect's own); `strings`: fileFormatversion, senderName,
    senderType, vendorName.
    """
    rules = dialect_of(dialect)
    writer = Writer()
    writer.bits(0, 3)  # no extension, Format 1, no extension
    for text in strings:
        writer.bits(text is not None, 1)
    writer.octets(timestamp(start_s, rules.timestamp_bytes, clock or rules.clock))
    for text, (_, largest) in zip(strings, STRINGS, strict=True):
        if text is None:
            continue
        raw = text.encode("ascii")
        writer.bits(len(raw) > largest, 1)
        if len(raw) > largest:
            writer.counted_octets(raw)
        else:
            writer.whole_number(len(raw), 0, largest)
            if raw:
                writer.octets(raw)
    return writer.finish()


def timestamp(start_s: float, size: int, clock: Clock) -> bytes:
    """A time stamp of 4 or 8 bytes."""
    if clock == "ntp":
        seconds = int(start_s // 1)
        fraction = round((start_s - seconds) * 2**32)
        whole = (seconds + NTP_UNIX_OFFSET_S << 32) + fraction
        return (whole >> 32).to_bytes(4, "big") if size == 4 else whole.to_bytes(8, "big")
    if size == 4:
        return int(start_s).to_bytes(4, "little")
    low_high = round(start_s * 1e6).to_bytes(8, "big")
    return low_high[4:] + low_high[:4]


def encode_message(message: Format1 | Format2 | Format3, dialect: str) -> bytes:
    """Indication message in its format. Raises ValueError for what ASN.1 cannot hold."""
    rules = dialect_of(dialect)
    index = 0 if isinstance(message, Format1) else 1 if isinstance(message, Format2) else 2
    roots = 3 if rules.format3_in_root else 2
    writer = Writer()
    writer.bits(0, 1)
    writer.choice(index, roots)
    body = Writer() if index >= roots else writer
    if isinstance(message, Format1):
        _format1(body, message, rules)
    elif isinstance(message, Format2):
        _format2(body, message, rules)
    else:
        body.bits(0, 1)
        body.whole_number(len(message.ues), 1, 65535)
        for ue in message.ues:
            body.bits(0, 1)
            write_ue_id(body, ue.ue_id)
            _format1(body, ue.report, rules)
    if body is not writer:
        writer.open_type(body.finish())
    return writer.finish()


def _format1(writer: Writer, message: Format1, rules: Dialect) -> None:
    writer.bits(0, 1)
    writer.bits(message.measurements is not None, 1)
    writer.bits(message.granularity_ms is not None, 1)
    _records(writer, message.records)
    if writer.aligned:
        tail = _aligned_tail(message.measurements, message.granularity_ms, rules)
        if tail is not None:
            writer.octets(tail)
            return
    _tail(writer, message.measurements, message.granularity_ms, rules)


@lru_cache(maxsize=256)
def _aligned_tail(measurements: tuple[Measurement, ...] | None, granularity_ms: int | None, rules: Dialect) -> bytes | None:
    """The same list follows message after message: its octets, where it begins and ends on a byte boundary; else None."""
    writer = Writer()
    _tail(writer, measurements, granularity_ms, rules)
    return writer.written() if writer.aligned else None


def _tail(writer: Writer, measurements: tuple[Measurement, ...] | None, granularity_ms: int | None, rules: Dialect) -> None:
    if measurements is not None:
        writer.whole_number(len(measurements), 1, 65535)
        for measurement in measurements:
            write_measurement(writer, measurement.name, measurement.meas_id, measurement.labels, rules)
    if granularity_ms is not None:
        writer.whole_number(granularity_ms, *_GRANULARITY_MS)


def _format2(writer: Writer, message: Format2, rules: Dialect) -> None:
    writer.bits(0, 1)
    writer.bits(message.granularity_ms is not None, 1)
    _records(writer, message.records)
    writer.whole_number(len(message.measurements), 1, 65535)
    for measurement in message.measurements:
        _condition_measurement(writer, measurement, rules)
    if message.granularity_ms is not None:
        writer.whole_number(message.granularity_ms, *_GRANULARITY_MS)


def _records(writer: Writer, records: Sequence[Record]) -> None:
    writer.whole_number(len(records), 1, 65535)
    for record in records:
        writer.bits(0, 1)
        writer.bits(record.incomplete, 1)
        if not record.values:
            raise ValueError("a record holds at least one value")
        for part in writer.fragments(len(record.values)):
            writer.begin(part)
            for position, value in enumerate(record.values[part.start : part.stop], part.start):
                if position in record.not_satisfied:
                    writer.choice(3, 3)
                    writer.open_type(b"\0")
                else:
                    _value(writer, value)
        if record.incomplete:
            writer.enumerated("true", TRUE)


def _value(writer: Writer, value: Value) -> None:
    writer.bits(0, 1)
    if value is None:
        writer.bits(2, 2)
    elif isinstance(value, float):
        writer.bits(1, 2)
        writer.counted_octets(real_octets(value))
    else:
        writer.bits(0, 2)
        writer.whole_number(value, 0, 0xFFFFFFFF)


def _condition_measurement(writer: Writer, measurement: ConditionMeasurement, rules: Dialect) -> None:
    periods = measurement.ues_by_period
    writer.bits(periods is not None and not rules.format3_in_root, 1)
    writer.bits(measurement.ues is not None, 1)
    if rules.format3_in_root:
        writer.bits(periods is not None, 1)
    write_measurement_type(writer, measurement.name, measurement.meas_id, rules)
    writer.whole_number(len(measurement.conditions), 1, 32768)
    for condition in measurement.conditions:
        write_condition(writer, condition, rules)
    if measurement.ues is not None:
        _ues(writer, measurement.ues)
    if periods is not None:
        body = writer if rules.format3_in_root else Writer()
        body.whole_number(len(periods), 1, 65535)
        for ues in periods:
            body.bits(0, 1)
            body.choice(1 if ues else 0, 2)
            if ues:
                _ues(body, ues)
            else:
                body.enumerated("true", TRUE)
        if body is not writer:
            writer.additions([body.finish()])


def _ues(writer: Writer, ues: Sequence[UeId]) -> None:
    writer.whole_number(len(ues), 1, 65535)
    for ue_id in ues:
        writer.bits(0, 1)
        write_ue_id(writer, ue_id)
