// Fan charts: the last hour as observed, the horizon as predicted (5-25-50-75-95 %), SLA bounds. uPlot draws; colours come from the page.
import type uPlotNs from "uplot";
import { token } from "./colour";
import * as f from "./format";
import type { Fan, Num } from "./types";

declare const uPlot: typeof uPlotNs;

export interface FanData {
  kpi: string;
  /** Observed: unix seconds and values. */
  times: number[];
  observed: Num[];
  /** Horizon: unix seconds, and quantiles [level][step] by policy. */
  ahead: number[];
  fans: { policy: string; levels: number[]; values: Num[][] }[];
  bound: Num;
  /** Time chosen on the slider; null: none. */
  at: number | null;
}

/** The fans of one slice and KPI out of what the gateway sends. */
export function pick(fans: Fan[], slice: number, kpi: number, policies: string[]): FanData["fans"] {
  return policies.flatMap((policy) => {
    const found = fans.find((fan) => fan.policy === policy);
    return found ? [{ policy, levels: found.levels, values: found.levels.map((_, q) => found.values.map((step) => step[q]?.[slice]?.[kpi] ?? null)) }] : [];
  });
}

export class FanChart {
  readonly element = document.createElement("div");
  private plot: uPlotNs | null = null;
  private data: FanData | null = null;
  private log = false;
  private readonly resize = new ResizeObserver(() => this.fit());

  constructor(private readonly height: number, private readonly label: string) {
    this.element.className = "chart";
    this.element.setAttribute("role", "img");
    this.resize.observe(this.element);
  }

  show(data: FanData): void {
    const rebuilt = !this.plot || this.data?.fans.length !== data.fans.length || this.data.kpi !== data.kpi || this.wantsLog(data) !== this.log;
    this.data = data;
    this.element.setAttribute("aria-label", this.words(data));
    if (rebuilt) this.build();
    else this.plot!.setData(this.columns(data));
  }

  at(time: number | null): void {
    if (!this.data || this.data.at === time) return;
    this.data.at = time;
    this.plot?.redraw(false);
  }

  recolour(): void { if (this.data) this.build(); }

  close(): void {
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  private words(data: FanData): string {
    const last = data.observed.filter((v) => v !== null).at(-1) ?? null;
    const fan = data.fans[0], middle = fan ? fan.values[fan.levels.indexOf(0.5)]?.at(-1) ?? null : null;
    const bound = data.bound === null ? "" : `, SLA bound ${f.kpi(data.kpi, data.bound)}`;
    return `${this.label}: now ${f.kpi(data.kpi, last)}${middle === null ? "" : `, predicted at the end of the horizon ${f.kpi(data.kpi, middle)}`}${bound}`;
  }

  private wantsLog(data: FanData): boolean {
    if (!data.kpi.endsWith("_ms")) return false;
    const known = [...data.observed, ...data.fans.flatMap((fan) => fan.values.flat())].filter((v): v is number => v !== null && v > 0);
    return known.length > 0 && Math.max(...known) / Math.min(...known) > 60;
  }

  private columns(data: FanData): uPlotNs.AlignedData {
    const past = data.times.length;
    const x = [...data.times, ...data.ahead];
    const last = data.observed.at(-1) ?? null;
    const join = (values: Num[]): Num[] => [...new Array<Num>(Math.max(0, past - 1)).fill(null), ...(past ? [last] : []), ...values];
    const series: Num[][] = [[...data.observed, ...data.ahead.map(() => null)]];
    for (const fan of data.fans) for (const level of [0.05, 0.25, 0.5, 0.75, 0.95]) {
      const q = fan.levels.indexOf(level);
      series.push(q < 0 ? x.map(() => null) : join(fan.values[q]!));
    }
    return [x, ...series];
  }

  private build(): void {
    const data = this.data!;
    this.plot?.destroy();
    this.log = this.wantsLog(data);
    const muted = token("muted"), grid = token("grid");
    const colours = [token("series-plan"), token("series-idle")];
    const clear = "rgba(0,0,0,0)";
    const series: uPlotNs.Series[] = [{}, { stroke: token("text"), width: 1.6, points: { show: false }, spanGaps: false }];
    const bands: uPlotNs.Band[] = [];
    data.fans.forEach((fan, i) => {
      const base = 2 + i * 5, colour = colours[i] ?? muted;
      const idle = fan.policy === "running";
      for (const level of [0.05, 0.25, 0.5, 0.75, 0.95]) {
        const middle = level === 0.5, edge = level === 0.05 || level === 0.95;
        series.push({ stroke: middle || (idle && edge) ? colour : clear, width: middle ? 1.6 : 0.8, dash: middle ? (idle ? [2, 3] : [6, 3]) : [1, 3], points: { show: false } });
      }
      if (!idle) {
        bands.push({ series: [base + 4, base], fill: colour + "30" });
        bands.push({ series: [base + 3, base + 1], fill: colour + "48" });
      }
    });
    const font = "11px system-ui, sans-serif";
    this.plot = new uPlot({
      width: Math.max(120, this.element.clientWidth), height: this.height,
      legend: { show: false }, cursor: { show: false }, select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      scales: { x: { time: true }, y: { distr: this.log ? 3 : 1, range: (_, low, high) => this.range(low, high) } },
      axes: [
        { stroke: muted, font, size: 24, gap: 2, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, size: 3 }, space: 60, values: (_, at) => at.map((v) => f.clock(v)) },
        { stroke: muted, font, size: 52, gap: 3, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, size: 3 }, space: 26, values: (_, at) => at.map((v) => (v === null ? "" : this.tick(v))), ...(this.log ? { splits: (_: uPlotNs, __: number, low: number, high: number) => logTicks(low, high), filter: (_: uPlotNs, at: number[]) => at } : {}) },
      ],
      series, bands,
      hooks: { draw: [(plot) => this.marks(plot)] },
    }, this.columns(data), this.element);
  }

  private tick(value: number): string {
    const kpi = this.data!.kpi;
    if (kpi.endsWith("_ratio")) return `${Number((value * 100).toPrecision(3))} %`;
    if (kpi.endsWith("_ms")) return value >= 1000 ? `${Number((value / 1000).toPrecision(2))} s` : `${Number(value.toPrecision(3))} ms`;
    if (kpi.endsWith("_mbps") && Math.abs(value) >= 1000) return `${Number((value / 1000).toPrecision(2))} G`;
    return String(Number(value.toPrecision(3)));
  }

  private range(low: number | null, high: number | null): [number, number] {
    const bound = this.data!.bound;
    if (low === null || high === null) { low = 0; high = bound ?? 1; }
    if (bound !== null) high = Math.max(high, bound * 1.15);
    if (this.log) return [Math.max(0.1, low * 0.8), high * 1.3];
    const ratio = this.data!.kpi.endsWith("_ratio");
    const least = ratio ? Math.max(0.02, high * 1.06) : high + (high - Math.min(low, high)) * 0.08 + 1e-9;
    const bottom = ratio || this.data!.kpi.endsWith("_ms") ? 0 : Math.max(0, low - (high - low) * 0.1);
    return [bottom, ratio ? Math.min(1.05, least) : least];
  }

  private marks(plot: uPlotNs): void {
    const data = this.data!, ctx = plot.ctx, box = plot.bbox, px = devicePixelRatio;
    const line = (x0: number, y0: number, x1: number, y1: number, colour: string, dash: number[], width = 1): void => {
      ctx.save();
      ctx.strokeStyle = colour; ctx.lineWidth = width * px; ctx.setLineDash(dash.map((d) => d * px));
      ctx.beginPath(); ctx.moveTo(x0, y0); ctx.lineTo(x1, y1); ctx.stroke();
      ctx.restore();
    };
    if (data.bound !== null) {
      const y = plot.valToPos(data.bound, "y", true);
      if (y >= box.top) {
        line(box.left, y, box.left + box.width, y, token("bad-line"), [8, 3], 1.3);
        ctx.save();
        ctx.fillStyle = token("bad-line"); ctx.font = `${10 * px}px system-ui, sans-serif`; ctx.textBaseline = "bottom"; ctx.textAlign = "left";
        ctx.fillText(`SLA ${f.kpi(data.kpi, data.bound)}`, box.left + 4 * px, y - 1 * px);
        ctx.restore();
      }
    }
    const now = data.times.at(-1);
    if (now !== undefined && data.ahead.length) {
      const x = plot.valToPos(now, "x", true);
      line(x, box.top, x, box.top + box.height, token("muted"), [1, 2]);
    }
    if (data.at !== null) {
      const x = plot.valToPos(data.at, "x", true);
      if (x >= box.left && x <= box.left + box.width) line(x, box.top, x, box.top + box.height, token("accent"), [], 1.5);
    }
  }

  private fit(): void {
    const width = this.element.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  }
}

/** 1 and 3 times the powers of ten. */
function logTicks(low: number, high: number): number[] {
  const out: number[] = [];
  for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++) for (const m of [1, 3]) if (m * 10 ** p >= low && m * 10 ** p <= high) out.push(m * 10 ** p);
  return out;
}

export interface Line { label: string; stroke: string; dash?: number[]; values: Num[] }

/** Plain lines over numbers (steps or times). */
export class LineChart {
  readonly element = document.createElement("div");
  private plot: uPlotNs | null = null;
  private last: { x: number[]; lines: Line[] } | null = null;
  private readonly resize = new ResizeObserver(() => {
    const width = this.element.clientWidth;
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.height });
  });

  constructor(private readonly height: number, private readonly label: string, private readonly times: boolean) {
    this.element.className = "chart";
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.resize.observe(this.element);
  }

  show(x: number[], lines: Line[]): void {
    this.last = { x, lines };
    this.plot?.destroy();
    const muted = token("muted"), grid = token("grid"), font = "11px system-ui, sans-serif";
    const latest = lines.map((line) => `${line.label} ${f.scm(line.values.at(-1))}`).join(", ");
    this.element.setAttribute("aria-label", `${this.label}; newest: ${latest}`);
    this.plot = new uPlot({
      width: Math.max(120, this.element.clientWidth), height: this.height,
      legend: { show: false }, cursor: { show: false }, select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      scales: { x: { time: this.times }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(0.1, (high ?? 1) * 1.08)] } },
      axes: [
        { stroke: muted, font, size: 24, gap: 2, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, size: 3 }, space: 70, values: (_, at) => at.map((v) => (this.times ? f.clock(v) : String(v))) },
        { stroke: muted, font, size: 40, gap: 3, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, size: 3 }, space: 26 },
      ],
      series: [{}, ...lines.map((line) => ({ stroke: token(line.stroke), width: 1.6, dash: line.dash ?? [], points: { show: x.length < 3 }, spanGaps: false }))],
    }, [x, ...lines.map((line) => line.values)], this.element);
  }

  recolour(): void { if (this.last) this.show(this.last.x, this.last.lines); }

  close(): void {
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}
