"""E2SM-KPM indication headers, Format 1 (O-RAN.WG3.E2SM-KPM clause 8.2.1.3.1), and the two clocks in use.

The standard's time stamp is NTP (RFC 5905): 32-bit seconds since 1900, with 32 bits of fraction in v3. FlexRIC agents write
Unix time instead: 4 bytes little-endian seconds, or 8 bytes as the low and then the high 32-bit word (each big-endian) of
microseconds, whichever dialect they encode with.
"""

from __future__ import annotations

from twm.core.e2sm.dialects import dialect_of
from twm.core.errors import DecodeError
from twm.core.per import Reader, Reason, fail, printable
from twm.ingester.kpm.types import Clock, Header

NTP_UNIX_OFFSET_S = 2_208_988_800
"""Seconds from 1900-01-01 to 1970-01-01."""
PLAUSIBLE_FROM_S = 946_684_800
"""2000-01-01."""
PLAUSIBLE_UNTIL_S = 2_085_978_496
"""2036-02-07 06:28:16, where NTP era 0 ends."""

STRINGS = (("fileFormatversion", 15), ("senderName", 400), ("senderType", 8), ("vendorName", 32))
"""Optional members and the largest root size of each."""


def decode_header(data: bytes, dialect: str, *, received_s: float | None = None) -> Header:
    """Decode an indication header.

    `received_s` (Unix time) decides between the clocks when the time stamp is plausible on both; else the dialect does.
    Raises DecodeError whose `reason` is one of per.Reason; InvalidInputError for an unknown dialect.
    """
    rules = dialect_of(dialect)
    try:
        raw, strings = _fields(Reader(data), rules.timestamp_bytes, align_empty=False)
    except DecodeError as error:
        try:  # some encoders align even where a string of length 0 follows
            raw, strings = _fields(Reader(data), rules.timestamp_bytes, align_empty=True)
        except DecodeError:
            raise error from None
    start_s, clock = choose_clock(raw, received_s, rules.clock)
    return Header(start_s, raw, clock, *strings)


def _fields(reader: Reader, timestamp_bytes: int, *, align_empty: bool) -> tuple[bytes, list[str | None]]:
    extended = reader.bits(1)
    if reader.choice(1):
        reader.fail(Reason.UNKNOWN_FORMAT, "indication header format is not known")
    format_extended, present = reader.bits(1), reader.bits(4)
    raw = reader.octets(timestamp_bytes)
    strings: list[str | None] = []
    for index, (_, largest) in enumerate(STRINGS):
        strings.append(_string(reader, largest, align_empty) if present >> (3 - index) & 1 else None)
    if format_extended:
        reader.additions()
    if extended:
        reader.additions()
    reader.finish()
    return raw, strings


def _string(reader: Reader, largest: int, align_empty: bool) -> str:
    if reader.bits(1):
        raw = reader.counted_octets()
    else:
        count = reader.whole_number(0, largest)
        raw = reader.octets(count) if count or align_empty else b""
    return printable(raw, reader.base + reader.pos - len(raw) * 8)


def ntp_time_s(raw: bytes) -> float:
    """Unix time of an NTP time stamp of 4 or 8 bytes (era 0)."""
    seconds = int.from_bytes(raw[:4], "big") - NTP_UNIX_OFFSET_S
    return seconds + int.from_bytes(raw[4:], "big") / 2**32 if len(raw) == 8 else float(seconds)


def flexric_number(raw: bytes) -> int:
    """The number a FlexRIC agent was given: Unix seconds (4 bytes) or microseconds (8 bytes)."""
    if len(raw) == 4:
        return int.from_bytes(raw, "little")
    return int.from_bytes(raw[4:] + raw[:4], "big")


def flexric_time_s(raw: bytes) -> float:
    """Unix time of a FlexRIC time stamp of 4 or 8 bytes."""
    return float(flexric_number(raw)) if len(raw) == 4 else flexric_number(raw) / 1e6


def choose_clock(raw: bytes, received_s: float | None, preferred: Clock) -> tuple[float, Clock]:
    """Unix time and clock: of the plausible readings the one nearest to `received_s`, else the preferred one.

    Raises DecodeError where neither lies in 2000-01-01 .. 2036-02-07.
    """
    readings: list[tuple[float, Clock]] = [(ntp_time_s(raw), "ntp"), (flexric_time_s(raw), "flexric")]
    plausible = [r for r in readings if PLAUSIBLE_FROM_S <= r[0] < PLAUSIBLE_UNTIL_S]
    if not plausible:
        times = f"{readings[0][0]:.0f} s (NTP) or {readings[1][0]:.0f} s (FlexRIC)"
        fail(Reason.BAD_TIME, 8, f"time stamp {raw.hex()} is {times}, not in 2000-01-01 .. 2036-02-07")
    if len(plausible) == 1:
        return plausible[0]
    if received_s is not None:
        return min(plausible, key=lambda r: abs(r[0] - received_s))
    return next(r for r in plausible if r[1] == preferred)
