// Building elements. Text from anywhere only ever becomes text nodes.
type Child = Node | string | number | null | undefined | false | Child[];
type Value = string | number | boolean | null | undefined | EventListener;

function fill(parent: Node, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) fill(parent, child);
    else parent.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

function set(element: Element, props: Record<string, Value>): void {
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** `h("button.primary", { type: "button", click: act }, "Approve")`: functions are listeners, the rest attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K | `${K}.${string}`, props: Record<string, Value> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name as K);
  if (classes.length) element.className = classes.join(" ");
  set(element, props);
  fill(element, children);
  return element;
}

export function svg(tag: string, props: Record<string, Value> = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(element, props);
  fill(element, children);
  return element;
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  fill(parent, children);
}

/** A panel with a heading; `tools` stand at its right. */
export function panel(title: string, tools: Child[], ...body: Child[]): HTMLElement {
  const id = `h-${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
  return h("section.panel", { "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title), h("div.tools", {}, tools)), h("div.body", {}, body));
}

export function badge(kind: string, text: string, title = ""): HTMLElement {
  const mark = ({ good: "✓", bad: "✕", warn: "!", wait: "◷", idle: "·", info: "i" } as Record<string, string>)[kind] ?? "";
  return h("span.badge." + kind as `span.${string}`, title ? { title } : {}, h("span.mark", { "aria-hidden": "true" }, mark), text);
}

export function tile(label: string, value: string, note = "", kind = ""): HTMLElement {
  return h(("div.tile" + (kind ? "." + kind : "")) as `div.${string}`, {}, h("div.label", {}, label), h("div.value", {}, value), h("div.note", {}, note));
}

export interface Column<T> { head: string; cell: (row: T, index: number) => Child; number?: boolean; title?: string }

export function table<T>(caption: string, columns: Column<T>[], rows: T[], mark?: (row: T, index: number) => string): HTMLElement {
  const head = h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.number ? "num" : null, title: c.title }, c.head)));
  const body = rows.map((row, i) => h("tr", { class: mark?.(row, i) || null }, columns.map((c) => h("td", { class: c.number ? "num" : null }, c.cell(row, i)))));
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption.hidden", {}, caption), h("thead", {}, head), h("tbody", {}, body)));
}

export function empty(title: string, text: string, ...more: Child[]): HTMLElement {
  return h("div.empty", {}, h("strong", {}, title), h("p", {}, text), more);
}

export function loading(text = "Loading"): HTMLElement {
  return h("div.loading", { role: "status" }, h("span.spinner", { "aria-hidden": "true" }), text, "…");
}
