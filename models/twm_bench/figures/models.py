"""The models themselves: ranking of candidates, field features, share of the GEMM peak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twm_bench.figures.style import BLUE, GREY, INK, ORANGE, entries_of, label_of, new_figure, number
from twm_bench.results import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ranking(report: Report) -> Figure | None:
    """Predicted against true SCM of candidates; one point a candidate."""
    found = entries_of(report, "ranking")
    if not found:
        return None
    figure, axes = new_figure(3.8 * len(found) + 0.4, 3.7, 1, len(found), sharex=True, sharey=True)
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
        ax.set_title(f"{label_of(variant)}: Spearman ID {number(rank.get('id'))}, OOD {number(rank.get('ood'))}", loc="left")
        ax.set_xlabel("true SCM")
    axes[0].set_ylabel("predicted SCM")
    axes[0].legend(loc="upper left", markerscale=2)
    return figure


def field(report: Report) -> Figure | None:
    """R2 of the field features by offset, and SSIM of their maps, with persistence beside."""
    for variant, entry in entries_of(report, "field")[::-1]:
        features, offsets = entry.get("features", {}), entry.get("step_offsets", [])
        if not features:
            continue
        figure, (left, right) = new_figure(8.4, 0.9 + 0.26 * len(features), 1, 2, sharey=True)
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
        left.set_yticks(range(len(names)), [label_of(name) for name in names])
        left.plot([], [], "o", color=BLUE, label="field model")
        left.plot([], [], "o", color=GREY, label="persistence")
        left.legend(loc="best")
        figure.supxlabel(f"variant {label_of(variant)}; values below -1 are drawn at -1", fontsize=9)
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
    figure, (ax,) = new_figure(5.2, 2.8)
    rows = sorted(batches, key=int)
    ax.plot(range(len(rows)), [100 * (batches[r].get("share_of_gemm_peak") or 0) for r in rows], "o-", color=BLUE)
    ax.set_xticks(range(len(rows)), rows)
    ax.axhline(40, color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    ax.set_ylim(0, 100)
    ax.set_xlabel("rows of the controllable graph")
    ax.set_ylabel("share of the GEMM peak [%]")
    return figure
