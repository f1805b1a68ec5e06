"use strict";
/* The form that changes a record. It is there only when `offside-data view --edit` serves the page: from disk, nothing
   can be written. What is saved is written by the command, and answered in its words. */

(() => {
  const { make, words } = offsideView.elements;
  const LONG = ["question", "answer"];

  /** The editor; null if the page isn't served with one. */
  offsideView.makeEditor = (data, { go, state, show, notice: outside, keys }) => {
    const allowed = data.facts.editing;
    if (!allowed) return null;
    const scopes = new Map(allowed.attribute);
    /** What was typed and isn't saved, by record and field. */
    const drafts = new Map();
    let last = null;
    let message = "";
    let busy = false;

    /** What a record says in the fields of the form. */
    function textsOf(record) {
      const plain = (name) => record[name] ?? "";
      return { question: plain("question"), answer: plain("answer"), value: record.value?.text ?? "", attribute: plain("attribute"),
        veracity: plain("veracity"), rumor_channel: plain("rumor_channel"), split: plain("split"), suspect: plain("suspect") };
    }

    /** Ask the command for something; throws what it says against it. */
    async function ask(action, body) {
      let answer;
      try {
        const response = await fetch(action, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
        answer = await response.json();
      } catch {
        throw new Error("The command doesn't answer. Was `offside-data view --edit` ended? Nothing more can be saved here.");
      }
      if (answer.problems.length > 0) throw new Error(answer.problems.join("\n"));
      return answer;
    }

    function keep(answer) {
      for (const [id, row] of Object.entries(answer.records)) data.saved.set(id, row);
      last = answer.decision;
    }

    // -----------------------------------------------------------------------------------------
    // What was saved

    async function undo() {
      await say(async () => {
        const taken = last;
        keep(await ask("undo", { decision: taken }));
        return `Decision ${taken} is taken back.`;
      });
    }

    async function reload() {
      message = "The view is written anew …";
      draw();
      await show();
      await say(async () => {
        await ask("rebuild", {});
        location.reload();
        return "";
      });
    }

    /** Do something and tell what came of it. */
    async function say(act) {
      if (busy) return;
      busy = true;
      try {
        message = await act();
      } catch (error) {
        message = error.message;
      }
      busy = false;
      draw();
      await show();
    }

    /** What was saved last, and that the rest of the page is older. */
    function notice() {
      if (!message && !last && data.saved.size === 0) return "";
      return make("div.notice", { role: "status" },
        make("p", {}, message || `Decision ${last} was saved last.`),
        data.saved.size > 0 ? make("p", {}, "Filters, search, charts, order, subjects and links between records are as they were when this view was written.") : null,
        make("div.buttons", {},
          last ? make("button.quiet", { type: "button", onclick: undo, title: `Take decision ${last} back` }, "Undo the last change") : null,
          data.saved.size > 0 ? make("button.quiet", { type: "button", onclick: reload }, "Reload") : null));
    }

    function draw() {
      outside.replaceChildren(notice());
    }

    // -----------------------------------------------------------------------------------------
    // The form

    const shown = (value) => (value === null || value === "" || value?.length === 0 ? "(none)" : typeof value === "object" ? JSON.stringify(value) : String(value));

    /** What the command said of a change: each field as it was and is, what follows, what is made anew. */
    function report(answer) {
      const rows = answer.changed.map(({ record_id: id, fields, because }) => make("li", {},
        make("code", {}, id), because ? " follows" : "",
        make("ul", {}, Object.entries(fields).map(([name, [before, after]]) =>
          make("li", {}, `${words(name)}: `, make("del", {}, shown(before)), " → ", make("ins", {}, shown(after)))),
        answer.remade[id] ? make("li", {}, `made anew: ${answer.remade[id].map(words).join(", ")}`) : null)));
      return [make("p", {}, rows.length === 0 ? "Nothing would change." : "Would change:"),
        make("ul", {}, rows), answer.notes.map((note) => make("p.why", {}, `${note}.`))];
    }

    function field(name, id, value, options) {
      const place = { id, name };
      if (!options) return make(LONG.includes(name) ? "textarea" : "input", { ...place, autocomplete: "off", spellcheck: "false", rows: LONG.includes(name) ? 2 : null });
      return make("select", place, [...new Set([...options, value])].map((text) => make("option", { value: text }, words(text || null))));
    }

    function form(record) {
      const before = textsOf(record);
      const draft = { ...before, reason: "", ...drafts.get(record.record_id) };
      const result = make("div.result", { "aria-live": "polite" });
      const scope = make("output", { id: `scope-${record.number}` });
      const labels = { question: "Question", answer: "Answer", value: "Value", attribute: "Attribute", scope: "Scope (follows the attribute)",
        veracity: "Veracity", rumor_channel: "Rumor stands in", split: "Split", suspect: "Suspect: why look again", reason: "Why it is changed" };
      const options = { ...allowed, attribute: [...scopes.keys()] };

      function row(name) {
        const id = `${name}-${record.number}`;
        const input = name === "scope" ? scope : field(name, id, before[name], name in before ? options[name] : null);
        if (name !== "scope") {
          input.value = draft[name];
          input.disabled = name === "attribute" && !before.attribute;  // Its split is about nobody.
          input.addEventListener("input", () => {
            draft[name] = input.value;
            drafts.set(record.record_id, { ...drafts.get(record.record_id), [name]: input.value });
            mark();
          });
        }
        return make(`div.field${[...LONG, "suspect", "reason"].includes(name) ? ".wide" : ""}`, {}, make("label", { for: id }, labels[name]), input);
      }

      function mark() {
        scope.textContent = (draft.attribute === before.attribute ? record.scope : scopes.get(draft.attribute)) ?? "none";
        for (const name of Object.keys(before)) element.elements[name].classList.toggle("changed", draft[name] !== before[name]);
      }

      function asked(dry) {
        const row = Object.fromEntries(Object.keys(before).filter((name) => draft[name] !== before[name]).map((name) => [name, draft[name]]));
        return { rows: [{ record_id: record.record_id, ...row }], reason: draft.reason, dry_run: dry };
      }

      async function send(dry) {
        if (busy) return;
        busy = true;
        element.setAttribute("aria-busy", "true");
        try {
          const answer = await ask("edit", asked(dry));
          if (dry || answer.changed.length === 0) {
            result.replaceChildren(...report(answer).flat());
          } else {
            keep(answer);
            drafts.delete(record.record_id);
            const others = answer.changed.length - 1;
            message = [`Saved as decision ${answer.decision}${others > 0 ? `; ${others} more ${others === 1 ? "record" : "records"} changed with it` : ""}.`,
              ...answer.notes.map((note) => `${note}.`)].join("\n");
            draw();
            leave();
          }
        } catch (error) {
          result.replaceChildren(make("p.problem", { role: "alert" }, error.message));
        }
        busy = false;
        element.removeAttribute("aria-busy");
        result.scrollIntoView({ block: "nearest" });
      }

      const leave = () => go({ edit: "" });
      const element = make("form.edit", { "aria-label": `Change the record ${record.record_id}` },
        make("div.fields", {}, Object.keys(labels).map(row)),
        make("div.buttons", {},
          make("button.main-button", { type: "submit", title: "Ctrl+Enter" }, "Save"),
          make("button.quiet", { type: "button", title: "List what would change and what would follow", onclick: () => send(true) }, "Preview"),
          make("button.quiet", { type: "button", onclick: () => { drafts.delete(record.record_id); leave(); } }, "Discard")),
        result);
      element.addEventListener("submit", (event) => { event.preventDefault(); send(false); });
      element.addEventListener("keydown", (event) => {
        if (event.key === "Escape") leave();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) send(false);
        else return;
        event.preventDefault();  // Else it would close the picture.
        event.stopPropagation();
      });
      mark();
      return element;
    }

    /** What stands below a record: its form if the address says so, else a button that opens it. */
    function tools(record) {
      if (state().edit && state().record === record.record_id) return form(record);
      const unsaved = drafts.has(record.record_id) ? " (not saved yet)" : "";
      return make("button.quiet.open-form", { type: "button", "data-edit": record.record_id, "aria-label": `Edit ${words(record.attribute ?? record.split)}${unsaved}`,
        onclick: () => go({ record: record.record_id, edit: "1" }) }, `Edit${unsaved}`);
    }

    for (const [key, what] of [["e", "edit the record that is looked at"], ["Ctrl + Enter", "save"], ["Esc", "leave the form; what was typed stays there"]]) {
      keys.append(make("dt", {}, make("kbd", {}, key)), make("dd", {}, what));
    }
    keys.after(make("p", {}, "Don't pass on the address of this page: whoever has it can change the dataset while the command runs."));
    window.addEventListener("beforeunload", (event) => { if (drafts.size > 0) event.preventDefault(); });
    say(async () => {
      keep(await ask("state", {}));  // What was saved before this page was loaded.
      return "";
    });
    return { tools, notice };
  };
})();
