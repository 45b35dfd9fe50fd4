"""Section of the page: an unseen city, out of distribution, rare events, shift over time."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from twm_bench import plots
from twm_bench.markup import axes_of, figure, number, percent, table
from twm_bench.results import Report

SHOWN = ("twm", "reactive", "analytic", "ppo", "oracle")
DISTRIBUTIONS = {"ID": "-id", "OOD": "-ood"}


def robustness(report: Report, drawn: Mapping[str, str]) -> str:
    """All of it; a part that was not measured is left out or says why."""
    return "".join((_unseen(report), _shifted(report), _rare(report, drawn), _adaptation(report)))


def _unseen(report: Report) -> str:
    parts = []
    for name, entry in axes_of(report, "unseen"):
        title = f"<h3>{escape(name).capitalize()}</h3>"
        if "skipped" in entry:
            parts.append(f"{title}<p>Not measured: {escape(str(entry['skipped']))}</p>")
            continue
        loop = entry.get("closed_loop")
        if not loop:
            continue
        note = (
            f"{entry['cells']} cells in other places, one set of weights carried over the graph of cells and links: "
            f"{entry['weights']}; {entry['constants']}. The field of it stands under the field axis."
        )
        ranks = [
            (f"{variant}, {split}", number(found["spearman"].get(split)), number(found["spearman"].get(f"{split}_feasible")),
             number(found["violation"]["any"]["ece"]), number(found["regret_of_best_predicted"]),
             number(found["regret_of_random"]))
            for variant, found in entry["ranking"].items()
            for split in ("id", "ood")
        ]  # fmt: skip
        head = ("ranking", "Spearman within a start", "feasible only", "ECE of P(violation)", "regret of best predicted",
                "of a random one")  # fmt: skip
        rows = []
        for method, score in sorted(loop["methods"].items(), key=lambda item: -item[1]["scm"]):
            lead = loop["twm_better_by"].get(method)
            rows.append(
                (
                    method, number(score["scm"]), f"{number(score['scm_low'])} to {number(score['scm_high'])}",
                    percent(score["saving"], 1), percent(score["p_violation"]), number(score["scm_worst_5_percent"]),
                    percent(score["gap_recovered"]),
                    f"{lead['mean']:+.3f} ({number(lead['interval'][0])} to {number(lead['interval'][1])})" if lead else None,
                )
            )  # fmt: skip
        heads = ("closed loop", "SCM", "95 % interval", "saving", "P(violation)", "worst 5 %", "gap recovered", "twm - it")
        played = f"<p>{loop['seeds']} seeds of each scenario, variant {escape(loop['variant'])}.</p>"
        parts.append(f"{title}<p>{escape(note)}</p>" + table(head, ranks) + table(heads, rows, ours=plots.OURS) + played)
    return "".join(parts)


def _shifted(report: Report) -> str:
    """In and out of distribution, from the scenarios that are played anyway."""
    rows = []
    for variant, methods in report.variants.items():
        for name in SHOWN:
            if name not in methods:
                continue
            cells: list[Any] = [f"{name}, {variant}"]
            for suffix in DISTRIBUTIONS.values():
                scores = [methods[name].scores[s] for s in report.scenarios if s.endswith(suffix) and s in methods[name].scores]
                if not scores:
                    cells += [None] * 3
                    continue
                mean = lambda key, of=scores: sum(getattr(s, key) for s in of) / len(of)
                cells += [number(mean("scm")), percent(mean("p_violation")), percent(mean("saving"), 1)]
            rows.append(cells)
    if not rows:
        return ""
    heads = [f"{name}: {what}" for name in DISTRIBUTIONS for what in ("SCM", "P(violation)", "saving")]
    note = "<p>Out of distribution: shocks 1.4 times as strong and as long, links fail three times as often.</p>"
    return "<h3>Out of distribution</h3>" + note + table(("method", *heads), rows)


def _rare(report: Report, drawn: Mapping[str, str]) -> str:
    found = report.robustness.get("rare") or {}
    parts = []
    for variant, events in (found.get("variants") or {}).items():
        rows = []
        for event, entry in events.items():
            for name, score in entry["methods"].items():
                lead, bounds = score.get("twm_better_by"), score.get("interval")
                rows.append(
                    (
                        f"{event} ({entry['horizons']} horizons)", name, number(score["scm"]), percent(score["p_violation"]),
                        number(score["scm_worst_5_percent"]), percent(score["saving"], 1),
                        None if lead is None else f"{lead:+.3f} ({number(bounds[0])} to {number(bounds[1])})",
                    )
                )  # fmt: skip
        head = ("horizons in which", "method", "SCM", "P(violation)", "worst 5 %", "saving", "twm - it")
        body = table(head, rows, text=(1,))
        parts.append(f"<details><summary>Variant {escape(variant)}: all figures</summary>{body}</details>")
    if not parts:
        return ""
    what = "; ".join(f"{name}: {text}" for name, text in found["events"].items())
    return f"<h3>Rare events</h3><p>{escape(what)}.</p>" + figure(drawn, "rare-events") + "".join(parts)


def _adaptation(report: Report) -> str:
    found = report.adaptation
    if not found:
        return ""
    title = "<h3>Shift over time</h3>"
    if "skipped" in found:
        return f"{title}<p>Not measured: {escape(str(found['skipped']))}</p>"
    rows: list[tuple[str, Any]] = [
        ("demand multiplied by, from the middle of the run on", found["demand_factor"]),
        ("alarms before the shift", found["alarms_before_shift"]),
        ("detected after [horizons]", number(found["detection_delay_horizons"], 1)),
        ("why", "; ".join(str(r) for r in found["reasons"])),
        ("challenger", found["challenger"]["method"]),
    ]
    for name, gain in (("held-out frames", found["challenger"]["held_out"]), ("shadow", found["shadow"])):
        rows += [(f"{name}: {key.replace('_', ' ')}", _short(value)) for key, value in gain.items()]
    rows += [(key.replace("_", " "), value) for key, value in found["rollback"].items()]
    note = (
        f"<p>Scenario {escape(str(found['scenario']))}; the monitor, the challenger and its shadow as they run in service.</p>"
    )
    return title + note + table(("", ""), rows, text=(0, 1))


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(_short(v)) for v in value)
    return value
