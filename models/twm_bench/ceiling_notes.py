"""What could be reached at most, beside each target: measured ceilings from `axes`, in a sentence.

`axes["ceilings"][NAME]` = {"value": number or text, "why": text, "experiment": text}; NAME is
a target's key, or begins with it.
"""

from __future__ import annotations

from typing import Any

from twm_bench.results import MEAN, Report

MAX_TEXT = 380


def ceiling_note(report: Report, key: str) -> str:
    """What stands beside target `key`; empty where nothing was measured."""
    found = []
    entries = report.axes.get("ceilings")
    for name, entry in entries.items() if isinstance(entries, dict) else ():
        if (name == key or name.startswith(f"{key}_")) and isinstance(entry, dict) and "value" in entry:
            found.append(_sentence(entry))
    own = OWN.get(key)
    text = own(report) if own else ""
    return " ".join([*found, text]).strip()[: MAX_TEXT * 2]


def _sentence(entry: dict[str, Any]) -> str:
    value = entry["value"]
    shown = f"{value:.3g}" if isinstance(value, int | float) else str(value)
    rest = ", ".join(str(entry[name]) for name in ("why", "experiment") if entry.get(name))
    return f"{shown}: {rest}."[:MAX_TEXT] if rest else f"{shown}."


def _field(report: Report) -> str:
    parts = []
    for variant, ceiling in (("history", "shocks_unknown"), ("calendar", "shocks_known")):
        entry = (report.axes.get("field_ceiling") or {}).get(variant) or {}
        mean = entry.get("mean")
        if mean:
            ours, most = mean["r2_ahead_log"], mean[f"ceiling_{ceiling}_log"]
            if ours is not None and most is not None:
                parts.append(f"{variant} {ours:.2f} of {most:.2f}")
    if not parts:
        return ""
    return (
        f"Ahead, R2 of log(1 + value) and what noise leaves of it: {', '.join(parts)} for whoever knew the twin's state "
        "and the shares that follow (axes.field_ceiling)."
    )


def _gap(variant: str) -> Any:
    def note(report: Report) -> str:
        result = report.variants.get(variant, {}).get("dt-cem-3840")
        gap = result.scores[MEAN].gap_recovered if result and MEAN in result.scores else None
        return "" if gap is None else f"Direct search in the twin on the same forecast, 3840 calls: {100 * gap:.0f} %."

    return note


def _ranking(report: Report) -> str:
    """Of predictors that know more than any model can; the worse variant, as the target is judged."""
    parts = []
    for name, who in (("law", "the twin's whole state now"), ("true_future", "the slow part of the future too")):
        values = [
            _least(report, "predictors", name, "played", "within", key) for key in ("id", "ood", "id_feasible", "ood_feasible")
        ]
        known = [f"{v:.2f}" for v in values if v is not None]
        if len(known) == len(values):
            parts.append(f"{who} {known[0]} / {known[1]} ({known[2]} / {known[3]})")
    if not parts:
        return ""
    return f"Spearman within a start of a search in the twin that knows {'; '.join(parts)} (axes.ceilings)."


def _uncertainty(report: Report) -> str:
    law, noise = (_least(report, "error", "contested", f"ceiling_{name}") for name in ("law", "noise"))
    share = _least(report, "error", "contested", "law_share")
    if law is None or noise is None:
        return ""
    text = f"Spearman with the error, where contested, of an uncertainty that knows the law of the future: {law:.2f}, its slow "
    text += f"part: {noise:.2f}"
    return text + ("" if share is None else f"; {100 * share:.0f} % of the squared error nobody can know") + " (axes.ceilings)."


BANDS = {"id": (0.87, 0.93), "ood": (0.84, 1.0)}
"""Coverage of 90 % intervals that is asked for, by split."""


def _coverage(report: Report) -> str:
    """How many of the coverages lie in their band, and how many leave it by more than which episodes there were can explain."""
    inside = every = beyond = 0
    for entry in (report.axes.get("trajectory") or {}).values():
        for split, (low, high) in BANDS.items():
            for kpi in entry.get("kpi", {}).get(split, {}).values():
                found = kpi.get("coverage_by_step", {}).get("90", ())
                bounds = kpi.get("coverage_90_interval_by_step") or [None] * len(found)
                for value, bound in zip(found, bounds, strict=True):
                    if value is None:
                        continue
                    every += 1
                    inside += low <= value <= high
                    beyond += bound is not None and (bound[1] < low or bound[0] > high)
    if not every:
        return ""
    return (
        f"{inside} of {every} cells (variant, split, KPI, step) lie inside; {beyond} lie outside with all of their 95 % "
        "interval over episodes. The intervals are fitted on validation seeds in distribution."
    )


def _least(report: Report, *path: str) -> float | None:
    found = []
    for entry in (report.axes.get("ceilings") or {}).values():
        value: Any = entry
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            found.append(float(value))
    return min(found, default=None)


OWN = {
    "ranking": _ranking,
    "uncertainty": _uncertainty,
    "coverage": _coverage,
    "field": _field,
    "gap_history": _gap("history"),
    "gap_calendar": _gap("calendar"),
}
