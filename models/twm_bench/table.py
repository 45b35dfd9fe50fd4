"""The results table of the README, written between its two markers from a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from twm.core.errors import InvalidInputError
from twm_bench.html import number, percent
from twm_bench.plots import OURS, ordered
from twm_bench.results import MEAN, Report
from twm_bench.targets import evaluate

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
MAX_CELL = 200


def write_readme_table(report: Report, readme: Path) -> None:
    """Replace what stands between the markers.

    Raises InvalidInputError where the file cannot be read, or the markers are not there once each and in order.
    """
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{readme}: cannot be read: {error.strerror}") from error
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InvalidInputError(f"{readme}: expected {BEGIN} and then {END}, once each")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    partial = readme.with_name(readme.name + ".partial")
    partial.write_text(f"{before}\n{markdown(report)}\n{after}", encoding="utf-8")
    partial.replace(readme)


def markdown(report: Report) -> str:
    """Methods by mean SCM in every variant, then the targets."""
    seeds = report.seeds
    parts = [
        f"{len(seeds.seeds)} {_plain(seeds.purpose)} seeds x {len(report.scenarios)} scenarios, spec "
        f"{_code(report.spec_hash[:12])}, by {_code(report.command)}. SCM with its 95 % bootstrap "
        "interval; gap recovered between uniform and the oracle."
    ]
    for variant, methods in report.variants.items():
        head = (variant, "SCM", "saving", "P(violation)", "worst 5 %", "gap recovered", *report.scenarios, "twin calls")
        rows = []
        for name in ordered(methods):
            result = methods[name]
            score = result.scores[MEAN]
            half = (score.scm_high - score.scm_low) / 2
            by = [number(result.scores[s].scm) if s in result.scores else "-" for s in report.scenarios]
            rows.append(
                (
                    f"**{_plain(name)}**" if name == OURS else _plain(name),
                    f"{number(score.scm)} ±{half:.3f}",
                    percent(score.saving),
                    percent(score.p_violation),
                    number(score.scm_worst_5_percent),
                    percent(score.gap_recovered),
                    *by,
                    number(result.calls_per_horizon, 0),
                )
            )
        parts.append(_table(head, rows))
    goals = [
        (_plain(t["name"]), _plain(t["at_least"]), _plain(t["aim"]), _plain(t["measured"]), _plain(t["verdict"]))
        for t in evaluate(report).values()
    ]
    parts.append(_table(("target", "at least", "aim", "measured", "verdict"), goals))
    return "\n\n".join(parts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(_plain(name) for name in head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _code(text: str) -> str:
    line = "".join(c for c in text if c.isprintable() and c not in "`|")[:MAX_CELL]
    return f"`{line}`"


def _plain(text: str) -> str:
    """Text that Markdown neither breaks a table on nor reads as markup or HTML."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_CELL]
    for mark in "\\|`*_[]":
        line = line.replace(mark, "\\" + mark)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
