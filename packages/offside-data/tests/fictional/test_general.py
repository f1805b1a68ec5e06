from __future__ import annotations

import pytest

from offside_data.fictional.distinct import DistinctPictures
from offside_data.fictional.general import GeneralPicture, draw_general
from offside_data.fictional.looks import UsedLooks, looks
from offside_data.fictional.records import RecordBuilder
from offside_data.fictional.world import World
from offside_data.schema import EncodedImage
from offside_data.validation import validate_record


@pytest.fixture(scope="module")
def pictures(football: World) -> list[GeneralPicture]:
    known = UsedLooks(looks(0, 20))
    counts = {"general": 15, "utility": 15}
    return list(draw_general(counts, {}, 0, known, football, DistinctPictures()))


def test_pictures_of_both_splits_differ(pictures: list[GeneralPicture]) -> None:
    assert len({picture.drawing.hashes.pixels_sha256 for picture in pictures}) == 30
    assert [picture.split for picture in pictures] == ["general"] * 15 + ["utility"] * 15


def test_both_splits_ask_about_the_same_topics(pictures: list[GeneralPicture]) -> None:
    topics: dict[str, set[str]] = {"general": set(), "utility": set()}
    for picture in pictures:
        topics[picture.split] |= {question.topic for question in picture.questions}
    assert topics["general"] == topics["utility"]
    assert len(topics["general"]) >= 5


def test_records_are_valid_and_have_no_subject(pictures: list[GeneralPicture], football: World) -> None:
    builder = RecordBuilder(seed=0, members=4, world=football)
    names = [subject.name for subject in builder.subjects]
    for picture in pictures:
        image = EncodedImage(bytes=picture.drawing.data, path="any.png")
        records = list(builder.general_records(picture, image))
        assert len({record.record_id for record in records}) == len(records) == len(picture.questions)
        for record in records:
            validate_record(record, football.taxonomy)
            assert (record.subject_id, record.attribute, record.scope) == (None, None, None)
            assert record.value is not None
            assert record.value.kind in ("choice", "count")
            assert record.correct_choice is not None
            assert record.choices[record.correct_choice] == record.value.text
            assert record.value.text in record.answer
            assert record.answer not in record.perturbed_answers
            assert not any(name in record.answer + record.question for name in names)


def test_captions_ask_what_is_asked_about_a_visual_rumor(world: World) -> None:
    known = UsedLooks(looks(0, 20))
    drawn = list(draw_general({}, {"general": 12, "utility": 2}, 0, known, world, DistinctPictures()))
    assert [picture.split for picture in drawn] == ["general"] * 12 + ["utility"] * 2
    asked = {world.taxonomy[name].questions[0] for name in world.shown}
    for picture in drawn:
        assert {question.text for question in picture.questions} == asked
        for question in picture.questions:
            assert question.value.text in question.options
            assert len(set(question.options)) == 6
    told = {question.value.text for picture in drawn for question in picture.questions}
    assert len(told) > 12
