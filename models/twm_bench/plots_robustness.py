"""Plots of the field's ceilings, rare events and recorded traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twm_bench.figures.style import BLUE, GREY, INK, ORANGE, OURS, SERIES, Plot, entries_of, label_of, new_figure
from twm_bench.results import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RARE_SHOWN = ("twm", "reactive", "analytic", "ppo", "dt-cem-12", "oracle")


def field_ceiling(report: Report) -> Figure | None:
    """R2 ahead of each feature beside the two ceilings, logarithmic."""
    cases = [(variant, entry) for variant, entry in entries_of(report, "field_ceiling") if entry.get("features")]
    if not cases:
        return None
    names = list(cases[0][1]["features"])[::-1]
    figure, axes = new_figure(8.4, 0.9 + 0.28 * len(names), 1, len(cases), sharey=True, sharex=True)
    for ax, (variant, entry) in zip(axes, cases, strict=True):
        for i, name in enumerate(names):
            f = entry["features"].get(name)
            if f is None:
                continue
            ax.barh(i, max(f["r2_ahead_log"] or 0.0, 0.0), 0.55, color=BLUE if not f["shares_act"] else GREY)
            for key, colour, half in (("shocks_known", INK, 0.42), ("shocks_unknown", ORANGE, 0.28)):
                value = f[f"ceiling_{key}_log"]
                if value is not None:
                    ax.plot([max(value, 0)] * 2, [i - half, i + half], color=colour, linewidth=2)
        ax.set_xlim(0, 1)
        ax.set_title(f"variant {label_of(variant)}", loc="left")
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), [label_of(name) for name in names])
    axes[-1].barh([0], [0], color=BLUE, label="model")
    axes[-1].barh([0], [0], color=GREY, label="model, shares act on it")
    axes[-1].plot([], [], color=INK, linewidth=2, label="ceiling, shocks known")
    axes[-1].plot([], [], color=ORANGE, linewidth=2, label="ceiling, shocks unknown")
    figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    figure.supxlabel("R2 ahead of log(1 + value)", fontsize=9)
    return figure


def rare_events(report: Report) -> Figure | None:
    """SCM of some methods in rare horizons, last variant, with the interval of twm's lead at the rival's point."""
    variants = (report.robustness.get("rare") or {}).get("variants") or {}
    if not variants:
        return None
    variant, events = list(variants.items())[-1]
    shown = {event: entry for event, entry in events.items() if entry["methods"]}
    if not shown:
        return None
    names = [name for name in RARE_SHOWN if any(name in entry["methods"] for entry in shown.values())]
    figure, (left, right) = new_figure(8.4, 3.4, 1, 2)
    for ax, key, title, scale in ((left, "scm", "SCM", 1.0), (right, "p_violation", "P(violation) [%]", 100.0)):
        for j, name in enumerate(names):
            at = [i + (j - (len(names) - 1) / 2) * 0.13 for i in range(len(shown))]
            values = [scale * entry["methods"].get(name, {}).get(key, float("nan")) for entry in shown.values()]
            colour = BLUE if name == OURS else SERIES[j % len(SERIES)] if SERIES[j % len(SERIES)] != BLUE else INK
            ax.plot(
                at,
                values,
                "*" if name == OURS else "o",
                color=colour,
                markersize=10 if name == OURS else 5,
                label=label_of(name),
            )
        labels = [f"{label_of(event)}\n{entry['horizons']}".replace("-", "\n") for event, entry in shown.items()]
        ax.set_xticks(range(len(shown)), labels, fontsize=7)
        ax.set_title(title, loc="left")
        ax.set_ylim(bottom=0)
        ax.grid(axis="x", visible=False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(names))
    figure.supxlabel(f"what happened, and in how many horizons; variant {label_of(variant)}", fontsize=9)
    return figure


def traces(report: Report) -> Figure | None:
    """NRMSE and CRPS of every method on the held-out experiments."""
    studies = [(name, study) for name, study in entries_of(report, "traces") if study.get("methods")]
    if not studies:
        return None
    rows = max(len(study["methods"]) for _, study in studies)
    figure, axes = new_figure(8.4, (0.7 + 0.26 * rows) * len(studies), len(studies), 2)
    for k, (trace, study) in enumerate(studies):
        methods = sorted(study["methods"], key=lambda m: -study["methods"][m]["nrmse"]["mean"])
        for ax, key in zip(axes[2 * k : 2 * k + 2], ("nrmse", "crps"), strict=True):
            for i, method in enumerate(methods):
                found = study["methods"][method][key]
                low, high = found["interval"]
                ours = method == "cdwm"
                if low is not None and high is not None:
                    ax.plot([low, high], [i, i], color=BLUE if ours else GREY, alpha=0.5, linewidth=2)
                ax.plot(found["mean"], i, "*" if ours else "o", color=BLUE if ours else GREY, markersize=9 if ours else 5)
            ax.set_yticks(range(len(methods)), [label_of(m) for m in methods] if key == "nrmse" else [""] * len(methods))
            ax.set_title(f"{label_of(trace)}: {key.upper()}", loc="left")
    return figure


PLOTS: dict[str, Plot] = {"field-ceiling": field_ceiling, "rare-events": rare_events, "traces": traces}
