"""One self-contained page from a report: tables, plots as inline SVG, targets with verdicts, provenance. No script, no network.

Everything that comes from the report is escaped; the page takes light or dark from the reader's settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from twm_bench import plots
from twm_bench.results import MEAN, Ablation, Report, Score
from twm_bench.targets import AIM, MET, MISSED, evaluate

PAGE_NAME = "report.html"
VERDICT_CLASS = {AIM: "aim", MET: "met", MISSED: "missed"}
CSS = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1d2126; --soft: #5a636e; --line: #d8dde3; --shade: #f4f6f8;
  --good: #1f7a43; --best: #0b5fa5; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --ink: #e3e7ec; --soft: #9aa4b0;
  --line: #333b44; --shade: #1d2228;
  --good: #5cc98a; --best: #6bb3f0; --bad: #f08a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 82rem; padding: 1.5rem 1.25rem 4rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; } p { max-width: 52rem; } .soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .22rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th:first-child, td:first-child { text-align: left; }
td.text, th.text { text-align: left; white-space: normal; min-width: 7rem; }
tr.ours td { background: var(--shade); font-weight: 600; }
.aim { color: var(--best); font-weight: 600; } .met { color: var(--good); font-weight: 600; }
.missed { color: var(--bad); font-weight: 600; }
figure { margin: .75rem 0; } figure svg { max-width: 100%; height: auto; } figcaption { color: var(--soft); font-size: 13px; }
nav a { margin-right: .9rem; } a { color: var(--best); } code { font-size: 12px; overflow-wrap: anywhere; white-space: normal; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(22rem, 1fr)); gap: 1rem; }
"""
CAPTIONS = {
    "gap-recovered": "Gap recovered = (method - uniform) / (oracle - uniform), of mean SCM over the four scenarios.",
    "ablations": "Each ablation plays the same seeds as twm.",
    "calibration": "A calibrated model lies on the dotted line; dots grow with the number of candidates in the bin.",
    "fans": "One window a scenario, fixed before measuring: the first that begins half a horizon after the quiet one.",
    "ranking": "Candidates of one start meet the same future in the twin. Points at true SCM 0 break an SLA by any amount.",
    "forecast-by-step": "Rivals without quantiles of their own are spread with the quantiles of their errors on tuning seeds.",
    "demand-skill": "Baseline: the last demand of each cell and slice with the quantiles of its past changes. Dotted: 10 %.",
    "field": "R2 and SSIM ahead; the present field is read from the newest frame and scores near 1.",
    "gemm-share": "Only matrix products count; dotted: the least that is asked.",
}


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
        ("field", "Field axis", _field(report, drawn)),
        ("traces", "Recorded traces", _traces(report)),
        ("speed", "Speed axis", _speed(report, drawn)),
        ("provenance", "Provenance", _provenance(report)),
    ]
    kept = [(key, title, body) for key, title, body in sections if body]
    links = "".join(f'<a href="#{key}">{escape(title)}</a>' for key, title, _ in kept)
    body = "".join(f'<section id="{key}"><h2>{escape(title)}</h2>{text}</section>' for key, title, text in kept)
    seeds = report.seeds
    lead = (
        f"{len(seeds.seeds)} {escape(seeds.purpose)} seeds x {len(report.scenarios)} scenarios, network "
        f"{_code(report.network)}, {escape(report.created)}. SCM: least normalised margin over all SLA terms, floored at 0. "
        "Saving: control cost against uniform shares. Nothing is handed a forecast; variant <em>calendar</em> sees a noisy "
        "list of known events besides."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>TelecomWorldBench: {escape(report.network)}</title><style>{CSS}</style></head><body>"
        f'<h1>TelecomWorldBench</h1><p class="soft">{lead}</p><nav>{links}</nav>{body}</body></html>\n'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, ours: str | None = None, text: Sequence[int] = ()) -> str:
    """An escaped table; the row whose first cell is `ours` stands out, columns `text` hold prose."""
    lines = []
    for row in rows:
        cells = "".join(f"<td{' class=text' if i in text else ''}>{_cell(value)}</td>" for i, value in enumerate(row))
        lines.append(f"<tr{' class=ours' if ours is not None and row[0] == ours else ''}>{cells}</tr>")
    heads = "".join(f"<th{' class=text' if i in text else ''}>{escape(name)}</th>" for i, name in enumerate(head))
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def _cell(value: Any) -> str:
    if isinstance(value, Markup):
        return str(value)
    if value is None:
        return "-"
    return escape(str(value)[:400])


def _code(text: str) -> Markup:
    return Markup(f"<code>{escape(text)}</code>")


def _figure(drawn: Mapping[str, str], name: str) -> str:
    if name not in drawn:
        return ""
    caption = CAPTIONS.get(name, "")
    return f"<figure>{drawn[name]}{f'<figcaption>{escape(caption)}</figcaption>' if caption else ''}</figure>"


def _targets(report: Report) -> str:
    rows = [
        (
            Markup(f'{escape(t["name"])}<br><span class="soft">{escape(t["source"])}</span>'),
            t["at_least"],
            t["aim"],
            t["measured"],
            Markup(f'<span class="{VERDICT_CLASS.get(t["verdict"], "soft")}">{escape(t["verdict"])}</span>'),
        )
        for t in evaluate(report).values()
    ]
    note = "<p>Where a target holds for both variants, the worse one decides.</p>"
    return note + table(("what, from where in report.json", "at least", "aim", "measured", "verdict"), rows, text=(0, 1, 2, 3))


def _decision(report: Report, drawn: Mapping[str, str]) -> str:
    parts = []
    for variant, methods in report.variants.items():
        head = (
            "method", "SCM", "95 % interval", "saving", "P(violation)", "worst 5 %", "SCM of means", "regret", "gap recovered",
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
        parts += [_figure(drawn, f"pareto-{variant}"), _figure(drawn, f"scm-by-scenario-{variant}")]
    parts.append(_figure(drawn, "gap-recovered"))
    if report.absent:
        rows_absent = [(name, reason) for name, reason in report.absent.items()]
        parts.append("<h3>Not played</h3>" + table(("method", "why"), rows_absent, text=(1,)))
    return "".join(parts)


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
    if not any(report.ablations.values()):
        return ""
    parts = [_figure(drawn, "ablations")]
    for variant, found in report.ablations.items():
        rows = [_ablation_row(name, entry, report.scenarios) for name, entry in found.items()]
        head = ("ablation", "SCM", "saving", "P(violation)", "twm - ablation", *report.scenarios)
        parts.append(f"<h3>Variant {escape(variant)}</h3>" + table(head, rows))
    return "".join(parts)


def _ablation_row(name: str, entry: Ablation, scenarios: Sequence[str]) -> list[Any]:
    score = entry.result.scores.get(MEAN)
    d = entry.difference.get(MEAN)
    by = [f"{entry.difference[s].mean:+.3f}" if s in entry.difference else None for s in scenarios]
    first = [number(score.scm), percent(score.saving), percent(score.p_violation)] if score else [None] * 3
    return [name, *first, None if d is None else f"{d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})", *by]


def _axes(report: Report, name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(k, v) for k, v in (report.axes.get(name) or {}).items() if isinstance(v, dict)]


def _trajectory(report: Report, drawn: Mapping[str, str]) -> str:
    parts = []
    for variant, entry in _axes(report, "trajectory"):
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
    for variant, entry in _axes(report, "ranking"):
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
    return "".join(parts) + "".join(_figure(drawn, name) for name in names)


def _field(report: Report, drawn: Mapping[str, str]) -> str:
    rows = []
    cases = [(f"held out, {k}", v) for k, v in _axes(report, "field")] + _axes(report, "unseen")
    for name, entry in cases:
        if "skipped" in entry:
            rows.append((name, *[None] * 5, str(entry["skipped"])))
            continue
        covered = ", ".join(f"{nominal} %: {percent(v, 1)}" for nominal, v in entry["coverage"].items())
        rows.append(
            (
                name, entry["windows"], number(entry["r2_now"], 4), number(entry["r2_ahead"]),
                number(entry["r2_ahead_persistence"]), number(entry["ssim"]), covered,
            )
        )  # fmt: skip
    if not rows:
        return ""
    head = ("case", "windows", "R2 now", "R2 ahead", "R2 ahead, persistence", "SSIM", "coverage ahead")
    parts = [table(head, rows, text=(6,)), _figure(drawn, "field")]
    for variant, entry in _axes(report, "field")[-1:]:
        if "features" in entry:
            feature_rows = [
                (
                    name, number(f["r2_now"], 4), number(f["r2_ahead"]), number(f["r2_ahead_persistence"]),
                    f"{f['rmse_now']:.3g}" if f["rmse_now"] is not None else None,
                    f"{f['rmse_ahead']:.3g}" if f["rmse_ahead"] is not None else None,
                    number(f["ssim_by_offset"]["twm"]), percent(f.get("coverage_90"), 1),
                )
                for name, f in entry["features"].items()
            ]  # fmt: skip
            head = ("feature", "R2 now", "R2 ahead", "persistence", "RMSE now", "RMSE ahead", "SSIM", "coverage 90 %")
            parts.append(
                f"<details><summary>By feature, variant {escape(variant)}</summary>{table(head, feature_rows)}</details>"
            )
    return "".join(parts)


def _traces(report: Report) -> str:
    parts = []
    for name, study in _axes(report, "traces"):
        rows = []
        for method, found in (study.get("methods") or {}).items():
            cells: list[Any] = [method]
            for key in ("nrmse", "crps"):
                low, high = found[key]["interval"]
                cells += [number(found[key]["mean"], 4), f"{number(low)} to {number(high)}"]
            rows.append([*cells, percent(found["coverage_90"]["mean"], 1)])
        if rows:
            count, steps = len(study["split"]["test"]), study["horizon_steps"]
            head = ("method", "NRMSE", "95 % interval", "CRPS", "95 % interval", "coverage 90 %")
            title = f"{escape(name)}: {count} held-out experiments, mean over {steps} steps"
            parts.append(f"<h3>{title}</h3>" + table(head, rows, ours="cdwm"))
        parts.append(_off_policy(study.get("off_policy")))
    return "".join(parts)


def _off_policy(found: Any) -> str:
    """What logged experiments say of another policy: weighted importance sampling and doubly robust, with what they rest on."""
    if isinstance(found, str):
        return f"<p>Off-policy: {escape(found)}</p>"
    rows = []
    for reward, lengths in ((found or {}).get("rewards") or {}).items():
        for length, policies in lengths.items():
            for policy, e in policies.items():
                rows.append(
                    (
                        f"{policy}, {reward}, {length}", number(e["wis"]), _interval(e["wis_interval"]), number(e["dr"]),
                        _interval(e["dr_interval"]), f"{e['effective_sample_size']:.0f} of {e['blocks']}", e.get("verdict"),
                    )
                )  # fmt: skip
    head = ("off-policy", "WIS", "95 % interval", "DR", "95 % interval", "effective sample size", "verdict")
    return table(head, rows, text=(6,)) if rows else ""


def _interval(bounds: Sequence[float | None]) -> str:
    return " to ".join(number(bound) for bound in bounds)


def _speed(report: Report, drawn: Mapping[str, str]) -> str:
    speed = report.axes.get("speed") or {}
    if not speed or "skipped" in speed:
        return f"<p>{escape(str(speed['skipped']))}</p>" if speed else ""
    rows: list[tuple[str, Any]] = []
    for part in ("machine", "rollouts", "cycle", "actor"):
        rows += [(f"{part}: {key.replace('_', ' ')}", value) for key, value in (speed.get(part) or {}).items()]
    rows.append(("GEMM peak, one thread [GFLOP per CPU-second]", speed.get("gemm_gflop_per_cpu_s")))
    return table(("measured in one run", ""), rows) + _figure(drawn, "gemm-share")


def _provenance(report: Report) -> str:
    rows: list[tuple[str, Any]] = [
        ("spec hash", _code(report.spec_hash)),
        ("command", _code(report.command)),
        ("seeds", f"{report.seeds.purpose}: {_ranges(report.seeds.seeds)}; ablations {_ranges(report.seeds.ablation_seeds)}"),
        ("work", f"{report.wall_s:.0f} s over all units"),
    ]
    rows += [
        (f"model {role}", _code(" ".join(f"{k} {v}" for k, v in model.items())))
        for role, model in sorted(report.models.items())
    ]
    rows.append(("versions", ", ".join(f"{k} {v}" for k, v in sorted(report.versions.items()))))
    return table(("", ""), rows, text=(1,))


def _ranges(values: Sequence[int]) -> str:
    if not values:
        return "none"
    consecutive = list(values) == list(range(values[0], values[0] + len(values)))
    return f"{values[0]} to {values[-1]}" if consecutive and len(values) > 1 else ", ".join(str(v) for v in values[:64])


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def percent(value: float | None, digits: int = 0) -> str:
    """A ratio in percent, or a dash."""
    return "-" if value is None else f"{100 * value:.{digits}f} %"
