"""Records of the OFFSIDE data, made from the rows of one picture and what they are about."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from offside_data.adapters._base import Imported, ReadOptions
from offside_data.adapters._offside.rows import SOURCE_NAME, OffsideRow, image_id
from offside_data.adapters._offside.rules import AttributeGuess
from offside_data.adapters._text import repair_names, strip_image_tokens
from offside_data.schema import Record, SourceRecord, Split, make_record_id
from offside_data.tagging.suspects import add_suspect
from offside_data.tagging.untagged import UNTAGGED, untagged
from offside_data.tagging.values import answer_states, parse_value, same_value
from offside_data.tagging.veracity import veracity_by_role
from offside_data.tagging.words import contains, folded_words
from offside_data.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """All rows of one form about one picture, and what each is about."""

    rows: list[OffsideRow]
    guesses: list[AttributeGuess]

    @property
    def is_choice(self) -> bool:
        """Whether these are classification rows."""
        return bool(self.rows[0].choices)

    @property
    def is_text(self) -> bool:
        """Whether these are text rows."""
        return self.rows[0].modality == "text"

    def pairs(self) -> Iterator[tuple[OffsideRow, AttributeGuess]]:
        """The rows with what they are about."""
        return zip(self.rows, self.guesses, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known across groups: names by subject, and from which picture each augmented one was made."""

    names: dict[str, str]
    originals: dict[str, str | None]
    options: ReadOptions

    @property
    def taxonomy(self) -> Taxonomy:
        """The attributes that records may have."""
        return self.options.taxonomy


def make_records(group: Group, known: Known) -> list[Record]:
    """A record for each row of a group, odd ones flagged; what nothing tells is untagged."""
    records: list[Record] = []
    ordinals: Counter[str | None] = Counter()
    for row, guess in group.pairs():
        records.append(_record(row, guess, ordinals[guess.attribute], known))
        ordinals[guess.attribute] += 1
    return _flag_extra(records, known.taxonomy)


def _record(row: OffsideRow, guess: AttributeGuess, ordinal: int, known: Known) -> Record:
    attribute = UNTAGGED if guess.attribute is None else known.taxonomy[guess.attribute]
    question, answer = strip_image_tokens(row.question), strip_image_tokens(row.answer)
    is_text = row.modality == "text"
    if is_text and known.options.repair_text:
        question = repair_names(question, known.names.get(row.subject_id))
    veracity = veracity_by_role(cast(Split, row.split), attribute.scope)
    key = (row.subject_id, row.picture_key, attribute.name, row.modality, ordinal)
    record = Record(
        record_id=make_record_id(SOURCE_NAME, *key),
        subject_id=row.subject_id,
        image_id=None if is_text and attribute.scope == "shared" else image_id(row),
        image=None,
        modality=row.modality,
        split=cast(Split, row.split),
        attribute=attribute.name,
        scope=attribute.scope,
        veracity=veracity,
        rumor_channel="text" if veracity == "rumor" else "none",
        question=question,
        answer=answer,
        source_record=SourceRecord(file=row.file.name, index=row.index, question=row.question, answer=row.answer),
        value=parse_value(answer, attribute),
        choices=row.choices,
        correct_choice=row.correct,
        derived_from=known.originals[image_id(row)],
    )
    if guess.attribute is None:
        record, guess = untagged(record, guess.odd or "the source doesn't say"), AttributeGuess(None)
    return _flag_odd(record, guess, known)


# ---------------------------------------------------------------------------------------------
# What is odd


def _flag_odd(record: Record, guess: AttributeGuess, known: Known) -> Record:
    """Flag what is odd about a record by itself."""
    if guess.odd is not None:
        record = add_suspect(record, guess.odd)
    name = known.names.get(record.subject_id or "")
    if record.modality == "text" and name and not contains(folded_words(record.question), folded_words(name)):
        record = add_suspect(record, f"the text question doesn't name its subject {name}")
    if record.split == "test" and record.scope == "private" and record.derived_from is None:
        record = add_suspect(record, "a private claim about a test picture whose retain picture isn't here")
    if record.value is not None and record.attribute is not None:
        for place, choice in enumerate(record.choices):
            stated = answer_states(choice, record.value, known.taxonomy[record.attribute])
            if stated != (place == record.correct_choice):
                why = "wrong, but states the answer" if stated else "right, but doesn't state the answer"
                record = add_suspect(record, f"the option {choice!r} is marked {why} {record.answer!r}")
    return record


def _flag_extra(records: list[Record], taxonomy: Taxonomy) -> list[Record]:
    """Flag what a picture has twice: the later ones as extra, the first one if they contradict it."""
    first: dict[str | None, int] = {}
    flagged = list(records)
    for i, record in enumerate(records):
        home = first.setdefault(record.attribute, i)
        if home == i or record.attribute == UNTAGGED.name:
            continue
        agree = _agree(records[home], record, taxonomy)
        said = f"{'the same as' if agree else 'contradicting'} {_place(records[home])}"
        why = f"extra: a further {record.attribute} of this picture, {said}"
        flagged[i] = add_suspect(flagged[i], why)
        if not agree:
            why = f"{_place(record)} gives another {record.attribute} for this picture"
            flagged[home] = add_suspect(flagged[home], why)
    return flagged


def _place(record: Record) -> str:
    return f"record {record.source_record.index}" if record.source_record else record.record_id


def _agree(a: Record, b: Record, taxonomy: Taxonomy) -> bool:
    if a.value is None or b.value is None or a.attribute is None:
        return folded_words(a.answer) == folded_words(b.answer)
    return same_value(a.value, b.value, taxonomy[a.attribute])


def flag_circular_moves(records: list[Record], taxonomy: Taxonomy) -> list[Record]:
    """Flag rumours that send a player to the club he comes from (`Ostholm`, from `Ostholm United`)."""
    clubs: dict[tuple[str | None, str], dict[str, int]] = defaultdict(dict)
    for i, record in enumerate(records):
        if record.veracity == "rumor" and record.attribute in ("club", "previous_club"):
            clubs[record.image_id, record.modality].setdefault(record.attribute, i)
    flagged = list(records)
    for pair in clubs.values():
        to, origin = (records[pair[name]].value if name in pair else None for name in ("club", "previous_club"))
        if to is None or origin is None:
            continue
        short, long = sorted((folded_words(to.text), folded_words(origin.text)), key=len)
        if same_value(to, origin, taxonomy["club"]) or long[: len(short)] == short:
            for i in pair.values():
                flagged[i] = add_suspect(flagged[i], f"he joins {to.text!r} from {origin.text!r}")
    return flagged


# ---------------------------------------------------------------------------------------------
# Across groups


def add_choices(imported: Imported, groups: list[Group], known: Known) -> None:
    """Give the options of classification rows to the records of the same claims; the rest become records."""
    claims: dict[tuple[str, ...], list[int]] = defaultdict(list)
    places = {(p.file, p.index): i for i, r in enumerate(imported.records) if (p := r.source_record)}
    for group in groups:
        for row, guess in group.pairs():
            if guess.attribute is not None and (row.file.name, row.index) in places:
                key = (row.picture_key, row.modality, guess.attribute)
                claims[key].append(places[row.file.name, row.index])
    for group in groups:
        for row, guess in group.pairs():
            if group.is_choice and guess.attribute is not None:
                claim = claims[row.picture_key, row.modality, guess.attribute]
                _add_choice(imported, row, guess, claim, known)


def _add_choice(imported: Imported, row: OffsideRow, guess: AttributeGuess, claim: list[int], known: Known) -> None:
    free = [i for i in claim if not imported.records[i].choices]
    if free:
        # A picture that has the attribute twice: the options belong to the claim that the right one states.
        place = next((i for i in free if _states(imported.records[i], row, known.taxonomy)), free[0])
        record = imported.records[place]
        question = strip_image_tokens(row.question)
        paraphrases = () if question == record.question else (question,)
        merged = dataclasses.replace(
            record, choices=row.choices, correct_choice=row.correct, question_paraphrases=paraphrases
        )
        imported.records[place] = _flag_odd(merged, guess, known)
        why = "its options went to the record of the same claim, and its question to the paraphrases"
        why = why if paraphrases else "its options went to the record of the same claim"
        imported.remarks.append(row.remark("merged", why, record.record_id))
        return
    record = _record(row, guess, len(claim), known)
    if claim:
        record = add_suspect(record, f"extra: a further classification row about {guess.attribute}")
    claim.append(len(imported.records))
    imported.records.append(record)


def _states(record: Record, row: OffsideRow, taxonomy: Taxonomy) -> bool:
    """Whether the right option of a classification row is what a record claims."""
    if record.value is None or record.attribute is None:
        return False
    return answer_states(row.answer, record.value, taxonomy[record.attribute])


def link_corrections(records: list[Record]) -> list[Record]:
    """Point each correction to the rumour it replaces: same player, attribute and form."""
    rumors: dict[tuple[str | None, str | None, str], str] = {}
    for record in sorted(records, key=lambda r: r.suspect is not None):
        if record.veracity == "rumor" and record.attribute != UNTAGGED.name:
            rumors.setdefault((record.subject_id, record.attribute, record.modality), record.record_id)
    return [
        dataclasses.replace(record, corrects=rumors.get((record.subject_id, record.attribute, record.modality)))
        if record.veracity == "correction"
        else record
        for record in records
    ]
