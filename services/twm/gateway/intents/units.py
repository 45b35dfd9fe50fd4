"""Quantities and their units: shares and ratios 0..1, ms, s, Mbps."""

from __future__ import annotations

from dataclasses import dataclass, field

RATIO, POINTS, DELAY, SECONDS, DURATION, RATE, FACTOR, COUNT, PRB, BYTES, FRACTION, PERCENTILE = (
    "ratio",
    "points",
    "delay",
    "seconds",
    "duration",
    "rate",
    "factor",
    "count",
    "prb",
    "bytes",
    "fraction",
    "percentile",
)

PACKETS, NINES, NOMINAL = "packets", "nines", "nominal"
MANY = 100
"""From here on "one in so many" is about packets, whatever it is said of."""

UNITS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("%", "percent", "pct", "pc", "percents", "procent"), (RATIO, 0.01)),
    **dict.fromkeys(("‰", "permille", "promille", "permil"), (RATIO, 0.001)),
    "ppm": (RATIO, 1e-6),
    **dict.fromkeys(("points", "point", "pts", "pt", "pp"), (POINTS, 0.01)),
    **dict.fromkeys(("us", "μs", "µs", "usec", "microsecond", "microseconds"), (DELAY, 0.001)),
    **dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds", "millis"), (DELAY, 1.0)),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), (SECONDS, 1.0)),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), (DURATION, 60.0)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), (DURATION, 3600.0)),
    **dict.fromkeys(("day", "days"), (DURATION, 86400.0)),
    **dict.fromkeys(("kbps", "kbit", "kbits", "kilobit", "kilobits"), (RATE, 0.001)),
    **dict.fromkeys(("mbps", "mbit", "mbits", "megabit", "megabits", "meg", "megs"), (RATE, 1.0)),
    **dict.fromkeys(("gbps", "gbit", "gbits", "gigabit", "gigabits", "gig", "gigs"), (RATE, 1000.0)),
    **dict.fromkeys(("tbps", "tbit"), (RATE, 1e6)),
    "bps": (RATE, 1e-6),
    **dict.fromkeys(("x", "×", "times", "fold"), (FACTOR, 1.0)),
    **dict.fromkeys(("prb", "prbs"), (PRB, 1.0)),
}
BYTE_UNITS = {"KB": 0.001, "kB": 0.001, "MB": 1.0, "GB": 1000.0, "MBps": 1.0, "GBps": 1000.0, "kBps": 0.001, "KBps": 0.001}
BIT_UNITS = {"kb": 0.001, "mb": 1.0, "gb": 1000.0, "Mb": 1.0, "Gb": 1000.0, "Kb": 0.001}
UNIT_WORDS = tuple(u for u in UNITS if len(u) > 1 and u.isalpha() and u not in ("fold", "times", "pc"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and what it measures."""

    value: float
    dim: str
    signed: int = 0
    """-1 or 1 where a sign was written."""
    of: str = ""
    """PACKETS, NINES or NOMINAL (of the capacity of a link) where the words say so."""
    scale: float = field(default=0.0, compare=False)
    """What a plain number is multiplied with in the unit that was written; 0 where none was."""
