// Models & drift: whether the network still is what the models know, and the cards of the models.
import type { App, View } from "../app";
import { touches } from "../app";
import { get } from "../api";
import { badge, empty, h, loading, panel, replace, svg, table } from "../dom";
import * as f from "../format";
import type { Drift, ModelCard } from "../types";

const WORDS: Record<string, [string, string]> = {
  learning: ["wait", "No baseline yet: it takes 16 horizons after a model came into use."], ok: ["good", "Forecasts hold what they promise."], warn: ["warn", "Forecasts begin to miss."], drift: ["bad", "The network no longer is what the model knows."],
};

export function modelsView(_app: App): View {
  const driftBox = h("div", {}, loading());
  const cardsBox = h("div", {}, loading());
  const element = h("div.stack", {}, h("h1.hidden", {}, "Models and drift"), driftBox, cardsBox);
  let read = false;

  async function update(changed: Set<string>): Promise<void> {
    if (!read || touches(changed, "drift")) drawDrift(await get<Drift>("v1/drift"));
    if (!read || changed.has("poll")) drawCards(await get<{ cards: ModelCard[]; problem: string }>("v1/console/models"));
    read = true;
  }

  function drawDrift(d: Drift): void {
    const [kind, note] = WORDS[d.state] ?? ["idle", ""];
    const kpis = Object.keys(d.coverage);
    replace(driftBox, panel("Drift", [badge(kind, d.state)], h("p", {}, note, d.reasons.length ? h("ul", {}, d.reasons.map((r) => h("li", {}, r))) : null),
      h("p.muted", {}, `Model ${d.model || f.NONE} · ${d.blocks} horizons seen${d.last_step === null ? "" : ` · up to step ${d.last_step}`}`),
      kpis.length ? table("Coverage of the 90 % interval by KPI", [
        { head: "KPI", cell: (k) => f.kpiWord(k) }, { head: "Coverage of the 90 % interval", cell: (k) => coverageBar(d.coverage[k]!) }, { head: "Share", number: true, cell: (k) => f.percent(d.coverage[k]!.share, 0) }, { head: "95 % bounds", number: true, cell: (k) => `${f.percent(d.coverage[k]!.lower, 0)} to ${f.percent(d.coverage[k]!.upper, 0)}` },
        { head: "Residual CUSUM", number: true, cell: (k) => f.plain(d.residual_sigma[k] ?? null, 3), title: "In standard deviations" }, { head: "Surprise", number: true, cell: (k) => (d.surprise_nats[k] === undefined ? f.NONE : `${f.plain(d.surprise_nats[k], 2)} nats`), title: "About 0 where the model is right" },
      ], kpis) : empty("Not measured yet", "Coverage is known once the first horizons are over."),
      d.changes.length ? h("details", {}, h("summary", {}, `${d.changes.length} changes of state`), h("ul", {}, d.changes.map((c) => h("li", {}, `Step ${c.step}: ${c.state}${c.reason ? `, ${c.reason}` : ""}`)))) : null));
  }

  function drawCards(found: { cards: ModelCard[]; problem: string }): void {
    replace(cardsBox, found.problem ? h("p.callout", {}, found.problem) : null,
      found.cards.length ? h("div.cardgrid", {}, found.cards.map(card)) : panel("Model cards", [], empty("No model card", found.problem || "The zoo is empty.")));
  }
  return { element, update };
}

function coverageBar(c: { share: number; lower: number; upper: number }): SVGElement {
  const x = (v: number): number => 2 + v * 156;
  return svg("svg", { viewBox: "0 0 160 16", width: "160", height: "16", role: "img", "aria-label": `${f.percent(c.share, 0)}, bounds ${f.percent(c.lower, 0)} to ${f.percent(c.upper, 0)}, nominal 90 %`, class: "coverage" },
    svg("line", { x1: 2, x2: 158, y1: 8, y2: 8, class: "gridline" }), svg("line", { x1: x(0.9), x2: x(0.9), y1: 1, y2: 15, class: "nominal" }), svg("line", { x1: x(c.lower), x2: x(c.upper), y1: 8, y2: 8, class: "bounds" }), svg("circle", { cx: x(c.share), cy: 8, r: 4, class: "share" }));
}

function card(c: ModelCard): HTMLElement {
  const kinds: Record<string, string> = { cdwm: "Control & dynamics world model", fwm: "Field world model", actor: "Actor" };
  const quality = Object.entries(c.quality);
  const line = (name: string, value: string): HTMLElement[] => [h("dt", {}, name), h("dd", {}, value)];
  return h("section.panel.modelcard", { "aria-label": `${c.name} ${c.version}` },
    h("header", {}, h("h2", {}, `${c.name} ${c.version}`), c.in_use ? badge("good", "in use") : null, c.fits ? badge("info", "fits") : badge("idle", "other network")),
    h("div.body", {}, h("p.muted", {}, kinds[c.name] ?? c.contract),
      h("dl.facts", {}, line("Made", f.dateTime(c.created)), line("Network", c.network), line("Looks at", `${c.window} frames`), line("Horizon", `${c.horizon_steps} steps`), c.members > 1 ? line("Members", String(c.members)) : null,
        c.coverage_level === null ? null : line("Intervals for", f.percent(c.coverage_level, 0)), line("Trained on", `${String(c.data["episodes"] ?? f.NONE)} episodes of ${String(c.data["steps"] ?? f.NONE)} steps`), line("Digest", c.digest.slice(0, 16) + "…"), c.adaptation ? line("Adapted from", String(c.adaptation["parent"] ?? "")) : null),
      quality.length ? h("details", {}, h("summary", {}, `Measured quality (${quality.length} figures)`), table(`Quality of ${c.name} ${c.version}`, [{ head: "Figure", cell: ([name]) => f.words(name) }, { head: "Value", number: true, cell: ([, v]) => (typeof v === "number" ? f.plain(v, 4) : v) }], quality)) : null,
      h("details", {}, h("summary", {}, "How it was made"), h("pre", {}, String(c.training["command"] ?? "")), h("pre", {}, Object.entries(c.graphs).map(([file, sha]) => `${file}  ${sha}`).join("\n")))));
}
