"use strict";
/* The dataset as the page knows it. `offsideView.data` is the only place that knows where data lies: columns of all
   records and pictures come with the page, details and texts to search in are loaded when they are asked for. */

const offsideView = (() => {
  const held = new Map();
  const asked = new Map();

  /** Called by each data file with its value. */
  function put(name, value) {
    held.set(name, value);
  }

  /** The value of a data file; its script is loaded once. */
  function load(name) {
    if (!asked.has(name)) {
      asked.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => {
          script.remove();
          if (held.has(name)) resolve(held.get(name));
          else reject(new Error(`data/${name}.js holds something else`));
          held.delete(name);
        };
        script.onerror = () => {
          asked.delete(name);
          reject(new Error(`data/${name}.js can't be read: is the folder complete?`));
        };
        document.head.append(script);
      }));
    }
    return asked.get(name);
  }

  return { put, load, held };
})();

offsideView.makeData = () => {
  const { load, held } = offsideView;
  const facts = held.get("dataset");
  const pictures = held.get("pictures");
  const records = held.get("records");
  if (!facts || !pictures || !records) throw new Error("data/ isn't complete: write the view again.");

  const columns = {};
  for (const [name, { values, codes }] of Object.entries(records.columns)) {
    columns[name] = { values, codes: Uint32Array.from(codes) };
  }
  /** A column of parts of another column's values: `multimodal/forget` has a config and a split. */
  function derived(column, part) {
    const texts = column.values.map(part);
    const values = [...new Set(texts)];
    const place = texts.map((text) => values.indexOf(text));
    return { values, codes: column.codes.map((code) => place[code]) };
  }
  columns.config = derived(columns.part, (name) => name.split("/")[0]);
  columns.split = derived(columns.part, (name) => name.split("/")[1]);

  const units = pictures.units.map(([picture, subject, count], number) => ({ number, picture, subject, count, first: 0 }));
  const pictureOf = new Int32Array(records.count);
  const subjectOf = new Int32Array(records.count);
  const unitOfPicture = new Int32Array(pictures.ids.length).fill(-1);
  const unitsOfSubject = facts.subjects.map(() => []);
  let next = 0;
  units.forEach((unit, number) => {
    unit.first = next;
    next += unit.count;
    pictureOf.fill(unit.picture, unit.first, next);
    subjectOf.fill(unit.subject, unit.first, next);
    if (unit.picture >= 0) unitOfPicture[unit.picture] = number;
    if (unit.subject >= 0) unitsOfSubject[unit.subject].push(number);
  });

  const clusterOf = new Int32Array(pictures.ids.length).fill(-1);
  facts.clusters.forEach((members, number) => members.forEach((picture) => { clusterOf[picture] = number; }));
  const numberOfPicture = new Map(pictures.ids.map((id, number) => [id, number]));
  const numberOfSubject = new Map(facts.subjects.map((subject, number) => [subject.subject_id, number]));

  /** Place of the last run of `starts` (sorted) that begins at or before `wanted`. */
  function runOf(starts, wanted) {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  }
  const chunkStarts = facts.chunks.map(([unit]) => unit);

  /** Records as they were saved since the view was written, by id; columns and texts to search in stay as they were. */
  const saved = new Map();

  function path(picture, suffix, ending) {
    return `pictures/${Math.floor(picture / 1000)}/${picture}${suffix}.${ending}`;
  }

  return {
    facts,
    columns,
    saved,
    units,
    pictureOf,
    subjectOf,
    clusterOf,
    recordCount: records.count,
    pictureCount: pictures.ids.length,
    pictureId: (picture) => pictures.ids[picture],
    pictureNumber: (id) => numberOfPicture.get(id) ?? -1,
    subjectNumber: (id) => numberOfSubject.get(id) ?? -1,
    pictureSplit: (picture) => pictures.split[picture],
    pictureSubject: (picture) => pictures.subject[picture],
    pictureSize: (picture) => pictures.size[picture],
    twin: (picture) => pictures.twin[picture] ?? "",
    problem: (picture) => pictures.problem[picture] ?? "",
    unitOfPicture: (picture) => units[unitOfPicture[picture]],
    unitsOfSubject: (subject) => unitsOfSubject[subject].map((number) => units[number]),
    value: (column, record) => columns[column].values[columns[column].codes[record]],
    subjectName: (subject) => {
      const row = facts.subjects[subject];
      return row ? row.name ?? row.subject_id : "";
    },
    /** Where the picture to look at lies; empty if it can't be shown. */
    large: (picture) => {
      const ending = pictures.endings[pictures.ending[picture]];
      return ending ? path(picture, "", ending) : "";
    },
    /** Where the picture for the grid lies. */
    small(picture) {
      return pictures.small[picture] ? path(picture, "-small", "jpg") : this.large(picture);
    },
    /** Details of a unit: facts of its picture, and its records with their numbers. */
    async details(unit) {
      const number = runOf(chunkStarts, unit.number);
      const chunk = await load(`chunk-${number}`);
      const start = unit.first - chunk.first;
      return {
        facts: chunk.pictures[unit.picture] ?? {},
        records: chunk.records.slice(start, start + unit.count).map((fields, k) => this.record(unit.first + k, fields)),
      };
    },
    /** A record: its details joined with its columns. */
    record(number, fields) {
      const shown = { number, picture: pictureOf[number], subject: subjectOf[number], ...fields };
      for (const name of ["config", "split", "attribute", "scope", "veracity", "rumor_channel", "suspect"]) {
        shown[name] = this.value(name, number);
      }
      const now = saved.get(fields.record_id);
      if (!now) return shown;
      const { picture, subject, config, corrected_by } = shown;
      const corrects = now.corrects && (fields.corrects?.id === now.corrects ? fields.corrects : { id: now.corrects });
      const none = { attribute: null, scope: null, suspect: null };
      return { number, picture, subject, config, corrected_by, ...none, ...now, corrects, saved: true };
    },
    /** One record by number. */
    async recordAt(number) {
      const chunk = await load(`chunk-${runOf(facts.chunks.map(([, first]) => first), number)}`);
      return this.record(number, chunk.records[number - chunk.first]);
    },
    /** One file of texts to search in. */
    texts: (volume) => load(`texts-${volume}`),
  };
};
