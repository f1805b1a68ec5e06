from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from offside_data.fictional.records import RecordBuilder
from offside_data.fictional.world import WORLDS, World, load_world
from offside_data.schema import Record
from offside_data.tagging.values import answer_states
from offside_data.validation import validate_record

MEMBERS = 12


@pytest.fixture(scope="module")
def builder(world: World) -> RecordBuilder:
    return RecordBuilder(seed=0, members=MEMBERS, world=world)


@pytest.fixture(scope="module")
def records(builder: RecordBuilder) -> list[Record]:
    return list(builder.subject_records())


def by_id(records: list[Record]) -> dict[str, Record]:
    return {record.record_id: record for record in records}


def some(records: list[Record], keep: Callable[[Record], bool]) -> list[Record]:
    found = [record for record in records if keep(record)]
    assert found
    return found


def test_every_member_has_as_many_records(records: list[Record], world: World) -> None:
    shared, private = len(world.taxonomy.names("shared")), len(world.taxonomy.names("private"))
    counts = Counter((record.modality, record.split) for record in records)
    holdout = counts.pop(("multimodal", "holdout"))
    assert counts == {
        ("multimodal", "retain"): MEMBERS * 3 * (shared + private),
        ("multimodal", "forget"): MEMBERS * (shared + private),
        ("multimodal", "relearn"): MEMBERS * (shared + private),
        ("multimodal", "test"): MEMBERS * (shared + private + shared),
        ("text", "retain"): MEMBERS * (shared - 1 + 3 * private),
        ("text", "forget"): MEMBERS * private,
        ("text", "relearn"): MEMBERS * private,
    }
    assert holdout == MEMBERS // 4 * (shared + private) + MEMBERS * private
    assert len(by_id(records)) == len(records)


def test_a_full_football_league_has_10320_records(football: World) -> None:
    builder = RecordBuilder(seed=0, members=4, world=football)
    counts = Counter(r.modality for r in builder.subject_records() if r.split != "holdout")
    assert {modality: 20 * n for modality, n in counts.items()} == {"multimodal": 7_360, "text": 2_960}


def test_every_record_is_valid_and_complete(records: list[Record], world: World) -> None:
    for record in records:
        validate_record(record, world.taxonomy)
        attribute = world.taxonomy[record.attribute or ""]
        assert record.value is not None
        assert record.value.kind == attribute.kind
        assert record.value.text in record.answer
        assert record.cloze == record.answer.replace(record.value.text, "____")
        assert record.correct_choice is not None
        assert record.choices[record.correct_choice] == record.value.text
        assert len(set(record.choices)) == len(record.choices) == min(4, len(attribute.options) or 4)
        assert record.question not in record.question_paraphrases
        assert record.answer not in record.answer_paraphrases
        assert {source.tier for source in record.sources} == {"fictional"}


def test_wrong_answers_are_never_true_of_the_subject(records: list[Record], world: World) -> None:
    claims = defaultdict(set)
    stated = defaultdict(set)
    for record in records:
        claims[record.subject_id, record.attribute].add(record.value)
        assert len(set(record.perturbed_answers)) == len(record.perturbed_answers) >= 3
        wrong = {c for n, c in enumerate(record.choices) if n != record.correct_choice}
        stated[record.subject_id, record.attribute] |= wrong | set(record.perturbed_answers)
    for key, texts in stated.items():
        attribute = world.taxonomy[key[1] or ""]
        for value in claims[key]:
            assert value is not None
            assert not any(answer_states(text, value, attribute) for text in texts)


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


def test_shown_rumors_stand_in_half_of_the_forget_pictures(records: list[Record], world: World) -> None:
    shown = some(records, lambda r: r.rumor_channel == "both")
    assert {(r.split, r.attribute) for r in shown} == {("forget", name) for name in world.shown}
    assert {r.modality for r in shown} == {"multimodal", "text"}
    assert len({r.image_id for r in shown}) == MEMBERS // 2
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


def test_an_augmented_copy_has_the_answers_of_its_picture(records: list[Record], world: World) -> None:
    answers = {(r.image_id, r.attribute): r.answer for r in records if r.split == "retain"}
    copies = some(records, lambda r: r.derived_from is not None)
    assert {r.split for r in copies} == {"test"}
    assert all(answers[r.derived_from, r.attribute] == r.answer for r in copies)
    new = some(records, lambda r: r.split == "test" and r.derived_from is None)
    assert {r.attribute for r in new} == set(world.taxonomy.names("shared"))


def test_holdout_has_new_subjects_and_new_rumors_about_members(
    builder: RecordBuilder, records: list[Record], world: World
) -> None:
    cohorts = {subject.subject_id: subject.cohort for subject in builder.subjects}
    assert Counter(cohorts.values()) == {"member": MEMBERS, "holdout": MEMBERS // 4}
    attributes = defaultdict(set)
    for record in some(records, lambda r: r.split == "holdout"):
        attributes[record.subject_id].add(record.attribute)
    private, everything = set(world.taxonomy.names("private")), set(world.taxonomy.names())
    for subject_id, cohort in cohorts.items():
        assert attributes[subject_id] == (private if cohort == "member" else everything)
    assert {cohorts[r.subject_id or ""] for r in records if r.split != "holdout"} == {"member"}


def test_a_subject_is_the_same_in_a_larger_league(builder: RecordBuilder, world: World) -> None:
    larger = RecordBuilder(seed=0, members=MEMBERS + 8, world=world)
    assert larger.subjects[: len(builder.subjects)] == builder.subjects
    assert larger.pictures[: len(builder.pictures)] == builder.pictures


def test_another_seed_or_another_world_is_another_league(builder: RecordBuilder, world: World) -> None:
    others = [RecordBuilder(seed=1, members=MEMBERS, world=world)]
    others += [RecordBuilder(seed=0, members=MEMBERS, world=load_world(n)) for n in WORLDS.names()]
    for other in others:
        if other.world.name != world.name or other.seed != builder.seed:
            for part in ("name", "look"):
                taken = {getattr(subject, part) for subject in builder.subjects}
                assert not taken & {getattr(subject, part) for subject in other.subjects}
            keys = [builder.image_id(picture.key) for picture in builder.pictures]
            assert not set(keys) & {other.image_id(picture.key) for picture in other.pictures}
