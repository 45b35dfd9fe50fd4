"""One self-contained page from a report: tables, plots as inline SVG, targets with verdicts, provenance. No script, no network.

Everything that comes from the report is escaped; the page takes light or dark from the reader's settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from twm_bench import page_models, page_robustness, plots
from twm_bench.figures.style import ON_DARK, SERIES, page_colours
from twm_bench.markup import Markup, axes_of, code, figure, number, percent, table
from twm_bench.results import MEAN, Ablation, Report, Score
from twm_bench.targets import AIM, MET, MISSED, evaluate

PAGE_NAME = "report.html"
VERDICT_CLASS = {AIM: "aim", MET: "met", MISSED: "missed"}
CSS = (
    f""":root {{ {page_colours(SERIES)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {page_colours(ON_DARK)} }} }}"""
    """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d2126; --soft: #5a636e; --line: #d8dde3; --shade: #f4f6f8;
  --edge: #9aa5b2;  --good: #1f7a43; --best: #0b5fa5; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --ink: #e3e7ec; --soft: #9aa4b0;
  --line: #333b44; --shade: #1d2228; --edge: #66727f;
  --good: #5cc98a; --best: #6bb3f0; --bad: #f08a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 1.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; } p { max-width: 52rem; } .soft { color: var(--soft); }
/* A shadow at the side where more of a table is. */
.wide { overflow-x: auto; background:
  linear-gradient(to right, var(--ground) 40%, transparent) left / 2.5rem 100% no-repeat local,
  linear-gradient(to left, var(--ground) 40%, transparent) right / 2.5rem 100% no-repeat local,
  linear-gradient(to right, var(--edge), transparent) left / .9rem 100% no-repeat scroll,
  linear-gradient(to left, var(--edge), transparent) right / .9rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .22rem .33rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td:first-child:not(.text) { position: sticky; left: 0; background: var(--ground); }
td.text, th.text { text-align: left; white-space: normal; min-width: 7rem; }
tr.ours td, tr.ours td:first-child { background: var(--shade); font-weight: 600; }
@media (max-width: 40rem) { body { padding: 1rem .75rem 3rem; } td.text { max-width: 60vw; overflow-wrap: anywhere; } }
.aim { color: var(--best); font-weight: 600; } .met { color: var(--good); font-weight: 600; }
.missed { color: var(--bad); font-weight: 600; }
figure { margin: .75rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: var(--soft); font-size: 13px; }
nav a { margin-right: .9rem; } a { color: var(--best); } code { font-size: 12px; overflow-wrap: anywhere; white-space: normal; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
"""
)


LEGEND = (
    "SCM: mean of the SCM of single horizons, the headline. Worst 5 %: the same over the worst twentieth of the horizons. "
    "SCM of means: of losses and p99 delays averaged over the horizons first, as the design asks; one lost horizon, whose "
    "delay is many seconds, lifts the mean delay over every bound, so it is 0 for nearly everyone. SCM of medians: of the "
    "medians instead, what the typical horizon keeps. Gap recovered: between uniform and the clairvoyant oracle."
)


def write_html(report: Report, folder: Path) -> Path:
    """Write the page into the folder; returns its path. Targets are computed anew from the report."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE_NAME
    path.write_text(page(report), encoding="utf-8")
    return path


def page(report: Report) -> str:
    """The page as text."""
    drawn = {name: plots.svg(figure) for name, figure in plots.draw(report).items()}
    sections = [
        ("targets", "Targets", _targets(report)),
        ("decision", "Decision axis", _decision(report, drawn)),
        ("rivals", "Paired against each rival", _comparisons(report)),
        ("ablations", "What each part is worth", _ablations(report, drawn)),
        ("trajectory", "Trajectory axis", _trajectory(report, drawn)),
        ("field", "Field axis", page_models.field(report, drawn)),
        ("robustness", "Robustness", page_robustness.robustness(report, drawn)),
        ("traces", "Recorded traces", page_models.traces(report, drawn)),
        ("speed", "Speed axis", _speed(report, drawn)),
        ("provenance", "Provenance", _provenance(report)),
    ]
    kept = [(key, title, body) for key, title, body in sections if body]
    links = "".join(f'<a href="#{key}">{escape(title)}</a>' for key, title, _ in kept)
    body = "".join(f'<section id="{key}"><h2>{escape(title)}</h2>{text}</section>' for key, title, text in kept)
    seeds = report.seeds
    lead = (
        f"{len(seeds.seeds)} {escape(seeds.purpose)} seeds x {len(report.scenarios)} scenarios, network "
        f"{code(report.network)}, {escape(report.created)}. SCM: least normalised margin over all SLA terms, floored at 0. "
        "Saving: control cost against uniform shares. Nothing is handed a forecast; variant <em>calendar</em> sees a noisy "
        "list of known events besides."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>TelecomWorldBench: {escape(report.network)}</title><style>{CSS}</style></head><body>"
        f'<h1>TelecomWorldBench</h1><p class="soft">{lead}</p><nav>{links}</nav>{body}</body></html>\n'
    )


def _targets(report: Report) -> str:
    rows = [
        (
            Markup(f'{escape(t["name"])}<br><span class="soft">{escape(t["source"])}</span>'),
            t["at_least"],
            t["aim"],
            t["measured"],
            Markup(f'<span class="{VERDICT_CLASS.get(t["verdict"], "soft")}">{escape(t["verdict"])}</span>'),
            t["ceiling"],
        )
        for t in evaluate(report).values()
    ]
    note = "<p>Where a target holds for both variants, the worse one decides.</p>"
    head = ("what, from where in report.json", "at least", "aim", "measured", "verdict", "measured ceiling, and why")
    return note + table(head, rows, text=(0, 1, 2, 3, 5))


def _decision(report: Report, drawn: Mapping[str, str]) -> str:
    parts = [f"<p>{escape(LEGEND)}</p>"]
    for variant, methods in report.variants.items():
        head = (
            "method", "SCM", "95 % interval", "saving", "P(violation)", "worst 5 %", "SCM of means", "SCM of medians",
            "regret", "gap recovered",
            *report.scenarios, "twin calls", "decision p50", "p99",
        )  # fmt: skip
        rows = []
        for name in plots.ordered(methods):
            result = methods[name]
            score = result.scores[MEAN]
            by = [number(result.scores[s].scm) if s in result.scores else None for s in report.scenarios]
            calls = number(result.calls_per_horizon, 0) + (f" + {result.prepare_calls}" if result.prepare_calls else "")
            rows.append(
                (
                    name, number(score.scm), f"{number(score.scm_low)} to {number(score.scm_high)}", percent(score.saving),
                    percent(score.p_violation), number(score.scm_worst_5_percent), number(score.scm_of_mean_losses),
                    number(score.scm_of_median_kpis),
                    number(score.regret), percent(score.gap_recovered), *by, calls,
                    f"{1e3 * result.decision_s_p50:.1f} ms", f"{1e3 * result.decision_s_p99:.1f} ms",
                )
            )  # fmt: skip
        parts.append(f"<h3>Variant {escape(variant)}</h3>" + table(head, rows, ours=plots.OURS))
        slices = list(next((m.scores[MEAN].p_violation_by_slice for m in methods.values() if MEAN in m.scores), {}))
        if slices:
            detail = [(n, *_by_slice(methods[n].scores[MEAN], slices)) for n in plots.ordered(methods)]
            heads = [f"{s} {what}" for s in slices for what in ("P(violation)", "loss", "p99")]
            parts.append(f"<details><summary>By slice</summary>{table(('method', *heads), detail, ours=plots.OURS)}</details>")
        parts += [figure(drawn, f"pareto-{variant}"), figure(drawn, f"scm-by-scenario-{variant}")]
    parts += [figure(drawn, "gap-recovered"), _paper(report)]
    if report.absent:
        rows_absent = [(name, reason) for name, reason in report.absent.items()]
        parts.append("<h3>Not played</h3>" + table(("method", "why"), rows_absent, text=(1,)))
    return "".join(parts)


def _paper(report: Report) -> str:
    """SCM and saving of twm by scenario beside what the paper reports for its own city."""
    rows: list[tuple[Any, ...]] = [("the paper, its own city", "45 %", "8 %", *[None] * (2 * len(report.scenarios)))]
    for variant, methods in report.variants.items():
        if plots.OURS not in methods:
            continue
        scores = methods[plots.OURS].scores
        both = lambda s: (percent(s.scm, 1), percent(s.saving, 1))
        cells = [text for name in report.scenarios for text in (both(scores[name]) if name in scores else (None, None))]
        rows.append((f"twm, {variant}", *both(scores[MEAN]), *cells))
    heads = [f"{name}: {what}" for name in report.scenarios for what in ("SCM", "saving")]
    return "<h3>Beside the paper</h3>" + table(("", "SCM", "saving", *heads), rows)


def _by_slice(score: Score, slices: Sequence[str]) -> list[str]:
    out = []
    for name in slices:
        delay = score.delay_p99_ms_by_slice.get(name)
        out += [
            percent(score.p_violation_by_slice.get(name)),
            percent(score.loss_by_slice.get(name), 1),
            "-" if delay is None else f"{delay:.0f} ms",
        ]
    return out


def _comparisons(report: Report) -> str:
    parts = []
    for variant, rivals in report.comparisons.items():
        scenarios = [MEAN, *report.scenarios]
        rows = []
        for rival, found in sorted(rivals.items(), key=lambda item: item[1][MEAN].mean if MEAN in item[1] else 0.0):
            cells: list[Any] = [rival]
            for scenario in scenarios:
                d = found.get(scenario)
                kind = "" if d is None else "met" if d.low > 0 else "missed" if d.high < 0 else "soft"
                cells.append(
                    None if d is None else Markup(f'<span class="{kind}">{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})</span>')
                )
            rows.append(cells)
        if rows:
            parts.append(
                f"<h3>Variant {escape(variant)}: SCM of twm less SCM of the rival</h3>" + table(("rival", *scenarios), rows)
            )
    note = "<p>Same seeds on both sides; 95 % bootstrap interval over the seeds. Coloured where the interval leaves out 0.</p>"
    return note + "".join(parts) if parts else ""


def _ablations(report: Report, drawn: Mapping[str, str]) -> str:
    if not any(report.ablations.values()) and not any(report.comparisons.values()):
        return ""
    parts = [_layers(report), figure(drawn, "ablations")]
    for variant, found in report.ablations.items():
        rows = [_ablation_row(name, entry, report.scenarios) for name, entry in found.items()]
        head = (
            "ablation",
            "what the difference is worth",
            "SCM",
            "saving",
            "P(violation)",
            "twm - ablation",
            *report.scenarios,
        )
        if rows:
            title = (
                f"Variant {escape(variant)}: parts taken out of twm, one at a time, {len(report.seeds.ablation_seeds)} seeds"
            )
            parts.append(f"<h3>{title}</h3>" + table(head, rows, text=(1,)))
    return "".join(parts)


LAYERS = {
    "fwm-only": "no world model of decisions, no search: the forecast and fixed margins",
    "cdwm-only": "no forecast, no verification: the search on persistence",
    "analytic": "no learned residual: the same planner on queueing theory alone",
    "dt-cem-12": "no world model: the same twin calls spent on a direct search",
    "actor-only": "no search: one forward pass",
    "reactive": "no model at all: the tuned rule",
}
"""What is left of twm in the methods that stand for single layers."""
PARTS = {
    "twm-no-fwm": "the learned forecast (against persistence with its own spread)",
    "twm-no-forecast": "any forecast (against the last observation held)",
    "twm-teacher-forced": "overshooting in training",
    "twm-one-member": "the ensemble",
    "twm-no-verification": "the 12 twin calls",
    "twm-no-disagreement": "the penalty on disagreement",
    "twm-no-outages": "judging plans in link outages that have not begun",
    "twm-prescreen": "scoring unsafe candidates too",
    "twm-corner": "leaving out the templates for corner cases (they cost more twin calls)",
    "twm-actor-seeds": "leaving the actor out of the search's seeds",
}
"""What the difference of an ablation is worth."""


def _layers(report: Report) -> str:
    """twm against its single layers, from the comparisons over all seeds."""
    rows = []
    for name, left in LAYERS.items():
        cells: list[Any] = [name, left]
        for variant in report.variants:
            d = report.comparisons.get(variant, {}).get(name, {}).get(MEAN)
            cells.append(None if d is None else f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})")
        rows.append(cells)
    heads = [f"twm - it, {variant}" for variant in report.variants]
    note = "<p>Single layers, all seeds: SCM of twm less SCM of the layer alone, 95 % interval over paired seeds.</p>"
    return note + table(("layer", "what is left", *heads), rows, text=(1,))


def _ablation_row(name: str, entry: Ablation, scenarios: Sequence[str]) -> list[Any]:
    score = entry.result.scores.get(MEAN)
    d = entry.difference.get(MEAN)
    by = [f"{entry.difference[s].mean:+.3f}" if s in entry.difference else None for s in scenarios]
    first = [number(score.scm), percent(score.saving), percent(score.p_violation)] if score else [None] * 3
    return [name, PARTS.get(name, ""), *first, None if d is None else f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})", *by]


def _trajectory(report: Report, drawn: Mapping[str, str]) -> str:
    parts = []
    for variant, entry in axes_of(report, "trajectory"):
        if "skipped" in entry:
            parts.append(f"<p>Variant {escape(variant)}: {escape(str(entry['skipped']))}</p>")
            continue
        rows = []
        for split in ("id", "ood"):
            for kpi, scores in entry["kpi"].get(split, {}).items():
                steps = [v for v in scores["coverage_by_step"]["90"] if v is not None]
                crps = scores["crps"]
                others = ", ".join(f"{who} {number(v)}" for who, v in crps.items() if who != plots.OURS)
                rows.append(
                    (
                        kpi, split.upper(), number(crps.get(plots.OURS)), others, percent(scores["coverage"]["50"], 1),
                        percent(scores["coverage"]["90"], 1), percent(scores["coverage"]["95"], 1),
                        f"{percent(min(steps))} to {percent(max(steps))}" if steps else None,
                    )
                )  # fmt: skip
        count = entry.get("windows", {}).get("all", "-")
        head = ("KPI", "split", "CRPS, twm", "CRPS, others", "50 %", "90 %", "95 %", "90 % by step")
        parts.append(
            f"<h3>Variant {escape(variant)}: {count} windows, CRPS in standard deviations, coverage</h3>" + table(head, rows)
        )
    for variant, entry in axes_of(report, "ranking"):
        if "skipped" in entry:
            continue
        rank, pooled, rows = entry["spearman"], entry["spearman_pooled"], []
        for name in ("all", "id", "ood", "all_feasible", "id_feasible", "ood_feasible"):
            rows.append(
                (name.replace("_", ", "), number(rank.get(name)), entry["starts_ranked"].get(name), number(pooled.get(name)))
            )
        d, v = entry["disagreement"], entry["violation"]
        note = (
            f"{entry['starts']} starts x {entry['candidates']} candidates, {percent(entry['feasible_share'])} of them "
            f"feasible. Spearman of disagreement and error {number(d['all'])} (within a start {number(d['within_start'])}); "
            f"ECE of P(violation) {number(v['any']['ece'], 3)} for any slice, {number(v['pooled']['ece'], 3)} over slices. "
            f"Regret of the best predicted {number(entry['regret_of_best_predicted'])}, "
            f"of a random one {number(entry['regret_of_random'])}."
        )
        head = ("candidates", "Spearman within a start", "starts", "pooled")
        parts.append(f"<h3>Ranking, variant {escape(variant)}</h3><p>{escape(note)}</p>" + table(head, rows))
    if not parts:
        return ""
    names = ("calibration", "ranking", "fans", "forecast-by-step", "demand-skill")
    return "".join(parts) + "".join(figure(drawn, name) for name in names)


def _speed(report: Report, drawn: Mapping[str, str]) -> str:
    speed = report.axes.get("speed") or {}
    if not speed or "skipped" in speed:
        return f"<p>{escape(str(speed['skipped']))}</p>" if speed else ""
    rows: list[tuple[str, Any]] = []
    for part in ("machine", "rollouts", "cycle", "actor"):
        rows += [(f"{part}: {key.replace('_', ' ')}", value) for key, value in (speed.get(part) or {}).items()]
    rows.append(("GEMM peak, one thread [GFLOP per CPU-second]", speed.get("gemm_gflop_per_cpu_s")))
    return table(("measured in one run", ""), rows) + figure(drawn, "gemm-share")


def _provenance(report: Report) -> str:
    rows: list[tuple[str, Any]] = [
        ("spec hash", code(report.spec_hash)),
        ("command", code(report.command)),
        ("seeds", f"{report.seeds.purpose}: {_ranges(report.seeds.seeds)}; ablations {_ranges(report.seeds.ablation_seeds)}"),
        ("work", f"{report.wall_s:.0f} s over all units"),
    ]
    rows += [
        (f"model {role}", code(" ".join(f"{k} {v}" for k, v in model.items()))) for role, model in sorted(report.models.items())
    ]
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in sorted(report.versions.items()))))
    return table(("", ""), rows, text=(1,))


def _ranges(values: Sequence[int]) -> str:
    if not values:
        return "none"
    consecutive = list(values) == list(range(values[0], values[0] + len(values)))
    return f"{values[0]} to {values[-1]}" if consecutive and len(values) > 1 else ", ".join(str(v) for v in values[:64])
