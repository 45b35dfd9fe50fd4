"""The decision axis: methods in the cost-compliance plane, by scenario, gap recovered, ablations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twm_bench.figures.style import INK, OURS, SERIES, YARDSTICK, label_of, look_of, new_figure
from twm_bench.results import MEAN, MethodResult, Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PAPER = (0.08, 0.45)
"""(saving, SCM) that the paper reports for its own city."""


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
    figure, (ax,) = new_figure(7.2, 4.6)
    points = {name: (100 * methods[name].scores[MEAN].saving, methods[name].scores[MEAN].scm) for name in names}
    for name, (x, y) in points.items():
        score = methods[name].scores[MEAN]
        colour, marker = look_of(name)
        ax.plot([x, x], [score.scm_low, score.scm_high], color=colour, alpha=0.45, linewidth=1.2)
        ax.plot(x, y, marker, color=colour, markersize=11 if marker == "*" else 6)
    ax.axvline(100 * PAPER[0], color=INK, alpha=0.35, linewidth=0.8, linestyle=":")
    everything = points | {"the paper's, its own city": (100 * PAPER[0], PAPER[1])}
    ax.plot(100 * PAPER[0], PAPER[1], "x", color=INK, markersize=7, alpha=0.7)
    ax.set_xlabel("control saving against uniform [%]")
    ax.set_ylabel("SCM, mean of four scenarios")
    ax.set_title(f"Cost-compliance plane, variant {label_of(variant)}; bars: 95 % bootstrap interval", loc="left")
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
        text = label_of(name)
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
    figure, axes = new_figure(8.6, 1.1 + 0.22 * len(names), 1, len(report.scenarios), sharey=True, sharex=True)
    for ax, scenario in zip(axes, report.scenarios, strict=True):
        for i, name in enumerate(names):
            score = methods[name].scores.get(scenario)
            if score is None:
                continue
            colour, marker = look_of(name)
            ax.plot([score.scm_low, score.scm_high], [i, i], color=colour, alpha=0.5, linewidth=2)
            ax.plot(score.scm, i, marker, color=colour, markersize=9 if marker == "*" else 5)
        ax.set_title(label_of(scenario), loc="left")
        ax.set_yticks(range(len(names)), [label_of(name) for name in names])
        ax.set_xlim(left=0)
    for label in axes[0].get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    figure.supxlabel(f"SCM, variant {label_of(variant)}; bars: 95 % bootstrap interval over the seeds", fontsize=9)
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
    figure, (ax,) = new_figure(7.2, 0.9 + 0.28 * len(names))
    variants = list(report.variants)
    for j, variant in enumerate(variants):
        offset = (j - (len(variants) - 1) / 2) * 0.3
        rows = [(i, gaps[name][variant]) for i, name in enumerate(names) if variant in gaps[name]]
        ax.barh(
            [i - offset for i, _ in rows],
            [100 * v for _, v in rows],
            0.28,
            color=SERIES[j % len(SERIES)],
            label=label_of(variant),
        )
        for i, value in rows:
            ax.text(100 * max(value, 0) + 0.8, i - offset, f"{100 * value:.0f}", va="center", fontsize=7)
    ax.set_yticks(range(len(names)), [label_of(name) for name in names])
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
    figure, (ax,) = new_figure(7.2, 0.9 + 0.36 * len(names))
    variants = list(report.variants)
    for j, variant in enumerate(variants):
        offset = (j - (len(variants) - 1) / 2) * 0.28
        colour, first = SERIES[j % len(SERIES)], True
        for i, name in enumerate(names):
            if variant in rows[name]:
                d = rows[name][variant]
                ax.plot([d.low, d.high], [i - offset] * 2, color=colour, alpha=0.5, linewidth=2.5)
                ax.plot(d.mean, i - offset, "o", color=colour, markersize=5, label=label_of(variant) if first else None)
                first = False
    ax.axvline(0, color=INK, linewidth=0.7)
    ax.set_yticks(range(len(names)), [label_of(name) for name in names])
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("SCM of twm less SCM without the part (95 % interval, paired): right of 0 the part helps")
    ax.legend(loc="lower right")
    return figure
