"use strict";
/* What the page shows, as it stands in the address: filters, search, view, order, and what is open:
   a picture or a subject, and the record of it to look at, or to change. */

(() => {
  const FACETS = [
    { key: "split", column: "split", label: "Split" },
    { key: "veracity", column: "veracity", label: "Veracity" },
    { key: "scope", column: "scope", label: "Scope" },
    { key: "attribute", column: "attribute", label: "Attribute" },
    { key: "config", column: "config", label: "Question needs" },
    { key: "channel", column: "rumor_channel", label: "Rumor stands in" },
    { key: "suspect", column: "suspect", label: "Suspect" },
  ];
  /** Filters whose values are chosen from a list; `cluster` and `subject` besides narrow to one thing. */
  const KEYS = [...FACETS.map((facet) => facet.key), "duplicates", "cluster"];
  const NOTHING_OPEN = { picture: "", subject: "", record: "", edit: "" };
  const VIEWS = ["pictures", "subjects", "charts"];
  const ORDERS = { subject: "by subject", split: "by split", rumors: "most rumors", suspect: "most suspect" };

  function read(fragment) {
    const given = new URLSearchParams(fragment.replace(/^#/, ""));
    const filters = {};
    for (const key of KEYS) filters[key] = new Set(given.getAll(key));
    const pick = (key, allowed) => (allowed.includes(given.get(key)) ? given.get(key) : allowed[0]);
    return {
      filters,
      query: given.get("q") ?? "",
      view: pick("view", VIEWS),
      order: pick("order", Object.keys(ORDERS)),
      picture: given.get("picture") ?? "",
      subject: given.get("subject") ?? "",
      record: given.get("record") ?? "",
      edit: given.get("edit") ?? "",
    };
  }

  function write(state) {
    const given = new URLSearchParams();
    if (state.view !== VIEWS[0]) given.set("view", state.view);
    for (const key of KEYS) for (const value of state.filters[key]) given.append(key, value);
    if (state.query) given.set("q", state.query);
    if (state.order !== "subject") given.set("order", state.order);
    for (const key of Object.keys(NOTHING_OPEN)) if (state[key]) given.set(key, state[key]);
    return `#${given}`;
  }

  /** A copy of `state` with some fields changed; filters are given whole by key. */
  function changed(state, changes) {
    const { filters, ...rest } = changes;
    return { ...state, ...rest, filters: { ...state.filters, ...filters } };
  }

  /** A copy of `state` in which one value of a filter is on or off. */
  function toggled(state, key, value) {
    const values = new Set(state.filters[key]);
    if (!values.delete(value)) values.add(value);
    return changed(state, { filters: { [key]: values } });
  }

  function isFiltered(state) {
    return Boolean(state.query.trim()) || KEYS.some((key) => state.filters[key].size > 0);
  }

  offsideView.state = { FACETS, KEYS, NOTHING_OPEN, VIEWS, ORDERS, read, write, changed, toggled, isFiltered };
})();
