"""Records of benchmarks about persons, made from their questions one by one; every question is accounted for.

All that such a benchmark says of a person is a `shared` fact, for it is never about one picture alone (captions
are the exception). What no attribute fits is a `statement`. A question that is asked again in the same words
(generation, then multiple choice; with a picture, then with wrong answers) becomes one record if the answers agree.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from offside_data.adapters._base import Accumulator, Imported, Picture, ReadOptions, RemarkKind
from offside_data.adapters._people.downloads import DownloadedTable, find_tables, read_rows
from offside_data.adapters._pictures import Pixels, places_of
from offside_data.adapters._text import common_name
from offside_data.adapters._values import BlankError, Fields, UnusableError, folded_key
from offside_data.errors import SourceError
from offside_data.schema import SUBJECTLESS_SPLITS, ClaimValue, Modality, Record, SourceRecord, Split
from offside_data.tagging.suspects import add_suspect, reasons_of
from offside_data.tagging.values import answer_may_say, answer_states, parse_value
from offside_data.tagging.words import contains, folded_words

TAXONOMY = "people"
STATEMENT = "statement"
"""The attribute of whatever no other fits. A person has many statements, so they can't contradict each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuestion:
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


class PersonQuestions(Accumulator):
    """Collects the questions about persons.

    Attributes:
        forgotten: The persons to be forgotten, as far as they are known.
    """

    def __init__(self, dataset: str, options: ReadOptions) -> None:
        super().__init__(dataset, options)
        self.forgotten: set[str] = set()
        self._pixels: dict[str, Pixels] = {}
        self._homes: dict[tuple[str | None, ...], tuple[int, str]] = {}

    def tables(self, source: Path, config_of: Callable[[str], str | None], expected: str) -> list[DownloadedTable]:
        """The tables of a download; other data files in it are noted.

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

    @contextmanager
    def trying(self, file: str, index: int, place: str = "") -> Iterator[None]:
        """Reject a row, or what stands at a place of it, if it turns out to be unusable; a blank one is counted."""
        try:
            yield
        except UnusableError as problem:
            kind: RemarkKind = "empty" if isinstance(problem, BlankError) else "rejected"
            self.leave_out(kind, file, f"{place}: {problem}" if place else str(problem), index)

    def each_row(self, table: DownloadedTable, known: Collection[str], read: Callable[[int, Fields], None]) -> None:
        """Read the rows of a table one by one, of each the columns that are known; those that can't be are rejected."""
        for index, row in read_rows(table, known):
            with self.trying(table.name, index):
                if isinstance(row, UnusableError):
                    raise row
                read(index, Fields(row))

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
        if name is not None:
            self.names.setdefault(subject_id, name)

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
        folders = [*self.options.image_dirs, *bases]
        return self.picture(
            free,
            subject_id=subject_id,
            split=split,
            derived_from=derived_from,
            paths=() if pixels.path is None else places_of(pixels.path, folders, shorten="folders"),
            data=pixels.data,
        )

    # -----------------------------------------------------------------------------------------
    # Records

    def add(self, item: SourceQuestion) -> None:
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
                self.leave_out(kind, item.file, why, item.index, joined.record_id)
                return
        self._homes.setdefault(key, (len(self._imported.records), item.place))
        self.add_record(record)

    def _record(self, item: SourceQuestion) -> Record:
        modality: Modality = "text" if item.picture is None else "multimodal"
        about_nobody = item.split in SUBJECTLESS_SPLITS
        attribute = None if about_nobody else self.taxonomy[item.attribute]
        subject = None if about_nobody else item.subject_id
        picture = item.picture
        record = Record(
            record_id=self.record_id(item.subject_id, picture.key if picture else None, item.place, modality),
            subject_id=subject,
            image_id=picture.image_id if picture else None,
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
            derived_from=picture.derived_from if picture else None,
        )
        for why in item.odd:
            record = add_suspect(record, why.replace("; ", ", "))
        return self._flag_wrong_answers(_with_wrong_answers(record, item.perturbed_answers))

    def _value(self, item: SourceQuestion) -> ClaimValue | None:
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
        return value if value and answer_may_say(item.answer, value, attribute) else None

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
        """Everything that was read; persons without a name get that which most of their text questions hold."""
        asked: dict[str | None, list[tuple[str, SourceRecord | None]]] = defaultdict(list)
        fields = ("modality", "subject_id", "question", "source_record")
        for modality, subject, question, source in self._imported.records.columns(*fields):
            if modality == "text":
                asked[subject].append((question, source))
        for subject in sorted(self._splits):
            name = self.names.get(subject) or common_name([question for question, _ in asked[subject]])
            words = folded_words(name or "")
            if name:
                self.names[subject] = name
            for question, source in asked[subject]:
                if words and not contains(folded_words(question), words) and source:
                    self.note(source.file, "a text question doesn't name the person whom it is about")
        return super().close()


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
    for why in reasons_of(second.suspect):
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
