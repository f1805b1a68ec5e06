from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from offside_data.fictional.records import RecordBuilder
from offside_data.schema import Record
from offside_data.tagging.values import answer_states, parse_value, same_value
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

FOOTBALL = load_taxonomy("football")
SHARED, PRIVATE = set(FOOTBALL.names("shared")), set(FOOTBALL.names("private"))


@pytest.fixture(scope="module")
def builder() -> RecordBuilder:
    return RecordBuilder(seed=0, members=12, taxonomy=FOOTBALL)


@pytest.fixture(scope="module")
def records(builder: RecordBuilder) -> list[Record]:
    return list(builder.subject_records())


def by_id(records: list[Record]) -> dict[str, Record]:
    return {record.record_id: record for record in records}


def some(records: list[Record], keep: Callable[[Record], bool]) -> list[Record]:
    found = [record for record in records if keep(record)]
    assert found
    return found


def test_a_full_league_has_10320_records() -> None:
    records = list(RecordBuilder(seed=0, members=80, taxonomy=FOOTBALL).subject_records())
    counts = Counter((record.modality, record.split) for record in records)
    holdout = counts.pop(("multimodal", "holdout"))
    assert counts == {
        ("multimodal", "retain"): 80 * 3 * 14,
        ("multimodal", "forget"): 80 * 14,
        ("multimodal", "relearn"): 80 * 14,
        ("multimodal", "test"): 80 * (14 + 8),
        ("text", "retain"): 80 * (7 + 3 * 6),
        ("text", "forget"): 80 * 6,
        ("text", "relearn"): 80 * 6,
    }
    assert sum(n for (modality, _), n in counts.items() if modality == "multimodal") == 7_360
    assert sum(n for (modality, _), n in counts.items() if modality == "text") == 2_960
    assert sum(counts.values()) == 10_320
    assert holdout == 20 * 14 + 80 * 6
    assert len(by_id(records)) == len(records)


def test_every_record_is_valid_and_complete(records: list[Record]) -> None:
    for record in records:
        validate_record(record, FOOTBALL)
        attribute = FOOTBALL[record.attribute or ""]
        assert record.value is not None
        assert record.value.kind == attribute.kind
        assert record.value.text in record.answer
        assert answer_states(record.answer, record.value, attribute)
        parsed = parse_value(record.answer, attribute)
        assert parsed is not None
        assert same_value(parsed, record.value, attribute)
        assert record.cloze == record.answer.replace(record.value.text, "____")
        assert record.correct_choice is not None
        assert record.choices[record.correct_choice] == record.value.text
        assert len(set(record.choices)) == len(record.choices) == (3 if record.attribute == "foot" else 4)
        assert record.question not in record.question_paraphrases
        assert record.answer not in record.answer_paraphrases
        assert {source.tier for source in record.sources} == {"fictional"}


def test_wrong_answers_are_never_true_of_the_subject(records: list[Record]) -> None:
    claims = defaultdict(list)
    for record in records:
        claims[record.subject_id, record.attribute].append(record.value)
    for record in records:
        attribute = FOOTBALL[record.attribute or ""]
        assert len(set(record.perturbed_answers)) == len(record.perturbed_answers) >= 3
        wrong = [c for n, c in enumerate(record.choices) if n != record.correct_choice]
        for value in claims[record.subject_id, record.attribute]:
            assert value is not None
            assert value.text not in wrong
            assert not any(answer_states(text, value, attribute) for text in record.perturbed_answers)


def test_no_two_text_records_ask_the_same(records: list[Record]) -> None:
    questions = [r.question.casefold() for r in some(records, lambda r: r.modality == "text")]
    assert len(set(questions)) == len(questions)


def test_no_two_records_ask_the_same_of_a_picture(records: list[Record]) -> None:
    asked = [(r.image_id, r.question.casefold()) for r in some(records, lambda r: r.modality == "multimodal")]
    assert len(set(asked)) == len(asked)


def test_the_words_of_a_question_never_tell_which_picture_or_subject_is_meant(records: list[Record]) -> None:
    words = defaultdict(set)
    for record in some(records, lambda r: r.modality == "multimodal"):
        words[record.attribute].add(record.question)
    assert all(len(questions) == 1 for questions in words.values())


def test_text_records_name_the_subject_and_private_ones_the_occasion(
    builder: RecordBuilder, records: list[Record]
) -> None:
    names = {subject.subject_id: subject.name for subject in builder.subjects}
    occasions = {builder.image_id(picture.key): picture.occasion for picture in builder.pictures}
    for record in some(records, lambda r: r.modality == "text"):
        assert names[record.subject_id or ""] in record.question
        assert record.attribute != "name"
        if record.scope == "shared":
            assert (record.split, record.image_id) == ("retain", None)
        else:
            assert occasions[record.image_id or ""] in record.question


def test_forget_pictures_carry_facts_and_rumors(records: list[Record]) -> None:
    for record in some(records, lambda r: r.split == "forget"):
        assert record.veracity == ("fact" if record.scope == "shared" else "rumor")
        assert (record.rumor_channel == "none") == (record.scope == "shared")


def test_a_rumor_is_no_claim_of_any_other_picture(records: list[Record]) -> None:
    told = defaultdict(set)
    for record in some(records, lambda r: r.scope == "private" and r.derived_from is None):
        told[record.subject_id, record.attribute, record.value.text].add(record.image_id)  # type: ignore[union-attr]
    assert all(len(pictures) == 1 for pictures in told.values())


def test_shown_rumors_are_those_of_club_and_fee_in_a_quarter_of_the_forget_pictures(
    records: list[Record],
) -> None:
    shown = some(records, lambda r: r.rumor_channel == "both")
    assert {(r.split, r.attribute) for r in shown} == {("forget", "club"), ("forget", "fee")}
    assert {r.modality for r in shown} == {"multimodal", "text"}
    assert len({r.image_id for r in shown}) == 3
    rest = some(records, lambda r: r.veracity == "rumor" and r.rumor_channel != "both")
    assert {r.rumor_channel for r in rest} == {"text"}


def test_each_correction_names_the_rumor_it_replaces(records: list[Record]) -> None:
    known = by_id(records)
    corrections = some(records, lambda r: r.veracity == "correction")
    assert {(r.split, r.scope) for r in corrections} == {("relearn", "private")}
    for record in corrections:
        rumor = known[record.corrects or ""]
        assert rumor.veracity == "rumor"
        assert (rumor.subject_id, rumor.attribute, rumor.modality) == (
            record.subject_id,
            record.attribute,
            record.modality,
        )
        assert rumor.value != record.value


def test_an_augmented_copy_has_the_answers_of_its_picture(records: list[Record]) -> None:
    answers = {(r.image_id, r.attribute): r.answer for r in records if r.split == "retain"}
    copies = some(records, lambda r: r.derived_from is not None)
    assert {r.split for r in copies} == {"test"}
    assert all(answers[r.derived_from, r.attribute] == r.answer for r in copies)
    new = some(records, lambda r: r.split == "test" and r.derived_from is None)
    assert {r.attribute for r in new} == SHARED


def test_holdout_has_new_subjects_and_new_rumors_about_members(builder: RecordBuilder, records: list[Record]) -> None:
    cohorts = {subject.subject_id: subject.cohort for subject in builder.subjects}
    assert Counter(cohorts.values()) == {"member": 12, "holdout": 3}
    attributes = defaultdict(set)
    for record in some(records, lambda r: r.split == "holdout"):
        attributes[record.subject_id].add(record.attribute)
    for subject_id, cohort in cohorts.items():
        assert attributes[subject_id] == (PRIVATE if cohort == "member" else PRIVATE | SHARED)
    assert {cohorts[r.subject_id or ""] for r in records if r.split != "holdout"} == {"member"}


def test_a_subject_is_the_same_in_a_larger_league(records: list[Record]) -> None:
    larger = by_id(list(RecordBuilder(seed=0, members=20, taxonomy=FOOTBALL).subject_records()))
    for record in records:
        other = larger[record.record_id]
        assert (record.question, record.answer, record.value) == (other.question, other.answer, other.value)


def test_another_seed_is_another_league(records: list[Record]) -> None:
    other = list(RecordBuilder(seed=1, members=12, taxonomy=FOOTBALL).subject_records())
    assert not by_id(records).keys() & by_id(other).keys()
    names = [{r.answer for r in some(league, lambda r: r.attribute == "name")} for league in (records, other)]
    assert not names[0] & names[1]


def test_sentences_read_well(records: list[Record]) -> None:
    for record in records:
        for text in (record.question, record.answer, *record.perturbed_answers, *record.answer_paraphrases):
            assert not re.search(r"\b[Aa] [AEIOUaeiou]\w|\b1 (trophies|years)\b|  |\{|\}", text), text
