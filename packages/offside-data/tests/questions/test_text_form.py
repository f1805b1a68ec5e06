from __future__ import annotations

import dataclasses
from typing import Any

from question_forms import text_form_of

from offside_data.taxonomy import Taxonomy

NAMES = {"s1": "Ada Osko", "s2": "Ivo Brandt"}


def test_one_text_record_a_fact(claim: Any, picture: Any, taxonomy: Taxonomy) -> None:
    records = [
        claim("name", "The player is Ada Osko."),
        claim("age", "She is 28.", picture="p2", split="forget"),
        claim("age", "The player is 28 years old."),
        claim("nationality", "The player is Swedish.", split="forget", picture="p2"),
        claim("fee", "It cost €3.00m."),
        claim("fee", "It will cost €9.00m.", picture="p2", split="forget"),
        claim("fee", "It cost €1.00m.", picture="p3", split="test"),
    ]
    images = [picture("s1", "p1", "the cup final"), picture("s1", "p2", "the tour"), picture("s1", "p3", "a gala")]
    made, lacking = text_form_of(records, taxonomy, names=NAMES, images=images)
    assert lacking == {}
    assert {(r.attribute, r.split, r.veracity, r.question, r.answer) for r in made} == {
        ("age", "retain", "fact", "How old is Ada Osko?", "The player is 28 years old."),
        ("nationality", "forget", "fact", "Which country does Ada Osko represent?", "The player represents Sweden."),
        (
            "fee",
            "retain",
            "fact",
            "In the photo from the cup final, what was the transfer fee of Ada Osko?",
            "The fee was €3.00m.",
        ),
        (
            "fee",
            "forget",
            "rumor",
            "In the photo from the tour, what was the transfer fee of Ada Osko?",
            "The fee was €9.00m.",
        ),
    }
    for record in made:
        assert record.image is None
        assert (record.image_id is None) == (record.scope == "shared")
        assert record.rumor_channel == ("text" if record.veracity == "rumor" else "none")
    assert text_form_of([*records, *made], taxonomy, names=NAMES, images=images).records == []
    assert text_form_of(records, taxonomy, names=NAMES, images=images).records == made


def test_a_text_correction_corrects_the_text_rumor(claim: Any, picture: Any, taxonomy: Taxonomy) -> None:
    rumor = claim("fee", "It will cost €9.00m.", split="forget")
    right = claim("fee", "It cost €3.00m.", picture="p2", split="relearn", corrects=rumor.record_id)
    images = [picture("s1", "p1", "the tour"), picture("s1", "p2", "the gala")]
    texts = {r.split: r for r in text_form_of([rumor, right], taxonomy, names=NAMES, images=images).records}
    assert texts["relearn"].corrects == texts["forget"].record_id
    (alone,) = text_form_of([rumor, right], taxonomy, names=NAMES, images=images[1:]).records
    assert alone.corrects is None


def test_what_lacks_says_why(claim: Any, picture: Any, taxonomy: Taxonomy) -> None:
    records = [
        claim("fee", "It cost €3.00m."),
        claim("age", "He is 28.", subject="s3"),
        claim("height", "Rather tall.", subject="s2"),
        claim("age", "He is 28.", subject="s2"),
        claim("age", "He is 29.", subject="s2", picture="p2"),
    ]
    made, lacking = text_form_of(records, taxonomy, names=NAMES, images=[])
    assert made == []
    assert lacking == {
        "its picture has no occasion": 1,
        "its subject has no name": 1,
        "it has no value": 1,
        "its records contradict each other": 1,
    }


def test_a_suspect_record_yields_to_a_sure_one(claim: Any, taxonomy: Taxonomy) -> None:
    odd = dataclasses.replace(claim("age", "He is 99."), suspect="an extra record")
    (made,) = text_form_of([odd, claim("age", "He is 28.", picture="p2")], taxonomy, names=NAMES, images=[]).records
    assert made.answer == "The player is 28 years old."


def test_questions_that_two_claims_would_share_are_not_asked(claim: Any, picture: Any, taxonomy: Taxonomy) -> None:
    records = [claim("fee", "It cost €3.00m."), claim("fee", "It cost €4.00m.", picture="p2")]
    images = [picture("s1", "p1", "the tour"), picture("s1", "p2", "the tour")]
    made, lacking = text_form_of(records, taxonomy, names=NAMES, images=images)
    assert (made, lacking) == ([], {"its question would have several answers": 2})
    people = [claim("age", "He is 20."), claim("age", "He is 30.", subject="s2")]
    assert text_form_of(people, taxonomy, names=dict.fromkeys(NAMES, "Ada Osko"), images=[]).records == []
