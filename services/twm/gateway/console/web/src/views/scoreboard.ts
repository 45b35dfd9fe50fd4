// Shadow scoreboard: what was recommended and predicted against what the network then did.
import type { App, View } from "../app";
import { touches } from "../app";
import { get } from "../api";
import { LineChart } from "../charts";
import { badge, empty, h, loading, panel, replace, table, tile } from "../dom";
import * as f from "../format";
import type { Mode, Num, Score, ScoreSummary } from "../types";

const NOMINAL = 0.9;

export function scoreboardView(app: App): View {
  const chart = new LineChart(210, "SCM of each horizon", true);
  const body = h("div", {}, loading());
  const element = h("div.stack", {}, h("h1.hidden", {}, "Shadow scoreboard"), body);
  let read = false;
  let closed = false;

  async function update(changed: Set<string>): Promise<void> {
    if (read && !touches(changed, "scores", "mode")) return;
    const [summary, page, mode] = await Promise.all([get<ScoreSummary>("v1/scores/summary"), get<{ items: Score[] }>("v1/scores?limit=100"), get<Mode>("v1/mode")]);
    if (closed) return;
    read = true;
    const scores = [...page.items].sort((a, b) => a.step - b.step);
    if (!scores.length) {
      replace(body, panel("Shadow scoreboard", [], empty("No score yet", `A decision is scored when its horizon is over: ${app.session.horizon_steps} slow steps after the first one.`)));
      return;
    }
    const gain = summary.predicted_gain_scm, coverage = summary.coverage_ratio;
    const missing = mode.missing_for_autonomous;
    const key = h("p.chart-key", {}, h("span.k.observed", {}, "observed, own shares"), h("span.k.idle", {}, "predicted, own shares"), h("span.k.plan", {}, "predicted, recommended"));
    replace(body,
      h("div.tiles", {},
        tile("Horizons scored", String(summary.count), `${summary.accepted_count} accepted by the guardrail`),
        tile("Predicted gain", f.signed(gain, f.scm), "SCM, recommended against own shares", gain !== null && gain < 0 ? "bad" : "good"),
        tile("Observed SCM", f.scm(summary.observed_scm), `predicted ${f.scm(summary.running_predicted_scm)}`),
        tile("Error of the prediction", f.scm(summary.running_scm_error), "SCM, mean absolute"),
        tile("Coverage", f.percent(coverage), `nominal ${f.percent(NOMINAL, 0)}`, coverage !== null && coverage < 0.8 ? "bad" : coverage !== null && coverage < 0.85 ? "warn" : "good"),
        ...Object.entries(summary.mean_absolute_error).slice(0, 2).map(([kpi, v]) => tile(`Error, ${f.kpiWord(kpi)}`, f.kpi(kpi, v), "mean absolute, median forecast"))),
      panel("SCM by horizon", [h("span.muted", {}, "by the time the horizon began")], chart.element, key, h("p.muted", {}, "The gain is predicted, never observed: the network ran its own shares. What is observed tests the forecast for those.")),
      h("div.pair.wide-narrow", {},
        panel("Newest scores", [], table("Newest scores", [
          { head: "Step", cell: (r) => h("a", { href: `#/decisions/${r.step}` }, String(r.step)) }, { head: "Guardrail", cell: (r) => (r.decision === "accepted" ? badge("good", "accepted") : r.decision === "rejected" ? badge("bad", "refused") : badge("idle", r.decision)) },
          { head: "Observed", number: true, cell: (r) => f.scm(r.observed_scm) }, { head: "Predicted", number: true, cell: (r) => f.scm(r.running_predicted_scm) }, { head: "Recommended", number: true, cell: (r) => f.scm(r.recommended_predicted_scm) },
          { head: "Gain", number: true, cell: (r) => f.signed(difference(r.recommended_predicted_scm, r.running_predicted_scm), f.scm) }, { head: "Coverage", number: true, cell: (r) => f.percent(r.coverage_ratio, 0) }, { head: "Distance", number: true, cell: (r) => f.percent(r.action_distance, 0), title: "Mean difference between recommended and applied shares" },
        ], scores.slice(-20).reverse())),
        panel("Towards autonomous mode", [], missing.length ? [h("p", {}, "Low-risk policies may go out alone once nothing is missing here."), h("ul.missing", {}, missing.map((m) => h("li", {}, badge("wait", "missing"), " ", m)))] : h("p.done", {}, badge("good", "complete"), " The shadow record carries autonomous mode."),
          mode.critical_zones.length || mode.critical_slices.length ? h("p.muted", {}, `Always with an approval: ${[...mode.critical_zones.map((z) => `moves in ${z}`), ...mode.critical_slices.map((s) => `less for ${s}`)].join(", ")}.`) : null)));
    const slow = app.session.slow_step_s;
    chart.show(scores.map((s) => (s.step + 1) * slow), [
      { label: "observed", stroke: "text", values: scores.map((s) => s.observed_scm) },
      { label: "predicted for own shares", stroke: "series-idle", dash: [2, 3], values: scores.map((s) => s.running_predicted_scm) },
      { label: "predicted for the recommendation", stroke: "series-plan", dash: [6, 3], values: scores.map((s) => s.recommended_predicted_scm) },
    ]);
  }
  return { element, update, recolour: () => chart.recolour(), close: () => { closed = true; chart.close(); } };
}

function difference(a: Num, b: Num): Num { return a === null || b === null ? null : a - b; }
