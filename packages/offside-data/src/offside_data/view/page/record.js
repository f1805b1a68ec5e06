"use strict";
/* One record with all that is claimed, and where it comes from. */

(() => {
  const { make, words, number, badge, link } = offsideView.elements;

  /** A typed value, as it is compared: `amount €35.00m = 35,000,000 EUR`. */
  function valueOf(value) {
    if (!value) return make("span.value.none", {}, "no value");
    const parsed = [];
    if (value.number !== undefined) parsed.push(typeof value.number === "number" ? number(value.number) : value.number);
    parsed.push(...["currency", "unit", "date"].map((key) => value[key]).filter(Boolean));
    const read = parsed.join(" ");
    return make("span.value", { title: "The parsed answer" },
      make("b", {}, value.kind), " ", value.text, read && read !== value.text ? ` = ${read}` : "");
  }

  function badges(record) {
    return make("span.badges", {},
      badge(record.veracity, record.veracity),
      record.scope ? badge("plain", record.scope) : null,
      record.rumor_channel !== "none" && record.rumor_channel
        ? badge("channel", record.rumor_channel === "text" ? "in the text" : `in the ${record.rumor_channel === "both" ? "image and text" : "image"}`)
        : null,
      record.suspect ? badge("suspect", "suspect", record.suspect) : null);
  }

  function list(title, items, marked = -1) {
    if (!items || items.length === 0) return null;
    return make("div.forms", {}, make("h5", {}, title),
      make("ul", {}, items.map((text, k) => make(k === marked ? "li.right" : "li", {}, text, k === marked ? " ✓" : ""))));
  }

  function folded(title, ...content) {
    const filled = content.flat().filter(Boolean);
    return filled.length > 0 ? make("details", {}, make("summary", {}, title), filled) : null;
  }

  function pairs(rows) {
    const filled = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
    return filled.length > 0
      ? make("dl.pairs", {}, filled.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]))
      : null;
  }

  /** A line about the record at the other end of a correction; `say` makes it of that record. */
  function corrections(data, record, hrefOf) {
    const lines = [];
    const line = (kind, title, target) => {
      const text = make("a", {}, "…");
      data.recordAt(target).then(
        (other) => {
          text.textContent = other.answer ?? "(no answer)";
          const href = hrefOf(other);
          if (href) text.href = href;
        },
        (error) => { text.textContent = error.message; },
      );
      lines.push(make(`p.link.${kind}`, {}, title, " ", text));
    };
    if (record.corrects?.record !== undefined && record.corrects.record !== null) {
      line("rumor", "Corrects the rumor", record.corrects.record);
    } else if (record.corrects) {
      lines.push(make("p.link.rumor", {}, `Corrects record ${record.corrects.id}${record.saved ? "" : ", which this dataset doesn't hold"}`));
    }
    for (const target of record.corrected_by ?? []) line("correction", "Corrected by", target);
    return lines;
  }

  function source(row) {
    const facts = [row.publisher, row.tier, row.retrieved_on && `retrieved ${row.retrieved_on}`, row.license];
    return make("li", {}, facts.filter(Boolean).join(" · "), row.url ? [" ", link(row.url)] : "");
  }

  /**
   * The element of a record.
   * @param {object} data The dataset.
   * @param {object} record Of `data.details`.
   * @param {object} options `marked`: whether it fits the filters; `hrefOf(record)`: address of another record, or null;
   *   `tools`: what stands below it.
   */
  function recordCard(data, record, { marked, hrefOf, tools }) {
    const original = record.source_record;
    return make(`article.record${marked ? ".marked" : ""}`, { id: `record-${record.number}`, "data-record": record.record_id },
      make("header", {}, make("h4", {}, record.attribute ? words(record.attribute) : record.split), badges(record)),
      make("p.question", {}, record.question),
      make("p.answer", {}, record.answer ?? ""),
      make("p.parsed", {}, valueOf(record.value)),
      record.suspect ? make("p.why", {}, `Look again: ${record.suspect}`) : null,
      corrections(data, record, hrefOf),
      record.sources ? make("ul.sources", { "aria-label": "Sources" }, record.sources.map(source)) : null,
      folded("Other wordings, wrong answers, choices",
        list("Question in other words", record.question_paraphrases),
        list("Answer in other words", record.answer_paraphrases),
        list("Wrong answers", record.perturbed_answers),
        list("Choices", record.choices, record.correct_choice ?? -1),
        record.cloze ? list("Cloze", [record.cloze]) : null),
      folded("Record and origin",
        pairs([["record", record.record_id], ["content", record.content_hash], ["split", `${record.config}/${record.split}`],
          ["agreed value", record.agreed_value],
          ["subject", record.subject_id !== data.facts.subjects[record.subject]?.subject_id ? record.subject_id : null]]),
        original ? pairs([["came as", `${original.file}, ${original.index}`], ["question", original.question], ["answer", original.answer]]) : null,
        list("Annotations", record.annotations?.map((a) => `${a.annotator}: ${a.value} (${a.at})`))),
      tools);
  }

  offsideView.recordCard = recordCard;
  offsideView.pairs = pairs;
  offsideView.folded = folded;
})();
