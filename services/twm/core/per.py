"""Reader of aligned PER (ITU-T X.691), with the primitives E2SM-KPM needs.

Positions are bits from the start of `data`. Every failure is a DecodeError with a reason from `Reason` and the byte offset.
Nothing is allocated for a count before the bits that fill it were read.
"""

from __future__ import annotations

import math
from typing import NoReturn

from twm.core.errors import DecodeError

MAX_BYTES = 1 << 20
"""Largest PDU accepted, as in the API."""
MAX_ITEMS = 131072
"""Most values, labels and UEs in one PDU together: bounds the memory a small PDU can make us take."""
_FRAGMENT = 16384


class Reason:
    """Constant reasons of DecodeError, fit for a metric label."""

    TRUNCATED = "truncated"
    TRAILING = "trailing_bytes"
    PADDING = "nonzero_padding"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many_items"
    UNKNOWN_FORMAT = "unknown_format"
    UNKNOWN_CHOICE = "unknown_choice"
    UNKNOWN_ENUM = "unknown_enum"
    BAD_LENGTH = "bad_length"
    BAD_INTEGER = "bad_integer"
    BAD_STRING = "bad_string"
    BAD_REAL = "bad_real"
    DECIMAL_REAL = "decimal_real"
    BAD_EXTENSION = "bad_extension"
    COUNT_MISMATCH = "value_count_mismatch"
    BAD_TIME = "bad_time"


def fail(reason: str, bit: int, detail: str) -> NoReturn:
    """Raise DecodeError naming the byte."""
    raise DecodeError(f"byte {bit >> 3}: {detail}", reason=reason)


_PRINTABLE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_DELETE_PRINTABLE = bytes(_PRINTABLE)


def printable(raw: bytes, bit: int) -> str:
    """PrintableString contents (ITU-T X.680 clause 41.4). DecodeError on any other character."""
    if raw.translate(None, _DELETE_PRINTABLE):
        fail(Reason.BAD_STRING, bit, "character outside PrintableString")
    return raw.decode("ascii")


def real(content: bytes, bit: int) -> float:
    """REAL contents octets (ITU-T X.690 clause 8.5). Any binary form; decimal forms are refused."""
    if not content:
        return 0.0
    first = content[0]
    if first < 0x80:
        if first >= 0x40:
            special = {0x40: math.inf, 0x41: -math.inf, 0x42: math.nan, 0x43: -0.0}.get(first)
            if special is None or len(content) != 1:
                fail(Reason.BAD_REAL, bit, f"REAL special value 0x{content[:4].hex()} is not defined")
            return special
        fail(Reason.DECIMAL_REAL, bit, "REAL in decimal form (only binary forms are read)")
    exponent_end = 2 + (first & 3)
    start = 1
    if first & 3 == 3:
        if len(content) < 2:
            fail(Reason.BAD_REAL, bit, "REAL ends before its exponent length")
        start, exponent_end = 2, 2 + content[1]
        if not 1 <= content[1] <= 8:
            fail(Reason.BAD_REAL, bit, f"REAL exponent of {content[1]} octets, expected 1..8")
    if exponent_end >= len(content):
        fail(Reason.BAD_REAL, bit, "REAL ends before its mantissa")
    exponent = int.from_bytes(content[start:exponent_end], "big", signed=True)
    mantissa = int.from_bytes(content[exponent_end:], "big")
    base = (first >> 4) & 3
    if base == 3:
        fail(Reason.BAD_REAL, bit, "REAL base code 3 is reserved")
    if mantissa == 0:
        return 0.0
    exponent = exponent * (1, 3, 4)[base] + ((first >> 2) & 3)
    excess = mantissa.bit_length() - 64
    if excess > 0:  # keep 64 bits and a sticky bit, so that the conversion rounds once
        sticky = 1 if mantissa & ((1 << excess) - 1) else 0
        mantissa = (mantissa >> excess) | sticky
        exponent += excess
    try:
        value = math.ldexp(mantissa, max(min(exponent, 1 << 20), -(1 << 20)))
    except OverflowError:
        fail(Reason.BAD_REAL, bit, "REAL is larger than a double can hold")
    return -value if first & 0x40 else value


class Reader:
    """A position in an aligned-PER encoding."""

    __slots__ = ("base", "buffer", "end", "items_left", "pos")

    def __init__(self, data: bytes, base_bits: int = 0) -> None:
        if len(data) > MAX_BYTES:
            raise DecodeError(f"{len(data)} bytes, more than {MAX_BYTES}", reason=Reason.TOO_LARGE)
        self.buffer = data + b"\0\0\0\0\0\0\0\0"
        """The encoding and eight zero bytes, so that a look-ahead needs no bounds check; `end` holds the truth."""
        self.end = len(data) << 3
        self.pos = 0
        self.base = base_bits
        """Where this encoding starts in the whole PDU [bits], for messages."""
        self.items_left = MAX_ITEMS

    def fail(self, reason: str, detail: str) -> NoReturn:
        """Raise DecodeError at the present position."""
        fail(reason, self.base + min(self.pos, self.end), detail)

    def spend(self, count: int) -> None:
        """Take `count` items off the budget of this PDU."""
        self.items_left -= count
        if self.items_left < 0:
            self.fail(Reason.TOO_MANY, f"more than {MAX_ITEMS} values, labels and UEs")

    def bits(self, count: int) -> int:
        """An unaligned field of `count` <= 32 bits."""
        pos = self.pos
        stop = pos + count
        if stop > self.end:
            self.fail(Reason.TRUNCATED, f"{count} more bits expected, {self.end - pos} left")
        self.pos = stop
        b = pos >> 3
        return (int.from_bytes(self.buffer[b : b + 5], "big") >> (40 - (pos & 7) - count)) & ((1 << count) - 1)

    def align(self) -> None:
        """Skip to the next byte; the bits skipped must be zero (X.691 clause 11.2)."""
        odd = self.pos & 7
        if odd:
            if self.buffer[self.pos >> 3] & (0xFF >> odd):
                self.fail(Reason.PADDING, "padding bits are not zero")
            self.pos += 8 - odd

    def octets(self, count: int) -> bytes:
        """`count` octets, aligned."""
        self.align()
        b = self.pos >> 3
        if self.pos + (count << 3) > self.end:
            self.fail(Reason.TRUNCATED, f"{count} more octets expected, {(self.end - self.pos) >> 3} left")
        self.pos += count << 3
        return self.buffer[b : b + count]

    def octet(self) -> int:
        """One octet, aligned."""
        return self.octets(1)[0]

    def whole_number(self, low: int, high: int) -> int:
        """Constrained whole number in low..high (X.691 clause 11.5)."""
        span = high - low + 1
        if span <= 255:
            value = self.bits((span - 1).bit_length()) if span > 1 else 0
        elif span == 256:
            value = self.octet()
        elif span <= 65536:
            value = int.from_bytes(self.octets(2), "big")
        else:
            most = ((span - 1).bit_length() + 7) // 8
            length = self.bits((most - 1).bit_length()) + 1
            if length > most:
                self.fail(Reason.BAD_INTEGER, f"integer of {length} octets, at most {most}")
            value = int.from_bytes(self.octets(length), "big")
        if value >= span:
            self.fail(Reason.BAD_INTEGER, f"value {low + value} is outside {low}..{high}")
        return low + value

    def extensible_number(self, low: int, high: int) -> int:
        """INTEGER (low..high, ...): one bit tells whether the value is outside the root (X.691 clause 13)."""
        if not self.bits(1):
            return self.whole_number(low, high)
        return self.unconstrained_number()

    def unconstrained_number(self) -> int:
        """INTEGER without bounds (X.691 clause 13.2.4), at most 8 octets."""
        content = self.counted_octets()
        if not 1 <= len(content) <= 8:
            self.fail(Reason.BAD_INTEGER, f"integer of {len(content)} octets, expected 1..8")
        return int.from_bytes(content, "big", signed=True)

    def length(self) -> tuple[int, bool]:
        """Unconstrained length determinant (X.691 clause 11.9): the count, and whether another fragment follows."""
        first = self.octet()
        if first < 0x80:
            return first, False
        if first < 0xC0:
            return ((first & 0x3F) << 8) | self.octet(), False
        multiple = first & 0x3F
        if not 1 <= multiple <= 4:
            self.fail(Reason.BAD_LENGTH, f"fragment of {multiple} x 16k, expected 1..4")
        return multiple * _FRAGMENT, True

    def counted_octets(self) -> bytes:
        """Octets after an unconstrained length determinant, fragments joined."""
        count, more = self.length()
        content = self.octets(count)
        if not more:
            return content
        parts = [content]
        while more:
            count, more = self.length()
            parts.append(self.octets(count))
        return b"".join(parts)

    def bit_string(self, count: int) -> int:
        """BIT STRING of a fixed size: unaligned up to 16 bits, aligned above (X.691 clause 16)."""
        if count > 16:
            self.align()
        return self.bits(count)

    def small_number(self) -> int:
        """Normally small non-negative whole number (X.691 clause 11.6)."""
        if not self.bits(1):
            return self.bits(6)
        content = self.counted_octets()
        if not 1 <= len(content) <= 4:
            self.fail(Reason.BAD_INTEGER, f"small number of {len(content)} octets, expected 1..4")
        return int.from_bytes(content, "big")

    def choice(self, roots: int) -> int:
        """Index of an extensible CHOICE: 0..roots-1 for the root; roots + n for extension n, then an open type follows."""
        if self.bits(1):
            return roots + self.small_number()
        return self.whole_number(0, roots - 1)

    def enumerated(self, names: tuple[str, ...]) -> str:
        """Value of an extensible ENUMERATED."""
        if self.bits(1):
            self.fail(Reason.UNKNOWN_ENUM, f"enumeration value {len(names) + self.small_number()} is not known")
        return names[self.whole_number(0, len(names) - 1)]

    def open_type(self) -> Reader:
        """Contents of an open type, to be read and then finished."""
        self.align()
        start = self.base + self.pos
        return Reader(self.counted_octets(), start)

    def additions(self) -> dict[int, Reader]:
        """Extension additions of a SEQUENCE by index (X.691 clause 19.7); call where its extension bit was 1."""
        if self.bits(1):
            count, more = self.length()
            if more or not count:
                self.fail(Reason.BAD_EXTENSION, "extension bitmap of 16k bits or none")
        else:
            count = self.bits(6) + 1
        present = [index for index in range(count) if self.bits(1)]
        if not present:
            self.fail(Reason.BAD_EXTENSION, "extension bit set, but no extension present")
        return {index: self.open_type() for index in present}

    def finish(self) -> None:
        """Only zero bits of the last byte may remain."""
        self.align()
        if self.pos < self.end:
            left = (self.end - self.pos) >> 3
            self.fail(Reason.TRAILING, f"{left} bytes left after the end")
