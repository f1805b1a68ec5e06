"use strict";
/* Which records, pictures and subjects fit the filters and the search, and how many would with another value. */

(() => {
  const { FACETS } = offsideView.state;

  /** A text as it is compared: without case and accents. */
  function folded(text) {
    // Most texts are plain; taking accents off takes ten times as long.
    // eslint-disable-next-line no-control-regex
    return /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  }

  offsideView.makeFilters = (data) => {
    const names = data.facts.subjects.map((row) => folded(`${row.name ?? ""} ${row.subject_id}`));
    const codeOfNone = (column) => data.columns[column].values.indexOf(null);
    let volumes = null;

    /** All texts, folded, loaded once; `progress(done, all)` is called as they come. */
    async function texts(progress) {
      volumes ??= (async () => {
        const found = [];
        for (let number = 0; number < data.facts.volumes; number += 1) {
          progress(number, data.facts.volumes);
          const volume = await data.texts(number);
          for (const key of ["questions", "answers", "ids"]) volume[key] = volume[key].map(folded);
          for (const key of Object.keys(volume.pictures)) volume.pictures[key] = folded(volume.pictures[key]);
          found.push(volume);
        }
        return found;
      })();
      volumes.catch(() => { volumes = null; });
      return volumes;
    }

    /** Which records and pictures hold all words; null if there are none to look for. */
    async function search(query, progress) {
      const words = folded(query).split(/\s+/).filter(Boolean);
      if (words.length === 0) return null;
      const records = new Uint8Array(data.recordCount);
      const pictures = new Uint8Array(data.pictureCount);
      for (const volume of await texts(progress)) {
        const inQuestions = words.map((word) => volume.questions.map((text) => text.includes(word)));
        const around = {};
        for (const [key, text] of Object.entries(volume.pictures)) {
          const picture = Number(key);
          const whole = `${text} ${names[data.pictureSubject(picture)] ?? ""}`;
          around[picture] = words.map((word) => whole.includes(word));
          pictures[picture] = around[picture].every(Boolean) ? 1 : 0;
        }
        volume.answers.forEach((answer, place) => {
          const record = volume.first + place;
          const nearby = around[data.pictureOf[record]];
          const fits = words.every((word, k) => inQuestions[k][volume.question[place]] || answer.includes(word)
            || (nearby ? nearby[k] : names[data.subjectOf[record]]?.includes(word)) || volume.ids[place].includes(word));
          records[record] = fits ? 1 : 0;
        });
      }
      return { records, pictures };
    }

    /** For each facet, which codes are let through; null where all are. */
    function allowedCodes(state) {
      return FACETS.map(({ key, column }) => {
        const wanted = state.filters[key];
        if (wanted.size === 0) return null;
        const any = wanted.has("any");  // Only "suspect" has it: whatever the reason.
        return data.columns[column].values.map((value) => (any && value !== null) || wanted.has(value ?? "none"));
      });
    }

    function pictureFits(state, picture) {
      const cluster = data.clusterOf[picture];
      if (state.filters.duplicates.size > 0 && cluster < 0) return false;
      return state.filters.cluster.size === 0 || state.filters.cluster.has(String(cluster + 1));
    }

    /** Count facets and mark records in one pass: a record that one facet alone keeps out counts for that facet. */
    function markRecords(state, hits) {
      const allowed = allowedCodes(state);
      const codes = FACETS.map(({ column }) => data.columns[column].codes);
      const counts = FACETS.map(({ column }) => new Int32Array(data.columns[column].values.length));
      const byPicture = state.filters.duplicates.size + state.filters.cluster.size > 0;
      const marked = new Uint8Array(data.recordCount);
      for (let record = 0; record < data.recordCount; record += 1) {
        if (hits && !hits.records[record]) continue;
        const picture = data.pictureOf[record];
        if (byPicture && (picture < 0 || !pictureFits(state, picture))) continue;
        let failing = -1;
        let failures = 0;
        for (let k = 0; k < allowed.length && failures < 2; k += 1) {
          if (allowed[k] && !allowed[k][codes[k][record]]) { failing = k; failures += 1; }
        }
        if (failures === 0) {
          marked[record] = 1;
          for (let k = 0; k < codes.length; k += 1) counts[k][codes[k][record]] += 1;
        } else if (failures === 1) {
          counts[failing][codes[failing][record]] += 1;
        }
      }
      return { marked, counts };
    }

    /** A picture without records (a twin) fits when nothing is asked of records but their split. */
    function bareFits(state, hits, picture) {
      const asked = FACETS.some(({ key }) => key !== "split" && state.filters[key].size > 0);
      const splits = state.filters.split;
      return !asked && (splits.size === 0 || splits.has(data.pictureSplit(picture))) && pictureFits(state, picture)
        && (!hits || hits.pictures[picture] === 1);
    }

    function ordered(pictures, state, marked) {
      if (state.order === "subject") return pictures;
      const splits = data.columns.split.values;
      const known = [...new Set(data.facts.parts.map((part) => part.split("/")[1]).filter((s) => splits.includes(s)))];
      const rumor = data.columns.veracity.values.indexOf("rumor");
      const quiet = codeOfNone("suspect");
      const weight = {
        split: (unit) => known.indexOf(data.pictureSplit(unit.picture)),
        rumors: (unit) => -count(unit, (record) => marked[record] && data.columns.veracity.codes[record] === rumor),
        suspect: (unit) => -count(unit, (record) => marked[record] && data.columns.suspect.codes[record] !== quiet),
      }[state.order];
      const weights = new Map(pictures.map((picture) => [picture, weight(data.unitOfPicture(picture))]));
      return [...pictures].sort((a, b) => weights.get(a) - weights.get(b) || a - b);
    }

    function count(unit, test) {
      let number = 0;
      for (let record = unit.first; record < unit.first + unit.count; record += 1) if (test(record)) number += 1;
      return number;
    }

    /** What fits: marked records, pictures and subjects in order, and counts of each facet's values. */
    async function apply(state, progress) {
      const hits = await search(state.query, progress);
      const { marked, counts } = markRecords(state, hits);
      const pictures = [];
      const subjects = new Set();
      let records = 0;
      for (const unit of data.units) {
        const fitting = count(unit, (record) => marked[record]);
        records += fitting;
        const shown = unit.count > 0 ? fitting > 0 : bareFits(state, hits, unit.picture);
        if (!shown) continue;
        if (unit.picture >= 0) pictures.push(unit.picture);
        if (unit.subject >= 0) subjects.add(unit.subject);
      }
      const compare = new Intl.Collator().compare;
      return {
        marked,
        counts: Object.fromEntries(FACETS.map(({ key }, k) => [key, counts[k]])),
        records,
        pictures: ordered(pictures, state, marked),
        subjects: [...subjects].sort((a, b) => compare(data.subjectName(a), data.subjectName(b))),
        filtered: offsideView.state.isFiltered(state),
      };
    }

    return { apply, count };
  };
})();
