// Audit trail: the hash chain, read and verified; each page's hashes are computed again in this browser.
import type { App, View } from "../app";
import { touches } from "../app";
import { get, inWords } from "../api";
import { badge, empty, h, loading, panel, replace } from "../dom";
import * as f from "../format";
import type { AuditRecord } from "../types";

const PAGE = 50;
const KINDS = ["", "access", "approval", "drift", "intent", "kill_switch", "mode", "policy", "rollback", "score", "start", "tools", "trace", "verdict"];

/** Canonical JSON (RFC 8785): keys in order, numbers as ECMAScript writes them. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, "0")).join("");
}

interface Page { items: AuditRecord[]; first_sequence: number; last_sequence: number }

export function auditView(app: App): View {
  let kind = "";
  let before: number | null = null;
  let read = false;
  const list = h("div", {}, loading());
  const verdict = h("div.verify", { "aria-live": "polite" }, h("p.muted", {}, "Each record's SHA-256 covers its content and the hash of the record before, so every edit, gap or swap shows."));
  const select = h("select", { "aria-label": "Kind of record", change: () => { kind = select.value; before = null; void reload(); } }, KINDS.map((k) => h("option", { value: k }, k ? f.words(k) : "all kinds")));
  const newest = h("button", { type: "button", click: () => { before = null; void reload(); } }, "Newest");
  const older = h("button", { type: "button", click: () => { if (oldest > 1) { before = oldest; void reload(); } } }, "Older");
  const verify = h("button.primary", { type: "button", click: () => void check() }, "Verify the chain");
  let oldest = 0;
  const element = h("div.stack", {}, h("h1.hidden", {}, "Audit trail"), panel("Hash chain", [verify], verdict), panel("Records", [select, newest, older], list));

  async function check(): Promise<void> {
    verify.disabled = true;
    replace(verdict, loading("Reading the whole chain"));
    try {
      const done = await get<{ ok: boolean; first_sequence: number; last_sequence: number; head_hash: string; problem: string }>("v1/audit/verify");
      replace(verdict, done.ok
        ? h("p", {}, badge("good", "chain holds"), ` Records ${done.first_sequence} to ${done.last_sequence}, each hash computed again by the gateway. Head `, h("code", {}, done.head_hash))
        : h("p", { role: "alert" }, badge("bad", "chain is broken"), ` ${done.problem}`),
      h("p.muted", {}, "Note the head hash elsewhere: only with it a cut-off end shows. The file is checked by ", h("code", {}, "twm verify-audit FILE --expect-head HASH"), "."));
    } catch (error) {
      const said = inWords(error);
      replace(verdict, h("p.problem", {}, `${said.title}: ${said.text}`));
    } finally {
      verify.disabled = false;
    }
  }

  async function reload(): Promise<void> {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (kind) query.set("kind", kind);
    if (before !== null) query.set("before", String(before));
    try {
      draw(await get<Page>(`v1/console/audit?${query.toString()}`));
    } catch (error) {
      if (!read) throw error;
      const said = inWords(error);
      replace(list, empty(said.title, said.text));
    }
    read = true;
  }

  function draw(page: Page): void {
    oldest = page.first_sequence;
    older.disabled = page.first_sequence <= 1;
    if (!page.items.length) { replace(list, empty("No record", kind ? `No record of kind ${f.words(kind)} in this part of the trail.` : "The trail is empty.")); return; }
    const state = h("p.muted", {}, "Checking the hashes of this page…");
    const rows = [...page.items].reverse().map((r) => h("tr", {}, h("td.num", {}, String(r.sequence)), h("td", {}, f.dateTime(r.written)), h("td", {}, f.words(r.kind)), h("td", {}, summary(r)),
      h("td", {}, h("details", {}, h("summary", { "aria-label": `Content of record ${r.sequence}` }, h("code", {}, r.hash.slice(0, 12))), h("pre", {}, JSON.stringify(r.payload, null, 2).slice(0, 20000)), h("p.muted", {}, "hash ", h("code", {}, r.hash), " before ", h("code", {}, r.previous_hash))))));
    replace(list, state, h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Audit records" }, h("table.audit", {}, h("thead", {}, h("tr", {}, ["No.", "Written (UTC)", "Kind", "What", "Hash and content"].map((t) => h("th", { scope: "col" }, t)))), h("tbody", {}, rows))));
    void recompute(page.items).then(([good, all, links]) => replace(state,
      good === all ? badge("good", "hashes match") : badge("warn", "not all could be checked here"), ` ${good} of ${all} hashes on this page computed again in this browser${links === null ? "" : links ? "; every record names the one before" : "; a record does not name the one before"}.`));
  }

  void app;
  return { element, update: async (changed) => { if (!read || (before === null && touches(changed, "audit") && !list.querySelector("details[open]"))) await reload(); } };
}

async function recompute(items: AuditRecord[]): Promise<[number, number, boolean | null]> {
  if (!globalThis.crypto?.subtle) return [0, items.length, null];
  let good = 0;
  for (const r of items) if ((await sha256(canonical({ kind: r.kind, payload: r.payload, previous_hash: r.previous_hash, sequence: r.sequence, written: r.written }))) === r.hash) good += 1;
  const next = items.slice(1).filter((r, i) => r.sequence === items[i]!.sequence + 1);
  return [good, items.length, next.every((r) => items.find((o) => o.sequence === r.sequence - 1)?.hash === r.previous_hash)];
}

/** Names of protobuf enums without their prefix. */
function plainWord(text: string): string { return /^[A-Z]+(_[A-Z0-9]+)+$/.test(text) ? f.words(text.replace(/^[A-Z]+_/, "").toLowerCase()) : text; }

function summary(record: AuditRecord): string {
  const p = record.payload && typeof record.payload === "object" ? (record.payload as Record<string, unknown>) : {};
  const said = ["subject", "by", "action", "event", "outcome", "proposal_id", "policy_set_id", "intent_id", "decision", "mode", "state", "headline", "reason"]
    .filter((k) => (typeof p[k] === "string" && p[k] !== "") || typeof p[k] === "number").slice(0, 4).map((k) => `${f.words(k)} ${plainWord(String(p[k])).slice(0, 160)}`);
  return said.join(" · ");
}
