// Overview: map, time slider, fan charts, cells, newest decision.
import type { App, View } from "../app";
import { touches } from "../app";
import { get } from "../api";
import { FanChart, pick } from "../charts";
import { badge, empty, h, loading, panel, replace, table, tile } from "../dom";
import * as f from "../format";
import { FieldMap, legend } from "../map";
import type { DecisionRow, Drift, Field, Layer, Num, Series } from "../types";
import { stateBadge } from "./decisions";

const CHART_HEIGHT = 132;
const SLICES_SHOWN = 3;
const ROWS_SHOWN = 14;
const PAST_KEPT = 120;
const PAIRS: { id: string; label: string; kpis: [string, string] }[] = [
  { id: "sla", label: "Loss & delay", kpis: ["loss_ratio", "delay_p99_ms"] },
  { id: "use", label: "Use & served", kpis: ["utilisation_ratio", "served_mbps"] },
];

export function overviewView(app: App): View {
  const slowStep = app.session.slow_step_s;
  const slices = app.map.slices;
  let layer: Layer = app.map.layers[0]!;
  let series: Series | null = null;
  let field: Field | null = null;
  let latest: DecisionRow[] = [];
  let drift: Drift | null = null;
  let at: number | null = null;
  let cell = -1;
  let filter = "";
  let pair = PAIRS[0]!;
  let firstSlice = 0;
  let player = 0;
  let closed = false;

  const tiles = h("div.tiles");
  const legendBox = h("div.legend");
  const note = h("p.muted.slider-note", { "aria-live": "off" });
  const slider = h("input", { type: "range", min: "0", max: "1", step: "1", value: "0", id: "time", "aria-label": "Time shown" });
  const scaleNow = h("span.now", {}, "now");
  const scaleBox = h("div.scale", { "aria-hidden": "true" }, h("span"), scaleNow, h("span"));
  const play = h("button", { type: "button", id: "play", "aria-label": "Play the hour and the forecast", title: "Play", click: () => togglePlay() }, "▶");
  const nowButton = h("button", { type: "button", id: "to-now", click: () => setAt(null) }, "Now");
  const charts = h("div.charts");
  const cellsBox = h("div");
  const decisionBox = h("div");
  const map = new FieldMap(app.map, (i) => { cell = i === cell ? -1 : i; map.select(cell); drawCells(); });
  const fans: { chart: FanChart; slice: number; kpi: string }[] = [];

  slider.addEventListener("input", () => {
    stopPlay();
    const step = Number(slider.value);
    setAt(step === newestStep() ? null : step);
  });

  const layers = h("fieldset.segments", {}, h("legend.hidden", {}, "Map layer"), app.map.layers.map((entry) =>
    h("label", {}, h("input", { type: "radio", name: "layer", value: entry.id, checked: entry.id === layer.id, change: () => void chooseLayer(entry) }), h("span", {}, entry.label))));
  const toggle = (what: "links" | "zones", label: string): HTMLElement => {
    const box = h("input", { type: "checkbox", name: what, checked: true, change: () => map.toggle(what, box.checked) });
    return h("label.check", {}, box, label);
  };
  const pairs = h("fieldset.segments", {}, h("legend.hidden", {}, "Indicators"), PAIRS.map((entry) =>
    h("label", {}, h("input", { type: "radio", name: "pair", value: entry.id, checked: entry === pair, change: () => { pair = entry; buildCharts(); } }), h("span", {}, entry.label))));
  const sliceSelect = h("select", { "aria-label": "First slice shown", change: () => { firstSlice = Number(sliceSelect.value); buildCharts(); } }, slices.map((s, i) => h("option", { value: i }, s.id)));
  const filterField = h("input", { type: "search", placeholder: "Filter cells or zones", "aria-label": "Filter cells or zones", maxlength: "64", input: () => { filter = filterField.value.trim().toLowerCase(); drawCells(); } });

  const element = h("div.overview", {}, h("h1.hidden", {}, "Overview"), tiles,
    h("div.columns", {},
      h("div.column", {},
        panel("Field", [layers, toggle("zones", "Zones"), toggle("links", "Links")], map.element, legendBox,
          h("div.slider", {}, play, h("div.track", {}, slider, scaleBox), nowButton), note),
        panel("Cells", [filterField], cellsBox)),
      h("div.column", {},
        panel("Slice indicators", [slices.length > SLICES_SHOWN ? sliceSelect : null, pairs], charts, chartKey()),
        panel("Newest decisions", [h("a", { href: "#/decisions" }, "All decisions")], decisionBox))));

  function newestStep(): number { return series?.steps.at(-1) ?? 0; }
  function shownStep(): number { return at ?? newestStep(); }
  function timeOf(step: number): number {
    const i = series?.steps.indexOf(step) ?? -1;
    if (series && i >= 0) return series.starts[i]!;
    const last = series?.starts.at(-1) ?? 0;
    return last + (step - newestStep()) * slowStep;
  }

  function setAt(step: number | null): void {
    at = step;
    draw();
  }

  function stopPlay(): void {
    window.clearInterval(player);
    player = 0;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play the hour and the forecast");
  }

  function togglePlay(): void {
    if (player) { stopPlay(); return; }
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Stop playing");
    let step = at === null || at >= Number(slider.max) ? Number(slider.min) : at;
    player = window.setInterval(() => {
      if (step > Number(slider.max)) { stopPlay(); setAt(null); return; }
      setAt(step === newestStep() ? null : step);
      step += 1;
    }, 220);
  }

  /** Values of the layer at a step, how they are known, and their 90 % interval where predicted. */
  function fieldAt(step: number): { values: Num[]; how: string; low?: Num[]; high?: Num[] } {
    const none: Num[] = app.map.cells.map(() => null);
    if (!field) return { values: none, how: "loading" };
    const i = field.steps.indexOf(step);
    if (i >= 0) return { values: field.values[i]!, how: "observed" };
    const ahead = field.forecast;
    if (!ahead || step <= newestStep()) return { values: none, how: step > newestStep() ? `no forecast of the field: ${field.forecast_problem || "none yet"}` : "no frame of this step" };
    const offset = step - ahead.step, offsets = ahead.offsets;
    const after = offsets.findIndex((o) => o >= offset);
    if (after < 0) return { values: none, how: "beyond the forecast" };
    const b = offsets[after]!, a = offsets[Math.max(0, after - 1)]!, w = b === a ? 1 : (offset - a) / (b - a);
    const mix = (rows: Num[][]): Num[] => rows[after]!.map((v, c) => { const u = rows[Math.max(0, after - 1)]![c] ?? null; return v === null || u === null ? null : u + (v - u) * w; });
    return { values: mix(ahead.median), how: `predicted (median, ${ahead.model})`, low: mix(ahead.low), high: mix(ahead.high) };
  }

  async function chooseLayer(entry: Layer): Promise<void> {
    layer = entry;
    field = null;
    legend(legendBox, layer);
    draw();
    field = await get<Field>(`v1/console/field?layer=${encodeURIComponent(entry.id)}`).catch(() => null);
    if (layer === entry && !closed) draw();
  }

  function buildCharts(): void {
    for (const entry of fans) entry.chart.close();
    fans.length = 0;
    const rows = slices.slice(firstSlice, firstSlice + SLICES_SHOWN).flatMap((slice, k) => pair.kpis.map((kpi) => {
      const chart = new FanChart(CHART_HEIGHT, `${slice.id}, ${f.kpiWord(kpi)}`);
      fans.push({ chart, slice: firstSlice + k, kpi });
      return h("figure", {}, h("figcaption", {}, h("strong", {}, slice.id), ` ${f.kpiWord(kpi)}`, h("span.reading", { "data-slice": firstSlice + k, "data-kpi": kpi })), chart.element);
    }));
    replace(charts, rows);
    drawCharts();
  }

  function drawCharts(): void {
    if (!series) return;
    const s = series;
    const start = s.forecast_step === null ? s.starts.at(-1) ?? 0 : timeOf(s.forecast_step);
    for (const { chart, slice, kpi } of fans) {
      const p = s.kpis.indexOf(kpi);
      const picked = pick(s.fans, slice, p, ["proposed", "running"]);
      const steps = picked[0]?.values[0]?.length ?? 0;
      const bound = kpi === "loss_ratio" ? slices[slice]!.loss_max_ratio : kpi === "delay_p99_ms" ? slices[slice]!.delay_p99_max_ms : kpi === "served_mbps" ? slices[slice]!.throughput_min_mbps : null;
      chart.show({ kpi, times: s.starts, observed: s.values.map((row) => row[slice]?.[p] ?? null), ahead: Array.from({ length: steps }, (_, i) => start + (i + 1) * slowStep), fans: picked, bound, at: at === null ? null : timeOf(at) });
    }
    readings();
  }

  function readings(): void {
    if (!series) return;
    const step = shownStep(), i = series.steps.indexOf(step);
    for (const reading of charts.querySelectorAll<HTMLElement>(".reading")) {
      const slice = Number(reading.dataset["slice"]), p = series.kpis.indexOf(reading.dataset["kpi"]!), kpi = reading.dataset["kpi"]!;
      if (i >= 0) { reading.textContent = f.kpi(kpi, series.values[i]![slice]?.[p]); continue; }
      const fan = series.fans.find((entry) => entry.policy === "proposed"), offset = step - (series.forecast_step ?? step) - 1, q = fan?.values[offset];
      reading.textContent = fan && q ? f.kpiInterval(kpi, q[fan.levels.indexOf(0.5)]?.[slice]?.[p], q[0]?.[slice]?.[p], q.at(-1)?.[slice]?.[p]) : f.NONE;
    }
  }

  function drawTiles(): void {
    const row = latest[0], now = app.now;
    const broken = series ? slices.filter((s, i) => {
      const last = series!.values.at(-1)?.[i];
      return last && ((s.loss_max_ratio !== null && (last[0] ?? 0) > s.loss_max_ratio) || (s.delay_p99_max_ms !== null && (last[1] ?? 0) > s.delay_p99_max_ms));
    }).map((s) => s.id) : [];
    const gain = row && row.scm !== null && row.running_scm !== null ? row.scm - row.running_scm : null;
    replace(tiles,
      tile("SCM, newest step", f.scm(series?.scm.at(-1)), broken.length ? `SLA broken: ${broken.join(", ")}` : series?.steps.length ? "all SLAs held" : "no frame yet", broken.length ? "bad" : "good"),
      tile("Predicted SCM", f.scm(row?.scm), gain === null ? "proposed policy" : `proposed; ${f.signed(gain, f.scm)} against doing nothing`, gain !== null && gain < 0 ? "warn" : ""),
      tile("Some SLA breaks", f.percent(row?.violation_probability), "probability under the proposed policy"),
      tile("Control saving", f.percent(row?.saving_ratio), "against uniform shares"),
      tile("Waiting for approval", String(now?.waiting_count ?? 0), now?.in_force ? `in force: step ${now.in_force.split("/").at(-1)}` : "nothing in force", now?.waiting_count ? "warn" : ""),
      tile("Forecast quality", f.capital(drift?.state ?? f.NONE), drift && Object.keys(drift.coverage).length ? `least coverage ${f.percent(Math.min(...Object.values(drift.coverage).map((c) => c.share)), 0)} of 90 %` : "coverage not known yet", drift?.state === "drift" ? "bad" : drift?.state === "warn" ? "warn" : ""),
      tile("Reports missing", now?.missing_report_count === null || now?.missing_report_count === undefined ? f.NONE : String(now.missing_report_count), now?.report_count ? `of ${now.report_count + (now.missing_report_count ?? 0)} in the newest step` : ""));
  }

  function drawCells(): void {
    if (!field) { replace(cellsBox, loading()); return; }
    const here = fieldAt(shownStep());
    const zonesOf = (i: number): string => app.map.zones.filter((z) => z.cells.includes(i)).map((z) => z.id).join(", ");
    const rows = app.map.cells.map((c, i) => ({ i, id: c.id, zones: zonesOf(i), value: here.values[i] ?? null }))
      .filter((r) => !filter || r.id.toLowerCase().includes(filter) || r.zones.toLowerCase().includes(filter));
    const worst = (r: { value: Num }): number => (r.value === null ? -Infinity : FieldMap.severity(layer, r.value));
    rows.sort((a, b) => (a.i === cell ? -1 : b.i === cell ? 1 : worst(b) - worst(a)));
    const shown = rows.slice(0, ROWS_SHOWN);
    if (!shown.length) { replace(cellsBox, empty("No cell", "No cell or zone has that name.")); return; }
    replace(cellsBox, table("Cells, worst first", [
      { head: "Cell", cell: (r) => h("button.link", { type: "button", "aria-pressed": String(r.i === cell), click: () => { cell = r.i === cell ? -1 : r.i; map.select(cell); drawCells(); } }, r.id) },
      { head: "Zones", cell: (r) => r.zones || f.NONE },
      { head: layer.label, number: true, cell: (r) => f.layerValue(layer.unit, r.value) },
      ...(here.low && here.high ? [{ head: "5 to 95 %", number: true, cell: (r: { i: number }) => `${f.layerValue(layer.unit, here.low![r.i])} to ${f.layerValue(layer.unit, here.high![r.i])}` }] : []),
      { head: "State", cell: (r) => (r.value === null ? badge("idle", "not measured") : FieldMap.beyond(layer, r.value) ? badge("bad", "beyond bound") : "") },
    ], shown, (r) => (r.i === cell ? "picked" : "")),
    rows.length > shown.length ? h("p.muted", {}, `${shown.length} of ${rows.length}, worst first; filter to see others.`) : null);
  }

  function drawDecisions(): void {
    if (!latest.length) { replace(decisionBox, empty("No decision yet", "The first proposal comes after the first frames, one slow step after the start.")); return; }
    replace(decisionBox, h("ul.decisions", {}, latest.slice(0, 4).map((row) =>
      h("li", {}, h("a", { href: `#/decisions/${row.step}` }, h("span.when", {}, f.time(row.start)), stateBadge(row), h("span.line", {}, row.headline || "no explanation"))))));
  }

  function draw(): void {
    const step = shownStep(), newest = newestStep();
    if (series && series.steps.length) {
      const horizon = Math.max(app.session.horizon_steps, 1);
      slider.min = String(Math.min(series.steps[0]!, newest));
      slider.max = String(newest + horizon);
      slider.value = String(step);
      const first = Number(slider.min), last = Number(slider.max);
      scaleBox.firstElementChild!.textContent = f.clock(timeOf(first));
      scaleBox.lastElementChild!.textContent = f.clock(timeOf(last));
      scaleNow.style.left = `calc(8px + ${((newest - first) / Math.max(1, last - first)).toFixed(4)} * (100% - 16px))`;
      slider.setAttribute("aria-valuetext", `${f.clock(timeOf(step))} UTC, ${step > newest ? `${step - newest} steps ahead` : step === newest ? "now" : `${newest - step} steps ago`}`);
    }
    slider.disabled = !series?.steps.length;
    const here = fieldAt(step);
    const away = Math.round(((step - newest) * slowStep) / 60);
    note.textContent = series?.steps.length ? `${f.clock(timeOf(step))} UTC${away ? ` (${away > 0 ? "+" : "−"}${Math.abs(away)} min)` : " (now)"} · ${here.how}${step > newest ? " · links: last measured" : ""}` : "No frame has come yet: the map fills with the first one.";
    note.classList.toggle("ahead", step > newest);
    nowButton.setAttribute("aria-pressed", String(at === null));
    map.show(layer, here.values);
    const i = series ? series.steps.indexOf(Math.min(step, newest)) : -1;
    map.showLinks(series?.link_used[i], series?.link_up[i]);
    for (const { chart } of fans) chart.at(at === null ? null : timeOf(at));
    readings();
    drawCells();
  }

  function merge(old: Series | null, more: Series): Series {
    if (!old || !old.steps.length || !more.steps.length || more.steps[0]! <= old.steps.at(-1)!) return more.steps.length || !old ? more : { ...more, steps: old.steps, starts: old.starts, values: old.values, offered_mbps: old.offered_mbps, scm: old.scm, link_used: old.link_used, link_up: old.link_up };
    const keep = Math.min(PAST_KEPT, Math.max(2, Math.ceil(3600 / slowStep)));
    const both = <T>(a: T[], b: T[]): T[] => [...a, ...b].slice(-keep);
    return { ...more, steps: both(old.steps, more.steps), starts: both(old.starts, more.starts), values: both(old.values, more.values), offered_mbps: both(old.offered_mbps, more.offered_mbps), scm: both(old.scm, more.scm), link_used: both(old.link_used, more.link_used), link_up: both(old.link_up, more.link_up) };
  }

  async function update(changed: Set<string>): Promise<void> {
    const first = series === null;
    const frames = first || touches(changed, "frames");
    if (frames || touches(changed, "proposals")) {
      const known = changed.has("poll") ? -1 : series?.steps.at(-1) ?? -1;
      series = merge(changed.has("poll") ? null : series, await get<Series>(`v1/console/series?after=${known}`));
    }
    if (frames) {
      const known = changed.has("poll") || !field ? -1 : field.steps.at(-1) ?? -1, wanted = layer;
      const more = await get<Field>(`v1/console/field?layer=${encodeURIComponent(wanted.id)}&after=${known}`);
      if (wanted === layer) field = known < 0 || !field ? more : { ...more, steps: [...field.steps, ...more.steps].slice(-PAST_KEPT), values: [...field.values, ...more.values].slice(-PAST_KEPT) };
    }
    if (first || touches(changed, "verdicts", "approvals", "explanations")) latest = (await get<{ items: DecisionRow[] }>("v1/console/decisions?limit=4")).items;
    if (first || touches(changed, "drift")) drift = await get<Drift>("v1/drift");
    if (closed) return;
    if (first) { buildCharts(); legend(legendBox, layer); }
    drawTiles();
    draw();
    drawCharts();
    drawDecisions();
  }

  return {
    element, update,
    recolour: () => { map.recolour(); legend(legendBox, layer); for (const { chart } of fans) chart.recolour(); },
    close: () => { closed = true; stopPlay(); map.close(); for (const { chart } of fans) chart.close(); },
  };
}

export function chartKey(): HTMLElement {
  return h("p.chart-key", {}, h("span.k.observed", {}, "observed"), h("span.k.plan", {}, "proposed: median, 25–75 % and 5–95 %"), h("span.k.idle", {}, "doing nothing: median, 5 and 95 %"), h("span.k.sla", {}, "SLA bound"));
}
