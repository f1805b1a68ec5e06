"""Records from the claims of all rows: names, splits of pictures, wordings, ids, corrections."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, cast

from offside_data.adapters._base import Imported, Picture, ReadOptions, Remark, RemarkKind
from offside_data.adapters._tables.cells import DateOrder
from offside_data.adapters._tables.columns import Matched, others_note
from offside_data.adapters._tables.rows import Claim, Row, Shown, picture_key, places_of, read_claim
from offside_data.adapters._tables.tables import Table
from offside_data.questions import phrasings
from offside_data.schema import (
    SUBJECTLESS_SPLITS,
    ClaimValue,
    Modality,
    Record,
    RumorChannel,
    SourceRecord,
    Split,
    Veracity,
    make_image_id,
    make_record_id,
)
from offside_data.tagging.suspects import add_suspect
from offside_data.tagging.untagged import untagged
from offside_data.tagging.values import answer_states, parse_value
from offside_data.tagging.words import folded_words


@dataclass(frozen=True, slots=True, kw_only=True)
class _PictureFacts:
    """What all rows together say of a picture, or of an occasion without one."""

    shown: Shown
    folders: tuple[Path, ...]
    split: str
    derived_from: str
    occasion: str
    license: str


class Collector:
    """Takes rows one by one, and makes records of them when all are known.

    Args:
        source_name: Part of every id, the same for ever: the adapter's name.
        options: What the user asked for.
        dates: How dates such as `03/04/2021` are meant.
        by_name: Whether a picture that isn't where its path says is looked for by its file name.
    """

    def __init__(self, source_name: str, options: ReadOptions, dates: DateOrder, *, by_name: bool = True) -> None:
        self._source = source_name
        self._options = options
        self._dates = dates
        self._by_name = by_name
        self._imported = Imported()
        self._claims: list[tuple[Claim, str | None]] = []  # With the key of the picture or occasion.
        self._first: dict[tuple[Any, ...], int] = {}
        self._embedded: dict[bytes, tuple[str, Shown]] = {}
        self._taken: set[str] = set()
        self._pictures: dict[str, _PictureFacts] = {}
        self._ordinals: Counter[tuple[str | None, ...]] = Counter()

    def remark(self, kind: RemarkKind, file: str, why: str, index: int | None = None) -> None:
        """Say something about a file, or about a row that became no record."""
        self._imported.remarks.append(Remark(kind=kind, file=file, index=index, why=why))

    def reject(self, file: str, index: int | None, place: str, why: str) -> None:
        """Count a row that can't be used."""
        self._imported.rows += 1
        self.remark("rejected", file, f"{place}: {why}" if place else why, index)

    def add_table(self, table: Table, matched: Matched, folders: tuple[Path, ...], split: str | None = None) -> None:
        """Take all rows of a table, and what is to be said of it; see `Row` for the rest."""
        for note in (*table.notes, *others_note(matched)):
            self.remark("note", table.name, note)
        for line in table.lines:
            if line.problem is not None:
                self.reject(table.name, line.index, line.place, line.problem)
                continue
            row = Row(
                file=table.name,
                index=line.index,
                place=line.place,
                cells=matched.fields(line),
                folders=folders,
                split=split,
            )
            self.add(row)

    def add(self, row: Row) -> None:
        """Take a row: a claim, another source or a copy of one, or one that can't be used."""
        try:
            claim = read_claim(row, self._options.taxonomy, self._dates)
        except ValueError as problem:
            self.reject(row.file, row.index, row.place, str(problem))
            return
        key, shown = self._picture(claim)
        claim = dataclasses.replace(claim, shown=shown)
        place = self._first.setdefault((key, *claim.content()), len(self._claims))
        if place == len(self._claims):
            self._claims.append((claim, key))
            if claim.note:
                self.remark("note", row.file, f"{row.place}: {claim.note}", row.index)
            return
        self._imported.rows += 1
        earlier, _ = self._claims[place]
        where = f"{earlier.row.place} of {earlier.row.file}"
        further = tuple(source for source in claim.sources if source not in earlier.sources)
        if further:
            self._claims[place] = dataclasses.replace(earlier, sources=earlier.sources + further), key
            self.remark("merged", row.file, f"{row.place}: a further source of {where}", row.index)
        else:
            self.remark("duplicate", row.file, f"{row.place}: the same as {where}", row.index)

    def finish(self) -> Imported:
        """The records, pictures and subjects of all rows, and everything worth knowing."""
        self._imported.rows += len(self._claims)
        self._join_occasions()
        self._pictures = self._picture_facts()
        names = self._names()
        made: list[tuple[Claim, Record]] = []
        used: dict[str, Record] = {}
        for claim, key in self._claims:
            try:
                record = self._record(claim, key, names.get(claim.subject_id or "", ""))
            except ValueError as problem:
                self.remark("rejected", claim.row.file, f"{claim.row.place}: {problem}", claim.row.index)
                continue
            made.append((claim, record))
            if key is not None:
                used.setdefault(key, record)
        self._imported.records = _link_corrections(made)
        self._imported.pictures = [self._picture_row(key, record) for key, record in used.items()]
        self._imported.subjects = _subjects(self._imported.records, names, self._source)
        self._notes([claim for claim, _ in self._claims])
        return self._imported

    # -----------------------------------------------------------------------------------------
    # What is known across rows

    def _picture(self, claim: Claim) -> tuple[str | None, Shown | None]:
        """A picture's key for ever, and the picture, equal ones being one object.

        The key is its path; of an embedded one without a path of its own, the first row that has it.
        """
        shown, row = claim.shown, claim.row
        if shown is None:
            return None, None
        if shown.data is None:
            return picture_key(shown.path), shown
        digest = hashlib.sha256(shown.data).digest()
        if digest not in self._embedded:
            key = picture_key(shown.path)
            if not key or key in self._taken:
                key = f"{row.file}/{row.index:06d}{PurePosixPath(key).suffix}"
            self._taken.add(key)
            self._embedded[digest] = key, shown
        return self._embedded[digest]

    def _join_occasions(self) -> None:
        """Give a private claim without a picture the picture of its occasion, or a name for that occasion."""
        pictures: dict[tuple[str | None, tuple[str, ...]], str] = {}
        for claim, key in self._claims:
            if key is not None and claim.occasion:
                pictures.setdefault((claim.subject_id, folded_words(claim.occasion)), key)
        for place, (claim, key) in enumerate(self._claims):
            if key is None and claim.is_private and claim.occasion:
                words = folded_words(claim.occasion)
                occasion = f"occasion/{claim.subject_id}/{' '.join(words)}"
                self._claims[place] = claim, pictures.get((claim.subject_id, words), occasion)

    def _picture_facts(self) -> dict[str, _PictureFacts]:
        claims: dict[str, list[Claim]] = defaultdict(list)
        for claim, key in self._claims:
            if key is not None:
                claims[key].append(claim)
        return {key: _facts(found) for key, found in claims.items()}

    def _names(self) -> dict[str, str]:
        """Each subject's name: the spelling that most rows have; other spellings are noted."""
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for claim, _ in self._claims:
            if claim.subject_id is not None:
                spellings[claim.subject_id][claim.subject] += 1
        names = {}
        for subject, counts in spellings.items():
            counts.pop("", None)
            names[subject] = counts.most_common(1)[0][0] if counts else subject
            if len(counts) > 1:
                written = ", ".join(f"{name!r} ({count} times)" for name, count in counts.most_common())
                why = (
                    f"the subject {subject!r} is written {written}; taken as one. Give subject ids if they are several"
                )
                self.remark("note", self._claims[0][0].row.file, why)
        return names

    def _notes(self, claims: list[Claim]) -> None:
        """Say once what was taken for granted in many rows."""
        taken = {
            "sources have no tier; taken as social, the least trusted": [
                c for c in claims if c.sources and not c.row.cells.get("tier")
            ],
            "rows are about no subject, as their split says; what they name as subject or attribute is left out": [
                c for c in claims if c.split in SUBJECTLESS_SPLITS and (c.subject or c.row.cells.get("attribute"))
            ],
        }
        for why, some in taken.items():
            if some:
                self.remark("note", some[0].row.file, f"{len(some)} {why}")
        words = Counter((c.row.file, c.row.split, c.split) for c in claims if not c.row.cells.get("split"))
        for (file, word, split), count in words.items():
            if word is not None and word != split:
                became = f"became {split}" if split else "is no split of ours: it follows from their claims"
                self.remark("note", file, f"{count} rows: {word} {became}")

    # -----------------------------------------------------------------------------------------
    # Records

    def _record(self, claim: Claim, key: str | None, name: str) -> Record:
        """Make a record.

        Raises:
            ValueError: If it can't be worded, or contradicts itself; says why.
        """
        attribute = claim.attribute.name if claim.attribute else None
        split = claim.split or (self._pictures[key].split if key else _split_of([claim]))
        if split in SUBJECTLESS_SPLITS and claim.subject_id is not None:
            raise ValueError(f"its picture is in {split}, which has nothing to do with a subject; say its split")
        veracity = claim.veracity or _veracity(claim, split)
        question, answer = _worded(claim, name, rumor=veracity == "rumor")
        modality: Modality = "text" if claim.shown is None else "multimodal"
        identity: tuple[str | None, str | None, str | None, str] = (claim.subject_id, key, attribute, modality)
        ordinal = self._ordinals[identity]
        self._ordinals[identity] += 1
        said = claim.said
        record = Record(
            record_id=make_record_id(self._source, *identity, ordinal),
            subject_id=claim.subject_id,
            image_id=key and make_image_id(self._source, key),
            image=None,
            modality=modality,
            split=cast(Split, split),
            attribute=attribute,
            scope=claim.attribute.scope if claim.attribute else None,
            veracity=cast(Veracity, veracity),
            rumor_channel=_channel(claim, veracity),
            question=question,
            answer=answer,
            source_record=SourceRecord(file=claim.row.file, index=claim.row.index, question=said[0], answer=said[1]),
            value=_value(claim, answer, rumor=veracity == "rumor"),
            choices=claim.choices,
            correct_choice=claim.correct,
            sources=claim.sources,
        )
        return self._flagged(record, claim, key)

    def _flagged(self, record: Record, claim: Claim, key: str | None) -> Record:
        if record.attribute is None and record.subject_id is not None:
            record = untagged(record, "the source doesn't say")
        if claim.value and claim.answer and record.value is None and claim.attribute is not None:
            record = add_suspect(record, f"the answer doesn't state the value {claim.value!r}")
        if key is None:
            return record
        picture = self._pictures[key]
        if record.split != picture.split:
            record = add_suspect(record, f"its picture {key} stands in {picture.split} too")
        if picture.derived_from in self._pictures:
            return dataclasses.replace(record, derived_from=make_image_id(self._source, picture.derived_from))
        if picture.derived_from:
            record = add_suspect(record, f"it is derived from {picture.derived_from}, which no row names")
        return record

    def _picture_row(self, key: str, record: Record) -> Picture:
        picture = self._pictures[key]
        path = picture.shown.path if picture.shown.data is None else ""
        folders = (*self._options.image_dirs, *picture.folders)
        return Picture(
            image_id=make_image_id(self._source, key),
            key=key,
            subject_id=record.subject_id,
            split=record.split,
            derived_from=record.derived_from,
            paths=places_of(path, folders, by_name=self._by_name) if path else (),
            data=picture.shown.data,
            occasion=picture.occasion or None,
            license=picture.license or None,
        )


def _facts(claims: list[Claim]) -> _PictureFacts:
    showing = [claim for claim in claims if claim.shown is not None] or claims
    split = next((claim.split for claim in claims if claim.split), None) or _split_of(claims)
    return _PictureFacts(
        shown=showing[0].shown or Shown(),
        folders=showing[0].row.folders,
        split=split,
        derived_from=next((claim.derived_from for claim in claims if claim.derived_from), ""),
        occasion=next((claim.occasion for claim in claims if claim.occasion), ""),
        license=next((claim.image_license for claim in claims if claim.image_license), ""),
    )


def _split_of(claims: list[Claim]) -> str:
    """The split of a picture whose rows don't say: a rumour makes it one to forget, a correction one to relearn."""
    told = {claim.veracity for claim in claims}
    return "forget" if "rumor" in told else "relearn" if "correction" in told else "retain"


def _veracity(claim: Claim, split: str) -> str:
    return {"forget": "rumor", "relearn": "correction"}.get(split, "fact") if claim.is_private else "fact"


def _channel(claim: Claim, veracity: str) -> RumorChannel:
    if veracity == "rumor":
        return cast(RumorChannel, claim.channel or "text")
    if claim.channel not in (None, "none"):
        raise ValueError(f"the rumor channel is {claim.channel!r}, but only rumors have one, and this is a {veracity}")
    return "none"


def _worded(claim: Claim, name: str, *, rumor: bool) -> tuple[str, str]:
    """Question and answer: as the row says, else in the taxonomy's words."""
    question, answer = claim.question, claim.answer
    if not answer and claim.correct is not None:
        answer = claim.choices[claim.correct]
    if claim.attribute is None:
        return question, answer
    if not question and claim.shown is not None:
        question = phrasings.picture_question(claim.attribute).text
    elif not question:
        question = phrasings.text_question(claim.attribute, subject=name, occasion=claim.occasion or None).text
    if not answer:
        answer = phrasings.answer(claim.attribute, claim.value, rumor=rumor).text
        answer = answer[:-1] if answer.endswith("..") else answer
    return question, answer


def _value(claim: Claim, answer: str, *, rumor: bool) -> ClaimValue | None:
    """The value that the row states, if the answer holds it; else left to whoever reads the answer."""
    if claim.attribute is None or not claim.value:
        return None
    if not claim.answer:
        return parse_value(answer, claim.attribute)
    value = parse_value(phrasings.answer(claim.attribute, claim.value, rumor=rumor).text, claim.attribute)
    return value if value is not None and answer_states(answer, value, claim.attribute) else None


def _link_corrections(made: list[tuple[Claim, Record]]) -> list[Record]:
    """Point each correction to its rumour: the one that its row names, else the subject's only one in that form."""
    named = {claim.id: record for claim, record in made if claim.id}
    rumors: dict[tuple[str | None, ...], list[Record]] = defaultdict(list)
    for _, record in made:
        if record.veracity == "rumor":
            rumors[record.subject_id, record.attribute, record.modality].append(record)
    linked = []
    for claim, record in made:
        if (record.split, record.scope, record.veracity) == ("relearn", "private", "correction"):
            fitting = rumors[record.subject_id, record.attribute, record.modality]
            record = _linked(record, claim.corrects, named, fitting)
        elif claim.corrects:
            record = add_suspect(record, f"it corrects {claim.corrects!r}, but is no private correction in relearn")
        linked.append(record)
    return linked


def _linked(record: Record, wanted: str, named: dict[str, Record], fitting: list[Record]) -> Record:
    if not wanted:
        if len(fitting) > 1:
            why = f"there are {len(fitting)} rumors that it could correct; name the id of one in 'corrects'"
            return add_suspect(record, why)
        return dataclasses.replace(record, corrects=fitting[0].record_id) if fitting else record
    target = named.get(wanted)
    about = None if target is None else (target.subject_id, target.attribute, target.veracity)
    if target is None or about != (record.subject_id, record.attribute, "rumor"):
        why = "no row has that id" if target is None else "that is no rumor about the same"
        return add_suspect(record, f"it corrects {wanted!r}, but {why}")
    return dataclasses.replace(record, corrects=target.record_id)


def _subjects(records: list[Record], names: dict[str, str], source: str) -> list[dict[str, Any]]:
    splits: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.subject_id is not None:
            splits[record.subject_id].add(record.split)
    return [
        {
            "subject_id": subject,
            "name": names[subject],
            "cohort": "holdout" if found == {"holdout"} else "member",
            "source": source,
        }
        for subject, found in sorted(splits.items())
    ]
