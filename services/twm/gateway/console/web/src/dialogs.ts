// Modal questions: native dialogs, so that focus stays inside and Escape leaves.
import { inWords } from "./api";
import { h } from "./dom";

export interface AskOptions {
  title: string;
  text: (Node | string)[];
  act: string;
  danger?: boolean;
  reason?: boolean;
  /** Extra fields; they are read by `name` from the form. */
  fields?: Node[];
  /** Does it; what it throws is shown and the dialog stays. */
  run: (form: FormData, reason: string) => Promise<void>;
}

export function open(options: AskOptions): HTMLDialogElement {
  const reason = h("textarea", { name: "reason", rows: "2", maxlength: "500", required: true, id: "dialog-reason", autocomplete: "off" });
  const error = h("p.problem", { role: "alert", hidden: true });
  const act = h(options.danger ? "button.danger" : "button.primary", { type: "submit" }, options.act);
  const cancel = h("button", { type: "button", click: () => dialog.close() }, "Cancel");
  const form = h("form", { method: "dialog" },
    h("h2", { id: "dialog-title" }, options.title),
    options.text.map((entry) => (typeof entry === "string" ? h("p", {}, entry) : entry)),
    options.fields ?? [],
    options.reason !== false && h("label.field", { for: "dialog-reason" }, "Reason (kept in the audit trail)", reason),
    error,
    h("div.actions", {}, cancel, act));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", close: () => dialog.remove() }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.reportValidity()) return;
    act.disabled = true;
    error.hidden = true;
    void options.run(new FormData(form), reason.value.trim()).then(
      () => dialog.close(),
      (problem: unknown) => {
        const said = inWords(problem);
        error.textContent = `${said.title}: ${said.text}`;
        error.hidden = false;
        act.disabled = false;
      });
  });
  document.body.append(dialog);
  dialog.showModal();
  if (options.reason !== false && !(options.fields ?? []).length) reason.focus();
  return dialog;
}

export function choice(name: string, entries: { value: string; label: string; note: string; disabled?: boolean }[], now: string): HTMLElement {
  return h("fieldset.choices", {}, h("legend.hidden", {}, name), entries.map((entry) =>
    h("label.choice", { class: entry.disabled ? "choice off" : "choice" },
      h("input", { type: "radio", name, value: entry.value, checked: entry.value === now, disabled: entry.disabled ?? false, required: true }),
      h("span", {}, h("strong", {}, entry.label), h("small", {}, entry.note)))));
}

export function checkbox(name: string, label: string, checked = false): HTMLElement {
  return h("label.check", {}, h("input", { type: "checkbox", name, checked }), label);
}
