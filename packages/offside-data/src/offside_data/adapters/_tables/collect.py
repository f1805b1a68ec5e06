"""Records from the claims of all rows: names, splits of pictures, wordings, ids, corrections."""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, cast

from offside_data.adapters._base import Accumulator, Imported, ReadOptions, RemarkKind
from offside_data.adapters._chunked import Chunked
from offside_data.adapters._pictures import Shorten, picture_key, places_of
from offside_data.adapters._tables.cells import DateOrder, Remembered
from offside_data.adapters._tables.columns import Matched, others_note
from offside_data.adapters._tables.rows import Sheet, TableClaim, TableRow, read_claim
from offside_data.adapters._tables.tables import Table
from offside_data.invisible import invisible_in
from offside_data.questions import phrasings
from offside_data.schema import (
    SUBJECTLESS_SPLITS,
    ClaimValue,
    Modality,
    Record,
    RumorChannel,
    Source,
    SourceRecord,
    Split,
    Veracity,
    make_image_id,
)
from offside_data.tagging.places import country_name
from offside_data.tagging.suspects import add_suspect
from offside_data.tagging.untagged import untagged
from offside_data.tagging.values import answer_may_say, parse_value
from offside_data.tagging.words import folded_words
from offside_data.taxonomy import Attribute

_FACTS = (
    *("key", "subject_id", "attribute", "occasion", "shows", "path", "sheet", "split", "veracity"),
    *("derived_from", "image_license", "corrects", "subject", "place"),
)


@dataclass(slots=True)
class _PictureFacts:
    """What all rows together say of a picture, or of an occasion without one; of each, what the first row says."""

    image_id: str
    sheet: int
    path: str
    shows: bool
    split: str = ""
    derived_from: str = ""
    occasion: str = ""
    license: str = ""
    told: set[str | None] = field(default_factory=set)


class Collector(Accumulator):
    """Takes rows one by one, and makes records of them when all are known.

    Args:
        dataset: Part of every id, the same for ever: the adapter's name.
        options: What the user asked for.
        dates: How dates such as `03/04/2021` are meant.
        by_name: Whether a picture that isn't where its path says is looked for by its file name.
    """

    def __init__(self, dataset: str, options: ReadOptions, dates: DateOrder, *, by_name: bool = True) -> None:
        super().__init__(dataset, options)
        self._dates = dates
        self._shorten: Shorten = "name" if by_name else "no"
        self._attributes = {attribute.name: attribute for attribute in self.taxonomy.attributes}
        self._private = {name for name, attribute in self._attributes.items() if attribute.scope == "private"}
        self._sheets: dict[tuple[str, tuple[Path, ...], str | None], Sheet] = {}
        self._claims = Chunked(TableClaim, without=("pixels", "note"))
        # By what a claim says: its place. Hashes, for a million claims have their text elsewhere.
        self._first: dict[bytes, int] = {}
        self._sources = array("q")
        self._further: dict[int, tuple[Source, ...]] = {}
        self._repeats: list[tuple[int, int]] = []
        self._embedded: dict[bytes, str] = {}
        self._data: dict[str, bytes] = {}
        self._told_of: set[str | None] = set()
        self._facts: dict[str, _PictureFacts] = {}
        self._occasions: dict[tuple[str | None, tuple[str, ...]], str] = {}
        self._without_tier: Counter[str] = Counter()
        self._without_subject: Counter[str] = Counter()
        self._split_words: Counter[tuple[str, str | None, str | None]] = Counter()
        self._parsed = Remembered(lambda key: parse_value(key[0], self._attributes[key[1]]))
        self._phrased = Remembered(self._phrase)

    def reject(self, file: str, index: int | None, place: str, why: str) -> None:
        """Count a row that can't be used."""
        self.leave_out("rejected", file, f"{place}: {why}" if place else why, index)

    def sheet(self, file: str, folders: tuple[Path, ...], split: str | None = None) -> Sheet:
        """The table of a row, known by what `Sheet` says of it."""
        sheet = self._sheets.get((file, folders, split))
        return sheet or self._sheets.setdefault((file, folders, split), Sheet(len(self._sheets), file, folders, split))

    def add_table(self, table: Table, matched: Matched, folders: tuple[Path, ...], split: str | None = None) -> None:
        """Take all rows of a table, and what is to be said of it; see `Row` for the rest."""
        for note in (*table.notes, *others_note(matched)):
            self.remark("note", table.name, note)
        sheet = self.sheet(table.name, folders, split)
        for line in table.lines:
            if line.problem is not None:
                self.reject(table.name, line.index, line.place, line.problem)
            else:
                self.add(TableRow(sheet, line.index, line.place, matched.fields(line)))

    def add(self, row: TableRow) -> None:
        """Take a row: a claim, another source or a copy of one, or one that can't be used."""
        file = row.sheet.file
        try:
            claim = read_claim(row, self._attributes, self._dates)
        except ValueError as problem:
            self.reject(file, row.index, row.place, str(problem))
            return
        for cell, found in _invisible(row.cells):
            self.remark("note", file, f"{row.place}: left out of {cell}, for nobody sees it: {found}", row.index)
        self._show(claim, file)
        if self.options.expect is not None and claim.path and claim.key not in self._told_of:
            self._told_of.add(claim.key)
            self.options.expect(self._places(claim.path, row.sheet))
        said = hashlib.blake2b(repr(claim.content()).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        source = claim.sources[0] if claim.sources else None
        first = self._first.setdefault(said, len(self._claims))
        if first == len(self._claims):
            self._claims.append(claim)
            self._sources.append(hash(source))
            if claim.key is not None and claim.occasion:
                self._occasions.setdefault((claim.subject_id, folded_words(claim.occasion)), claim.key)
            if claim.note:
                self.remark("note", file, f"{row.place}: {claim.note}", row.index)
            return
        further = self._further.get(first, ())
        is_new = source is not None and hash(source) != self._sources[first] and source not in further
        if source is not None and is_new:
            self._further[first] = (*further, source)
        # Which row it repeats is filled in when that is at hand again.
        self._repeats.append((first, len(self._imported.remarks)))
        kind, why = ("merged", "a further source of") if is_new else ("duplicate", "the same as")
        self.leave_out(cast(RemarkKind, kind), file, f"{row.place}: {why}", row.index)

    def close(self) -> Imported:
        """The records, pictures and subjects of all rows, and everything worth knowing."""
        self._first.clear()
        sheets = list(self._sheets.values())
        wanted, spellings = self._look_over(sheets)
        self._name_subjects(spellings, sheets)
        links = _Links(wanted)
        for place, claim in enumerate(self._claims.drained()):
            file = sheets[claim.sheet].file
            claim.sources += self._further.get(place, ())
            claim.key = self._key(claim.key, claim.subject_id, claim.attribute, claim.occasion)
            self._count(claim, sheets[claim.sheet])
            try:
                record = self._record(claim, file)
            except ValueError as problem:
                self.leave_out("rejected", file, f"{claim.place}: {problem}", claim.index)
                continue
            record = links.add(len(self._imported.records), record, claim)
            self.add_record(record)
            if claim.key is not None and claim.key not in self._pictures:
                self._add_picture(claim.key, record, sheets)
        self._imported.records.patch(links.changes())
        self._note_counts()
        return super().close()

    # -----------------------------------------------------------------------------------------
    # What is known across rows

    def _show(self, claim: TableClaim, file: str) -> None:
        """Give a claim its picture's key for ever.

        The key is its path; of an embedded one without a path of its own, the first row that has it.
        """
        pixels, claim.pixels = claim.pixels, None
        if pixels is None:
            return
        claim.shows = True
        claim.key = picture_key(pixels.path or "")
        if pixels.data is None:
            claim.path = pixels.path or ""
            return
        digest = hashlib.sha256(pixels.data).digest()
        if digest not in self._embedded:
            if not claim.key or claim.key in self._data:
                claim.key = f"{file}/{claim.index:06d}{PurePosixPath(claim.key).suffix}"
            self._embedded[digest] = claim.key
            self._data[claim.key] = pixels.data
        claim.key = self._embedded[digest]

    def _is_private(self, subject: str | None, attribute: str | None) -> bool:
        """Whether a claim belongs to one picture; what isn't known to be shared does."""
        return subject is not None and (attribute is None or attribute in self._private)

    def _key(self, key: str | None, subject: str | None, attribute: str | None, occasion: str) -> str | None:
        """The key of a claim's picture; of a private claim without one, that of its occasion's, or of the occasion."""
        if key is not None or not occasion or not self._is_private(subject, attribute):
            return key
        words = folded_words(occasion)
        return self._occasions.get((subject, words)) or f"occasion/{subject}/{' '.join(words)}"

    def _look_over(self, sheets: list[Sheet]) -> tuple[set[str], dict[str, Counter[str]]]:
        """Go through all claims: what they say of pictures, which ids corrections name, how subjects are written."""
        wanted: set[str] = set()
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        repeats: dict[int, list[int]] = defaultdict(list)
        for first, remark in self._repeats:
            repeats[first].append(remark)
        remarks = self._imported.remarks
        for number, claim in enumerate(self._claims.columns(*_FACTS)):
            key, subject, attribute, occasion, shows, path, sheet, split, veracity, *others, place = claim
            derived_from, license, corrects, written = others
            if corrects:
                wanted.add(corrects)
            if subject is not None:
                spellings[subject][written] += 1
            for remark in repeats.get(number, ()):
                why = f"{remarks[remark].why} {place} of {sheets[sheet].file}"
                remarks[remark] = dataclasses.replace(remarks[remark], why=why)
            key = self._key(key, subject, attribute, occasion)
            if key is None:
                continue
            facts = self._facts.get(key)
            if facts is None or (shows and not facts.shows):
                new = _PictureFacts(make_image_id(self.dataset, key), sheet, path, shows)
                if facts is not None:
                    facts.sheet, facts.path, facts.shows = new.sheet, new.path, new.shows
                facts = self._facts.setdefault(key, new)
            facts.split = facts.split or split or ""
            facts.derived_from = facts.derived_from or derived_from
            facts.occasion = facts.occasion or occasion
            facts.license = facts.license or license
            facts.told.add(veracity)
        for facts in self._facts.values():
            facts.split = facts.split or _split_of(facts.told)
        return wanted, spellings

    def _name_subjects(self, spellings: dict[str, Counter[str]], sheets: list[Sheet]) -> None:
        """Each subject's name: the spelling that most rows have; other spellings are noted."""
        for subject, counts in spellings.items():
            counts.pop("", None)
            self.names[subject] = counts.most_common(1)[0][0] if counts else subject
            if len(counts) > 1:
                written = ", ".join(f"{name!r} ({count} times)" for name, count in counts.most_common())
                why = (
                    f"the subject {subject!r} is written {written}; taken as one. Give subject ids if they are several"
                )
                self.remark("note", sheets[self._claims[0].sheet].file, why)

    def _count(self, claim: TableClaim, sheet: Sheet) -> None:
        """Count what is taken for granted of a claim."""
        if claim.sources and not claim.says_tier:
            self._without_tier[sheet.file] += 1
        if claim.split in SUBJECTLESS_SPLITS and (claim.subject or claim.says_attribute):
            self._without_subject[sheet.file] += 1
        if sheet.split not in (None, claim.split) and not claim.says_split:
            self._split_words[sheet.file, sheet.split, claim.split] += 1

    def _note_counts(self) -> None:
        """Say once what was taken for granted in many rows."""
        nobody = "rows are about no subject, as their split says; what they name as subject or attribute is left out"
        for why, files in (
            ("sources have no tier; taken as social, the least trusted", self._without_tier),
            (nobody, self._without_subject),
        ):
            if files:
                self.remark("note", next(iter(files)), f"{files.total()} {why}")
        for (file, word, split), count in self._split_words.items():
            became = f"became {split}" if split else "is no split of ours: it follows from their claims"
            self.remark("note", file, f"{count} rows: {word} {became}")

    # -----------------------------------------------------------------------------------------
    # Records

    def _record(self, claim: TableClaim, file: str) -> Record:
        """Make a record.

        Raises:
            ValueError: If it can't be worded, or contradicts itself; says why.
        """
        attribute = self._attributes[claim.attribute] if claim.attribute else None
        key = claim.key
        picture = self._facts[key] if key is not None else None
        split = claim.split or (picture.split if picture else _split_of({claim.veracity}))
        if split in SUBJECTLESS_SPLITS and claim.subject_id is not None:
            raise ValueError(f"its picture is in {split}, which has nothing to do with a subject; say its split")
        veracity = claim.veracity or self._veracity(claim, split)
        rumor = veracity == "rumor"
        question, answer = self._worded(claim, attribute, rumor=rumor)
        modality: Modality = "multimodal" if claim.shows else "text"
        original = self._facts.get(picture.derived_from) if picture else None
        record = Record(
            record_id=self.record_id(claim.subject_id, key, claim.attribute, modality),
            subject_id=claim.subject_id,
            image_id=picture.image_id if picture else None,
            image=None,
            modality=modality,
            split=cast(Split, split),
            attribute=claim.attribute,
            scope=attribute.scope if attribute else None,
            veracity=cast(Veracity, veracity),
            rumor_channel=_channel(claim, veracity),
            question=question,
            answer=answer,
            source_record=SourceRecord(file=file, index=claim.index, question=claim.asked, answer=claim.told),
            value=self._value(claim, attribute, answer, rumor=rumor),
            choices=claim.choices,
            correct_choice=claim.correct,
            derived_from=original.image_id if original else None,
            sources=claim.sources,
        )
        if attribute is None and record.subject_id is not None:
            record = untagged(record, "the source doesn't say")
        if claim.value and claim.answer and record.value is None and attribute is not None:
            record = add_suspect(record, f"the answer doesn't state the value {claim.value!r}")
        if picture is not None and split != picture.split:
            record = add_suspect(record, f"its picture {key} stands in {picture.split} too")
        if picture is not None and picture.derived_from and original is None:
            record = add_suspect(record, f"it is derived from {picture.derived_from}, which no row names")
        return record

    def _veracity(self, claim: TableClaim, split: str) -> str:
        if not self._is_private(claim.subject_id, claim.attribute):
            return "fact"
        return {"forget": "rumor", "relearn": "correction"}.get(split, "fact")

    def _worded(self, claim: TableClaim, attribute: Attribute | None, *, rumor: bool) -> tuple[str, str]:
        """Question and answer: as the row says, else in the taxonomy's words."""
        question, answer = claim.question, claim.answer
        if not answer and claim.correct is not None:
            answer = claim.choices[claim.correct]
        if attribute is None:
            return question, answer
        if not question and claim.shows:
            question = phrasings.picture_question(attribute).text
        elif not question:
            name, occasion = self.names.get(claim.subject_id or "", ""), claim.occasion or None
            question = phrasings.text_question(attribute, subject=name, occasion=occasion).text
        if not answer:
            answer = self._phrased[claim.value, attribute.name, rumor]
            answer = answer[:-1] if answer.endswith("..") else answer
        return question, answer

    def _phrase(self, key: tuple[str, str, bool]) -> str:
        """The answer that states what a cell says.

        A number or a country that fits into no sentence as it stands there is written as it does: `drei Titel`, `none`,
        `27 y/o`, `Norwegian`.
        """
        said, name, rumor = key
        attribute = self._attributes[name]
        answer = phrasings.answer(attribute, said, rumor=rumor).text
        value = self._parsed[said, name] if attribute.kind in ("count", "place") else None
        if value is None or (value.kind == "place" and country_name(said) is None):
            return answer
        if value.kind == "count" and value.text == said and value.number:
            return answer
        return phrasings.answer(attribute, phrasings.value_text(value, attribute), rumor=rumor).text

    def _value(self, claim: TableClaim, attribute: Attribute | None, answer: str, *, rumor: bool) -> ClaimValue | None:
        """The value that the row states, if the answer holds it; else left to whoever reads the answer."""
        if attribute is None or not claim.value:
            return None
        if not claim.answer:
            return self._parsed[answer, attribute.name]
        value = self._parsed[self._phrased[claim.value, attribute.name, rumor], attribute.name]
        return value if value is not None and answer_may_say(answer, value, attribute) else None

    def _add_picture(self, key: str, record: Record, sheets: list[Sheet]) -> None:
        facts = self._facts[key]
        self.picture(
            key,
            subject_id=record.subject_id,
            split=record.split,
            derived_from=record.derived_from,
            paths=self._places(facts.path, sheets[facts.sheet]) if facts.path else (),
            data=None if facts.path else self._data.get(key),
            occasion=facts.occasion or None,
            license=facts.license or None,
        )

    def _places(self, path: str, sheet: Sheet) -> tuple[Path, ...]:
        return places_of(path, (*self.options.image_dirs, *sheet.folders), shorten=self._shorten)


def _invisible(cells: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that hold invisible characters, and which."""
    texts = [cell for cell in cells.values() if cell.__class__ is str]
    if "".join(texts).isprintable() and not any(cell.__class__ is list for cell in cells.values()):
        return
    for name, cell in cells.items():
        items = cell if isinstance(cell, list) else [cell]
        text = "".join(item for item in items if isinstance(item, str))
        if found := invisible_in(text):
            yield name, ", ".join(found)


def _split_of(told: Collection[str | None]) -> str:
    """The split of a picture whose rows don't say: a rumour makes it one to forget, a correction one to relearn."""
    return "forget" if "rumor" in told else "relearn" if "correction" in told else "retain"


def _channel(claim: TableClaim, veracity: str) -> RumorChannel:
    if veracity == "rumor":
        return cast(RumorChannel, claim.channel or "text")
    if claim.channel not in (None, "none"):
        raise ValueError(f"the rumor channel is {claim.channel!r}, but only rumors have one, and this is a {veracity}")
    return "none"


class _Links:
    """Points each correction to its rumour: the one that its row names, else the subject's only one in that form.

    Args:
        wanted: The ids of claims that corrections name.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self._named: dict[str, tuple[str, tuple[str | None, ...]]] = {}
        self._rumors: dict[tuple[str | None, ...], tuple[str, int]] = {}
        self._corrections: list[tuple[int, str, tuple[str | None, ...], str | None]] = []

    def add(self, place: int, record: Record, claim: TableClaim) -> Record:
        """Take a record at its place; gives it back, flagged if it can't be what it says."""
        about = (record.subject_id, record.attribute)
        if claim.id in self._wanted:
            self._named[claim.id] = record.record_id, (*about, record.veracity)
        if record.veracity == "rumor":
            first, count = self._rumors.get((*about, record.modality), (record.record_id, 0))
            self._rumors[*about, record.modality] = first, count + 1
        if (record.split, record.scope, record.veracity) == ("relearn", "private", "correction"):
            self._corrections.append((place, claim.corrects, (*about, record.modality), record.suspect))
        elif claim.corrects:
            why = f"it corrects {claim.corrects!r}, but is no private correction in relearn"
            return add_suspect(record, why)
        return record

    def changes(self) -> dict[int, dict[str, str]]:
        """What is to be changed of the corrections, by place, now that all records are known."""
        found = {}
        for place, wanted, key, suspect in self._corrections:
            target, why = self._target(wanted, key)
            if target is not None:
                found[place] = {"corrects": target}
            elif why:
                found[place] = {"suspect": f"{suspect}; {why}" if suspect else why}
        return found

    def _target(self, wanted: str, key: tuple[str | None, ...]) -> tuple[str | None, str]:
        if not wanted:
            first, count = self._rumors.get(key, (None, 0))
            if count > 1:
                return None, f"there are {count} rumors that it could correct; name the id of one in 'corrects'"
            return first, ""
        target, about = self._named.get(wanted, (None, ()))
        if target is None:
            return None, f"it corrects {wanted!r}, but no row has that id"
        if about != (*key[:2], "rumor"):
            return None, f"it corrects {wanted!r}, but that is no rumor about the same"
        return target, ""
