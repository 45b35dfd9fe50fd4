// Deliveries: what the gateway has handed to a RIC and what the RIC says of it, where the gateway has that route.
import type { App, View } from "../app";
import { touches } from "../app";
import { get } from "../api";
import { badge, empty, h, loading, panel, replace, table } from "../dom";
import * as f from "../format";

type Fields = Record<string, unknown>;

export function deliveriesView(_app: App): View {
  const body = h("div", {}, loading());
  let read = false;
  async function update(changed: Set<string>): Promise<void> {
    if (read && !touches(changed, "policies", "in_force", "audit")) return;
    const found = await get<unknown>("v1/deliveries");
    read = true;
    const top: Fields = Array.isArray(found) ? { items: found } : found && typeof found === "object" ? (found as Fields) : {};
    const plain = Object.entries(top).filter(([, v]) => v === null || typeof v !== "object");
    const lists = Object.entries(top).filter((entry): entry is [string, Fields[]] => Array.isArray(entry[1]));
    const nested = Object.entries(top).filter((entry): entry is [string, Fields] => entry[1] !== null && typeof entry[1] === "object" && !Array.isArray(entry[1]));
    replace(body,
      panel("Deliveries to the RIC", [], plain.length ? h("dl.facts", {}, plain.map(([k, v]) => [h("dt", {}, f.capital(f.words(k))), h("dd", {}, show(k, v))])) : null,
        nested.map(([k, v]) => [h("h3", {}, f.capital(f.words(k))), h("dl.facts", {}, Object.entries(v).slice(0, 32).map(([n, w]) => [h("dt", {}, f.words(n)), h("dd", {}, show(n, w))]))])),
      lists.map(([name, rows]) => panel(f.capital(f.words(name)), [h("span.muted", {}, String(rows.length))], rows.length ? list(name, rows) : empty("None", `There are no ${f.words(name)}.`))));
  }
  return { element: h("div.stack", {}, h("h1.hidden", {}, "Deliveries"), body), update };
}

function list(name: string, rows: Fields[]): HTMLElement {
  if (rows.some((r) => r === null || typeof r !== "object")) return h("ul", {}, rows.slice(0, 200).map((r) => h("li", {}, String(r).slice(0, 200))));
  const columns = [...new Set(rows.flatMap((r) => Object.keys(r)))].slice(0, 10);
  return table(f.words(name), columns.map((c) => ({ head: f.capital(f.words(c)), number: rows.every((r) => typeof r[c] === "number"), cell: (r: Fields) => show(c, r[c]) })), rows.slice(0, 200));
}

function show(name: string, value: unknown): Node | string {
  if (value === null || value === undefined || value === "") return f.NONE;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "object") return JSON.stringify(value).slice(0, 200);
  const text = String(value).slice(0, 300);
  if (/state|status/.test(name)) return badge(/^(ok|enforced|delivered|in_force|active|up|true|synced)$/i.test(text) ? "good" : /fail|error|refus|not|down|lost/i.test(text) ? "bad" : "info", f.words(text));
  return /^\d{4}-\d\d-\d\dT/.test(text) ? f.dateTime(text) : text;
}
