"use strict";
/* Puts the page together: filters, views, what is open, the keyboard. */

(() => {
  const { FACETS, VIEWS, ORDERS, NOTHING_OPEN, read, write, changed, toggled } = offsideView.state;
  const { make, words, number, plural, badge, thumbnail, altText } = offsideView.elements;
  const find = (id) => document.getElementById(id);

  let data;
  try {
    data = offsideView.makeData();
  } catch (error) {
    find("results").append(make("p.empty", {}, error.message));
    return;
  }
  const filters = offsideView.makeFilters(data);
  let state = read(location.hash);
  let result = { marked: new Uint8Array(data.recordCount), counts: {}, records: 0, pictures: [], subjects: [], filtered: false };
  let grid = null;
  let applied = "";
  let turn = 0;

  /** Where a change of the state leads. */
  const hrefOf = (changes) => write(changed(state, changes));

  /** Change the state; typing and ticking replace the address, so that "back" leaves the page in one step. */
  function go(changes, { replace = false } = {}) {
    const target = hrefOf(changes);
    if (target === location.hash) return;
    if (replace) {
      history.replaceState(null, "", target);
      follow();
    } else {
      location.hash = target;
    }
  }

  async function follow() {
    state = read(location.hash);
    const wanted = write(changed(state, NOTHING_OPEN));
    if (wanted !== applied) {
      turn += 1;
      const mine = turn;
      try {
        const found = await filters.apply(state, (done, all) => {
          if (all > 1) find("status").textContent = `Reading texts, ${done + 1} of ${all} …`;
        });
        if (mine !== turn) return;  // Something else was asked for meanwhile.
        result = found;
      } catch (error) {
        find("status").textContent = error.message;
        return;
      }
      applied = wanted;
      drawAll();
    }
    await details.show();
  }

  // -------------------------------------------------------------------------------------------
  // Filters

  function facetValues({ key, column }) {
    const order = { attribute: data.facts.attributes, split: data.facts.parts.map((part) => part.split("/")[1]),
      veracity: ["fact", "rumor", "correction"], scope: ["private", "shared"] }[key] ?? [];
    const values = data.columns[column].values.map((value, code) => ({ value, count: result.counts[key]?.[code] ?? 0 }));
    const place = ({ value }) => (order.includes(value) ? order.indexOf(value) : order.length);
    return values.sort((a, b) => place(a) - place(b) || String(a.value).localeCompare(String(b.value)));
  }

  function option(key, value, label, count) {
    const box = make("input", { type: "checkbox", onchange: () => go(toggledFilters(key, value), { replace: true }) });
    box.checked = state.filters[key].has(value);
    box.dataset.filter = `${key}=${value}`;
    return make(`label.option${count === 0 && !box.checked ? ".empty" : ""}`, {}, box,
      make("span", {}, label), count === null ? "" : make("span.count", {}, number(count)));
  }

  const toggledFilters = (key, value) => ({ filters: { [key]: toggled(state, key, value).filters[key] } });

  function facet(definition) {
    const { key, label } = definition;
    const values = facetValues(definition);
    if (key === "suspect") {
      const reasons = values.filter(({ value }) => value !== null);
      if (reasons.length === 0) return null;
      const all = reasons.reduce((total, { count }) => total + count, 0);
      return group(label, [option(key, "any", "any reason", all),
        reasons.slice(0, 30).map(({ value, count }) => option(key, value, value, count))]);
    }
    if (values.length < 2) return null;
    return group(label, values.map(({ value, count }) => option(key, value ?? "none", words(value), count)));
  }

  function group(label, options) {
    return make("fieldset", {}, make("legend", {}, label), options);
  }

  function drawFilters() {
    const focused = document.activeElement?.dataset?.filter;
    const clusters = data.facts.clusters.length;
    find("filters").replaceChildren(...[
      ...FACETS.map(facet),
      clusters > 0 ? group("Duplicates", [option("duplicates", "any", `in one of ${plural(clusters, "cluster")}`, null),
        data.facts.clusters.slice(0, 30).map((members, k) => option("cluster", String(k + 1), `cluster ${k + 1}`, members.length))]) : null,
      data.facts.note ? make("p.note", {}, data.facts.note) : null,
    ].filter(Boolean));
    if (focused) find("filters").querySelector(`[data-filter="${CSS.escape(focused)}"]`)?.focus();
  }

  function drawChips() {
    const chips = [];
    for (const [key, values] of Object.entries(state.filters)) {
      for (const value of values) {
        const label = key === "cluster" ? `cluster ${value}` : key === "duplicates" ? "duplicates" : key === "suspect" && value === "any" ? "suspect" : words(value);
        chips.push(make("button.chip", { type: "button", "aria-label": `Remove the filter ${label}`, onclick: () => go(toggledFilters(key, value), { replace: true }) }, label, " ✕"));
      }
    }
    if (chips.length > 1 || (chips.length > 0 && state.query)) {
      const none = Object.fromEntries(Object.keys(state.filters).map((key) => [key, new Set()]));
      chips.push(make("button.chip.all", { type: "button", onclick: () => go({ filters: none, query: "" }, { replace: true }) }, "Clear all"));
    }
    find("chips").replaceChildren(...chips);
  }

  // -------------------------------------------------------------------------------------------
  // Views

  function pictureCard(picture) {
    const unit = data.unitOfPicture(picture);
    const rumor = data.columns.veracity.values.indexOf("rumor");
    const quiet = data.columns.suspect.values.indexOf(null);
    const rumors = filters.count(unit, (record) => data.columns.veracity.codes[record] === rumor);
    const suspects = filters.count(unit, (record) => data.columns.suspect.codes[record] !== quiet);
    const visual = filters.count(unit, (record) => ["image", "both"].includes(data.value("rumor_channel", record)));
    const split = data.pictureSplit(picture);
    return make("a.card", { href: hrefOf({ ...NOTHING_OPEN, picture: data.pictureId(picture) }), "data-picture": data.pictureId(picture) },
      make("span.frame", {}, thumbnail(data, picture, altText(data, picture)),
        make("span.flags", {},
          visual > 0 ? badge("channel", "visual rumor") : null,
          suspects > 0 ? badge("suspect", `${suspects} suspect`) : null,
          data.clusterOf[picture] >= 0 ? badge("duplicate", `cluster ${data.clusterOf[picture] + 1}`) : null,
          data.twin(picture) ? badge("plain", `twin: ${data.twin(picture)}`) : null)),
      data.pictureSubject(picture) >= 0
        ? make("span.name", {}, data.subjectName(data.pictureSubject(picture)))
        : make("span.name.id", {}, data.pictureId(picture)),
      make("span.line", {}, split ? badge("split", split) : null,
        rumors > 0
          ? make("span.rumors", {}, `${plural(rumors, "rumor")} of ${number(unit.count)}`)
          : make("span", {}, unit.count > 0 ? plural(unit.count, "record") : "no record")));
  }

  function subjectCard(subject) {
    const units = data.unitsOfSubject(subject);
    const pictures = units.map((unit) => unit.picture).filter((picture) => picture >= 0);
    const shown = pictures.find((picture) => data.small(picture)) ?? -1;
    const records = units.reduce((total, unit) => total + unit.count, 0);
    const row = data.facts.subjects[subject];
    return make("a.card", { href: hrefOf({ ...NOTHING_OPEN, subject: row.subject_id }), "data-subject": row.subject_id },
      make("span.frame", {}, thumbnail(data, shown, "")),
      make("span.name", {}, data.subjectName(subject)),
      make("span.line", {}, row.cohort ? badge("split", row.cohort) : null,
        make("span", { title: plural(pictures.length, "picture") }, plural(records, "record"))));
  }

  function drawResults() {
    grid?.end();
    grid = null;
    const place = find("results");
    if (state.view === "charts") {
      offsideView.drawCharts(place, data, result, (changes) => hrefOf({ ...changes, ...NOTHING_OPEN }));
      return;
    }
    const ofSubjects = state.view === "subjects";
    const items = ofSubjects ? result.subjects : result.pictures;
    if (items.length === 0) {
      const other = ofSubjects ? "" : result.records > 0 ? " The records that fit are about no picture: look under Subjects." : "";
      place.replaceChildren(make("p.empty", {}, `${ofSubjects ? "No subject" : "No picture"} fits.${other}`));
      return;
    }
    grid = offsideView.makeGrid(place, { items, card: ofSubjects ? subjectCard : pictureCard,
      label: ofSubjects ? "Subjects" : "Pictures", width: 178, caption: 62 });
  }

  function drawTabs() {
    const counts = { pictures: result.pictures.length, subjects: result.subjects.length, charts: null };
    find("tabs").replaceChildren(...VIEWS.map((view) => make("a", { href: hrefOf({ view, ...NOTHING_OPEN }), "aria-current": view === state.view ? "page" : null },
      view[0].toUpperCase() + view.slice(1), counts[view] === null ? "" : make("span.count", {}, number(counts[view])))));
  }

  function drawAll() {
    const top = find("results").getBoundingClientRect().top - document.querySelector(".top").offsetHeight - 90;
    if (top < 0) window.scrollBy(0, top);  // Other results are looked at from their beginning.
    drawTabs();
    drawFilters();
    drawChips();
    drawResults();
    find("order").value = state.order;
    find("order").parentElement.hidden = state.view !== "pictures";
    if (document.activeElement !== find("query")) find("query").value = state.query;
    const all = result.records === data.recordCount ? "" : ` of ${number(data.recordCount)}`;
    find("status").textContent = `${plural(result.pictures.length, "picture")}, ${number(result.records)}${all} records`;
  }

  // -------------------------------------------------------------------------------------------
  // Once

  const editor = offsideView.makeEditor(data, { go, state: () => state, show: () => details.show(), notice: find("saved"), keys: find("help").querySelector("dl") });
  const details = offsideView.makeDetails(find("details"), data, { go, hrefOf, state: () => state, result: () => result, editor });

  function labelTheme() {
    const { theme } = document.documentElement.dataset;
    find("theme").textContent = theme === "dark" ? "Light" : "Dark";
    find("theme").setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} mode`);
  }

  function toggleTheme() {
    const { dataset } = document.documentElement;
    dataset.theme = dataset.theme === "dark" ? "light" : "dark";
    labelTheme();
    try {
      localStorage.setItem("offside-theme", dataset.theme);
    } catch { /* Some browsers keep nothing for pages from disk. */ }
  }

  function toggleFilters() {
    const open = document.body.classList.toggle("filtering");
    find("show-filters").setAttribute("aria-expanded", String(open));
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (event.key === "Escape" && event.target === find("query")) {
      find("query").value = "";
      go({ query: "" }, { replace: true });
      find("query").blur();
      return;
    }
    if (typing || find("help").open) return;
    const open = find("details").open;
    const actions = {
      "/": () => find("query").focus(),
      "?": () => find("help").showModal(),
      d: toggleTheme,
    };
    if (!open) VIEWS.forEach((view, k) => { actions[String(k + 1)] = () => go({ view }); });
    if (open && event.key === "/") return;
    if (event.key in actions) actions[event.key]();
    else if (!(open ? details.key(event.key) : event.target.type !== "checkbox" && grid?.key(event.key))) return;
    event.preventDefault();
  }

  const { facts } = data;
  document.title = `${facts.title} ${facts.version}`;
  find("title").textContent = facts.title;
  find("about").textContent = [`version ${facts.version}`, facts.license, `${plural(data.pictureCount, "picture")}`,
    `${plural(data.recordCount, "record")}`, `${plural(facts.subjects.length, "subject")}`].filter(Boolean).join(" · ");
  find("about").title = facts.digest;
  find("order").append(...Object.entries(ORDERS).map(([value, label]) => make("option", { value }, label)));
  find("order").addEventListener("change", (event) => go({ order: event.target.value }, { replace: true }));
  let typed = 0;
  find("query").addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => go({ query: find("query").value }, { replace: true }), 150);
  });
  find("theme").addEventListener("click", toggleTheme);
  find("show-filters").addEventListener("click", toggleFilters);
  find("show-help").addEventListener("click", () => find("help").showModal());
  find("skip").addEventListener("click", (event) => { event.preventDefault(); find("results").focus(); });
  document.addEventListener("keydown", pressed);
  window.addEventListener("hashchange", follow);
  labelTheme();
  follow().then(() => requestAnimationFrame(() => setTimeout(() => {
    document.documentElement.dataset.shownAfter = String(Math.round(performance.now()));
  })));
})();
