// Intents: words in, what was understood out, questions with choices in between; active intents and their withdrawal.
import type { App, View } from "../app";
import { touches } from "../app";
import { ask, failure, get, inWords, send } from "../api";
import { open } from "../dialogs";
import { badge, empty, h, loading, panel, replace } from "../dom";
import * as f from "../format";
import { gated } from "../operations";
import type { Compiled, Intent, Question } from "../types";

const MAX_TEXT = 2000;
const EXAMPLES = ["Keep {critical} p99 below 12 ms in the {zone}", "Give {slice} at least 25 % of the PRBs until tomorrow 6:00", "Cut cost by 10 % without breaking SLAs"];

/** The text with an answer worked in: the place the question is about is replaced, or the answer is added at the end. */
export function answered(text: string, question: Question, choice: string): string {
  const swap = (from: string): string | null => {
    const at = text.toLowerCase().lastIndexOf(from.toLowerCase());
    return at < 0 ? null : text.slice(0, at) + choice + text.slice(at + from.length);
  };
  if (question.code === "no_goal" || question.code === "out_of_domain") return choice;
  const quoted = /'([^']{1,80})'/.exec(question.text)?.[1];
  if (quoted) { const found = swap(quoted); if (found !== null) return found; }
  const figure = /^[\d.,]+/.exec(choice)?.[0];
  if (figure && /unit|bound/.test(question.code)) {
    const number = new RegExp(`(?<![\\d.])${figure.replace(/[.]/g, "\\.")}(?![\\d.])(\\s*(?:MB|Mb|[kKmM]?B|ms|us|s|%)\\b)?`);
    if (number.test(text)) return text.replace(number, choice);
    const any = /(?<![\w.])\d+(?:[.]\d+)?(\s*(?:MB\/s|MB|GB|KB|kB|Mbps|Gbps|ms|us|s|%))?(?![\w.])/;
    if (any.test(text)) return text.replace(any, choice);
  }
  if (question.code === "ambiguous_time") {
    const said = /\b(?:from|between)\s+\d{1,2}(?::\d\d)?\s*(?:to|and|-|until|till)\s*\d{1,2}(?::\d\d)?/i.exec(text)?.[0];
    if (said) return text.replace(said, `from ${choice}`);
  }
  if (question.code === "missing_link") { const found = swap("the link") ?? swap("link"); if (found !== null) return found; }
  if (/^at (?:most|least)$/.test(choice)) {
    const side = /\b(?:at (?:most|least)|above|below|over|under|more than|less than)\b/i;
    if (side.test(text)) return text.replace(side, choice);
  }
  if (question.code === "ambiguous_scope" && /slice/.test(question.field)) return `${text.replace(/[.\s]+$/, "")} for ${choice}`;
  return `${text.replace(/[.\s]+$/, "")} ${choice}`;
}

export function intentsView(app: App): View {
  let active: { version: number; items: Intent[] } | null = null;
  const text = h("textarea", { id: "intent-text", rows: "3", maxlength: MAX_TEXT, spellcheck: "true", placeholder: "Say what is to hold: a bound, a share, a priority, a saving, a surge or maintenance", "aria-describedby": "intent-help" });
  const outcome = h("div.outcome", { "aria-live": "polite" });
  const activeBox = h("div", {}, loading());
  const log: { question: string; answer: string }[] = [];
  const critical = app.map.slices.find((s) => s.delay_p99_max_ms !== null)?.id ?? app.map.slices[0]!.id;
  const fillIn = (e: string): string => e.replace("{critical}", critical).replace("{zone}", app.map.zones[0]?.id ?? "area").replace("{slice}", app.map.slices.at(-1)!.id);
  const understand = h("button.primary", { type: "submit" }, "Understand");
  const form = h("form.intent", { submit: (event) => { event.preventDefault(); log.length = 0; void compile(); } },
    h("label.field", { for: "intent-text" }, "Intent, in your words", text),
    h("p.muted", { id: "intent-help" }, "Nothing takes effect before you have seen what was understood and activated it."),
    h("div.actions", {}, h("div.examples", {}, h("span.muted", {}, "For example"), EXAMPLES.map((e) => h("button.chip", { type: "button", click: () => { text.value = fillIn(e); text.focus(); } }, fillIn(e)))), understand));
  const element = h("div.pair.intents", {}, h("h1.hidden", {}, "Intents"), panel("State an intent", [], form, outcome), panel("Active intents", [], activeBox));
  text.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });

  async function compile(): Promise<void> {
    const said = text.value.trim();
    if (!said) { replace(outcome, h("p.problem", {}, "Write an intent first.")); text.focus(); return; }
    understand.disabled = true;
    replace(outcome, loading("Reading"));
    try {
      show(said, await send<Compiled>("POST", "v1/intents/compile", { text: said, timezone: zone() }));
    } catch (error) {
      const told = inWords(error);
      replace(outcome, h("p.problem", { role: "alert" }, `${told.title}: ${told.text}`));
    } finally {
      understand.disabled = false;
    }
  }

  function dialogue(): HTMLElement | null {
    return log.length ? h("ul.dialogue", {}, log.map((entry) => h("li", {}, h("span.muted", {}, entry.question), " ", h("strong", {}, entry.answer)))) : null;
  }

  function questions(said: string, found: Question[], intro: string): void {
    replace(outcome, dialogue(), h("h3", {}, intro), found.map((question) => h("fieldset.question", {}, h("legend", {}, question.text),
      question.choices.length
        ? h("div.row", {}, question.choices.map((choice) => h("button.chip", { type: "button", click: () => { log.push({ question: question.text, answer: choice }); text.value = answered(said, question, choice); void compile(); } }, choice)))
        : h("p.muted", {}, "Change the words above and let them be read again."))));
    outcome.querySelector<HTMLElement>("button.chip")?.focus();
  }

  function show(said: string, found: Compiled): void {
    if (found.questions.length) { questions(said, found.questions, found.questions.length === 1 ? "One question first" : `${found.questions.length} questions first`); return; }
    const activate = gated(app, "operator", "button.primary", "Activate", () => void activateNow(said));
    replace(outcome, dialogue(), h("h3", {}, "Understood"), h("ul.told", {}, found.told.map((line) => h("li", {}, line))),
      h("p.muted", {}, `Read by ${found.compiler}`, found.agreement && found.agreement !== "unspecified" ? `; readers: ${f.words(found.agreement)}` : "", "."),
      h("details", {}, h("summary", {}, "As data"), h("pre", {}, JSON.stringify(found.intent, null, 2))),
      h("div.actions", {}, h("button", { type: "button", click: () => { replace(outcome); text.focus(); } }, "Change the words"), activate));
    outcome.querySelector<HTMLElement>("button.primary")?.focus();
  }

  async function activateNow(said: string): Promise<void> {
    try {
      const answer = await ask("v1/intents", "POST", { text: said, timezone: zone() });
      if (answer.status === 422) {
        const body = (await answer.clone().json()) as { questions?: Question[] };
        if (body.questions?.length) { questions(said, body.questions, "It clashes with what holds already"); return; }
      }
      if (!answer.ok) throw await failure(answer);
      const body = (await answer.json()) as { intent: Intent };
      app.toast("good", answer.status === 200 ? "It was active already." : "Intent is active; the next plan takes it into account.");
      log.length = 0;
      text.value = "";
      replace(outcome, h("p.done", {}, badge("good", "active"), ` ${body.intent.told.join("; ")}. `, h("a", { href: "#/decisions" }, "Follow it in the decisions")));
      await readActive();
      app.refresh();
    } catch (error) {
      const told = inWords(error);
      outcome.append(h("p.problem", { role: "alert" }, `${told.title}: ${told.text}`));
    }
  }

  function withdraw(intent: Intent): void {
    open({
      title: "Withdraw the intent", text: [intent.told.join("; ") || intent.text], act: "Withdraw", danger: true, reason: false,
      run: async () => {
        await send("DELETE", `v1/intents/${encodeURIComponent(intent.intent_id)}`);
        app.toast("good", "Intent withdrawn.");
        await readActive();
        app.refresh();
      },
    });
  }

  async function readActive(): Promise<void> {
    active = await get<{ version: number; items: Intent[] }>("v1/intents");
    const items = active.items;
    replace(activeBox, items.length ? h("ul.cards", {}, items.map((intent) => h("li.card", {},
      h("div.row", {}, badge("good", intent.state), h("strong", {}, intent.told.join("; ") || intent.text)),
      intent.text && h("p.said", {}, "“", intent.text, "”"),
      h("p.muted", {}, `${intent.subject} · since ${f.dateTime(intent.changed)} UTC · ${intent.expires ? `until ${f.dateTime(intent.expires)} UTC` : "until withdrawn"} · priority ${intent.priority} · ${intent.intent_id}`),
      h("div.actions", {}, gated(app, "operator", "button", "Withdraw…", () => withdraw(intent))))))
      : empty("No active intent", "The planner follows the SLAs of the slices alone."));
  }

  return { element, update: async (changed) => { if (active === null || touches(changed, "intents")) await readActive(); } };
}

function zone(): string { try { return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC"; } catch { return "UTC"; } }
