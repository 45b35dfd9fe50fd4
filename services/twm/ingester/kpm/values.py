"""MeasurementRecord and MeasurementInfoList: the parts of a message whose speed counts.

Values and plain or slice labels in their usual position are read straight from the buffer; all else goes through Reader.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ldexp

from twm.core.e2sm.labels import NO_LABEL, TRUE, label_of, read_label, read_measurement_type
from twm.core.errors import DecodeError
from twm.core.per import Reader, Reason, fail, printable, real
from twm.ingester.kpm.types import Label, Measurement, Record, Value

_PLAIN = (NO_LABEL,)
_INTEGER_HEADS = (0x00, 0x08, 0x10, 0x18)
_NO_LABEL_OCTETS = b"\x20\x00\x00"
_SLICE_LABEL_OCTETS = b"\x08\x00\x00"


def read_records(reader: Reader) -> list[Record]:
    """MeasurementData: one record a granularity period."""
    count = reader.whole_number(1, 65535)
    records = []
    for _ in range(count):
        head = reader.bits(2)
        values = read_values(reader)
        incomplete = False
        if head & 1:
            incomplete = reader.enumerated(TRUE) == "true"
        if head & 2:
            reader.additions()
        records.append(Record(values, incomplete))
    return records


def read_values(reader: Reader) -> tuple[Value, ...]:
    """MeasurementRecord: the values of one granularity period."""
    values: list[Value] = []
    append = values.append
    buffer, end = reader.buffer, reader.end
    more = True
    while more:
        count, more = reader.length()
        reader.spend(count)
        pos = reader.pos
        for _ in range(count):
            if pos & 7:
                pos = _value(reader, pos, append)
                continue
            b = pos >> 3
            head = buffer[b]
            if head == 0x20:
                size = buffer[b + 1]
                if size >= 0x80:
                    pos = _value(reader, pos, append)
                    continue
                stop = b + 2 + size
                pos = stop << 3
                if pos > end:
                    reader.pos = (b + 2) << 3
                    reader.fail(Reason.TRUNCATED, f"REAL of {size} octets, {(end >> 3) - b - 2} left")
                if size > 2 and buffer[b + 2] == 0x80:  # positive, base 2, exponent of one octet: what encoders write
                    exponent = buffer[b + 3]
                    append(
                        ldexp(int.from_bytes(buffer[b + 4 : stop], "big"), exponent - 256 if exponent > 127 else exponent)
                        if size <= 10
                        else real(buffer[b + 2 : stop], (b + 2) << 3)
                    )
                else:
                    append(real(buffer[b + 2 : stop], reader.base + ((b + 2) << 3)))
            elif head in _INTEGER_HEADS:
                start = b + 1
                stop = start + 1 + (head >> 3)
                pos = stop << 3
                append(buffer[start] if not head else int.from_bytes(buffer[start:stop], "big"))
            else:
                pos = _value(reader, pos, append)
            if pos > end:
                reader.pos = b << 3
                reader.fail(Reason.TRUNCATED, "value expected")
        reader.pos = pos
    if not values:
        reader.fail(Reason.BAD_LENGTH, "a record without values")
    return tuple(values)


def _value(reader: Reader, pos: int, append: Callable[[Value], None]) -> int:
    """One value at any position; the position behind it."""
    reader.pos = pos
    kind = reader.bits(3)
    value: Value
    if kind == 0:
        value = reader.whole_number(0, 0xFFFFFFFF)
    elif kind == 1:
        content = reader.counted_octets()
        value = real(content, reader.base + reader.pos - len(content) * 8)
    elif kind == 2:
        value = None
    else:
        reader.fail(Reason.UNKNOWN_CHOICE, f"value choice {kind} is not known")
    append(value)
    return reader.pos


@lru_cache(maxsize=4096)
def _plain_measurement(name: bytes) -> Measurement:
    return Measurement(printable(name, 0), None, _PLAIN)


@lru_cache(maxsize=4096)
def _slice_label(s_nssai: bytes) -> Label:
    number = int.from_bytes(s_nssai[:2], "big")
    return label_of({"sliceID": {"sST": f"{number >> 7 & 255:02x}", "sD": s_nssai[2:].hex()}})


def read_measurements(reader: Reader, zero_id_is_65536: bool) -> tuple[Measurement, ...]:
    """MeasurementInfoList."""
    count = reader.whole_number(1, 65535)
    buffer = reader.buffer
    measurements = []
    for _ in range(count):
        pos = reader.pos
        b = pos >> 3
        if not pos & 7 and buffer[b] < 0x10 and not buffer[b + 1] & 0x0F:  # an unextended item with a name of 1..150
            size = (buffer[b] << 4 | buffer[b + 1] >> 4) + 1
            stop = b + 2 + size
            if size <= 150 and buffer[stop : stop + 4] == b"\x01\x20\x00\x00" and (stop + 4) << 3 <= reader.end:
                name = buffer[b + 2 : stop]
                try:
                    measurements.append(_plain_measurement(name))
                except DecodeError:
                    fail(Reason.BAD_STRING, reader.base + ((b + 2) << 3), "character outside PrintableString")
                reader.pos = (stop + 4) << 3
                reader.spend(1)
                continue
        measurements.append(_measurement(reader, zero_id_is_65536))
    return tuple(measurements)


def _measurement(reader: Reader, zero_id_is_65536: bool) -> Measurement:
    extended = reader.bits(1)
    name, meas_id = read_measurement_type(reader, zero_id_is_65536)
    labels: list[Label] = []
    more = True
    while more:
        count, more = reader.length()
        for _ in range(count):
            labels.append(_label_item(reader))
    if not labels:
        reader.fail(Reason.BAD_LENGTH, "a measurement without labels")
    if extended:
        reader.additions()
    return Measurement(name, meas_id, tuple(labels))


def _label_item(reader: Reader) -> Label:
    pos = reader.pos
    if not pos & 7:
        b = pos >> 3
        head = reader.buffer[b : b + 3]
        if head == _NO_LABEL_OCTETS and pos + 24 <= reader.end:
            reader.pos = pos + 24
            reader.spend(1)
            return NO_LABEL
        if head == _SLICE_LABEL_OCTETS and pos + 64 <= reader.end:
            s_nssai = reader.buffer[b + 3 : b + 8]
            if s_nssai[0] & 0x80 and not s_nssai[1] & 0x7F:
                reader.pos = pos + 64
                reader.spend(1)
                return _slice_label(s_nssai)
    extended = reader.bits(1)
    label = read_label(reader)
    if extended:
        reader.additions()
    return label
