// The page: sign-in, shell, views by hash, refreshes as the live stream says.
import type { App, View } from "./app";
import { ApiError, ask, get, hasToken, inWords, signIn, whenUnauthorised } from "./api";
import { isDark } from "./colour";
import { h, replace, empty, loading } from "./dom";
import { Live, type LiveState } from "./live";
import { Shell } from "./shell";
import type { NetworkMap, Now, Session } from "./types";
import { auditView } from "./views/audit";
import { decisionsView } from "./views/decisions";
import { deliveriesView } from "./views/deliveries";
import { intentsView } from "./views/intents";
import { modelsView } from "./views/models";
import { overviewView } from "./views/overview";
import { scoreboardView } from "./views/scoreboard";

const VIEWS: Record<string, { label: string; make: (app: App, rest: string[]) => View; key: string }> = {
  overview: { label: "Overview", make: overviewView, key: "1" },
  decisions: { label: "Decisions", make: decisionsView, key: "2" },
  intents: { label: "Intents", make: intentsView, key: "3" },
  scoreboard: { label: "Scoreboard", make: scoreboardView, key: "4" },
  models: { label: "Models & drift", make: modelsView, key: "5" },
  audit: { label: "Audit trail", make: auditView, key: "6" },
};
const DELIVERIES = { label: "Deliveries", make: deliveriesView, key: "7" };
const REFRESH_MS = 600;
const ALL = new Set(["poll"]);

const body = document.getElementById("view")!;
let app: App | null = null;
let shell: Shell | null = null;
let live: Live | null = null;
let view: View | null = null;
let place = "";
let dirty = new Set<string>();
let timer = 0;
let busy = false;
/** A view that reads for the first time. */
let reading: View | null = null;

function toast(kind: "good" | "bad" | "info", text: string): void {
  const note = h(`div.toast.${kind}`, {}, text);
  document.getElementById("toasts")!.append(note);
  window.setTimeout(() => note.remove(), 6000);
}

function soon(changed: Set<string>): void {
  for (const name of changed) dirty.add(name);
  if (!timer && !document.hidden) timer = window.setTimeout(() => void refresh(), REFRESH_MS);
}

async function refresh(): Promise<void> {
  timer = 0;
  if (!app || !shell) return;
  if (busy || (reading !== null && reading === view)) { timer = window.setTimeout(() => void refresh(), REFRESH_MS); return; }
  busy = true;
  const changed = dirty;
  dirty = new Set();
  try {
    app.now = await get<Now>("v1/console/now");
    shell.show(app.now);
    await view?.update(changed);
    shell.trouble("");
  } catch (error) {
    const said = inWords(error);
    shell.trouble(`${said.title}: ${said.text}`);
    for (const name of changed) dirty.add(name);
    const wait = error instanceof ApiError && error.retryAfterS ? error.retryAfterS * 1000 : 3000;
    timer = window.setTimeout(() => void refresh(), wait);
  } finally {
    busy = false;
  }
}

function route(): void {
  if (!app || !shell) return;
  const [name = "overview", ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  const chosen = VIEWS[name] ? name : "overview";
  const here = `${chosen}/${rest.join("/")}`;
  if (here === place && view) return;
  place = here;
  view?.close?.();
  view = VIEWS[chosen]!.make(app, rest.map((part) => { try { return decodeURIComponent(part); } catch { return ""; } }));
  replace(body, view.element);
  shell.at(chosen, VIEWS);
  document.title = `${VIEWS[chosen]!.label} · ${app.session.area_id} · twm`;
  const made = view;
  reading = made;
  void made.update(ALL).finally(() => {
    if (reading === made) reading = null;
    if (dirty.size) soon(new Set());
  }).catch((error: unknown) => {
    const said = inWords(error);
    if (view === made) replace(body, empty(said.title, said.text, h("button", { type: "button", click: () => { place = ""; route(); } }, "Try again")));
  });
}

function askForToken(error: ApiError | null): void {
  live?.stop();
  if (document.querySelector("form.signin")) return;
  view?.close?.();
  view = null;
  place = "";
  const field = h("input", { type: "password", name: "token", id: "token", required: true, autocomplete: "off", spellcheck: "false", "aria-describedby": "signin-error" });
  const keep = h("input", { type: "checkbox", name: "keep" });
  const form = h("form.signin", {
    submit: (event) => {
      event.preventDefault();
      signIn(field.value, keep.checked);
      replace(body, loading("Signing in"));
      void begin();
    },
  },
  h("h1", {}, "Sign in"),
  h("p", {}, "This gateway asks for a bearer token of its issuer. It is kept in this page's memory only, unless you say otherwise."),
  h("label.field", { for: "token" }, "Bearer token", field),
  h("label.check", {}, keep, "Keep it for this tab until it is closed"),
  h("p.problem", { id: "signin-error", role: "alert" }, error && hasToken() ? error.detail : ""),
  h("div.actions", {}, h("button.primary", { type: "submit" }, "Sign in")));
  replace(body, form);
  field.focus();
}

function signOut(): void {
  signIn("", false);
  askForToken(null);
}

async function begin(): Promise<void> {
  try {
    const session = await get<Session>("v1/console/session");
    const map = await get<NetworkMap>("v1/console/map");
    app = { session, map, now: null, toast, refresh: () => { soon(ALL); } };
    shell = new Shell(app, signOut, recolour);
    place = "";
    shell.at("overview", VIEWS);
    const first = await get<Now>("v1/console/now");
    app.now = first;
    shell.show(first);
    live?.stop();
    live = new Live({
      news: soon,
      state: (state: LiveState, note: string) => shell?.live(state, note),
      unauthorised: () => askForToken(new ApiError(401, "Sign-in needed", "The token is no longer good.")),
    });
    route();
    live.start();
    void findDeliveries();
  } catch (error) {
    if (error instanceof ApiError && error.status === 401 && !/^development mode/.test(error.detail)) { askForToken(error); return; }
    const said = inWords(error);
    const again = h("button.primary", { type: "button", click: () => { replace(body, loading()); void begin(); } }, "Try again");
    const out = error instanceof ApiError && error.status === 403 && hasToken() ? h("button", { type: "button", click: signOut }, "Use another token") : null;
    replace(body, empty(said.title, said.text, h("div.actions", {}, out, again)));
    if (error instanceof ApiError && (error.offline || error.status === 503)) window.setTimeout(() => { if (!app) void begin(); }, 5000);
  }
}

/** The panel of deliveries is there where the gateway has the route. */
async function findDeliveries(): Promise<void> {
  try {
    const answer = await ask("v1/deliveries");
    if (!answer.ok) return;
    VIEWS["deliveries"] = DELIVERIES;
    shell?.at(place.split("/")[0] ?? "overview", VIEWS);
    if (location.hash.startsWith("#/deliveries")) { place = ""; route(); }
  } catch { /* not reachable now: told elsewhere */ }
}

function recolour(): void { view?.recolour?.(); }

whenUnauthorised((error) => { if (app && !app.session.development) askForToken(error); });
window.addEventListener("hashchange", () => { route(); document.getElementById("main")?.focus({ preventScroll: true }); window.scrollTo(0, 0); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && dirty.size) soon(new Set()); });
matchMedia("(prefers-color-scheme: light)").addEventListener("change", recolour);
document.querySelector<HTMLAnchorElement>("a.skip")?.addEventListener("click", (event) => { event.preventDefault(); document.getElementById("main")?.focus(); });
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const target = event.target;
  if (target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))) return;
  const found = Object.entries(VIEWS).find(([, entry]) => entry.key === event.key);
  if (found && app) location.hash = `#/${found[0]}`;
});
document.documentElement.dataset["dark"] = String(isDark());
void begin();
