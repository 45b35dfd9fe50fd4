"""Sections of the page: the field axis with its ceilings, and recorded traces."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from twm_bench.markup import axes_of, figure, interval, number, percent, table
from twm_bench.results import Report


def field(report: Report, drawn: Mapping[str, str]) -> str:
    """The field now and ahead, held out and in an unseen city; by feature, beside what could be reached."""
    rows = []
    cases = [(f"held out, {k}", v) for k, v in axes_of(report, "field")] + axes_of(report, "unseen")
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
    parts = [table(head, rows, text=(6,)), figure(drawn, "field")]
    for variant, entry in axes_of(report, "field")[-1:]:
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
    return "".join([*parts, _ceilings(report, drawn)])


READINGS = (
    "Four readings of how well the field is known. Now: what the newest frame reports, which is passed on, not learned. Now, "
    "log: the same of log(1 + value), the space it works in. Unreported: cells silenced in all frames, read from the others. "
    "Ahead: 12 steps. Ceiling: who knew the twin's whole state and the coming shares, but not the coming noise; and neither "
    "shocks nor failures to come."
)


def _ceilings(report: Report, drawn: Mapping[str, str]) -> str:
    parts = []
    for variant, entry in axes_of(report, "field_ceiling"):
        if "features" not in entry:
            continue
        columns = ("r2_now", "r2_now_log", "r2_unreported_log", "r2_ahead_log", "ceiling_shocks_unknown_log",
                   "ceiling_shocks_known_log")  # fmt: skip
        rows = [
            (name, *(number(f[key]) for key in columns), "yes" if f["shares_act"] else "no")
            for name, f in entry["features"].items()
        ]
        rows.append(("mean", *(number(entry["mean"][key]) for key in columns), ""))
        head = ("feature", "now", "now, log", "unreported, log", "ahead, log", "ceiling, shocks unknown", "shocks known",
                "shares act on it")  # fmt: skip
        title = f"Variant {escape(variant)}: R2 beside its ceiling, {entry['windows']} windows x {entry['draws']} draws"
        parts.append(f"<h3>{title}</h3>" + table(head, rows, ours="mean"))
    if not parts:
        return ""
    return f"<p>{escape(READINGS)}</p>" + "".join(parts) + figure(drawn, "field-ceiling")


def traces(report: Report, drawn: Mapping[str, str]) -> str:
    """Forecasts and off-policy evaluation on recorded experiments; the reason where they were not at hand."""
    found = report.axes.get("traces") or {}
    if "skipped" in found:
        return f"<p>Not run: {escape(str(found['skipped']))}</p>"
    parts = [figure(drawn, "traces")]
    for name, study in axes_of(report, "traces"):
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
                        f"{policy}, {reward}, {length}", number(e["wis"]), interval(e["wis_interval"]), number(e["dr"]),
                        interval(e["dr_interval"]), f"{e['effective_sample_size']:.0f} of {e['blocks']}", e.get("verdict"),
                    )
                )  # fmt: skip
    head = ("off-policy", "WIS", "95 % interval", "DR", "95 % interval", "effective sample size", "verdict")
    return table(head, rows, text=(6,)) if rows else ""
