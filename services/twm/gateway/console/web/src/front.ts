// The cost-compliance front as a scatter plot: saving against predicted SCM; shapes say what a point is.
import { css, isDark, scale } from "./colour";
import { h, svg } from "./dom";
import * as f from "./format";
import type { Decision, FrontPoint, Num } from "./types";

const W = 460, H = 250, LEFT = 46, RIGHT = 12, TOP = 12, BOTTOM = 34;
interface Dot { x: number; y: number; p: Num; kind: "front" | "candidate" | "chosen" | "runner" | "running"; origin: string }

export function frontChart(decision: Decision): HTMLElement {
  const dots: Dot[] = [];
  const add = (x: Num, y: Num, p: Num, kind: Dot["kind"], origin: string): void => { if (x !== null && y !== null) dots.push({ x, y, p, kind, origin }); };
  decision.candidates.forEach((c, i) => add(c.saving_ratio, c.scm_mean, c.violation_probability,
    i === decision.chosen_index ? "chosen" : i === decision.runner_up_index ? "runner" : c.origin === "running" ? "running" : "candidate", c.origin));
  for (const point of decision.front) if (point.candidate_index === null || point.candidate_index !== decision.chosen_index) add(point.saving_ratio, point.scm_mean, point.violation_probability, "front", point.origin);
  const summary = `Cost-compliance front: ${decision.front.length} points, ${decision.candidates.length} candidates; chosen ${f.percent(decision.row.saving_ratio)} saving at SCM ${f.scm(decision.row.scm)}`;
  if (dots.length < 2) return h("p.muted", {}, "Too few evaluated policies to draw a front.");
  const xs = dots.map((d) => d.x), ys = dots.map((d) => d.y);
  const spanX = Math.max(Math.max(...xs) - Math.min(...xs), 0.02), spanY = Math.max(Math.max(...ys) - Math.min(...ys), 0.05);
  const x0 = Math.min(...xs) - spanX * 0.08, x1 = Math.max(...xs) + spanX * 0.08, y0 = Math.max(0, Math.min(...ys) - spanY * 0.1), y1 = Math.max(...ys) + spanY * 0.12;
  const px = (x: number): number => LEFT + ((x - x0) / (x1 - x0)) * (W - LEFT - RIGHT);
  const py = (y: number): number => H - BOTTOM - ((y - y0) / (y1 - y0)) * (H - TOP - BOTTOM);
  const parts: SVGElement[] = [];
  for (const t of ticks(x0, x1)) parts.push(svg("line", { x1: px(t), x2: px(t), y1: TOP, y2: H - BOTTOM, class: "gridline" }), svg("text", { x: px(t), y: H - BOTTOM + 14, class: "tick", "text-anchor": "middle" }, `${Number((t * 100).toPrecision(4))} %`));
  for (const t of ticks(y0, y1)) parts.push(svg("line", { x1: LEFT, x2: W - RIGHT, y1: py(t), y2: py(t), class: "gridline" }), svg("text", { x: LEFT - 6, y: py(t) + 3.5, class: "tick", "text-anchor": "end" }, String(Number(t.toPrecision(3)))));
  parts.push(svg("text", { x: (LEFT + W - RIGHT) / 2, y: H - 4, class: "axis", "text-anchor": "middle" }, "control saving against uniform shares"));
  parts.push(svg("text", { x: 12, y: (TOP + H - BOTTOM) / 2, class: "axis", "text-anchor": "middle", transform: `rotate(-90 12 ${(TOP + H - BOTTOM) / 2})` }, "predicted SCM"));
  // The front has three ends (saving, SCM, violation); the line joins what is best in the two that are drawn.
  const known = decision.front.filter((p): p is FrontPoint & { saving_ratio: number; scm_mean: number } => p.saving_ratio !== null && p.scm_mean !== null);
  const best = known.filter((p) => !known.some((o) => o !== p && o.saving_ratio >= p.saving_ratio && o.scm_mean > p.scm_mean)).sort((p, o) => p.saving_ratio - o.saving_ratio);
  const line = best.map((p) => `${px(p.saving_ratio)},${py(p.scm_mean)}`).join(" ");
  if (line) parts.push(svg("polyline", { points: line, class: "frontline" }));
  const order = ["candidate", "front", "running", "runner", "chosen"];
  for (const dot of dots.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))) {
    const x = px(dot.x), y = py(dot.y), fill = dot.p === null ? "none" : css(scale(dot.p, !isDark()));
    const title = svg("title", {}, `${dot.origin}: SCM ${f.scm(dot.y)}, saving ${f.percent(dot.x)}, violation ${f.percent(dot.p, 0)}`);
    const path = { front: circle(x, y, 4.5), candidate: square(x, y, 3.6), running: cross(x, y, 5), runner: triangle(x, y, 6.5), chosen: star(x, y, 9) }[dot.kind];
    parts.push(svg("path", { d: path, fill, class: `dot ${dot.kind}` }, title));
  }
  const key = (kind: string, text: string, d: string): HTMLElement => h("span.key", {}, svg("svg", { viewBox: "0 0 16 16", width: "14", height: "14", "aria-hidden": "true" }, svg("path", { d, class: `dot ${kind}`, fill: "none" })), text);
  return h("figure.front", {}, svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": summary }, parts),
    h("figcaption", {}, key("chosen", "chosen", star(8, 8, 7)), key("runner", "runner-up", triangle(8, 8, 6)), key("front", "front", circle(8, 8, 4.5)), key("candidate", "candidate", square(8, 8, 4)), key("running", "running", cross(8, 8, 5)), h("span.muted", {}, isDark() ? "brighter: likelier to break an SLA" : "darker: likelier to break an SLA")));
}

function ticks(low: number, high: number): number[] {
  const raw = (high - low) / 4, size = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw)!;
  const out: number[] = [];
  for (let t = Math.ceil(low / step) * step; t <= high; t += step) out.push(Number(t.toPrecision(10)));
  return out;
}
const circle = (x: number, y: number, r: number): string => `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0Z`;
const square = (x: number, y: number, r: number): string => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`;
const cross = (x: number, y: number, r: number): string => `M${x - r},${y - r}L${x + r},${y + r}M${x + r},${y - r}L${x - r},${y + r}`;
const triangle = (x: number, y: number, r: number): string => `M${x},${y - r}L${x + r},${y + r * 0.8}L${x - r},${y + r * 0.8}Z`;
const star = (x: number, y: number, r: number): string =>
  "M" + Array.from({ length: 10 }, (_, i) => { const a = (i * Math.PI) / 5 - Math.PI / 2, q = i % 2 ? r * 0.45 : r; return `${(x + q * Math.cos(a)).toFixed(1)},${(y + q * Math.sin(a)).toFixed(1)}`; }).join("L") + "Z";
