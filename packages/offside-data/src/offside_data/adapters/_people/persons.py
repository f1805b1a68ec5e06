"""Records of benchmarks about persons, made from their questions one by one; every question is accounted for.

All that such a benchmark says of a person is a `shared` fact, for it is never about one picture alone (captions
are the exception). What no attribute fits is a `statement`. A question that is asked again in the same words
(generation, then multiple choice; with a picture, then with wrong answers) becomes one record if the answers agree.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.adapters._base import Imported, Picture, ReadOptions, Remark, RemarkKind
from offside_data.adapters._people.snapshots import Pixels, Table, find_tables, places_of
from offside_data.adapters._text import common_name
from offside_data.adapters._values import UnusableError, folded_key
from offside_data.errors import SourceError
from offside_data.schema import (
    SUBJECTLESS_SPLITS,
    ClaimValue,
    Modality,
    Record,
    SourceRecord,
    Split,
    make_image_id,
    make_record_id,
)
from offside_data.tagging.suspects import add_suspect, reasons_of
from offside_data.tagging.values import answer_states, parse_value
from offside_data.tagging.words import contains, folded_words
from offside_data.taxonomy import Taxonomy

TAXONOMY = "people"
STATEMENT = "statement"
"""The attribute of whatever no other fits. A person has many statements, so they can't contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One usable question of a source.

    Args:
        file: The source file.
        index: The position of its row there.
        place: What the source calls it, and which of several it is, e.g. `Mask_Task[2]`; part of its id.
        subject_id: Whom it is about; part of its id, even where it isn't stored.
        split: Its split.
        picture: The picture that is shown with it; null makes it a text question.
        attribute: What it is about; counts for nothing in the splits that are about nobody.
        question: Clean, as the record has it.
        answer: Clean.
        asked: The question verbatim.
        told: The answer verbatim.
        value: The words of the answer that matter, if the source says which.
        question_paraphrases: Clean.
        answer_paraphrases: Clean.
        perturbed_answers: Clean.
        choices: Clean.
        correct: Which of them is right.
        cloze: The answer with its value blanked.
        odd: What a curator should know about it.
    """

    file: str
    index: int
    place: str
    subject_id: str
    split: Split
    picture: Picture | None
    attribute: str = STATEMENT
    question: str
    answer: str
    asked: str
    told: str
    value: str | None = None
    question_paraphrases: Sequence[str] = ()
    answer_paraphrases: Sequence[str] = ()
    perturbed_answers: Sequence[str] = ()
    choices: Sequence[str] = ()
    correct: int | None = None
    cloze: str | None = None
    odd: Sequence[str] = ()


class Ledger:
    """Collects what is read of a source; `close` gives it back, every row accounted for.

    Args:
        dataset: Part of every id: the same published question has the same id, whatever the dataset is called.
        options: What the user asked for.

    Attributes:
        forgotten: The persons to be forgotten, as far as they are known.
    """

    def __init__(self, dataset: str, options: ReadOptions) -> None:
        self.dataset = dataset
        self.options = options
        self.forgotten: set[str] = set()
        self._imported = Imported()
        self._notes: Counter[tuple[str, str]] = Counter()
        self._subjects: dict[str, dict[str, Any]] = {}
        self._pictures: dict[str, Picture] = {}
        self._pixels: dict[str, Pixels] = {}
        self._ids: Counter[tuple[str | None, ...]] = Counter()
        self._homes: dict[tuple[str | None, ...], tuple[int, str]] = {}

    @property
    def taxonomy(self) -> Taxonomy:
        """The attributes that records may have."""
        return self.options.taxonomy

    def tables(self, source: Path, config_of: Callable[[str], str | None], expected: str) -> list[Table]:
        """The tables of a snapshot; other data files in it are noted.

        Args:
            source: A file or folder.
            config_of: The config that a folder's name stands for, or null.
            expected: Which benchmark it should be, with names of its folders, for the message.

        Raises:
            SourceError: If there is none.
        """
        tables, others = find_tables(source, config_of)
        if not tables:
            raise SourceError(f"{source}: holds no Parquet file in a folder of {expected}.")
        for name in others:
            self.note(name, "not read: no Parquet file in a folder of this benchmark")
        return tables

    # -----------------------------------------------------------------------------------------
    # What isn't a record

    def reject(self, file: str, index: int, why: str) -> None:
        """Count a row that can't be used."""
        self._leave_out("rejected", file, index, why)

    @contextmanager
    def trying(self, file: str, index: int, place: str = "") -> Iterator[None]:
        """Reject a row, or what stands at a place of it, if it turns out to be unusable."""
        try:
            yield
        except UnusableError as problem:
            self.reject(file, index, f"{place}: {problem}" if place else str(problem))

    def note(self, file: str, why: str) -> None:
        """Say something about a file, once, however often it happens there; says how often."""
        self._notes[file, why] += 1

    @contextmanager
    def noting_silence(self, file: str) -> Iterator[None]:
        """Note a person about whom nothing is asked."""
        before = self._imported.rows
        yield
        if self._imported.rows == before:
            self.note(file, "a person has no question at all")

    def note_others(self, file: str, what: str, found: Iterable[str], known: Collection[str]) -> None:
        """Note columns or keys that have no field in the data model, once each."""
        expected = set(map(folded_key, known))
        for name in found:
            if folded_key(name) not in expected:
                self.note(file, f"{what} {name!r} has no field in the data model; it is not imported")

    def note_missing(self, file: str, found: Iterable[str], expected: Iterable[str]) -> None:
        """Note columns that aren't there."""
        there = set(map(folded_key, found))
        for name in expected:
            if folded_key(name) not in there:
                self.note(file, f"there is no column {name}")

    def _leave_out(self, kind: RemarkKind, file: str, index: int, why: str, record_id: str | None = None) -> None:
        self._imported.rows += 1
        self._imported.remarks.append(Remark(kind=kind, file=file, index=index, why=why, record_id=record_id))

    # -----------------------------------------------------------------------------------------
    # Subjects and pictures

    def add_subject(self, subject_id: str, split: Split, name: str | None = None) -> None:
        """Say that there is such a person; the first name that is told counts.

        Raises:
            UnusableError: If the person is to be kept, but was to be forgotten before.
        """
        if split == "forget":
            self.forgotten.add(subject_id)
        elif split == "retain" and subject_id in self.forgotten:
            raise UnusableError(f"person {subject_id} is to be kept here, but to be forgotten elsewhere")
        cohort = "holdout" if split == "holdout" else "member"
        row = {"subject_id": subject_id, "name": None, "cohort": cohort, "source": self.dataset}
        self._subjects.setdefault(subject_id, row)
        if name is not None and self._subjects[subject_id]["name"] is None:
            self._subjects[subject_id]["name"] = name

    def add_picture(
        self,
        key: str,
        pixels: Pixels,
        bases: Sequence[Path],
        *,
        subject_id: str | None,
        split: Split,
        derived_from: str | None = None,
    ) -> Picture:
        """A picture under its source key; another picture under the same key gets a number."""
        number, free = 1, key
        while self._pixels.setdefault(free, pixels) != pixels:
            number += 1
            free = f"{key}-{number}"
        if free not in self._pictures:
            self._pictures[free] = Picture(
                image_id=make_image_id(self.dataset, free),
                key=free,
                subject_id=subject_id,
                split=split,
                derived_from=derived_from,
                paths=() if pixels.path is None else places_of(pixels.path, bases, self.options.image_dirs),
                data=pixels.data,
            )
        return self._pictures[free]

    # -----------------------------------------------------------------------------------------
    # Records

    def add(self, item: Item) -> None:
        """Make a record of an item, or of its twin that is there already: then the item is `merged` or `duplicate`."""
        record = self._record(item)
        words = folded_words(record.question) or (record.question,)
        key = (record.subject_id, record.image_id, record.modality, *words)
        if key in self._homes:
            home, place = self._homes[key]
            joined = join(self._imported.records[home], record)
            if joined is not None:
                joined = self._flag_wrong_answers(joined)
                why = f"{item.place} asks the same as {place}"
                is_new = joined != self._imported.records[home]
                self._imported.records[home] = joined
                kind: RemarkKind = "merged" if is_new else "duplicate"
                self._leave_out(kind, item.file, item.index, why, joined.record_id)
                return
        self._homes.setdefault(key, (len(self._imported.records), item.place))
        self._imported.rows += 1
        self._imported.records.append(record)

    def _record(self, item: Item) -> Record:
        modality: Modality = "text" if item.picture is None else "multimodal"
        about_nobody = item.split in SUBJECTLESS_SPLITS
        attribute = None if about_nobody else self.taxonomy[item.attribute]
        subject = None if about_nobody else item.subject_id
        source = (item.subject_id, item.picture.key if item.picture else None, item.place, modality)
        number = self._ids[source]
        self._ids[source] += 1
        record = Record(
            record_id=make_record_id(self.dataset, *source, number),
            subject_id=subject,
            image_id=item.picture.image_id if item.picture else None,
            image=None,
            modality=modality,
            split=item.split,
            attribute=attribute.name if attribute else None,
            scope=attribute.scope if attribute else None,
            veracity="fact",
            question=item.question,
            answer=item.answer,
            source_record=SourceRecord(file=item.file, index=item.index, question=item.asked, answer=item.told),
            value=self._value(item),
            question_paraphrases=_others(item.question, item.question_paraphrases),
            answer_paraphrases=_others(item.answer, item.answer_paraphrases),
            choices=tuple(item.choices),
            correct_choice=item.correct,
            cloze=item.cloze,
            derived_from=item.picture.derived_from if item.picture else None,
        )
        for why in item.odd:
            record = add_suspect(record, why.replace("; ", ", "))
        return self._flag_wrong_answers(_with_wrong_answers(record, item.perturbed_answers))

    def _value(self, item: Item) -> ClaimValue | None:
        """The value, where the source says which words it is; `ingest` reads the others."""
        if item.split in SUBJECTLESS_SPLITS:
            text = item.value or item.answer
            return ClaimValue(kind="choice" if item.choices else "text", text=text.rstrip(".") or text)
        if item.value is None:
            return None
        attribute = self.taxonomy[item.attribute]
        if attribute.kind in ("text", "name"):
            value: ClaimValue | None = ClaimValue(kind=attribute.kind, text=item.value.rstrip("."))
        else:
            value = parse_value(item.value, attribute)
        return value if value and answer_states(item.answer, value, attribute) else None

    def _flag_wrong_answers(self, record: Record) -> Record:
        """Flag wrong answers that hold the right one: a metric can't tell them apart."""
        if record.value is None or record.attribute is None:
            return record
        attribute = self.taxonomy[record.attribute]
        wrong = [choice for place, choice in enumerate(record.choices) if place != record.correct_choice]
        for text in (*wrong, *record.perturbed_answers):
            if answer_states(text, record.value, attribute):
                why = f"{text!r} is marked wrong, but states the answer {record.value.text!r}"
                record = add_suspect(record, why.replace("; ", ", "))
        return record

    # -----------------------------------------------------------------------------------------

    def close(self) -> Imported:
        """Everything that was read."""
        imported = self._imported
        used = {record.image_id for record in imported.records}
        imported.pictures = [picture for picture in self._pictures.values() if picture.image_id in used]
        about = {record.subject_id for record in imported.records}
        imported.subjects = [row for subject, row in sorted(self._subjects.items()) if subject in about]
        self._name_subjects()
        for (file, why), count in self._notes.items():
            times = f" ({count} times)" if count > 1 else ""
            imported.remarks.append(Remark(kind="note", file=file, index=None, why=why + times))
        return imported

    def _name_subjects(self) -> None:
        """Give persons without a name that which most of their text questions hold; note questions without it."""
        asked: dict[str | None, list[Record]] = defaultdict(list)
        for record in self._imported.records:
            if record.modality == "text":
                asked[record.subject_id].append(record)
        for row in self._imported.subjects:
            records = asked[row["subject_id"]]
            row["name"] = row["name"] or common_name([record.question for record in records])
            words = folded_words(row["name"] or "")
            for record in records:
                if words and not contains(folded_words(record.question), words) and record.source_record:
                    self.note(record.source_record.file, "a text question doesn't name the person whom it is about")


def join(first: Record, second: Record) -> Record | None:
    """One record of two that ask the same question; null if their answers don't agree.

    They agree if one answer holds all words of the other: `Baker` and `She works as a baker.` The longer one
    becomes the answer, the shorter one its value.
    """
    words = [folded_words(record.answer) for record in (first, second)]
    if first.choices and second.choices and first.choices != second.choices:
        return None
    if words[0] != words[1] and (first.cloze or second.cloze):  # A cloze sentence is that of its own answer.
        return None
    if words[0] == words[1] or contains(words[0], words[1]):
        long, short = first, second
    elif contains(words[1], words[0]):
        long, short = second, first
    else:
        return None
    chosen = first if first.choices else second
    wordings = () if words[0] == words[1] or short.answer in chosen.choices else (short.answer,)
    joined = dataclasses.replace(
        first,
        answer=long.answer,
        value=short.value or long.value,
        choices=chosen.choices,
        correct_choice=chosen.correct_choice,
        cloze=first.cloze or second.cloze,
        question_paraphrases=_others(first.question, first.question_paraphrases + second.question_paraphrases),
        answer_paraphrases=_others(long.answer, first.answer_paraphrases + second.answer_paraphrases + wordings),
    )
    for why in reasons_of(second):
        joined = add_suspect(joined, why)
    return _with_wrong_answers(joined, first.perturbed_answers + second.perturbed_answers)


def _with_wrong_answers(record: Record, texts: Sequence[str]) -> Record:
    """The record with wrong answers, among which the right one can't be."""
    if any(text.casefold() == record.answer.casefold() for text in texts):
        record = add_suspect(record, "a wrong answer of the source equals the right one, left out")
    return dataclasses.replace(record, perturbed_answers=_others(record.answer, texts))


def _others(text: str, texts: Sequence[str]) -> tuple[str, ...]:
    """The different ones of `texts` that aren't `text`."""
    found: dict[str, str] = {}
    for other in texts:
        if other.casefold() != text.casefold():
            found.setdefault(other.casefold(), other)
    return tuple(found.values())
