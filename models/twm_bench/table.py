"""The results table of the README, written between its two markers from a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from twm.core.errors import InvalidInputError
from twm_bench.markup import number, percent
from twm_bench.plots import OURS, ordered
from twm_bench.results import MEAN, Report
from twm_bench.targets import evaluate

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
MAX_CELL = 420
LAYERS = ("fwm-only", "cdwm-only", "analytic", "actor-only")
"""Methods that are single layers of twm."""
RARE = ("twm", "reactive", "analytic", "ppo", "oracle")


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
    parts += _worths(report)
    goals = [
        tuple(_plain(t[k]) for k in ("name", "at_least", "aim", "measured", "verdict", "ceiling"))
        for t in evaluate(report).values()
    ]
    parts.append(_table(("target", "at least", "aim", "measured", "verdict", "measured ceiling"), goals))
    return "\n\n".join(parts)


def _worths(report: Report) -> list[str]:
    """What each layer and part is worth: twm less what lacks it, paired; rare events."""
    variants, rows = list(report.variants), []
    names = [n for n in LAYERS if any(n in report.comparisons.get(v, {}) for v in variants)]
    names += sorted({n for v in variants for n in report.ablations.get(v, {})})
    for name in names:
        found = [
            report.comparisons[v][name] if name in report.comparisons.get(v, {})
            else entry.difference if (entry := report.ablations.get(v, {}).get(name)) else {}
            for v in variants
        ]  # fmt: skip
        cells = [f"{d[MEAN].mean:+.3f} ({d[MEAN].low:+.3f} to {d[MEAN].high:+.3f})" if MEAN in d else "-" for d in found]
        rows.append((_plain(name), *cells))
    parts = [_table(("twm less", *variants), rows)] if rows else []
    rare = list((report.robustness.get("rare") or {}).get("variants", {}).items())[-1:]
    for variant, events in rare:
        shown = [m for m in RARE if any(m in entry["methods"] for entry in events.values())]
        rows = [
            (
                f"{_plain(event)} ({entry['horizons']})",
                *(
                    f"{entry['methods'][m]['scm']:.3f} / {percent(entry['methods'][m]['p_violation'])}"
                    if m in entry["methods"]
                    else "-"
                    for m in shown
                ),
            )
            for event, entry in events.items()
        ]
        parts.append(_table((f"{variant}: horizons in which, SCM / P(violation)", *shown), rows))
    return parts


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
