// Decisions: the list, and for one of them all that an approver weighs.
import type { App, View } from "../app";
import { touches } from "../app";
import { ApiError, get, inWords } from "../api";
import { FanChart, pick } from "../charts";
import { badge, empty, h, loading, panel, replace, table, tile } from "../dom";
import * as f from "../format";
import { frontChart } from "../front";
import { decide, gated } from "../operations";
import type { Decision, DecisionRow, Num } from "../types";
import { chartKey } from "./overview";

const LIST_SHOWN = 60;
const CHART_HEIGHT = 120;
const MOVES_SHOWN = 12;

export function stateBadge(row: DecisionRow): HTMLElement {
  if (row.state === "pending") return badge("wait", "waiting", "Waits for an approver");
  if (row.state === "approved") return badge("good", "approved", "Approved and put in force");
  if (row.state === "rejected") return badge("bad", "turned down", "Rejected by an approver");
  if (row.state === "expired") return badge("idle", "expired", "Nobody decided in time");
  if (row.decision === "rejected") return badge("bad", "refused", "Refused by the guardrail");
  if (row.handling === "enforced") return badge("good", "in force", "Went out by the rules of autonomous mode");
  if (row.handling === "stopped") return badge("warn", "held back", "Held back by the kill switch");
  if (row.decision === "accepted") return badge("info", row.handling === "shadow" ? "shadow" : "accepted", "Accepted; logged and scored, not sent");
  return badge("idle", row.decision || "undecided");
}

export function decisionsView(app: App, rest: string[]): View {
  let rows: DecisionRow[] | null = null;
  let only = "all";
  const asked = /^\d{1,19}$/.test(rest[0] ?? "") ? Number(rest[0]) : null;
  let chosen: number | null = asked;
  let shown = "";
  let closed = false;
  const list = h("div.list");
  const newer = h("p.newer", { hidden: true, role: "status" });
  const detail = h("div.detail", {}, loading());
  const charts: FanChart[] = [];
  const filters = h("fieldset.segments", {}, h("legend.hidden", {}, "Which decisions"), [["all", "All"], ["waiting", "Waiting"], ["refused", "Refused"]].map(([id, label]) =>
    h("label", {}, h("input", { type: "radio", name: "only", value: id, checked: id === only, change: () => { only = id!; drawList(); } }), h("span", {}, label))));
  const element = h("div.split", {}, h("h1.hidden", {}, "Decisions"), panel("Decisions", [filters], newer, list), detail);

  function drawList(): void {
    if (!rows) return;
    const wanted = rows.filter((r) => only === "all" || (only === "waiting" ? r.state === "pending" : r.decision === "rejected" || r.state === "rejected"));
    if (!wanted.length) {
      replace(list, only === "waiting"
        ? empty("Nothing waits", app.now?.mode === "shadow" ? "In shadow mode nothing is sent, so nothing waits. Advisory mode asks an approver for every policy." : "Every policy has been decided.")
        : only === "refused" ? empty("Nothing refused", "No decision in this list was refused.") : empty("No decision yet", "The first proposal comes one slow step after the first frames."));
      return;
    }
    replace(list, h("ul.decisions", {}, wanted.map((row) =>
      h("li", {}, h("a", { href: `#/decisions/${row.step}`, "aria-current": row.step === chosen ? "true" : null },
        h("span.when", {}, f.time(row.start)), stateBadge(row), h("span.figures", {}, "SCM ", f.scm(row.scm), h("small", {}, ` ${f.signed(row.scm !== null && row.running_scm !== null ? row.scm - row.running_scm : null, f.scm)}`)), h("span.line", {}, row.headline))))));
  }

  async function showDetail(step: number, force: boolean): Promise<void> {
    const row = rows?.find((r) => r.step === step);
    const key = JSON.stringify([step, row?.state, row?.decision, row?.handling, row?.headline]);
    if (!force && key === shown) return;
    let found: Decision;
    try {
      found = await get<Decision>(`v1/console/decisions/${step}`);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      const said = inWords(error);
      shown = key;
      replace(detail, empty(said.title, said.text));
      return;
    }
    if (closed) return;
    shown = key;
    for (const chart of charts) chart.close();
    charts.length = 0;
    replace(detail, sections(app, found, charts));
  }

  async function update(changed: Set<string>): Promise<void> {
    if (rows === null || touches(changed, "verdicts", "approvals", "explanations", "policies")) {
      rows = (await get<{ items: DecisionRow[] }>(`v1/console/decisions?limit=${LIST_SHOWN}`)).items;
      const waiting = rows.find((r) => r.state === "pending");
      // What is looked at stays, until the reader goes elsewhere.
      if (chosen === null) chosen = (waiting ?? rows[0])?.step ?? null;
      drawList();
    }
    if (chosen === null) { replace(detail, empty("No decision yet", "Decisions appear here as the planner proposes and the guardrail judges.")); return; }
    const next = rows.find((r) => r.state === "pending" && r.step > chosen!);
    newer.hidden = !next;
    if (next) replace(newer, h("a", { href: `#/decisions/${next.step}` }, "A newer policy waits: ", f.time(next.start)));
    await showDetail(chosen, false);
  }

  return { element, update, recolour: () => { if (chosen !== null) void showDetail(chosen, true).catch(() => undefined); }, close: () => { closed = true; for (const chart of charts) chart.close(); } };
}

function sections(app: App, d: Decision, charts: FanChart[]): HTMLElement[] {
  const gain = d.row.scm !== null && d.row.running_scm !== null ? d.row.scm - d.row.running_scm : null;
  const chosen = d.chosen_index === null ? undefined : d.candidates[d.chosen_index];
  const approval = d.approval;
  const pending = approval?.state === "pending" && Date.parse(approval.expires) > Date.now();
  const head = h("section.panel.headline", { "aria-labelledby": "decision-title" },
    h("header", {}, h("h2", { id: "decision-title" }, `Policy from ${f.time(d.effective)} UTC`), h("span.muted", {}, `step ${d.row.step} · ${f.words(d.row.source)} · guardrail ${d.guardrail_version || f.NONE}`), stateBadge(d.row)),
    h("div.body", {},
      h("p.lead", {}, d.row.headline || "The guardrail has not judged it yet."),
      d.fallback_reason && h("p.callout", {}, h("strong", {}, "No result of a search: "), d.fallback_reason),
      d.handling_reason && !approval && h("p.muted", {}, d.handling_reason),
      approval && h("div.approval", {},
        pending
          ? [h("p", {}, h("strong", {}, "Waits for an approver. "), approval.waits_for ? `${f.capital(approval.waits_for)}. ` : "", h("span.muted", {}, `Ends by itself at ${f.timeOfDay(approval.expires)} UTC.`)),
             h("div.actions", {}, gated(app, "approver", "button.primary", "Approve…", () => decide(app, d.row.step, approval, true, d.row.headline)), gated(app, "approver", "button", "Reject…", () => decide(app, d.row.step, approval, false, d.row.headline)))]
          : h("p", {}, h("strong", {}, f.capital(approval.state === "pending" ? "expired" : approval.state)), approval.decided_by ? ` by ${approval.decided_by}` : "", approval.decided ? ` at ${f.timeOfDay(approval.decided)} UTC` : "", approval.reason ? `: ${approval.reason}` : ""))));
  const tiles = h("div.tiles", {},
    tile("Predicted SCM", f.scm(d.row.scm), `doing nothing ${f.scm(d.row.running_scm)}`, gain !== null && gain < 0 ? "warn" : ""),
    tile("Against doing nothing", f.signed(gain, f.scm), "SCM"),
    tile("Some SLA breaks", f.percent(d.row.violation_probability), Object.entries(d.slice_violation_probability).map(([s, p]) => `${s} ${f.percent(p, 0)}`).join(" · ")),
    tile("Twin", f.scm(chosen?.twin_scm_mean), chosen?.twin_passed === null || chosen === undefined ? "not played" : `${chosen.twin_passed ? "passed" : "failed"}, ${f.percent(chosen.twin_violation_ratio, 0)} of scenarios break`, chosen?.twin_passed === false ? "bad" : ""),
    tile("Control saving", f.percent(d.row.saving_ratio), "against uniform shares"),
    tile("Disagreement", f.plain(d.disagreement), "SCM, between models"),
    tile("Out of distribution", f.plain(d.ood_score), "1: as far as 1 in 100"),
    tile("Looked at", String(d.evaluation_count), `candidates, ${d.twin_call_count} twin calls`));
  const e = d.explanation;
  const interval = (kpi: string, v?: { low?: Num; median: Num; high?: Num }): (Node | string)[] => (v ? [f.kpi(kpi, v.median), h("small", {}, ` ${f.kpi(kpi, v.low)} to ${f.kpi(kpi, v.high)}`)] : [f.NONE]);
  const better = (kpi: string, change: Num | undefined): string => {
    const small = kpi.endsWith("_ratio") ? 5e-5 : 0.05;
    if (kpi === "utilisation_ratio" || change === null || change === undefined || Math.abs(change) < small) return "";
    return (kpi === "served_mbps") === change > 0 ? "better" : "worse";
  };
  const changeText = (kpi: string, v: Num): string => (v !== null && kpi.endsWith("_ratio") ? `${(v * 100).toFixed(2)} pt` : f.kpi(kpi, v));
  const difference = panel("Against doing nothing", [h("span.muted", {}, "whole horizon; the SCM counts to the end of the SLA window")], e && e.forecasts.length
    ? table("Predicted difference against doing nothing", [
        { head: "Slice", cell: (r) => r.slice }, { head: "KPI", cell: (r) => h("span.nowrap", { title: `Over the horizon: ${r.over_steps}` }, f.kpiWord(r.kpi)) },
        { head: "Proposed", number: true, cell: (r) => interval(r.kpi, r.proposed) }, { head: "Doing nothing", number: true, cell: (r) => interval(r.kpi, r.running) },
        { head: "Change", number: true, cell: (r) => h("span", { class: better(r.kpi, r.change_from_running?.median) || null }, f.signed(r.change_from_running?.median ?? null, (v) => changeText(r.kpi, v)), better(r.kpi, r.change_from_running?.median) ? h("small", {}, ` ${better(r.kpi, r.change_from_running?.median)}`) : null) },
        { head: "SLA", number: true, cell: (r) => f.kpi(r.kpi, r.bound ?? null) },
      ], e.forecasts)
    : empty("Nothing predicted", "No model answered for this decision, so there is no difference to show."));
  const front = panel("Cost-compliance front", [], frontChart(d));
  const forecasts = fanPanel(app, d, charts);
  const candidates = panel("Candidates", [h("span.muted", {}, `${d.candidates.length} of ${d.evaluation_count} shown`)], d.candidates.length ? table("Candidates", [
    { head: "", cell: (_, i) => (i === d.chosen_index ? badge("good", "chosen") : i === d.runner_up_index ? badge("info", "runner-up") : "") },
    { head: "Origin", cell: (r) => r.origin }, { head: "SCM", number: true, cell: (r) => f.scm(r.scm_mean) }, { head: "Worst quarter", number: true, cell: (r) => f.scm(r.scm_cvar), title: "Mean SCM of the worst quarter of the futures" },
    { head: "Violation", number: true, cell: (r) => f.percent(r.violation_probability, 1) }, { head: "Saving", number: true, cell: (r) => f.percent(r.saving_ratio) }, { head: "Disagr.", number: true, cell: (r) => f.plain(r.disagreement, 2), title: "Ensemble disagreement" },
    { head: "Score", number: true, cell: (r) => f.scm(r.score) }, { head: "Twin SCM", number: true, cell: (r) => f.scm(r.twin_scm_mean) }, { head: "Twin", cell: (r) => (r.twin_passed === null ? f.NONE : r.twin_passed ? badge("good", "passed") : badge("bad", "failed")) },
  ], d.candidates, (_, i) => (i === d.chosen_index ? "picked" : "")) : empty("No candidates", "The reactive rule needs none."));
  const explanation = panel("Explanation", [h("span.muted", {}, e ? (e.text_source === "model" ? "told by the language model, numbers checked" : "told by the template") : "")], e ? [
    h("dl.explanation", {}, e.text.split("\n").slice(1).map((line) => { const at = line.indexOf(": "); return at > 0 && at < 40 ? [h("dt", {}, line.slice(0, at)), h("dd", {}, line.slice(at + 2))] : h("dd", {}, line); })),
    e.turns.length ? table("What would change the decision", [
      { head: "Would be", cell: (r) => f.words(r.outcome) }, { head: "if", cell: (r) => `${f.words(r.quantity)}${r.check && r.check !== r.quantity ? ` (${f.words(r.check)})` : ""}` }, { head: "were", number: true, cell: (r) => unit(r.unit, r.turning_point) }, { head: "instead of", number: true, cell: (r) => unit(r.unit, r.now) }, { head: "", cell: (r) => (r.settable ? badge("info", "settable") : "") },
    ], e.turns) : null,
  ] : empty("No explanation", "None was written for this decision."));
  const moveTable = (rows: NonNullable<typeof e>["moves"], caption: string): HTMLElement => table(caption, [
    { head: "Where", cell: (r) => (r.scope ? `${r.span} ${r.scope}` : "area") }, { head: "Resource", cell: (r) => (r.resource === "prb" ? "PRB" : "bandwidth") }, { head: "Slice", cell: (r) => r.slice },
    { head: "Now", number: true, cell: (r) => f.percent(r.before_share) }, { head: "Proposed", number: true, cell: (r) => f.percent(r.after_share) }, { head: "Change", number: true, cell: (r) => f.signed(r.after_share - r.before_share, (v) => `${((v ?? 0) * 100).toFixed(1)} pt`) },
  ], rows);
  const moves = panel("What moves", [h("span.muted", {}, "largest first")], e && e.moves.length
    ? [moveTable(e.moves.slice(0, MOVES_SHOWN), "Moves of shares"), e.moves.length > MOVES_SHOWN ? h("details", {}, h("summary", {}, `${e.moves.length - MOVES_SHOWN} more`), moveTable(e.moves.slice(MOVES_SHOWN), "Further moves of shares")) : null]
    : empty("Nothing moves", "The proposal keeps the shares in force."));
  const failed = d.checks.filter((c) => !c.passed), held = d.checks.filter((c) => c.passed);
  const checkTable = (rows: typeof d.checks, caption: string): HTMLElement => table(caption, [
    { head: "Check", cell: (r) => f.words(r.name) }, { head: "", cell: (r) => (r.passed ? badge("good", "holds") : badge("bad", "fails")) }, { head: "Value", number: true, cell: (r) => f.plain(r.value) }, { head: "Bound", number: true, cell: (r) => f.plain(r.bound) }, { head: "In words", cell: (r) => r.message },
  ], rows);
  const checks = panel("Guardrail", [h("span.muted", {}, d.checks.length ? `${held.length} of ${d.checks.length} checks hold` : "not judged yet")],
    failed.length ? checkTable(failed, "Failed checks") : null,
    d.checks.length ? h("details", {}, h("summary", {}, `${held.length} checks that hold`), checkTable(held, "Checks that hold")) : null);
  const intents = d.intents.length ? panel("Intents", [], table("How the plan stands to active intents", [
    { head: "Intent", cell: (r) => r.intent_id }, { head: "Constraint", number: true, cell: (r) => String(r.constraint_index + 1) }, { head: "Broken with probability", number: true, cell: (r) => f.percent(r.violation_probability) }, { head: "Doing nothing", number: true, cell: (r) => f.percent(r.running_violation_probability) },
  ], d.intents)) : null;
  return [head, tiles, h("div.pair.narrow-wide", {}, h("div.column", {}, front, explanation), h("div.column", {}, difference, moves)), forecasts, candidates, h("div.pair", {}, checks, tracePanel(d)), intents].filter((n): n is HTMLElement => n !== null);
}

function unit(kind: string, value: Num): string {
  return kind === "ratio" || kind === "probability" || kind === "share" ? f.percent(value) : `${f.plain(value)}${kind && !["scm", "score"].includes(kind) ? ` ${kind}` : ""}`;
}

function fanPanel(app: App, d: Decision, charts: FanChart[]): HTMLElement {
  if (!d.fans.length) return panel("Forecast", [], empty("No forecast", "The proposal carries no predicted KPIs."));
  const start = Date.parse(d.effective) / 1000, step = app.session.slow_step_s;
  const figures = app.map.slices.slice(0, 4).flatMap((slice, s) => ["loss_ratio", "delay_p99_ms"].map((kpi) => {
    const p = d.kpis.indexOf(kpi), fans = pick(d.fans, s, p, ["proposed", "running"]);
    const chart = new FanChart(CHART_HEIGHT, `${slice.id}, ${f.kpiWord(kpi)}, predicted`);
    charts.push(chart);
    const steps = fans[0]?.values[0]?.length ?? 0;
    queueMicrotask(() => chart.show({ kpi, times: [], observed: [], ahead: Array.from({ length: steps }, (_, i) => start + i * step), fans, bound: kpi === "loss_ratio" ? slice.loss_max_ratio : slice.delay_p99_max_ms, at: null }));
    return h("figure", {}, h("figcaption", {}, h("strong", {}, slice.id), ` ${f.kpiWord(kpi)}`), chart.element);
  }));
  return panel("Forecast", [], h("div.charts.wide", {}, figures), chartKey());
}

interface TraceStep { kind: string; numbers?: Record<string, number>; note?: string; error?: string; seed?: number | string }

function tracePanel(d: Decision): HTMLElement {
  const box = h("div");
  const button = h("button", { type: "button", click: () => void show() }, "Show planning trace");
  const timings = Object.entries(d.timings).filter(([part, s]) => s !== null && part !== "total") as [string, number][];
  const total = timings.reduce((sum, [, s]) => sum + s, 0);
  async function show(): Promise<void> {
    replace(box, loading());
    try {
      const trace = await get<{ sequence: number; hash: string; repeatable: boolean; steps: TraceStep[] }>(`v1/traces/${d.row.step}`);
      replace(box, h("p.muted", {}, `Audit record ${trace.sequence}, hash ${trace.hash.slice(0, 16)}…; ${trace.repeatable ? "can be run again: " : "cannot be run again"}`, trace.repeatable ? h("code", {}, `twm replay-decision ${d.row.step}`) : ""),
        table("Planning trace", [
          { head: "Step", cell: (r) => r.kind }, { head: "Numbers", cell: (r) => Object.entries(r.numbers ?? {}).slice(0, 6).map(([k, v]) => `${f.words(k)} ${f.plain(Number(v))}`).join(", ") }, { head: "Note", cell: (r) => r.error || r.note || "" },
        ], trace.steps));
    } catch (error) {
      const said = inWords(error);
      replace(box, empty(said.title, said.text));
    }
  }
  return panel("How it was made", [button],
    h("p.muted", {}, d.models.map((m) => `${m["name"]} ${m["version"]}`).join(", ") || "no model", timings.length ? ` · ${total.toFixed(2)} s: ` : "", timings.sort((a, b) => b[1] - a[1]).slice(0, 5).map(([part, s]) => `${part} ${s.toFixed(2)}`).join(", ")), box);
}
