"""The trajectory axis: calibration, fans, CRPS of the KPIs and skill of the demand forecast by step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twm_bench.figures.style import BLUE, INK, RED, SERIES, entries_of, known, label_of, new_figure, number
from twm_bench.results import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def calibration(report: Report) -> Figure | None:
    """Left: coverage of KPI intervals against nominal. Right: predicted against observed violations."""
    trajectories, rankings = entries_of(report, "trajectory"), entries_of(report, "ranking")
    if not trajectories and not rankings:
        return None
    figure, (left, right) = new_figure(8.2, 3.7, 1, 2)
    for ax in (left, right):
        ax.plot([0, 100], [0, 100], color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 100)
    for variant, entry in trajectories[-1:]:
        for split, line in (("id", "-"), ("ood", "--")):
            for i, (kpi, scores) in enumerate(entry.get("kpi", {}).get(split, {}).items()):
                known = sorted((float(k), 100 * v) for k, v in scores.get("calibration", {}).items() if v is not None)
                label = label_of(kpi) if split == "id" else None
                left.plot(
                    *zip(*known, strict=True), line, color=SERIES[i % len(SERIES)], marker=".", label=label
                ) if known else None
        left.set_title(f"KPI intervals, variant {label_of(variant)}; solid ID, dashed OOD", loc="left")
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
            right.plot([], [], "o-", color=SERIES[i % len(SERIES)], label=f"{label_of(name)}, ECE {number(bins.get('ece'))}")
        right.set_title(f"P(violation) of candidates, variant {label_of(variant)}", loc="left")
        right.legend(loc="upper left")
    right.set_xlabel("predicted [%]")
    right.set_ylabel("observed [%]")
    return figure


def fans(report: Report) -> Figure | None:
    """Predicted quantiles of the KPIs with an SLA against what then happened, one window a scenario, the bound dotted."""
    for variant, entry in entries_of(report, "trajectory")[::-1]:
        found = [fan for fan in entry.get("fans", []) if fan.get("quantiles")]
        if not found:
            continue
        scenarios = sorted({fan["scenario"] for fan in found})
        columns = sorted({(fan["kpi"], fan["slice"]) for fan in found})
        figure, axes = new_figure(
            2.2 * len(columns) + 0.6, 1.55 * len(scenarios) + 0.5, len(scenarios), len(columns), sharex=True
        )
        grid = {(s, c): axes[i * len(columns) + j] for i, s in enumerate(scenarios) for j, c in enumerate(columns)}
        for fan in found:
            ax = grid[fan["scenario"], (fan["kpi"], fan["slice"])]
            _fan(ax, fan)
        for (scenario, column), ax in grid.items():
            if scenario == scenarios[0]:
                unit = "p99 delay [ms]" if column[0] == "delay_p99_ms" else "loss [%]"
                ax.set_title(f"{label_of(column[1])} {unit}", loc="left")
            if column == columns[0]:
                ax.set_ylabel(label_of(scenario))
        figure.supxlabel(
            f"slow steps from now, variant {label_of(variant)}; bands 50 and 90 %, long line: what happened",
            fontsize=9,
        )
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


def forecast_by_step(report: Report) -> Figure | None:
    """CRPS of the KPIs by step, beside forecasters without a world model."""
    for variant, entry in entries_of(report, "trajectory")[::-1]:
        kpis = entry.get("kpi", {}).get("all", {})
        if not kpis:
            continue
        figure, axes = new_figure(8.6, 2.7, 1, len(kpis), sharex=True)
        for ax, (kpi, scores) in zip(axes, kpis.items(), strict=True):
            for i, (who, values) in enumerate(scores["crps_by_step"].items()):
                ax.plot(range(1, len(values) + 1), known(values), color=SERIES[i % len(SERIES)], label=label_of(who))
            ax.set_title(label_of(kpi), loc="left")
            ax.set_ylim(bottom=0)
        axes[0].set_ylabel("CRPS [standard deviations]")
        lines, labels = axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside upper center", ncols=max(len(labels), 1))
        figure.supxlabel(f"slow steps ahead, variant {label_of(variant)}, all scenarios", fontsize=9)
        return figure
    return None


def demand_skill(report: Report) -> Figure | None:
    """CRPS skill of the demand forecast by step, over persistence spread with its past errors."""
    found = entries_of(report, "trajectory")
    if not found:
        return None
    figure, (ax,) = new_figure(6.2, 3.2)
    for i, (variant, entry) in enumerate(found):
        for split, line in (("id", "-"), ("ood", "--")):
            values = entry.get("demand", {}).get(split, {}).get("skill_by_step")
            if values:
                label = f"{label_of(variant)}, {split.upper()}"
                ax.plot(range(1, len(values) + 1), [100 * v for v in known(values)], line, color=SERIES[i], label=label)
    ax.axhline(10, color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    ax.axhline(0, color=INK, linewidth=0.6)
    ax.set_xlabel("slow steps ahead")
    ax.set_ylabel("CRPS skill of demand [%]")
    ax.legend(loc="best")
    return figure
