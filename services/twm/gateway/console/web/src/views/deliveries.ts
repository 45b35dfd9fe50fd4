// Deliveries: what the gateway has handed to the RIC and what the RIC says of it, where the gateway has that route.
import type { App, View } from "../app";
import { touches } from "../app";
import { get } from "../api";
import { badge, empty, h, loading, panel, replace, table, tile } from "../dom";
import * as f from "../format";

interface Delivery {
  policy_type_id: string; policy_id: string; remote_id: string; policy_set_id: string; state: string; enforced: boolean | null; enforce_reason: string;
  code: number; reason: string; detail: string; attempts: number; latency_s: number; changed: string | null; expires: string | null;
}
interface Deliveries {
  peer: string; to: string; delivering: boolean; open: boolean; problem: string; circuit_open: boolean; reconciled: string | null;
  kept_alive: string | null; counts: Record<string, number>; items: Delivery[]; next: string | null;
}

const KINDS: Record<string, string> = { delivered: "good", waiting: "wait", deleting: "wait", failing: "bad", rejected: "bad", type_missing: "bad" };

export function deliveriesView(_app: App): View {
  const body = h("div", {}, loading());
  let pages: string[] = [];
  let read = false;

  async function update(changed: Set<string>): Promise<void> {
    if (read && !touches(changed, "policies", "in_force", "audit")) return;
    const after = pages.at(-1);
    const found = await get<Deliveries>(`v1/deliveries?limit=50${after ? `&after=${encodeURIComponent(after)}` : ""}`);
    read = true;
    draw(found);
  }

  function draw(d: Deliveries): void {
    if (d.peer === "off") {
      replace(body, panel("Deliveries to the RIC", [badge("idle", "off")], empty("Delivery is off", "Policies go to the policy stream and to no RIC. Set TWM_A1_PEER and TWM_A1_URL at the gateway to deliver them over A1.")));
      return;
    }
    const state = d.circuit_open ? badge("bad", "circuit open") : d.open ? badge("good", "reached") : badge("warn", d.delivering ? "not reached" : "nobody delivers");
    const step = (label: string, on: boolean, act: () => void): HTMLElement => h("button", { type: "button", disabled: !on, click: () => { act(); void update(new Set(["poll"])); } }, label);
    replace(body,
      h("div.tiles", {}, ...Object.entries(d.counts).map(([name, count]) => tile(f.capital(f.words(name)), String(count), "instances", count && KINDS[name] === "bad" ? "bad" : ""))),
      panel("Deliveries to the RIC", [state], d.problem ? h("p.problem", {}, d.problem) : null,
        h("dl.facts", {}, [["Peer", `${d.peer} at ${d.to || f.NONE}`], ["Compared with the RIC", `${f.dateTime(d.reconciled)} UTC`], ["Sign of life taken", d.kept_alive ? `${f.dateTime(d.kept_alive)} UTC` : "none, or none needed"]].map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])),
        d.items.length ? table("Policy instances at the RIC", [
          { head: "Policy", cell: (r) => [r.policy_id, h("small", {}, ` ${r.policy_type_id}`)] }, { head: "Of", cell: (r) => r.policy_set_id }, { head: "State", cell: (r) => badge(KINDS[r.state] ?? "info", f.words(r.state)) },
          { head: "RIC says", cell: (r) => (r.enforced === null ? badge("idle", "nothing yet") : r.enforced ? badge("good", "enforced") : badge("bad", "not enforced", r.enforce_reason)) },
          { head: "Last answer", cell: (r) => `${r.code || f.NONE} ${f.words(r.reason)}${r.detail ? `: ${r.detail}` : ""}` }, { head: "Failures", number: true, cell: (r) => String(r.attempts) }, { head: "Latency", number: true, cell: (r) => `${(r.latency_s * 1000).toFixed(0)} ms` },
          { head: "Changed", cell: (r) => f.timeOfDay(r.changed) }, { head: "Ends", cell: (r) => f.timeOfDay(r.expires) },
        ], d.items) : empty("Nothing at the RIC", "No policy is in force, so nothing was delivered."),
        d.next || pages.length ? h("div.actions", {}, step("First", pages.length > 0, () => { pages = []; }), step("Next", d.next !== null, () => { if (d.next) pages.push(d.next); })) : null));
  }
  return { element: h("div.stack", {}, h("h1.hidden", {}, "Deliveries"), body), update };
}
