"""Writer of aligned PER (ITU-T X.691), the mirror of twm.core.per.Reader. Values out of range raise ValueError."""

from __future__ import annotations

import math

_FRAGMENT = 16384


class Writer:
    """An encoding under construction."""

    __slots__ = ("_bits", "_bytes", "_count")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._bits = 0
        self._count = 0

    @property
    def aligned(self) -> bool:
        """Whether the position is on a byte boundary."""
        return not self._count

    def written(self) -> bytes:
        """The whole bytes so far."""
        return bytes(self._bytes)

    def bits(self, value: int, count: int) -> None:
        """An unaligned field of `count` bits."""
        if not 0 <= value < 1 << count:
            raise ValueError(f"{value} does not fit {count} bits")
        self._bits = self._bits << count | value
        self._count += count
        if self._count >= 8:
            rest = self._count & 7
            self._bytes += (self._bits >> rest).to_bytes(self._count >> 3, "big")
            self._bits &= (1 << rest) - 1
            self._count = rest

    def align(self) -> None:
        """Zero bits up to the next byte."""
        if self._count:
            self._bytes.append(self._bits << (8 - self._count))
            self._bits = self._count = 0

    def octets(self, content: bytes) -> None:
        """Octets, aligned."""
        self.align()
        self._bytes += content

    def whole_number(self, value: int, low: int, high: int) -> None:
        """Constrained whole number in low..high (X.691 clause 11.5)."""
        if not low <= value <= high:
            raise ValueError(f"{value} is outside {low}..{high}")
        span = high - low + 1
        offset = value - low
        if span <= 255:
            self.bits(offset, (span - 1).bit_length())
        elif span == 256:
            self.octets(bytes((offset,)))
        elif span <= 65536:
            self.octets(offset.to_bytes(2, "big"))
        else:
            most = ((span - 1).bit_length() + 7) // 8
            length = max((offset.bit_length() + 7) // 8, 1)
            self.bits(length - 1, (most - 1).bit_length())
            self.octets(offset.to_bytes(length, "big"))

    def extensible_number(self, value: int, low: int, high: int) -> None:
        """INTEGER (low..high, ...)."""
        inside = low <= value <= high
        self.bits(not inside, 1)
        if inside:
            self.whole_number(value, low, high)
        else:
            self.unconstrained_number(value)

    def unconstrained_number(self, value: int) -> None:
        """INTEGER without bounds."""
        self.counted_octets(signed_octets(value))

    def length(self, count: int) -> None:
        """Unconstrained length determinant of less than 16384."""
        if count >= _FRAGMENT:
            raise ValueError(f"length {count} needs fragments")
        if count < 128:
            self.octets(bytes((count,)))
        else:
            self.octets((0x8000 | count).to_bytes(2, "big"))

    def fragments(self, count: int) -> list[range]:
        """Ranges of `count` items that follow one length determinant each; write it by `begin`."""
        starts = list(range(0, count, 4 * _FRAGMENT))
        ranges = []
        for start in starts:
            left = min(count - start, 4 * _FRAGMENT)
            whole = left // _FRAGMENT * _FRAGMENT
            if whole:
                ranges.append(range(start, start + whole))
            if left > whole or (start + left == count and whole == left):
                ranges.append(range(start + whole, start + left))
        return ranges or [range(0)]

    def begin(self, part: range) -> None:
        """Length determinant of one of `fragments`."""
        if len(part) >= _FRAGMENT:
            self.octets(bytes((0xC0 | len(part) // _FRAGMENT,)))
        else:
            self.length(len(part))

    def counted_octets(self, content: bytes) -> None:
        """Octets after an unconstrained length determinant, in fragments where they are many."""
        for part in self.fragments(len(content)):
            self.begin(part)
            self.octets(content[part.start : part.stop])

    def bit_string(self, value: int, count: int) -> None:
        """BIT STRING of a fixed size."""
        if count > 16:
            self.align()
        self.bits(value, count)

    def small_number(self, value: int) -> None:
        """Normally small non-negative whole number."""
        if value < 64:
            self.bits(value, 7)
        else:
            self.bits(1, 1)
            self.counted_octets(value.to_bytes((value.bit_length() + 7) // 8, "big"))

    def choice(self, index: int, roots: int) -> None:
        """Index of an extensible CHOICE; for an extension (index >= roots) an open type has to follow."""
        self.bits(index >= roots, 1)
        if index >= roots:
            self.small_number(index - roots)
        else:
            self.whole_number(index, 0, roots - 1)

    def enumerated(self, value: str, names: tuple[str, ...]) -> None:
        """Root value of an extensible ENUMERATED."""
        self.bits(0, 1)
        self.whole_number(names.index(value), 0, len(names) - 1)

    def open_type(self, content: bytes) -> None:
        """An open type holding an encoding."""
        self.counted_octets(content)

    def additions(self, parts: list[bytes | None]) -> None:
        """Extension additions in order, None where absent (X.691 clause 19.7)."""
        self.small_number(len(parts) - 1)
        for part in parts:
            self.bits(part is not None, 1)
        for part in parts:
            if part is not None:
                self.open_type(part)

    def finish(self) -> bytes:
        """The encoding, padded to whole bytes; at least one."""
        self.align()
        return bytes(self._bytes) or b"\0"


def signed_octets(value: int) -> bytes:
    """Two's complement in the fewest octets."""
    return value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)


def real_octets(value: float) -> bytes:
    """REAL contents: base 2, odd mantissa, fewest octets (X.690 clause 11.3)."""
    if math.isnan(value):
        return b"\x42"
    if math.isinf(value):
        return b"\x40" if value > 0 else b"\x41"
    if value == 0.0:
        return b"\x43" if math.copysign(1.0, value) < 0 else b""
    fraction, exponent = math.frexp(abs(value))
    mantissa = int(math.ldexp(fraction, 53))
    exponent -= 53
    trailing = (mantissa & -mantissa).bit_length() - 1
    mantissa >>= trailing
    exponent_octets = signed_octets(exponent + trailing)
    first = 0x80 | (0x40 if value < 0 else 0) | len(exponent_octets) - 1
    return bytes((first,)) + exponent_octets + mantissa.to_bytes((mantissa.bit_length() + 7) // 8, "big")
