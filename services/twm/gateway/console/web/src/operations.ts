// What changes something: mode, kill switch, rollback, approvals. Each asks for a reason; who may not is told which role is missing.
import type { App } from "./app";
import { get, send } from "./api";
import { checkbox, choice, open } from "./dialogs";
import { h } from "./dom";
import * as f from "./format";
import type { Approval, Mode } from "./types";

export function mayNot(app: App, role: "operator" | "approver"): string {
  const may = role === "operator" ? app.session.may_operate : app.session.may_approve;
  if (may) return "";
  const how = app.session.development ? ` Start the gateway with TWM_AUTH_DEVELOPMENT_ROLE=${role}.` : "";
  return `Needs the role ${role}; you are ${app.session.role}.${how}`;
}

/** A button that is switched off, with the reason in view, where the role is missing. */
export function gated(app: App, role: "operator" | "approver", kind: "button" | "button.primary" | "button.danger", label: string, act: () => void): HTMLElement[] {
  const why = mayNot(app, role);
  const id = why ? `why-${label.toLowerCase().replace(/[^a-z]+/g, "-")}` : null;
  const button = h(kind, { type: "button", disabled: why !== "", "aria-describedby": id, click: act }, label);
  return why ? [button, h("small.why", { id }, why)] : [button];
}

const MODES = [
  { value: "shadow", label: "Shadow", note: "Recommend, log and score. Nothing is sent." },
  { value: "advisory", label: "Advisory", note: "Every accepted policy waits for an approver." },
  { value: "autonomous", label: "Autonomous", note: "Low-risk policies go out alone; the rest waits." },
];

export async function changeMode(app: App): Promise<void> {
  const now = await get<Mode>("v1/mode");
  const why = mayNot(app, "approver");
  const missing = now.missing_for_autonomous;
  const facts: (Node | string)[] = [];
  if (now.changed) facts.push(h("p.muted", {}, `Since ${f.dateTime(now.changed)} UTC by ${now.changed_by}: ${now.reason}`));
  if (missing.length) facts.push(h("div.callout", {}, h("strong", {}, "The shadow record does not yet carry autonomous mode; policies would wait as in advisory:"), h("ul", {}, missing.map((m) => h("li", {}, m)))));
  if (now.stopped) facts.push(h("p.problem", {}, "The kill switch is on. Release it first."));
  if (why) facts.push(h("p.problem", {}, why));
  open({
    title: "Mode of the area", text: facts, act: "Set mode", reason: true,
    fields: [choice("mode", MODES.map((m) => ({ ...m, disabled: why !== "" || now.stopped })), now.mode), rollbackRow(app)],
    run: async (form, reason) => {
      const mode = String(form.get("mode"));
      await send<Mode>("PUT", "v1/mode", { mode, expected_version: now.version, reason });
      app.toast("good", `Mode is ${mode}.`);
      app.refresh();
    },
  }).querySelector<HTMLButtonElement>("button[type=submit]")!.disabled = why !== "" || now.stopped;
}

function rollbackRow(app: App): HTMLElement {
  const act = (): void => {
    document.querySelector("dialog")?.close();
    rollback(app);
  };
  return h("div.row", {}, h("span.muted", {}, app.now?.in_force ? `In force: ${app.now.in_force}` : "No policy is in force."), gated(app, "approver", "button", "Roll back…", act));
}

export function rollback(app: App): void {
  open({
    title: "Roll back", text: ["An autonomous area is in advisory mode afterwards."], act: "Roll back", danger: true,
    fields: [choice("target", [
      { value: "last_good", label: "Policy before this one", note: "Written anew where it is within one step's reach and breaks no limit." },
      { value: "policy_free", label: "No policy", note: "Withdraw all; the RIC's own configuration is back." },
    ], "last_good")],
    run: async (form, reason) => {
      const done = await send<{ policy_set_id: string; withdrawn_count: number }>("POST", "v1/rollback", { target: String(form.get("target")), reason });
      app.toast("good", done.policy_set_id ? `In force again: ${done.policy_set_id}.` : `${done.withdrawn_count} policy instances withdrawn.`);
      app.refresh();
    },
  });
}

export function killSwitch(app: App): void {
  const on = app.now?.stopped ?? false;
  open(on ? {
    title: "Release the kill switch", text: ["The area goes on in shadow mode: nothing is sent until an approver changes the mode."], act: "Release",
    run: async (_, reason) => {
      await send<Mode>("PUT", "v1/kill-switch", { stopped: false, reason });
      app.toast("good", "Kill switch released; shadow mode.");
      app.refresh();
    },
  } : {
    title: "Stop all policies", text: ["From the answer on no policy leaves this area, and nothing waits any more. Planning and scoring go on."], act: "Stop all policies", danger: true,
    fields: [checkbox("withdraw", "Also withdraw what is in force", app.now?.in_force !== "")],
    run: async (form, reason) => {
      const done = await send<Mode & { withdrawn_count: number }>("PUT", "v1/kill-switch", { stopped: true, withdraw: form.get("withdraw") !== null, reason });
      app.toast("good", `Stopped. ${done.withdrawn_count} policy instances withdrawn.`);
      app.refresh();
    },
  });
}

export function decide(app: App, step: number, approval: Approval, approve: boolean, headline: string): void {
  open({
    title: approve ? `Approve the policy of step ${step}` : `Reject the policy of step ${step}`,
    text: [headline, h("p.muted", {}, approve ? "It is judged again as things are now, then put in force." : "It is not sent. The next step brings a new proposal.")],
    act: approve ? "Approve" : "Reject", danger: !approve,
    run: async (_, reason) => {
      const done = await send<Approval>("POST", `v1/approvals/${step}/${approve ? "approve" : "reject"}`, { proposal_sha256: approval.proposal_sha256, reason });
      app.toast("good", `Step ${step}: ${done.state}.`);
      app.refresh();
    },
  });
}
