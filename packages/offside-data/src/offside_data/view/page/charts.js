"use strict";
/* What the records that fit say, split by split: bars of plain elements, each a link to its records. */

(() => {
  const { make, words, number, plural } = offsideView.elements;
  const VERACITY = ["fact", "rumor", "correction"];
  const SCOPE = ["private", "shared", "none"];

  offsideView.drawCharts = (place, data, result, hrefOf) => {
    const { columns } = data;
    const splits = [...new Set(data.facts.parts.map((part) => part.split("/")[1]))];
    const tables = new Map(splits.map((split) => [split, { records: 0, veracity: {}, scope: {}, attribute: {}, pictures: new Set(), subjects: new Set() }]));
    const bump = (table, key) => { table[key] = (table[key] ?? 0) + 1; };
    for (let record = 0; record < data.recordCount; record += 1) {
      if (!result.marked[record]) continue;
      const table = tables.get(data.value("split", record));
      const veracity = data.value("veracity", record) ?? "none";
      table.records += 1;
      bump(table.veracity, veracity);
      bump(table.scope, data.value("scope", record) ?? "none");
      const attribute = data.value("attribute", record) ?? "none";
      bump(table.attribute[attribute] ??= {}, veracity);
      if (data.pictureOf[record] >= 0) table.pictures.add(data.pictureOf[record]);
      if (data.subjectOf[record] >= 0) table.subjects.add(data.subjectOf[record]);
    }
    const filled = [...tables].filter(([, table]) => table.records > 0);
    place.replaceChildren(
      legend(),
      make("div.charts", {}, filled.map(([split, table]) => chart(split, table))),
      filled.length === 0 ? make("p.empty", {}, "No record fits.") : "");

    function sum(counts) {
      return Object.values(counts).reduce((total, count) => total + count, 0);
    }

    function legend() {
      return make("p.legend", { "aria-hidden": "true" }, VERACITY.map((kind) => make("span", {}, make(`i.${kind}`), kind)));
    }

    function chart(split, table) {
      const order = [...data.facts.attributes, "none"];
      const names = Object.keys(table.attribute).sort((a, b) => order.indexOf(a) - order.indexOf(b));
      const most = Math.max(...names.map((name) => sum(table.attribute[name])));
      return make("section.chart", { "data-split": split },
        make("h3", {}, make("a", { href: hrefOf({ view: "pictures", filters: { split: new Set([split]) } }) }, split),
          make("small", {}, `${plural(table.records, "record")}, ${plural(table.pictures.size, "picture")}, ${plural(table.subjects.size, "subject")}`)),
        make("h4", {}, "Veracity"), stacked(split, "veracity", table.veracity, VERACITY, table.records),
        make("h4", {}, "Scope"), stacked(split, "scope", table.scope, SCOPE, table.records),
        make("h4", {}, "Attributes"),
        make("ul.bars", {}, names.map((name) => bar(split, name, table.attribute[name], most))));
    }

    function href(split, key, value) {
      return hrefOf({ view: "pictures", filters: { split: new Set([split]), [key]: new Set([value]) } });
    }

    /** One bar of the whole width, cut by a field. */
    function stacked(split, key, counts, order, total) {
      const row = make("div.stacked");
      for (const kind of order) {
        if (!counts[kind]) continue;
        const label = `${words(kind)} ${number(counts[kind])}`;
        const part = make(`a.part.${kind}`, { href: href(split, key, kind), title: label, "aria-label": `${split}: ${label} records` },
          counts[kind] / total > 0.14 ? label : "");
        part.style.flexGrow = counts[kind];
        row.append(part);
      }
      return row;
    }

    /** One attribute; lengths are comparable within a split. */
    function bar(split, name, counts, most) {
      const total = sum(counts);
      const track = make("span.track");
      for (const kind of VERACITY) {
        if (!counts[kind]) continue;
        const part = make(`span.part.${kind}`);
        part.style.width = `${(100 * counts[kind]) / most}%`;
        track.append(part);
      }
      const said = VERACITY.filter((kind) => counts[kind]).map((kind) => `${number(counts[kind])} ${kind}`).join(", ");
      return make("li", {}, make("a", { href: href(split, "attribute", name), title: said },
        make("span.name", {}, words(name)), track, make("span.number", {}, number(total))));
    }
  };
})();
