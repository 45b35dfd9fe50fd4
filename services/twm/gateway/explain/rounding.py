"""How numbers are written for an operator: the one place that knows units, decimals and signs.

`check_numbers` reads texts by the same table, so what is written here is found again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """How values of one unit are written."""

    decimals: int
    """Decimals that are written, and the fewest that a text may write where it rounds more than `tolerance` away."""
    factor: float = 1.0
    """Written number over value."""
    suffix: str = ""
    """Behind the number."""


PERCENT = Unit(1, 100.0, " %")
UNITS: dict[str, Unit] = {
    "ratio": PERCENT,
    "probability": PERCENT,
    "share": PERCENT,
    "points": Unit(1, 100.0, " points"),
    "ms": Unit(1, suffix=" ms"),
    "Mbps": Unit(1, suffix=" Mbps"),
    "scm": Unit(3),
    "score": Unit(3),
    "ood": Unit(2),
    "number": Unit(2),
    "s": Unit(0, suffix=" s"),
    "steps": Unit(0),
    "count": Unit(0),
    "step": Unit(0),
}
"""`points`: a difference of ratios, in percentage points; `step`: a slow step's number, an identity rather than an amount."""
INTERVAL_RATIO, INTERVAL_TEXT = 0.9, "90 %"
"""Between the 5 % and the 95 % quantile."""


MAX_EXTRA_DECIMALS = 4


def write(value: float, unit: str, *, signed: bool = False, extra: int = 0) -> str:
    """The value with its unit; "+" before what is positive where `signed`; `extra` decimals more than usual; never "-0.0"."""
    return number(value, unit, signed=signed, extra=extra) + UNITS[unit].suffix


def write_apart(first: float, second: float, unit: str) -> tuple[str, str]:
    """Both, with as many decimals as it takes to tell them apart."""
    for extra in range(MAX_EXTRA_DECIMALS):
        if number(first, unit, extra=extra) != number(second, unit, extra=extra):
            break
    return write(first, unit, extra=extra), write(second, unit, extra=extra)


def number(value: float, unit: str, *, signed: bool = False, extra: int = 0) -> str:
    """The value without its unit."""
    rule = UNITS[unit]
    decimals = rule.decimals + extra
    text = f"{value * rule.factor:+.{decimals}f}" if signed else f"{value * rule.factor:.{decimals}f}"
    bare = text.lstrip("+-")
    return bare if not bare.strip("0.") else text


def write_range(low: float, high: float, unit: str) -> str:
    """ "low to high unit"."""
    return f"{number(low, unit)} to {write(high, unit)}"


def kpi_unit(kpi: str) -> str:
    """Unit of a KPI, from its name."""
    for ending, unit in (("_ratio", "ratio"), ("_ms", "ms"), ("_mbps", "Mbps")):
        if kpi.endswith(ending):
            return unit
    return "number"


def change_unit(unit: str) -> str:
    """Unit of a difference of two values: ratios differ by points."""
    return "points" if unit in ("ratio", "probability", "share") else unit


KPI_WORDS = {
    "loss_ratio": "loss",
    "delay_p99_ms": "p99 delay",
    "utilisation_ratio": "PRB utilisation",
    "served_mbps": "served load",
}
"""KPI names in words."""


def kpi_words(kpi: str) -> str:
    """The KPI in words."""
    return KPI_WORDS.get(kpi, kpi.rsplit("_", 1)[0].replace("_", " "))
