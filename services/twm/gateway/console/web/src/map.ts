// The map: a smooth field between the cells, cells as shapes, zones as outlines, links by use. Plane coordinates in km.
import type * as Leaflet from "leaflet";
import { css, isDark, scale, token } from "./colour";
import { h, replace } from "./dom";
import * as f from "./format";
import type { Layer, NetworkMap, Num } from "./types";

declare const L: typeof Leaflet;

const RASTER = 112;
const NEAREST = 6;
/** Use of a link from which on it is drawn as busy. */
const BUSY = 0.9;
const LABELS_MAX = 40;

interface Marker { _point: Leaflet.Point; _radius: number; options: Leaflet.CircleMarkerOptions & { shape?: string }; _renderer: { _ctx: CanvasRenderingContext2D; _drawing: boolean; _fillStroke: (ctx: CanvasRenderingContext2D, layer: unknown) => void; _updateShape: (layer: Marker) => void }; _empty: () => boolean }

/** Cells as shapes on Leaflet's canvas: circle, triangle where beyond the bound, cross where nothing is measured. */
function shapeClass(): new (at: Leaflet.LatLngExpression, options: Leaflet.CircleMarkerOptions & { shape?: string }) => Leaflet.CircleMarker {
  (L.Canvas as unknown as { include: (methods: object) => void }).include({
    _updateShape(this: Marker["_renderer"], layer: Marker) {
      if (!this._drawing || layer._empty()) return;
      const p = layer._point, ctx = this._ctx, r = Math.max(Math.round(layer._radius), 1);
      ctx.beginPath();
      if (layer.options.shape === "triangle") {
        ctx.moveTo(p.x, p.y - r * 1.25); ctx.lineTo(p.x + r * 1.2, p.y + r * 0.85); ctx.lineTo(p.x - r * 1.2, p.y + r * 0.85); ctx.closePath();
      } else if (layer.options.shape === "cross") {
        ctx.moveTo(p.x - r, p.y - r); ctx.lineTo(p.x + r, p.y + r); ctx.moveTo(p.x + r, p.y - r); ctx.lineTo(p.x - r, p.y + r);
      } else if (layer.options.shape === "square") ctx.rect(p.x - r, p.y - r, 2 * r, 2 * r);
      else ctx.arc(p.x, p.y, r, 0, Math.PI * 2, false);
      this._fillStroke(ctx, layer);
    },
  });
  return L.CircleMarker.extend({
    _updatePath(this: Marker) { this._renderer._updateShape(this); },
  }) as unknown as ReturnType<typeof shapeClass>;
}

export class FieldMap {
  readonly element = h("div.map");
  private readonly map: Leaflet.Map;
  private readonly canvas: Leaflet.Canvas;
  private readonly overlay: Leaflet.ImageOverlay;
  private readonly cells: Leaflet.CircleMarker[] = [];
  private readonly links: { line: Leaflet.Polyline; text: HTMLElement }[] = [];
  private readonly linkGroup: Leaflet.LayerGroup;
  private readonly zoneGroup: Leaflet.LayerGroup;
  private readonly raster = document.createElement("canvas");
  private readonly nearIndex: Int32Array;
  private readonly nearWeight: Float32Array;
  private readonly fade: Float32Array;
  private readonly bounds: Leaflet.LatLngBounds;
  private readonly spread: Leaflet.LatLngBounds;
  private layer: Layer | null = null;
  private values: Num[] = [];
  private chosen = -1;
  private fitted = false;
  private readonly resize = new ResizeObserver(() => this.fit());

  constructor(private readonly network: NetworkMap, private readonly choose: (cell: number) => void) {
    const xs = network.cells.map((c) => c.x_km), ys = network.cells.map((c) => c.y_km);
    const wide = Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys), 0.2), pad = wide * 0.15, out = wide * 0.45;
    this.bounds = L.latLngBounds([Math.min(...ys) - pad, Math.min(...xs) - pad], [Math.max(...ys) + pad, Math.max(...xs) + pad]);
    this.spread = L.latLngBounds([Math.min(...ys) - out, Math.min(...xs) - out], [Math.max(...ys) + out, Math.max(...xs) + out]);
    this.canvas = L.canvas({ padding: 0.3 });
    this.map = L.map(this.element, {
      crs: L.CRS.Simple, minZoom: -8, maxZoom: 16, zoomSnap: 0.25, zoomDelta: 0.5, attributionControl: false, zoomAnimation: false, fadeAnimation: false,
      markerZoomAnimation: false, inertia: false, renderer: this.canvas, maxBoundsViscosity: 0.8,
    });
    this.map.setView(this.bounds.getCenter(), 8);  // a view before any layer; `fit` finds the right one once the element is in the page
    this.element.setAttribute("role", "application");
    this.element.setAttribute("aria-label", "Map of the cells: arrow keys move it, plus and minus zoom. The table of cells beside it says the same in numbers.");
    const [index, weight, fade] = this.interpolation(wide);
    this.nearIndex = index; this.nearWeight = weight; this.fade = fade;
    this.overlay = L.imageOverlay("data:image/gif;base64,R0lGODlhAQABAAD/ACwAAAAAAQABAAACADs=", this.spread, { interactive: false, className: "heat", alt: "" }).addTo(this.map);
    this.zoneGroup = L.layerGroup(this.zones(wide)).addTo(this.map);
    this.linkGroup = L.layerGroup(this.lines(wide)).addTo(this.map);
    const Shape = shapeClass();
    const labels = network.cells.length <= LABELS_MAX;
    network.cells.forEach((cell, i) => {
      const marker = new Shape([cell.y_km, cell.x_km], { radius: this.radius(), weight: 1.5, fillOpacity: 1, bubblingMouseEvents: false });
      marker.on("click", () => this.choose(i));
      marker.bindTooltip(() => this.told(i), { direction: "top", offset: [0, -8], opacity: 1 });
      marker.addTo(this.map);
      this.cells.push(marker);
      if (labels) L.marker([cell.y_km, cell.x_km], { icon: L.divIcon({ className: "cell-label", html: h("span", {}, cell.id), iconSize: [80, 14], iconAnchor: [40, -9] }), interactive: false, keyboard: false }).addTo(this.map);
    });
    this.resize.observe(this.element);
  }

  /** Values of a layer, one a cell. */
  show(layer: Layer, values: Num[]): void {
    this.layer = layer;
    this.values = values;
    this.paint();
  }

  showLinks(used: Num[] | undefined, up: Num[] | undefined): void {
    const idle = token("link"), down = token("bad-line");
    this.links.forEach(({ line, text }, i) => {
      const use = used?.[i] ?? null, state = up?.[i] ?? null, broken = state !== null && state < 0.999;
      const busy = use !== null && use >= BUSY;
      line.setStyle({ color: broken || busy ? down : idle, weight: broken ? 3 : busy ? 4 : 1.2 + 2.2 * Math.min(1, use ?? 0), dashArray: broken ? "3 6" : use === null ? "1 5" : "", opacity: 0.9 });
      const link = this.network.links[i]!;
      text.textContent = `${link.id}: ${broken ? `down (${f.percent(state, 0)} of the step up), ` : ""}${use === null ? "not measured" : `${f.percent(use, 0)} used`} of ${f.kpi("x_mbps", link.capacity_mbps)}`;
    });
  }

  toggle(what: "links" | "zones", on: boolean): void {
    const group = what === "links" ? this.linkGroup : this.zoneGroup;
    if (on) group.addTo(this.map); else group.remove();
    if (on) this.cells.forEach((cell) => cell.bringToFront());
  }

  select(cell: number): void {
    this.chosen = cell;
    this.paint();
  }

  recolour(): void {
    this.zoneGroup.eachLayer((layer) => { if (layer instanceof L.Polygon) layer.setStyle({ color: token("muted") }); });
    this.paint();
  }

  close(): void {
    this.resize.disconnect();
    this.map.remove();
  }

  /** 0..1 on the colour scale, where 1 is what to look at. */
  static severity(layer: Layer, value: number): number {
    const at = (value - layer.low) / (layer.high - layer.low);
    return layer.bad === "low" ? 1 - at : at;
  }
  static beyond(layer: Layer, value: Num): boolean {
    return value !== null && layer.bound !== null && (layer.bad === "low" ? value < layer.bound : value > layer.bound);
  }

  private radius(): number { return this.network.cells.length > 200 ? 3.5 : this.network.cells.length > 60 ? 5 : 7; }

  private fit(): void {
    this.map.invalidateSize({ animate: false });
    if (!this.fitted && this.element.clientWidth > 0) {
      this.map.fitBounds(this.bounds, { animate: false });
      this.map.setMaxBounds(this.bounds.pad(0.5));
      this.fitted = true;
    }
  }

  private told(i: number): HTMLElement {
    const layer = this.layer, value = this.values[i] ?? null;
    return h("div", {}, h("strong", {}, this.network.cells[i]!.id), " ", layer ? `${layer.label} ${f.layerValue(layer.unit, value)}` : "", layer && FieldMap.beyond(layer, value) ? " (beyond its bound)" : "");
  }

  private paint(): void {
    const layer = this.layer;
    if (!layer) return;
    const dark = isDark(), edge = token("map-edge"), accent = token("accent");
    this.cells.forEach((marker, i) => {
      const value = this.values[i] ?? null, picked = i === this.chosen;
      const over = FieldMap.beyond(layer, value);
      const colour = value === null ? edge : css(scale(FieldMap.severity(layer, value), !dark));
      (marker.options as { shape?: string }).shape = value === null ? "cross" : over ? "triangle" : "circle";
      marker.setStyle({ fillColor: colour, fill: value !== null, color: picked ? accent : edge, weight: picked ? 4 : over ? 2.2 : 1.4 });
      if (picked) marker.bringToFront();
    });
    this.heat(layer, dark);
  }

  private heat(layer: Layer, dark: boolean): void {
    const ctx = this.raster.getContext("2d");
    if (!ctx) return;
    this.raster.width = RASTER; this.raster.height = RASTER;
    const image = ctx.createImageData(RASTER, RASTER);
    for (let p = 0; p < RASTER * RASTER; p++) {
      let sum = 0, weights = 0;
      for (let k = 0; k < NEAREST; k++) {
        const i = this.nearIndex[p * NEAREST + k]!;
        if (i < 0) continue;
        const value = this.values[i] ?? null;
        if (value === null) continue;
        const w = this.nearWeight[p * NEAREST + k]!;
        sum += w * value; weights += w;
      }
      if (weights === 0) continue;
      const c = scale(FieldMap.severity(layer, sum / weights), !dark);
      image.data.set([c[0], c[1], c[2], Math.round(205 * this.fade[p]!)], p * 4);
    }
    ctx.putImageData(image, 0, 0);
    this.overlay.setUrl(this.raster.toDataURL());
  }

  /** For each pixel its nearest cells with their weights (inverse square distance), and how near the field is to any cell. */
  private interpolation(wide: number): [Int32Array, Float32Array, Float32Array] {
    const cells = this.network.cells, n = RASTER * RASTER;
    const index = new Int32Array(n * NEAREST).fill(-1), weight = new Float32Array(n * NEAREST), fade = new Float32Array(n);
    const reach = Math.max(wide * 0.9 / Math.sqrt(cells.length), 1e-6);
    const west = this.spread.getWest(), north = this.spread.getNorth(), dx = (this.spread.getEast() - west) / RASTER, dy = (north - this.spread.getSouth()) / RASTER;
    const best = new Float64Array(NEAREST), who = new Int32Array(NEAREST);
    for (let row = 0; row < RASTER; row++) for (let column = 0; column < RASTER; column++) {
      const x = west + (column + 0.5) * dx, y = north - (row + 0.5) * dy, p = row * RASTER + column;
      best.fill(Infinity); who.fill(-1);
      for (let i = 0; i < cells.length; i++) {
        const ex = cells[i]!.x_km - x, ey = cells[i]!.y_km - y, d = ex * ex + ey * ey;
        if (d >= best[NEAREST - 1]!) continue;
        let k = NEAREST - 1;
        while (k > 0 && best[k - 1]! > d) { best[k] = best[k - 1]!; who[k] = who[k - 1]!; k--; }
        best[k] = d; who[k] = i;
      }
      for (let k = 0; k < NEAREST; k++) { index[p * NEAREST + k] = who[k]!; weight[p * NEAREST + k] = 1 / (best[k]! + 1e-4 * reach * reach); }
      const far = Math.min(1, Math.max(0, (Math.sqrt(best[0]!) / reach - 0.7) / 0.7));
      fade[p] = 1 - far * far * (3 - 2 * far);
    }
    return [index, weight, fade];
  }

  private zones(wide: number): Leaflet.Layer[] {
    const cells = this.network.cells, out = Math.max(wide * 0.045, 0.01);
    return this.network.zones.slice(0, 200).flatMap((zone, z) => {
      const points = zone.cells.flatMap((i) => Array.from({ length: 12 }, (_, k) => {
        const a = (k * Math.PI) / 6, r = out * (1 + 0.18 * (z % 3));
        return [cells[i]!.x_km + r * Math.cos(a), cells[i]!.y_km + r * Math.sin(a)] as [number, number];
      }));
      const hull = convexHull(points);
      const side = z % 3, top = hull.reduce((a, b) => (side === 0 ? b[1] > a[1] : side === 1 ? b[0] < a[0] : b[1] < a[1]) ? b : a);
      const polygon = L.polygon(hull.map(([x, y]) => [y, x] as [number, number]), { color: token("muted"), weight: 1.5, dashArray: ["7 4", "2 4", "10 3 2 3"][z % 3]!, fill: false, interactive: false });
      const label = L.marker([top[1], top[0]], { icon: L.divIcon({ className: "zone-label", html: h("span", {}, zone.id), iconSize: [120, 14], iconAnchor: side === 0 ? [60, 16] : side === 1 ? [88, 18] : [60, -3] }), interactive: false, keyboard: false });
      return this.network.zones.length <= LABELS_MAX ? [polygon, label] : [polygon];
    });
  }

  private lines(wide: number): Leaflet.Layer[] {
    const { nodes, cells, cell_node, links } = this.network;
    const layers: Leaflet.Layer[] = cells.flatMap((cell, i) => {
      const node = cell_node[i];
      return node === null || node === undefined ? [] : [L.polyline([[cell.y_km, cell.x_km], [nodes[node]!.y_km, nodes[node]!.x_km]], { color: token("link"), weight: 1, opacity: 0.35, interactive: false })];
    });
    const aside = wide * 0.011;
    for (const link of links) {
      const a = nodes[link.source]!, b = nodes[link.target]!, dx = b.x_km - a.x_km, dy = b.y_km - a.y_km, d = Math.hypot(dx, dy) || 1;
      const ox = (-dy / d) * aside, oy = (dx / d) * aside;
      const text = h("span", {}, link.id);
      const line = L.polyline([[a.y_km + oy, a.x_km + ox], [b.y_km + oy, b.x_km + ox]], { color: token("link"), weight: 2, bubblingMouseEvents: false });
      line.bindTooltip(() => text, { sticky: true, opacity: 1 });
      this.links.push({ line, text });
      layers.push(line);
    }
    const Shape = shapeClass();
    nodes.forEach((node) => layers.push(new Shape([node.y_km, node.x_km], { radius: 4, shape: "square", color: token("map-edge"), weight: 1.5, fillColor: token("link"), fillOpacity: 1 }).bindTooltip(h("span", {}, `Transport node ${node.id}`), { opacity: 1 })));
    return layers;
  }
}

function convexHull(points: [number, number][]): [number, number][] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const half = (list: [number, number][]): [number, number][] => {
    const out: [number, number][] = [];
    for (const p of list) {
      while (out.length >= 2) {
        const a = out[out.length - 2]!, b = out[out.length - 1]!;
        if ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0) break;
        out.pop();
      }
      out.push(p);
    }
    return out.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/** The colour scale of a layer with its ends, its bound and what is marked how. */
export function legend(element: HTMLElement, layer: Layer): void {
  const dark = isDark();
  const bar = h("canvas", { width: "160", height: "10", "aria-hidden": "true" });
  const ctx = bar.getContext("2d");
  if (ctx) for (let x = 0; x < 160; x++) {
    const value = layer.low + (x / 159) * (layer.high - layer.low);
    ctx.fillStyle = css(scale(FieldMap.severity(layer, value), !dark));
    ctx.fillRect(x, 0, 1, 10);
    if (layer.bound !== null && Math.abs(value - layer.bound) < (layer.high - layer.low) / 200) { ctx.fillStyle = token("bad-line"); ctx.fillRect(x - 1, 0, 3, 10); }
  }
  replace(element, h("span", {}, f.layerValue(layer.unit, layer.low)), bar, h("span", {}, f.layerValue(layer.unit, layer.high)),
    layer.bound !== null && h("span.muted", {}, `▲ beyond ${f.layerValue(layer.unit, layer.bound)}`), h("span.muted", {}, "× not measured"), h("span.muted", {}, "links: red from 90 % use, dashed where down"),
    h("span.muted.note", {}, layer.note, " Smoothed between cells."));
}
