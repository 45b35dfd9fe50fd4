"""Pieces of the page: tables, numbers, escaped text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from twm_bench.results import Report

MAX_CELL = 1000


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, ours: str | None = None, text: Sequence[int] = ()) -> str:
    """An escaped table; the row whose first cell is `ours` stands out, columns `text` hold prose."""
    lines = []
    for row in rows:
        cells = "".join(f"<td{' class=text' if i in text else ''}>{cell(value)}</td>" for i, value in enumerate(row))
        lines.append(f"<tr{' class=ours' if ours is not None and row[0] == ours else ''}>{cells}</tr>")
    heads = "".join(f"<th{' class=text' if i in text else ''}>{escape(name)}</th>" for i, name in enumerate(head))
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def cell(value: Any) -> str:
    """One cell: markup as it is, everything else escaped; nothing is a dash."""
    if isinstance(value, Markup):
        return str(value)
    if value is None:
        return "-"
    text = str(value)
    return escape(text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…")


def code(text: str) -> Markup:
    """Text in the fixed font."""
    return Markup(f"<code>{escape(text)}</code>")


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A ratio in percent, or a dash."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def interval(bounds: Sequence[float | None]) -> str:
    """Two bounds, three digits."""
    return " to ".join(number(bound) for bound in bounds)


CAPTIONS = {
    "gap-recovered": "Gap recovered = (method - uniform) / (oracle - uniform), of mean SCM over the four scenarios.",
    "ablations": "Each ablation plays the same seeds as twm.",
    "calibration": "A calibrated model lies on the dotted line; dots grow with the number of candidates in the bin.",
    "fans": "One window a scenario, fixed before measuring: the first that begins half a horizon after the quiet one.",
    "ranking": "Candidates of one start meet the same future in the twin. Points at true SCM 0 break an SLA by any amount.",
    "forecast-by-step": "Rivals without quantiles of their own are spread with the quantiles of their errors on tuning seeds.",
    "demand-skill": "Baseline: the last demand of each cell and slice with the quantiles of its past changes. Dotted: 10 %.",
    "field": "R2 and SSIM ahead; the present field is read from the newest frame and scores near 1.",
    "field-ceiling": "Ahead, of log(1 + value). Bars: the model, not told the shares that follow. Ticks: the most that "
    "anyone reaches who knows the twin's state and those shares, but not the noise; nor shocks and failures to come.",
    "rare-events": "Same horizons for everyone; subsets are chosen by what happened to the network, not by who did well in it.",
    "traces": "Mean over held-out experiments with its 95 % interval; less is better.",
    "gemm-share": "Only matrix products count; dotted: the least that is asked.",
}


def figure(drawn: Mapping[str, str], name: str) -> str:
    """A plot with its caption; nothing where it was not drawn."""
    if name not in drawn:
        return ""
    caption = CAPTIONS.get(name, "")
    return f"<figure>{drawn[name]}{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>"


def axes_of(report: Report, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Entries of an axis that are measurements."""
    return [(k, v) for k, v in (report.axes.get(name) or {}).items() if isinstance(v, dict)]
