// Header, navigation and banners: what is so at any view.
import type { App, View } from "./app";
import { isDark } from "./colour";
import { badge, h, replace } from "./dom";
import * as f from "./format";
import type { LiveState } from "./live";
import { changeMode, killSwitch, mayNot } from "./operations";
import type { Now } from "./types";

const LIVE_WORDS: Record<LiveState, [string, string]> = {
  connecting: ["wait", "Connecting"], live: ["good", "Live"], polling: ["warn", "Polling"], offline: ["bad", "Offline"],
};

export class Shell {
  private readonly status = document.getElementById("status")!;
  private readonly rail = document.getElementById("rail")!;
  private readonly banners = document.getElementById("banners")!;
  private state: LiveState = "connecting";
  private note = "";
  private problem = "";
  private readAt = Date.now();
  private readonly age = h("span.age");
  private readonly liveBadge = h("span#live-badge" as "span");
  private current = "";

  constructor(private readonly app: App, private readonly signOut: () => void, private readonly recolour: () => void) {
    window.clearInterval(Shell.ticking);
    Shell.ticking = window.setInterval(() => this.tick(), 1000);
    this.liveBadge.id = "live-badge";
  }
  private static ticking = 0;

  live(state: LiveState, note: string): void {
    if (state === this.state && note === this.note) return;
    this.state = state;
    this.note = note;
    this.tick();
    this.warn();
  }

  trouble(text: string): void {
    if (text === this.problem) return;
    this.problem = text;
    this.warn();
  }

  at(name: string, views: Record<string, { label: string; key: string; make: (app: App, rest: string[]) => View }>): void {
    this.current = name;
    replace(this.rail, h("ul", {}, Object.entries(views).map(([id, entry]) =>
      h("li", {}, h("a", { href: `#/${id}`, "aria-current": id === name ? "page" : null, title: `Key ${entry.key}` },
        h("span", {}, entry.label), h("span.count", { id: `count-${id}` }))))),
    h("p.keys", {}, "Keys 1–", String(Object.keys(views).length), " switch views"));
    this.counts();
  }

  show(now: Now): void {
    this.readAt = Date.now();
    const mode = now.stopped ? "stopped" : now.mode;
    const why = mayNot(this.app, "approver");
    const theme = isDark() ? "light" : "dark";
    const focused = document.activeElement instanceof HTMLElement && this.status.contains(document.activeElement) ? document.activeElement.id : "";
    replace(this.status,
      h("div.where", {}, h("strong", {}, now.area_id), this.liveBadge, this.age),
      h("div.acts", {},
        h("button.mode" as "button", { type: "button", id: "mode-button", class: `mode ${mode}`, "aria-haspopup": "dialog", click: () => void changeMode(this.app).catch((e: unknown) => this.app.toast("bad", String(e))) },
          h("span.muted", {}, "Mode "), h("strong", {}, f.capital(mode))),
        h(now.stopped ? "button" : "button.danger", { type: "button", id: "kill-button", "aria-haspopup": "dialog", disabled: why !== "", title: why || null, click: () => killSwitch(this.app) },
          now.stopped ? "Release stop" : "Stop all policies"),
        h("button.quiet", { type: "button", id: "theme-button", "aria-label": `Use the ${theme} theme`, title: `Use the ${theme} theme`, click: () => this.toggle(theme) }, theme === "light" ? "☀" : "☾"),
        h("span.who", { title: this.app.session.development ? "Development mode: no authentication, this machine only" : "From your token" },
          h("span", {}, this.app.session.subject), h("small", {}, this.app.session.role)),
        !this.app.session.development && h("button.quiet", { type: "button", id: "sign-out", click: this.signOut }, "Sign out")));
    if (focused) document.getElementById(focused)?.focus();
    this.tick();
    this.warn();
    this.counts();
  }

  private toggle(theme: string): void {
    document.documentElement.dataset["theme"] = theme;
    try { localStorage.setItem("twm-theme", theme); } catch { /* no storage */ }
    if (this.app.now) this.show(this.app.now);
    this.recolour();
    document.getElementById("theme-button")?.focus();
  }

  private tick(): void {
    const [kind, word] = LIVE_WORDS[this.state];
    if (this.liveBadge.dataset["state"] !== this.state) {
      this.liveBadge.dataset["state"] = this.state;
      replace(this.liveBadge, badge(kind, word));
    }
    const now = this.app.now;
    if (!now) return;
    if (now.frame_age_s === null) { this.age.textContent = "no frame yet"; return; }
    const age = now.frame_age_s + (Date.now() - this.readAt) / 1000;
    this.age.textContent = `network time ${f.time(now.newest_start)} UTC · step ${now.newest_step ?? f.NONE} · frame ${f.span(age)} ago`;
  }

  private counts(): void {
    const now = this.app.now;
    const waiting = document.getElementById("count-decisions");
    if (waiting) {
      waiting.textContent = now?.waiting_count ? String(now.waiting_count) : "";
      waiting.setAttribute("aria-label", now?.waiting_count ? `${now.waiting_count} waiting for approval` : "");
    }
    const intents = document.getElementById("count-intents");
    if (intents) {
      intents.textContent = now?.intents_active ? String(now.intents_active) : "";
      intents.className = "count plain";
    }
    if (!this.current) return;
  }

  private warn(): void {
    const now = this.app.now;
    const lines: [string, string][] = [];
    if (this.state === "offline") lines.push(["bad", `Connection lost. What you see is as of the last answer; ${this.note || "trying again"}.`]);
    else if (this.problem) lines.push(["bad", this.problem]);
    else if (this.state === "live" && this.note) lines.push(["bad", `Streams are away: ${this.note}`]);
    if (this.state === "polling") lines.push(["warn", f.capital(this.note) + "."]);
    if (now?.stopped) lines.push(["bad", "Kill switch is on: no policy leaves this area."]);
    if (now?.stale && this.state !== "offline") lines.push(["warn", `Stale: the newest frame is ${f.span(now.frame_age_s ?? 0)} old; frames came every ${f.span(now.expected_every_s ?? 0)}. Decisions on it are not current.`]);
    if (now?.audit_problem) lines.push(["bad", `Audit trail: ${now.audit_problem}`]);
    if (now && !now.ready) lines.push(["warn", "The gateway is not ready."]);
    const told = lines.map(([, text]) => text).join("|");
    if (this.banners.dataset["told"] === told) return;
    this.banners.dataset["told"] = told;
    replace(this.banners, lines.map(([kind, text]) => h(`p.banner.${kind}` as "p", {}, h("span.mark", { "aria-hidden": "true" }, kind === "bad" ? "✕" : "!"), text)));
  }
}
