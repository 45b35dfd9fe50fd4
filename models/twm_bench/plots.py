"""Plots of a report, each as a matplotlib figure: SVG that follows the page's colours for the HTML, PNG for the README.

Ink is drawn in one marker colour, which the SVG exchanges for `currentColor`: the same plot reads on light and on dark ground.
Names come from files and are drawn as they stand: no mathematics, no markup.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twm_bench.results import MEAN, MethodResult, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#0a0b0c"
BLUE, ORANGE, GREEN, PURPLE, RED, GREY = "#3d85c6", "#d9822b", "#3a9d5d", "#8e6fc4", "#cf4f4f", "#8a8a8a"
SERIES = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY)
OURS, YARDSTICK = "twm", "oracle"
PAPER = (0.08, 0.45)
"""(saving, SCM) that the paper reports for its own city."""
MAX_NAME = 40
PNG_DOTS = 420_000
"""Most pixels of a PNG: what keeps it under 150 kB."""
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

Plot = Callable[[Report], "Figure | None"]


@contextmanager
def _style() -> Iterator[Any]:
    import matplotlib as mpl

    with mpl.rc_context(RC):
        yield mpl


def _figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [ax for row in axes for ax in row]


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element that takes its ink from the page."""
    with _style() as mpl:
        mpl.rcParams["svg.hashsalt"] = "twm"
        out = io.StringIO()
        figure.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = out.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def draw(report: Report) -> dict[str, Figure]:
    """All plots the report has numbers for, by name."""
    found: dict[str, Figure] = {}
    with _style():
        for name, plot in _plots(report).items():
            figure = plot(report)
            if figure is not None:
                found[name] = figure
    return found


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write each plot as PNG on white into the folder; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in draw(report).items():
        path = folder / f"{name}.png"
        dots = PNG_DOTS / max(1.0, figure.get_figwidth() * figure.get_figheight())
        with _style():
            figure.savefig(
                path,
                dpi=min(100.0, dots**0.5),
                facecolor="white",
                metadata={"Software": None},
                pil_kwargs={"optimize": True},
            )
        paths.append(path)
    return paths


def _plots(report: Report) -> dict[str, Plot]:
    out: dict[str, Plot] = {}
    for variant in report.variants:
        out[f"pareto-{variant}"] = lambda r, v=variant: pareto(r, v)  # type: ignore[misc]
        out[f"scm-by-scenario-{variant}"] = lambda r, v=variant: scm_by_scenario(r, v)  # type: ignore[misc]
    return out | {
        "gap-recovered": gap_recovered,
        "ablations": ablations,
        "calibration": calibration,
        "fans": fans,
        "ranking": ranking,
        "forecast-by-step": forecast_by_step,
        "demand-skill": demand_skill,
        "field": field,
        "gemm-share": gemm_share,
    }


def ordered(methods: Mapping[str, MethodResult]) -> list[str]:
    """Method names, best mean SCM first."""
    scored = [name for name, result in methods.items() if MEAN in result.scores]
    return sorted(scored, key=lambda name: -methods[name].scores[MEAN].scm)


def pareto(report: Report, variant: str) -> Figure | None:
    """Mean SCM against saving of every method: up and to the right is better."""
    methods = report.variants[variant]
    names = ordered(methods)
    if not names:
        return None
    figure, (ax,) = _figure(7.2, 4.6)
    points = {name: (100 * methods[name].scores[MEAN].saving, methods[name].scores[MEAN].scm) for name in names}
    for name, (x, y) in points.items():
        score = methods[name].scores[MEAN]
        colour, marker = _look(name)
        ax.plot([x, x], [score.scm_low, score.scm_high], color=colour, alpha=0.45, linewidth=1.2)
        ax.plot(x, y, marker, color=colour, markersize=11 if marker == "*" else 6)
    ax.axvline(100 * PAPER[0], color=INK, alpha=0.35, linewidth=0.8, linestyle=":")
    everything = points | {"the paper's, its own city": (100 * PAPER[0], PAPER[1])}
    ax.plot(100 * PAPER[0], PAPER[1], "x", color=INK, markersize=7, alpha=0.7)
    ax.set_xlabel("control saving against uniform [%]")
    ax.set_ylabel("SCM, mean of four scenarios")
    ax.set_title(f"Cost-compliance plane, variant {_name(variant)}; bars: 95 % bootstrap interval", loc="left")
    ax.margins(x=0.16, y=0.08)
    _label(figure, ax, everything)
    return figure


def _label(figure: Figure, ax: Axes, points: Mapping[str, tuple[float, float]]) -> None:
    """Put each name beside its point where it covers least."""
    figure.canvas.draw()
    to_pixels = ax.transData.transform
    at = {name: to_pixels(point) for name, point in points.items()}
    frame = ax.get_window_extent()
    taken: list[tuple[float, float, float, float]] = [(x - 5, y - 5, x + 5, y + 5) for x, y in at.values()]
    scale = figure.dpi / 72
    for name, (x, y) in at.items():
        text = _name(name)
        width, height = 5.1 * len(text) * scale * 0.9, 9.5 * scale
        best, least = (6.0, -3.0), math.inf
        for ring in (7.0, 14.0, 22.0):
            for dx, dy in (
                (ring, -3.0), (-ring - width / scale, -3.0), (ring * 0.6, ring * 0.7), (ring * 0.6, -ring * 0.7 - 6),
                (-ring * 0.6 - width / scale, ring * 0.7), (-ring * 0.6 - width / scale, -ring * 0.7 - 6),
                (-width / scale / 2, ring), (-width / scale / 2, -ring - 7),
            ):  # fmt: skip
                box = (x + dx * scale, y + dy * scale, x + dx * scale + width, y + dy * scale + height)
                outside = max(frame.x0 - box[0], 0) + max(box[2] - frame.x1 - 60, 0) + max(frame.y0 - box[1], 0)
                cost = sum(_overlap(box, other) for other in taken) + 40 * outside + 4 * ring
                if cost < least:
                    best, least = (dx, dy), cost
        dx, dy = best
        taken.append((x + dx * scale, y + dy * scale, x + dx * scale + width, y + dy * scale + height))
        weight = "bold" if name == OURS else "normal"
        far = math.hypot(dx if dx > 0 else min(dx + width / scale, 0.0), dy) > 12
        ax.annotate(
            text, points[name], (dx, dy), textcoords="offset points", fontsize=8, fontweight=weight, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": INK, "alpha": 0.3, "linewidth": 0.6, "shrinkB": 3} if far else None,
        )  # fmt: skip


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)


def scm_by_scenario(report: Report, variant: str) -> Figure | None:
    """SCM of every method in every scenario with its interval."""
    methods = report.variants[variant]
    names = ordered(methods)[::-1]
    if not names:
        return None
    figure, axes = _figure(8.6, 1.1 + 0.22 * len(names), 1, len(report.scenarios), sharey=True, sharex=True)
    for ax, scenario in zip(axes, report.scenarios, strict=True):
        for i, name in enumerate(names):
            score = methods[name].scores.get(scenario)
            if score is None:
                continue
            colour, marker = _look(name)
            ax.plot([score.scm_low, score.scm_high], [i, i], color=colour, alpha=0.5, linewidth=2)
            ax.plot(score.scm, i, marker, color=colour, markersize=9 if marker == "*" else 5)
        ax.set_title(_name(scenario), loc="left")
        ax.set_yticks(range(len(names)), [_name(name) for name in names])
        ax.set_xlim(left=0)
    for label in axes[0].get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    figure.supxlabel(f"SCM, variant {_name(variant)}; bars: 95 % bootstrap interval over the seeds", fontsize=9)
    return figure


def gap_recovered(report: Report) -> Figure | None:
    """Gap between uniform and the clairvoyant oracle that each method recovers, both variants."""
    gaps: dict[str, dict[str, float]] = {}
    for variant, methods in report.variants.items():
        for name, result in methods.items():
            value = result.scores[MEAN].gap_recovered if MEAN in result.scores else None
            if value is not None and name not in (YARDSTICK, "uniform"):
                gaps.setdefault(name, {})[variant] = value
    if not gaps:
        return None
    names = sorted(gaps, key=lambda name: max(gaps[name].values()))
    figure, (ax,) = _figure(7.2, 0.9 + 0.28 * len(names))
    variants = list(report.variants)
    for j, variant in enumerate(variants):
        offset = (j - (len(variants) - 1) / 2) * 0.3
        rows = [(i, gaps[name][variant]) for i, name in enumerate(names) if variant in gaps[name]]
        ax.barh(
            [i - offset for i, _ in rows], [100 * v for _, v in rows], 0.28, color=SERIES[j % len(SERIES)], label=_name(variant)
        )
        for i, value in rows:
            ax.text(100 * max(value, 0) + 0.8, i - offset, f"{100 * value:.0f}", va="center", fontsize=7)
    ax.set_yticks(range(len(names)), [_name(name) for name in names])
    for label in ax.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    ax.grid(axis="y", visible=False)
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.set_xlabel("gap recovered between uniform (0) and the clairvoyant oracle (100) [%]")
    ax.legend(loc="lower right")
    return figure


def ablations(report: Report) -> Figure | None:
    """What each part of twm is worth: SCM with it less SCM without it, paired."""
    rows: dict[str, dict[str, Any]] = {}
    for variant, found in report.ablations.items():
        for name, entry in found.items():
            if MEAN in entry.difference:
                rows.setdefault(name, {})[variant] = entry.difference[MEAN]
    if not rows:
        return None
    names = sorted(rows, key=lambda name: max(d.mean for d in rows[name].values()))
    figure, (ax,) = _figure(7.2, 0.9 + 0.36 * len(names))
    variants = list(report.variants)
    for j, variant in enumerate(variants):
        offset = (j - (len(variants) - 1) / 2) * 0.28
        colour, first = SERIES[j % len(SERIES)], True
        for i, name in enumerate(names):
            if variant in rows[name]:
                d = rows[name][variant]
                ax.plot([d.low, d.high], [i - offset] * 2, color=colour, alpha=0.5, linewidth=2.5)
                ax.plot(d.mean, i - offset, "o", color=colour, markersize=5, label=_name(variant) if first else None)
                first = False
    ax.axvline(0, color=INK, linewidth=0.7)
    ax.set_yticks(range(len(names)), [_name(name) for name in names])
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("SCM of twm less SCM without the part (95 % interval, paired): right of 0 the part helps")
    ax.legend(loc="lower right")
    return figure


def _entries(report: Report, axis: str) -> list[tuple[str, dict[str, Any]]]:
    return [(k, v) for k, v in (report.axes.get(axis) or {}).items() if isinstance(v, dict) and "skipped" not in v]


def calibration(report: Report) -> Figure | None:
    """Left: coverage of KPI intervals against nominal. Right: predicted against observed violations."""
    trajectories, rankings = _entries(report, "trajectory"), _entries(report, "ranking")
    if not trajectories and not rankings:
        return None
    figure, (left, right) = _figure(8.2, 3.7, 1, 2)
    for ax in (left, right):
        ax.plot([0, 100], [0, 100], color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 100)
    for variant, entry in trajectories[-1:]:
        for split, line in (("id", "-"), ("ood", "--")):
            for i, (kpi, scores) in enumerate(entry.get("kpi", {}).get(split, {}).items()):
                known = sorted((float(k), 100 * v) for k, v in scores.get("calibration", {}).items() if v is not None)
                label = _name(kpi) if split == "id" else None
                left.plot(
                    *zip(*known, strict=True), line, color=SERIES[i % len(SERIES)], marker=".", label=label
                ) if known else None
        left.set_title(f"KPI intervals, variant {_name(variant)}; solid ID, dashed OOD", loc="left")
    left.set_xlabel("nominal coverage [%]")
    left.set_ylabel("measured coverage [%]")
    if trajectories:
        left.legend(loc="upper left")
    for variant, entry in rankings[-1:]:
        groups = {"any slice": entry["violation"]["any"]} | entry["violation"].get("by_slice", {})
        for i, (name, bins) in enumerate(groups.items()):
            sizes = [3 + 2.2 * math.log10(max(n, 1)) for n in bins["bin_count"]]
            x, y = [100 * v for v in bins["predicted"]], [100 * v for v in bins["observed"]]
            right.plot(x, y, "-", color=SERIES[i % len(SERIES)], linewidth=1, alpha=0.7)
            for a, b, size in zip(x, y, sizes, strict=True):
                right.plot(a, b, "o", color=SERIES[i % len(SERIES)], markersize=size, alpha=0.8)
            right.plot([], [], "o-", color=SERIES[i % len(SERIES)], label=f"{_name(name)}, ECE {_number(bins.get('ece'))}")
        right.set_title(f"P(violation) of candidates, variant {_name(variant)}", loc="left")
        right.legend(loc="upper left")
    right.set_xlabel("predicted [%]")
    right.set_ylabel("observed [%]")
    return figure


def fans(report: Report) -> Figure | None:
    """Predicted quantiles of the KPIs with an SLA against what then happened, one window a scenario, the bound dotted."""
    for variant, entry in _entries(report, "trajectory")[::-1]:
        found = [fan for fan in entry.get("fans", []) if fan.get("quantiles")]
        if not found:
            continue
        scenarios = sorted({fan["scenario"] for fan in found})
        columns = sorted({(fan["kpi"], fan["slice"]) for fan in found})
        figure, axes = _figure(2.2 * len(columns) + 0.6, 1.55 * len(scenarios) + 0.5, len(scenarios), len(columns), sharex=True)
        grid = {(s, c): axes[i * len(columns) + j] for i, s in enumerate(scenarios) for j, c in enumerate(columns)}
        for fan in found:
            ax = grid[fan["scenario"], (fan["kpi"], fan["slice"])]
            _fan(ax, fan)
        for (scenario, column), ax in grid.items():
            if scenario == scenarios[0]:
                unit = "p99 delay [ms]" if column[0] == "delay_p99_ms" else "loss [%]"
                ax.set_title(f"{_name(column[1])} {unit}", loc="left")
            if column == columns[0]:
                ax.set_ylabel(_name(scenario))
        figure.supxlabel(f"slow steps from now, variant {_name(variant)}; bands 50 and 90 %, black: what happened", fontsize=9)
        return figure
    return None


def _fan(ax: Axes, fan: Mapping[str, Any]) -> None:
    logarithmic = fan["kpi"] == "delay_p99_ms"
    scale = 1.0 if logarithmic else 100.0
    q = [[scale * v for v in row] for row in fan["quantiles"]]
    steps = list(range(1, len(q[0]) + 1))
    past = [(i - len(fan["past"]) + 1, scale * v) for i, v in enumerate(fan["past"]) if v is not None]
    truth = [(s, scale * v) for s, v in zip(steps, fan["truth"], strict=True) if v is not None]
    ax.fill_between(steps, q[0], q[-1], color=BLUE, alpha=0.22, linewidth=0)
    ax.fill_between(steps, q[1], q[-2], color=BLUE, alpha=0.35, linewidth=0)
    ax.plot(steps, q[len(q) // 2], color=BLUE, linewidth=1.2)
    line = past + truth
    ax.plot([x for x, _ in line], [y for _, y in line], color=INK, linewidth=1.1)
    ax.axvline(0.5, color=INK, alpha=0.3, linewidth=0.6)
    ax.axhline(scale * fan["bound"], color=RED, linestyle=":", linewidth=1)
    if logarithmic:
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=5))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        ax.set_ylim(bottom=0)


def ranking(report: Report) -> Figure | None:
    """Predicted against true SCM of candidates; one point a candidate."""
    found = _entries(report, "ranking")
    if not found:
        return None
    figure, axes = _figure(3.8 * len(found) + 0.4, 3.7, 1, len(found), sharex=True, sharey=True)
    for ax, (variant, entry) in zip(axes, found, strict=True):
        dots = entry["scatter"]
        for ood, colour, label in ((False, BLUE, "in distribution"), (True, ORANGE, "out of distribution")):
            x = [t for t, o in zip(dots["true"], dots["ood"], strict=True) if o == ood]
            y = [p for p, o in zip(dots["predicted"], dots["ood"], strict=True) if o == ood]
            ax.plot(x, y, ".", color=colour, alpha=0.6, markersize=5, label=label, markeredgewidth=0)
        ax.plot([0, 1], [0, 1], color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
        top = max([*dots["true"], *dots["predicted"], 0.1]) * 1.05
        ax.set_xlim(-0.02 * top, top)
        ax.set_ylim(-0.02 * top, top)
        rank = entry["spearman"]
        ax.set_title(f"{_name(variant)}: Spearman ID {_number(rank.get('id'))}, OOD {_number(rank.get('ood'))}", loc="left")
        ax.set_xlabel("true SCM")
    axes[0].set_ylabel("predicted SCM")
    axes[0].legend(loc="upper left", markerscale=2)
    return figure


def forecast_by_step(report: Report) -> Figure | None:
    """CRPS of the KPIs by step, beside forecasters without a world model."""
    for variant, entry in _entries(report, "trajectory")[::-1]:
        kpis = entry.get("kpi", {}).get("all", {})
        if not kpis:
            continue
        figure, axes = _figure(8.6, 2.7, 1, len(kpis), sharex=True)
        for ax, (kpi, scores) in zip(axes, kpis.items(), strict=True):
            for i, (who, values) in enumerate(scores["crps_by_step"].items()):
                ax.plot(range(1, len(values) + 1), _known(values), color=SERIES[i % len(SERIES)], label=_name(who))
            ax.set_title(_name(kpi), loc="left")
            ax.set_ylim(bottom=0)
        axes[0].set_ylabel("CRPS [standard deviations]")
        lines, labels = axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside upper center", ncols=max(len(labels), 1))
        figure.supxlabel(f"slow steps ahead, variant {_name(variant)}, all scenarios", fontsize=9)
        return figure
    return None


def demand_skill(report: Report) -> Figure | None:
    """CRPS skill of the demand forecast by step, over persistence spread with its past errors."""
    found = _entries(report, "trajectory")
    if not found:
        return None
    figure, (ax,) = _figure(6.2, 3.2)
    for i, (variant, entry) in enumerate(found):
        for split, line in (("id", "-"), ("ood", "--")):
            values = entry.get("demand", {}).get(split, {}).get("skill_by_step")
            if values:
                label = f"{_name(variant)}, {split.upper()}"
                ax.plot(range(1, len(values) + 1), [100 * v for v in _known(values)], line, color=SERIES[i], label=label)
    ax.axhline(10, color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_xlabel("slow steps ahead")
    ax.set_ylabel("CRPS skill of demand [%]")
    ax.legend(loc="best")
    return figure


def field(report: Report) -> Figure | None:
    """R2 of the field features by offset, and SSIM of their maps, with persistence beside."""
    for variant, entry in _entries(report, "field")[::-1]:
        features, offsets = entry.get("features", {}), entry.get("step_offsets", [])
        if not features:
            continue
        figure, (left, right) = _figure(8.4, 0.9 + 0.26 * len(features), 1, 2, sharey=True)
        names = list(features)[::-1]
        for ax, title, ours, base in (
            (left, "R2 ahead", lambda v: v["r2_ahead"], lambda v: v["r2_ahead_persistence"]),
            (right, "SSIM of maps, ahead", lambda v: _ahead(v, "twm"), lambda v: _ahead(v, "persistence")),
        ):
            for i, name in enumerate(names):
                a, b = ours(features[name]), base(features[name])
                if a is not None and b is not None:
                    ax.plot([max(b, -1), max(a, -1)], [i, i], color=INK, alpha=0.25, linewidth=1.5)
                for value, colour, marker in ((b, GREY, "o"), (a, BLUE, "o")):
                    if value is not None:
                        ax.plot(max(value, -1), i, marker, color=colour, markersize=5)
            ax.set_title(f"{title} (steps {', '.join(str(o) for o in offsets if o)})", loc="left")
        left.set_yticks(range(len(names)), [_name(name) for name in names])
        left.plot([], [], "o", color=BLUE, label="field model")
        left.plot([], [], "o", color=GREY, label="persistence")
        left.legend(loc="best")
        figure.supxlabel(f"variant {_name(variant)}; values below -1 are drawn at -1", fontsize=9)
        return figure
    return None


def _ahead(scores: Mapping[str, Any], who: str) -> float | None:
    values = (scores.get("ssim_by_offset") or {}).get(f"{who}_by_offset")
    known = [v for v in (values or [])[1:] if v is not None]
    return sum(known) / len(known) if known else None


def gemm_share(report: Report) -> Figure | None:
    """Share of the measured GEMM peak that the controllable graph reaches, by rows."""
    batches = ((report.axes.get("speed") or {}).get("graph") or {}).get("batches")
    if not batches:
        return None
    figure, (ax,) = _figure(5.2, 2.8)
    rows = sorted(batches, key=int)
    ax.plot(range(len(rows)), [100 * (batches[r].get("share_of_gemm_peak") or 0) for r in rows], "o-", color=BLUE)
    ax.set_xticks(range(len(rows)), rows)
    ax.axhline(40, color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    ax.set_ylim(0, 100)
    ax.set_xlabel("rows of the controllable graph")
    ax.set_ylabel("share of the GEMM peak [%]")
    return figure


def _look(name: str) -> tuple[str, str]:
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


def _known(values: Sequence[float | None]) -> list[float]:
    return [math.nan if v is None else v for v in values]


def _name(text: object) -> str:
    """A name as one short printable line."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= MAX_NAME else line[: MAX_NAME - 1] + "…"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
