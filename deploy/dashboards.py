"""Grafana dashboards as code: `python deploy/dashboards.py` writes charts/twm/dashboards/*.json, `--check` compares.

Five pages. Each panel says in one line what it answers. Queries filter by the label `area`, which the scrape configuration sets; each
returns something on a healthy system, so that an empty panel means a fault (tests hold them against a real Prometheus).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

TARGET = Path(__file__).resolve().parents[1] / "charts" / "twm" / "dashboards"
SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, AMBER, RED = "green", "orange", "red"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel. `queries`: (PromQL, legend); `steps`: (from value, colour), the first from minus infinity."""

    title: str
    about: str
    queries: tuple[tuple[str, str], ...]
    kind: str = "lines"
    """lines, area (stacked), stat, bars."""
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: tuple[tuple[float | None, str], ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """One dashboard: rows of panels."""

    uid: str
    title: str
    about: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]


A = '{area=~"$area"}'


def rate(metric: str, by: str = "", where: str = "") -> str:
    """Per second, summed; 0 where nothing was counted yet."""
    group = f" by ({by})" if by else ""
    return f'sum{group} (rate({metric}{{area=~"$area"{where}}}[$__rate_interval])) or vector(0)'


def quantile(level: float, metric: str) -> str:
    """Quantile of a histogram."""
    return f'histogram_quantile({level}, sum by (le) (rate({metric}_bucket{{area=~"$area"}}[$__rate_interval])))'


OVERVIEW = Page(
    uid="twm-overview",
    title="twm / Overview",
    about="Is it healthy, in which mode, how far behind, what does the guardrail say.",
    rows=(
        (
            "Health",
            (
                Panel(title="Processes up", about="Targets that answer a scrape.", kind="stat", width=4, height=4,
                      queries=((f"sum(up{A})", ""),), steps=((None, RED), (4, GREEN))),
                Panel(title="Not ready", about="Processes that run and wait for something.", kind="stat", width=4, height=4,
                      queries=((f"count(twm_ready{A} == 0) or vector(0)", ""),), steps=((None, GREEN), (1, AMBER))),
                Panel(title="Mode", about="Mode in force; stopped is the kill switch.", kind="stat", width=4, height=4,
                      queries=((f"twm_mode{A} == 1", "{{mode}}"),), steps=((None, GREEN),)),
                Panel(title="Newest frame's age", about="Seconds since a slow step was written.", kind="stat", unit="s", width=4, height=4,
                      queries=((f"time() - max(timestamp(changes(twm_frame_step{A}[10m]) > 0)) or vector(0)", ""),),
                      steps=((None, GREEN), (180, AMBER), (600, RED))),
                Panel(title="Dead letters, 1 h", about="Entries that could not be handled.", kind="stat", width=4, height=4,
                      queries=((f"sum(increase(twm_dead_letters_total{A}[1h])) or vector(0)", ""),), steps=((None, GREEN), (1, AMBER))),
                Panel(title="Drift", about="State of the drift monitor.", kind="stat", width=4, height=4,
                      queries=((f"twm_drift_state{A} == 1", "{{state}}"),), steps=((None, GREEN),)),
            ),
        ),
        (
            "Flow",
            (
                Panel(title="Frames, proposals, verdicts", about="Each slow step makes one of each.", unit="cps",
                      queries=((rate("twm_frames_total"), "frames"), (rate("twm_proposals_total"), "proposals"),
                               (rate("twm_verdicts_total"), "verdicts"))),
                Panel(title="Stream lag", about="Entries not yet delivered, by group.",
                      queries=((f"max by (stream, group) (twm_stream_lag_entries{A})", "{{group}} on {{stream}}"),)),
                Panel(title="Verdicts", about="What the guardrail decided.", kind="area", unit="cps",
                      queries=((rate("twm_verdicts_total", "decision"), "{{decision}}"),)),
                Panel(title="gRPC, 95 %", about="Time of calls served, all methods.", unit="s",
                      queries=((quantile(0.95, "twm_rpc_seconds"), "p95"), (quantile(0.5, "twm_rpc_seconds"), "median"))),
                Panel(title="Memory", about="Resident set by process.", unit="bytes",
                      queries=((f"max by (process) (process_resident_memory_bytes{A})", "{{process}}"),)),
                Panel(title="CPU", about="Cores used by process.",
                      queries=((f"sum by (process) (rate(process_cpu_seconds_total{A}[$__rate_interval]))", "{{process}}"),)),
            ),
        ),
    ),
)  # fmt: skip

WORLD = Page(
    uid="twm-world",
    title="twm / World",
    about="What is measured, what was predicted, and whether the model still knows this network.",
    rows=(
        (
            "Slices: forecast of one step against what happened (a step later)",
            tuple(
                Panel(title=title, about="Lines: measured; dashed bounds: 5 to 95 % predicted for the next step; SLA: its bound.", unit=unit, width=12,
                      queries=((f'twm_slice_kpi{{area=~"$area",kpi="{kpi}"}}', "{{slice}} measured"),
                               (f'twm_slice_kpi_predicted{{area=~"$area",kpi="{kpi}",bound="low"}}', "{{slice}} 5 %"),
                               (f'twm_slice_kpi_predicted{{area=~"$area",kpi="{kpi}",bound="high"}}', "{{slice}} 95 %"),
                               *(((f'twm_slice_sla_bound{{area=~"$area",kpi="{kpi}"}}', "{{slice}} SLA"),) if sla else ())))
                for kpi, title, unit, sla in (
                    ("delay_p99_ms", "Delay, 99th percentile", "ms", True),
                    ("loss_ratio", "Loss", "percentunit", True),
                    ("utilisation_ratio", "Utilisation", "percentunit", False),
                    ("served_mbps", "Served load", "Mbits", False),
                )
            ),
        ),
        (
            "Field",
            (
                Panel(title="Cells: PRBs in use", about="Share of the cell's PRBs, newest frame.", kind="bars", unit="percentunit", width=12, height=9,
                      queries=((f"twm_cell_prb_used_ratio{A}", "{{cell}}"),), steps=((None, GREEN), (0.7, AMBER), (0.9, RED)), low=0, high=1),
                Panel(title="Links: load over capacity", about="Newest frame; 1 where a link is down.", kind="bars", unit="percentunit", width=12, height=9,
                      queries=((f"twm_link_used_ratio{A}", "{{link}}"),), steps=((None, GREEN), (0.7, AMBER), (0.9, RED)), low=0, high=1),
            ),
        ),
        (
            "Does the model still know this network",
            (
                Panel(title="Coverage of 90 % intervals", about="Share of what is seen inside; .9 is right.", unit="percentunit", low=0, high=1,
                      queries=((f"twm_drift_coverage_ratio{A} or vector(0.9)", "{{kpi}}"), (f"twm_shadow_coverage_ratio{A}", "newest horizon"))),
                Panel(title="Residuals (CUSUM)", about="In standard deviations; large and growing is drift.",
                      queries=((f"twm_drift_residual_sigma{A} or vector(0)", "{{kpi}}"),)),
                Panel(title="Surprise", about="Excess negative log score, newest block.",
                      queries=((f"twm_drift_surprise_nats{A} or vector(0)", "{{kpi}}"),)),
                Panel(title="Disagreement", about="Of the ensemble on the newest plan [SCM].", queries=((f"twm_plan_disagreement_scm{A}", ""),)),
                Panel(title="Out of distribution", about="How far the newest plan is from training.", queries=((f"twm_plan_ood_score{A}", ""),)),
                Panel(title="Missing values", about="Share of the newest frame that was not measured.", unit="percentunit", low=0, high=1,
                      queries=((f"twm_frame_missing_ratio{A}", ""),)),
            ),
        ),
    ),
)  # fmt: skip

DECISIONS = Page(
    uid="twm-decisions",
    title="twm / Decisions",
    about="Cost and compliance of what is proposed, why things are refused, how recommendations score.",
    rows=(
        (
            "The newest plan",
            (
                Panel(title="Predicted SLA margin", about="Recommended against running shares [SCM].", low=0, high=1,
                      queries=((f"twm_plan_scm{A}", "{{policy}}"),)),
                Panel(title="Saving", about="Control cost saved relative to uniform shares.", unit="percentunit", queries=((f"twm_plan_saving_ratio{A}", ""),)),
                Panel(title="Probability of a violation", about="Any slice, over the horizon.", unit="percentunit", low=0, high=1,
                      queries=((f"twm_plan_violation_probability{A}", ""),)),
            ),
        ),
        (
            "What becomes of proposals",
            (
                Panel(title="Proposals by source", about="Search, actor or reactive fallback.", kind="area", unit="cps",
                      queries=((rate("twm_proposals_total", "source"), "{{source}}"),)),
                Panel(title="Fallbacks by reason", about="Why the reactive rule answered.", kind="area", unit="cps",
                      queries=((rate("twm_plan_fallbacks_total", "reason"), "{{reason}}"),)),
                Panel(title="Failed checks", about="Why the guardrail refused.", kind="area", unit="cps",
                      queries=((rate("twm_guardrail_check_failures_total", "check"), "{{check}}"),)),
                Panel(title="Policies by mode", about="Written to the policy stream.", kind="area", unit="cps",
                      queries=((rate("twm_policies_total", "mode"), "{{mode}}"),)),
                Panel(title="Approvals", about="What became of policies that waited.", unit="cps",
                      queries=((rate("twm_approvals_total", "state"), "{{state}}"),)),
                Panel(title="Corner cases", about="Signs seen in planning cycles.", kind="area", unit="cps",
                      queries=((rate("twm_corner_triggers_total", "kind"), "{{kind}}"),)),
            ),
        ),
        (
            "Shadow score",
            (
                Panel(title="SLA margin: observed and predicted", about="Newest scored horizon [SCM].", width=12, low=0, high=1,
                      queries=((f"twm_shadow_score_scm{A}", "{{kind}}"),)),
                Panel(title="Predicted gain over the running shares", about="Mean of an hour; below zero: leave it in shadow.", width=12,
                      queries=(('avg_over_time(twm_shadow_score_scm{area=~"$area",kind="recommended_predicted"}[1h]) - ignoring (kind) '
                                'avg_over_time(twm_shadow_score_scm{area=~"$area",kind="running_predicted"}[1h])', "gain"),)),
            ),
        ),
        (
            "Language layer",
            (
                Panel(title="Tool calls", about="Of agents, by outcome.", unit="cps", queries=((rate("twm_tool_calls_total", "outcome"), "{{outcome}}"),)),
                Panel(title="Texts held back, texts refused", about="Instructions in outside texts; numbers not in the facts.", unit="cps",
                      queries=((rate("twm_texts_held_back_total"), "held back"), (rate("twm_texts_refused_total"), "refused"))),
                Panel(title="Requests refused", about="By reason.", unit="cps", queries=((rate("twm_requests_refused_total", "reason"), "{{reason}}"),)),
            ),
        ),
    ),
)  # fmt: skip

RIC = Page(
    uid="twm-ric",
    title="twm / RIC interfaces",
    about="E2 in, A1 out: rates, errors by reason, latencies.",
    rows=(
        (
            "E2 in",
            (
                Panel(title="Reports by outcome", about="Accepted, or why not.", kind="area", unit="cps",
                      queries=((rate("twm_reports_total", "outcome"), "{{outcome}}"),)),
                Panel(title="Decode errors by reason", about="Should be none.", kind="area", unit="cps",
                      queries=((rate("twm_decode_errors_total", "reason"), "{{reason}}"),)),
                Panel(title="Values refused", about="Out of range; by reason.", kind="area", unit="cps",
                      queries=((rate("twm_kpi_values_rejected_total", "reason"), "{{reason}}"),)),
                Panel(title="Subscriptions", about="By state (ric process).", queries=((f"sum by (state) (twm_ric_subscriptions{A}) or vector(0)", "{{state}}"),)),
                Panel(title="RMR messages", about="By type.", unit="cps", queries=((rate("twm_ric_messages_total", "type"), "{{type}}"),)),
                Panel(title="E2 control", about="Requests by outcome; none in shadow mode.", unit="cps",
                      queries=((rate("twm_ric_controls_total", "outcome"), "{{outcome}}"),)),
            ),
        ),
        (
            "A1 out",
            (
                Panel(title="Requests by outcome", about="To the A1 termination; none in shadow mode.", kind="area", unit="cps",
                      queries=((rate("twm_a1_requests_total", "outcome"), "{{outcome}}"),)),
                Panel(title="Latency", about="Median and 95 %; NaN while nothing is sent.", unit="s",
                      queries=((quantile(0.5, "twm_a1_request_seconds") + " or vector(0)", "median"), (quantile(0.95, "twm_a1_request_seconds") + " or vector(0)", "p95"))),
                Panel(title="Policy instances", about="At the termination, by state.", queries=((f"sum by (state) (twm_a1_policies{A}) or vector(0)", "{{state}}"),)),
                Panel(title="Reconciliations", about="Comparisons, by outcome.", unit="cps", queries=((rate("twm_a1_reconciliations_total", "outcome"), "{{outcome}}"),)),
                Panel(title="Signs of life", about="Keep-alives by outcome.", unit="cps", queries=((rate("twm_a1_keep_alives_total", "outcome"), "{{outcome}}"),)),
                Panel(title="Certificates end in", about="Days left.", kind="stat", unit="s",
                      queries=((f"(twm_certificate_expiry_timestamp_seconds{A} - time()) or vector(0)", "{{certificate}}"),),
                      steps=((None, RED), (7 * 86400.0, AMBER), (30 * 86400.0, GREEN))),
            ),
        ),
    ),
)  # fmt: skip

MODELS = Page(
    uid="twm-models",
    title="twm / Models",
    about="Which versions serve, how fast, how the challenger does.",
    rows=(
        (
            "Serving",
            (
                Panel(title="Versions", about="Models in use.", kind="stat", width=24, height=4,
                      queries=((f"max by (model, version) (twm_model_info{A})", "{{model}} {{version}}"),), steps=((None, GREEN),)),
                Panel(title="Rollouts", about="Candidate policies a second.", unit="cps", queries=((rate("twm_rollouts_total"), "candidates"),)),
                Panel(title="Time of a rollout call", about="Median and 95 %.", unit="s",
                      queries=((quantile(0.5, "twm_rollout_seconds"), "median"), (quantile(0.95, "twm_rollout_seconds"), "p95"))),
                Panel(title="Time of a forecast", about="Median and 95 %.", unit="s",
                      queries=((quantile(0.5, "twm_predict_field_seconds"), "median"), (quantile(0.95, "twm_predict_field_seconds"), "p95"))),
                Panel(title="Planning cycle", about="Median and 95 %.", unit="s",
                      queries=((quantile(0.5, "twm_plan_seconds"), "median"), (quantile(0.95, "twm_plan_seconds"), "p95"))),
                Panel(title="Evaluations and twin calls", about="What a decision costs.", unit="cps",
                      queries=((rate("twm_plan_evaluations_total"), "evaluations"), (rate("twm_twin_calls_total"), "twin calls"))),
                Panel(title="GPU", about="Utilisation where the DCGM exporter runs; 0 without.", unit="percent",
                      queries=(("avg by (gpu) (DCGM_FI_DEV_GPU_UTIL) or vector(0)", "{{gpu}}"),)),
            ),
        ),
        (
            "Champion and challenger",
            (
                Panel(title="Challenger's gain", about="Relative gain of its score with interval; promoted only where the low end is above 0.", unit="percentunit", width=12,
                      queries=((f"twm_challenger_gain_ratio{A} or vector(0)", "{{bound}}"),)),
                Panel(title="Loads", about="Models loaded and refused.", width=12, queries=((f"sum by (model, outcome) (twm_model_reloads_total{A})", "{{model}} {{outcome}}"),)),
            ),
        ),
    ),
)  # fmt: skip

PAGES = (OVERVIEW, WORLD, DECISIONS, RIC, MODELS)


def queries() -> list[tuple[str, str, str]]:
    """(page, panel, PromQL) of every query."""
    return [
        (page.title, panel.title, expr)
        for page in PAGES
        for _, panels in page.rows
        for panel in panels
        for expr, _ in panel.queries
    ]


def build(page: Page) -> str:
    """The dashboard as JSON text."""
    made = (
        dashboard.Dashboard(page.title)
        .uid(page.uid)
        .description(page.about)
        .tags(["twm"])
        .refresh("15s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("area")
            .label("Area")
            .datasource(SOURCE)
            .query("label_values(twm_ready, area)")
            .include_all(True)
            .multi(True)
            .all_value(".+")
            .current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
            .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    for title, panels in page.rows:
        made = made.with_row(dashboard.Row(title))
        for panel in panels:
            made = made.with_panel(_panel(panel))
    text = json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True)
    return text + "\n"


def _panel(panel: Panel) -> Any:
    made: Any
    if panel.kind in ("lines", "area"):
        made = timeseries.Panel().line_width(1).fill_opacity(30 if panel.kind == "area" else 5).span_nulls(True)
        made = made.show_points(common_models.VisibilityMode.NEVER)
        made = made.legend(
            common.VizLegendOptions()
            .display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        made = made.tooltip(common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI))
        if panel.kind == "area":
            made = made.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
        if any("95 %" in legend and "{{slice}}" in legend for _, legend in panel.queries):
            dashed = {"dash": [4, 6], "fill": "dash"}
            made = made.override_by_regexp(
                r"/ (5|95) %$/", [models.DynamicConfigValue(id_val="custom.lineStyle", value=dashed)]
            )
            made = made.override_by_regexp(r"/ SLA$/", [models.DynamicConfigValue(id_val="custom.lineWidth", value=3)])
    elif panel.kind == "bars":
        made = (
            bargauge.Panel()
            .orientation(common_models.VizOrientation.HORIZONTAL)
            .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        )
        made = made.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    else:
        made = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        named = any("{{" in legend for _, legend in panel.queries)
        made = made.text_mode(
            common_models.BigValueTextMode.NAME if named and panel.unit == "short" else common_models.BigValueTextMode.AUTO
        )
        made = made.graph_mode(common_models.BigValueGraphMode.NONE)
    made = (
        made.title(panel.title)
        .description(panel.about)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(panel.width)
        .height(panel.height)
    )
    if panel.low is not None:
        made = made.min(panel.low)
    if panel.high is not None:
        made = made.max(panel.high)
    if panel.steps:
        made = made.thresholds(
            dashboard.ThresholdsConfig()
            .mode(models.ThresholdsMode.ABSOLUTE)
            .steps([models.Threshold(value=value, color=color) for value, color in panel.steps])
        )
    for number, (expr, legend) in enumerate(panel.queries):
        query = prometheus.Dataquery().expr(expr).ref_id(chr(ord("A") + number)).range()
        made = made.with_target(query.legend_format(legend) if legend else query)
    return made


def main() -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with what is there instead of writing")
    args = parser.parse_args()
    stale = []
    for page in PAGES:
        path, text = TARGET / f"{page.uid.removeprefix('twm-')}.json", build(page)
        if args.check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(path.name)
        elif not args.check:
            TARGET.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"charts/twm/dashboards/{name} is not what deploy/dashboards.py makes; run it", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
