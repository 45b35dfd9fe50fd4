"""What all figures share: colours, type, names as short printable lines.

Ink is drawn in one marker colour, which the SVG exchanges for `currentColor`, and the colours of series for variables of the
page: the same plot reads on light and on dark ground.
Names come from files and are drawn as they stand: no mathematics, no markup.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from twm_bench.results import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#0a0b0c"
BLUE, ORANGE, GREEN, PURPLE, RED, GREY = "#3d85c6", "#c8701a", "#3a9d5d", "#8e6fc4", "#cf4f4f", "#8a8a8a"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
ON_DARK = ("#6bb3f0", "#f0a35e", "#5cc98a", "#b79cf0", "#f08a80", "#a8b0b8")
"""The same, on dark ground."""
OURS, YARDSTICK = "twm", "oracle"
MAX_NAME = 40
RC = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.5,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
}


def variable_of(colour: str) -> str:
    """The page's variable for a colour of SERIES."""
    return f"--series-{SERIES.index(colour)}"


def page_colours(colours: Sequence[str]) -> str:
    """CSS that gives the variables of SERIES these colours."""
    return " ".join(f"{variable_of(series)}: {colour};" for series, colour in zip(SERIES, colours, strict=True))


Plot = Callable[[Report], "Figure | None"]
"""Draws one figure; None where the report has no numbers for it."""


@contextmanager
def styled() -> Iterator[Any]:
    """Matplotlib with the settings of all figures."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        yield mpl


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches and its axes, row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [ax for row in axes for ax in row]


def entries_of(report: Report, axis: str) -> list[tuple[str, dict[str, Any]]]:
    """Entries of a measured axis by variant, without those that were skipped."""
    return [(k, v) for k, v in (report.axes.get(axis) or {}).items() if isinstance(v, dict) and "skipped" not in v]


def look_of(name: str) -> tuple[str, str]:
    """(colour, marker) of a method."""
    if name == OURS:
        return RED, "o"
    if name == YARDSTICK:
        return INK, "*"
    if name.startswith("dt-"):
        return BLUE, "s"
    if name in ("uniform", "proportional", "reactive", "best-static"):
        return GREY, "o"
    return (GREEN, "D") if name in ("fwm-only", "cdwm-only", "actor-only") else (ORANGE, "^")


def known(values: Sequence[float | None]) -> list[float]:
    """Values with NaN where there is none."""
    return [math.nan if v is None else v for v in values]


def label_of(text: object) -> str:
    """A name as one short printable line."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def number(value: float | None) -> str:
    """Two decimals; a dash where there is none."""
    return "-" if value is None else f"{value:.2f}"
