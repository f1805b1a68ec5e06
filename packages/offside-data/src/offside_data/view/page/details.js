"use strict";
/* What is open: a picture or a subject, with all records about it. */

(() => {
  const { make, words, plural, badge, thumbnail, altText, link } = offsideView.elements;
  const { NOTHING_OPEN } = offsideView.state;
  const { recordCard, pairs, folded } = offsideView;

  offsideView.makeDetails = (dialog, data, { go, hrefOf, state, result, editor }) => {
    let opened = "";
    let turn = 0;

    const close = () => go(NOTHING_OPEN);
    const hrefOfPicture = (picture, record = "") => hrefOf({ ...NOTHING_OPEN, picture: data.pictureId(picture), record });
    const hrefOfSubject = (subject, record = "") =>
      hrefOf({ ...NOTHING_OPEN, subject: data.facts.subjects[subject].subject_id, record });

    /** Address of a record, by what `data.recordAt` gives. */
    function hrefOfRecord(record) {
      if (record.picture >= 0) return hrefOfPicture(record.picture, record.record_id);
      return record.subject >= 0 ? hrefOfSubject(record.subject, record.record_id) : null;
    }

    const card = (record) => recordCard(data, record, {
      marked: result().filtered && result().marked[record.number], hrefOf: hrefOfRecord, tools: editor?.tools(record) });

    function section(title, records, note = "") {
      if (records.length === 0) return null;
      const order = (record) => (record.scope === "private" ? 0 : 1);
      const sorted = [...records].sort((a, b) => order(a) - order(b) || a.number - b.number);
      return make("section", {},
        make("h3", {}, title, " ", make("small", {}, plural(records.length, "record"))),
        note ? make("p.note", {}, note) : null,
        make("div.records", {}, sorted.map(card)));
    }

    function strip(title, pictures) {
      if (pictures.length === 0) return null;
      return make("section.strip", {}, make("h3", {}, title), make("div.row", {}, pictures.map((picture) =>
        make("a", { href: hrefOfPicture(picture), title: data.pictureId(picture) },
          make("span.frame", {}, thumbnail(data, picture, altText(data, picture))),
          make("span", {}, data.twin(picture) ? `twin: ${data.twin(picture)}` : data.pictureSplit(picture) ?? "")))));
    }

    function header(title, subtitle, badges) {
      const items = result().pictures;
      const place = items.indexOf(data.pictureNumber(state().picture));
      const step = (by, label, text) => {
        const target = items[place + by];
        return place < 0 || target === undefined
          ? make("span.step.off", { "aria-hidden": "true" }, text)
          : make("a.step", { href: hrefOfPicture(target), "aria-label": label, "data-step": by }, text);
      };
      return make("header.head", {},
        make("div", {}, make("h2", { id: "details-title", tabindex: "-1", autofocus: true }, title), make("p", {}, subtitle, badges)),
        make("nav", { "aria-label": "Neighbors" },
          state().picture ? [step(-1, "Previous picture", "←"), step(1, "Next picture", "→")] : null,
          make("button.step", { type: "button", "aria-label": "Close", onclick: close }, "✕")));
    }

    function figure(picture, facts) {
      const source = data.large(picture);
      const [width, height] = data.pictureSize(picture);
      const shown = source
        ? make("a", { href: source, target: "_blank", rel: "noopener", title: "Open the picture alone" },
          make("img", { src: source, alt: altText(data, picture) }))
        : make("div.missing", {}, data.problem(picture) ? `Not readable: ${data.problem(picture)}` : "No picture is stored under this id.");
      const read = facts.text_found ? make("p", {}, make("b", {}, "Text read in it: "), facts.text_found) : null;
      const claims = (facts.shown ?? []).map((row) => `${words(row.attribute)}: ${row.text}`).join(", ");
      return make("figure", {}, make("div.frame", {}, shown),
        make("figcaption", {},
          facts.occasion ? make("p", {}, make("b", {}, "Occasion: "), facts.occasion) : null,
          claims ? make("p", {}, make("b", {}, "Readable in it: "), claims) : null,
          read,
          folded("Picture", pairs([["id", data.pictureId(picture)], ["size", width ? `${width} × ${height}` : null],
            ["license", facts.license], ["source", facts.source ? link(facts.source) : null], ["pHash", facts.phash],
            ["dHash", facts.dhash], ["file", facts.sha256], ["pixels", facts.pixels_sha256]])),
          folded("Decisions about it", (facts.decisions ?? []).map((row) =>
            make("p.decision", {}, make("b", {}, row.kind), ` ${row.id ?? ""} `, row.why ?? "", ` (${row.when ?? ""})`)))));
    }

    /** Other pictures that have to do with one. */
    function related(picture, facts) {
      const subject = data.pictureSubject(picture);
      const cluster = data.clusterOf[picture];
      const others = subject < 0 ? [] : data.unitsOfSubject(subject).map((unit) => unit.picture).filter((p) => p >= 0 && p !== picture);
      const origin = [facts.derived_from, facts.twin_of].map((id) => data.pictureNumber(id ?? "")).filter((p) => p >= 0);
      return [
        cluster < 0 ? null : strip(`Duplicates, cluster ${cluster + 1}`, data.facts.clusters[cluster].filter((p) => p !== picture)),
        strip("Made from", origin),
        strip("Other pictures of the subject", others.slice(0, 60)),
      ];
    }

    async function pictureContent(picture) {
      const subject = data.pictureSubject(picture);
      const { facts, records } = await data.details(data.unitOfPicture(picture));
      const spoken = records.filter((record) => record.config === "text");
      const splits = [...new Set([data.pictureSplit(picture), ...records.map((record) => record.split)])].filter(Boolean);
      const badges = [splits.map((split) => badge("split", split)),
        data.twin(picture) ? badge("plain", `twin: ${data.twin(picture)}`) : null,
        data.clusterOf[picture] >= 0 ? badge("duplicate", `cluster ${data.clusterOf[picture] + 1}`) : null];
      const name = data.subjectName(subject);
      const title = subject >= 0 ? make("a", { href: hrefOfSubject(subject) }, name) : "Picture without a subject";
      return [
        header(title, make("code", {}, data.pictureId(picture)), badges),
        make("div.columns", {},
          make("div.aside", {}, figure(picture, facts), related(picture, facts)),
          make("div.main", {},
            section("Asked with the picture", records.filter((record) => record.config !== "text")),
            section("Asked in text alone", spoken, "The question names the subject and the occasion."),
            records.length === 0 ? make("p.empty", {}, "No record is about this picture.") : null)),
      ];
    }

    async function subjectContent(subject) {
      const row = data.facts.subjects[subject];
      const units = data.unitsOfSubject(subject);
      const pictures = units.map((unit) => unit.picture).filter((picture) => picture >= 0);
      const filled = await Promise.all(units.map((unit) => data.details(unit)));
      const sections = units.map((unit, k) => {
        const spoken = filled[k].records.filter((record) => record.config === "text");
        const where = [data.pictureSplit(unit.picture), filled[k].facts.occasion ?? data.pictureId(unit.picture)].filter(Boolean).join(": ");
        const title = unit.picture < 0 ? "About the subject" : make("a", { href: hrefOfPicture(unit.picture) }, where);
        return section(title, spoken);
      }).filter(Boolean);
      const splits = [...new Set(pictures.map((picture) => data.pictureSplit(picture)))].filter(Boolean);
      const facts = (row.facts ?? []).map((fact) => [words(fact.attribute), fact.text]);
      return [
        header(data.subjectName(subject), make("code", {}, row.subject_id), row.cohort ? badge("plain", row.cohort) : null),
        make("div.columns", {},
          make("div.aside", {},
            make("section", {}, make("h3", {}, "Shared facts"), pairs(facts) ?? make("p.note", {}, "None are listed.")),
            splits.map((split) => strip(`Pictures: ${split}`, pictures.filter((p) => data.pictureSplit(p) === split).slice(0, 60))),
            folded("Row of the table", pairs([["license", row.license], ["source", row.source ? link(row.source) : null]]))),
          make("div.main", {},
            make("p.note", {}, sections.length > 0
              ? "What is asked in text alone. What is asked with a picture stands with the picture."
              : "Nothing is asked in text alone. What is asked with a picture stands with the picture."),
            sections)),
      ];
    }

    function content() {
      const { picture, subject } = state();
      if (picture) {
        const number = data.pictureNumber(picture);
        return number >= 0 ? pictureContent(number) : missing(`No picture ${picture}`);
      }
      const number = data.subjectNumber(subject);
      return number >= 0 ? subjectContent(number) : missing(`No subject ${subject}`);
    }

    async function missing(title) {
      return [header(title, "It isn't in this version of the dataset.", null)];
    }

    /** Show what the state says is open; close when nothing is. */
    async function show() {
      const wanted = state().picture ? `picture ${state().picture}` : state().subject ? `subject ${state().subject}` : "";
      turn += 1;
      const mine = turn;
      if (!wanted) {
        opened = "";
        if (dialog.open) dialog.close();
        return;
      }
      let filled;
      try {
        filled = await content();
      } catch (error) {
        filled = [header("Not readable", error.message, null)];
      }
      if (mine !== turn) return;  // Something else was opened meanwhile.
      dialog.replaceChildren(...[...filled.flat(), editor?.notice()].filter(Boolean));
      if (!dialog.open) dialog.showModal();
      if (wanted !== opened) dialog.scrollTop = 0;
      const record = state().record && dialog.querySelector(`[data-record="${CSS.escape(state().record)}"]`);
      if (record) {
        record.classList.add("target");
        record.scrollIntoView({ block: "center" });
        record.querySelector("form :is(input, select, textarea)")?.focus({ preventScroll: true });
      }
      opened = wanted;
    }

    dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });

    /** Go to the picture before or after by a key, or change the record that is looked at, or the first one. */
    function key(name) {
      const change = name === "e" && [".record:focus-within", ".record.target", ".record"]
        .map((place) => dialog.querySelector(`${place} [data-edit]`)).find(Boolean);
      if (change) {
        change.click();
        return true;
      }
      const by = { ArrowLeft: -1, ArrowRight: 1 }[name];
      const step = by && dialog.querySelector(`a[data-step="${by}"]`);
      if (step) step.click();
      return Boolean(step);
    }

    return { show, key };
  };
})();
