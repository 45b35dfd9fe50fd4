// Numbers and times as they are shown. Times are UTC: event time of the network.
import type { Num } from "./types";

export const NONE = "–";
const fixed = (value: number, digits: number): string => value.toFixed(digits).replace(/^-(0(?:\.0*)?)$/, "$1");

export function scm(value: Num | undefined): string { return value === null || value === undefined ? NONE : fixed(value, 3); }
export function percent(value: Num | undefined, digits = 1): string { return value === null || value === undefined ? NONE : `${fixed(value * 100, digits)} %`; }
export function plain(value: Num | undefined, digits = 3): string {
  if (value === null || value === undefined) return NONE;
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)) return value.toExponential(2);
  return String(Number(value.toPrecision(digits)));
}
export function signed(value: Num | undefined, show: (v: Num) => string): string {
  return value === null || value === undefined ? NONE : (value > 0 ? "+" : value < 0 ? "−" : "±") + show(Math.abs(value));
}

/** A KPI by its name: the unit stands in the name. */
export function kpi(name: string, value: Num | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (name.endsWith("_ratio")) return percent(value, value < 0.1 ? 2 : 1);
  if (name.endsWith("_ms")) return Math.abs(value) >= 1000 ? `${fixed(value / 1000, 1)} s` : `${fixed(value, Math.abs(value) < 100 ? 1 : 0)} ms`;
  if (name.endsWith("_mbps")) return value >= 1000 ? `${fixed(value / 1000, 2)} Gbps` : `${fixed(value, 0)} Mbps`;
  return plain(value);
}
/** "8.2 ms (6.1 to 14.8)": the unit once where it is the same. */
export function kpiInterval(name: string, middle: Num | undefined, low: Num | undefined, high: Num | undefined): string {
  const [m, l, u] = [kpi(name, middle), kpi(name, low), kpi(name, high)];
  const unit = / \S+$/.exec(m)?.[0] ?? "";
  const bare = (text: string): string => (unit && text.endsWith(unit) ? text.slice(0, -unit.length) : text);
  return `${m} (${bare(l)} to ${bare(u)})`;
}
const KPI_WORDS: Record<string, string> = {
  loss_ratio: "Loss", delay_p99_ms: "p99 delay", utilisation_ratio: "PRB use", served_mbps: "Served", delay_mean_ms: "Mean delay",
};
export function kpiWord(name: string): string { return KPI_WORDS[name] ?? name; }

export function layerValue(unit: string, value: Num | undefined): string {
  if (value === null || value === undefined) return NONE;
  return unit === "dB" ? `${fixed(value, 1)} dB` : percent(value, Math.abs(value) < 0.1 ? 1 : 0);
}

export function clock(seconds: number): string { return new Date(seconds * 1000).toISOString().slice(11, 16); }
export function time(iso: string | null | undefined): string { return iso ? iso.slice(11, 16) : NONE; }
export function timeOfDay(iso: string | null | undefined): string { return iso ? iso.slice(11, 19) : NONE; }
export function dateTime(iso: string | null | undefined): string { return iso ? `${iso.slice(0, 10)} ${iso.slice(11, 19)}` : NONE; }
export function span(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  return `${Math.round(s / 3600)} h`;
}
export function words(text: string): string { return text.replace(/_/g, " "); }
export function capital(text: string): string { return text ? text[0]!.toUpperCase() + text.slice(1) : text; }
