from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from question_forms import forms_of, regenerated, without_ambiguous_paraphrases

from offside_data.schema import ClaimValue, Record
from offside_data.tagging.untagged import untagged
from offside_data.taxonomy import Taxonomy

CLUBS = ("Norvale", "Emberlin", "Kestrin", "Dalling", "Aldersund", "Fjellby", "Quarmouth")


def fill(record: Record, others: list[Record], taxonomy: Taxonomy, **fields: Any) -> Record:
    forms = forms_of([record, *others], taxonomy, seed=0, **{"names": {}, **fields})
    return forms.fill(record, anew=False)


@pytest.fixture
def others(claim: Any) -> list[Record]:
    """What other subjects' records say, shared and private."""
    answers = {"club": "He was with {}.", "name": "He is {} Osko.", "fee": "It cost €{}.00m.", "trophies": "He won {}."}
    made = []
    for number, club in enumerate(CLUBS):
        for attribute, answer in answers.items():
            said = answer.format(number + 4 if attribute in ("fee", "trophies") else club)
            made.append(claim(attribute, said, subject=f"other-{number}"))
    return made


def test_wrong_answers_are_worded_as_the_answer(claim: Any, others: list[Record], taxonomy: Taxonomy) -> None:
    record = fill(claim("club", "At that time, he was with Ostholm."), others, taxonomy)
    assert record.cloze == "At that time, he was with ____."
    assert len(set(record.perturbed_answers)) == 3
    assert all(text.startswith("At that time, he was with ") for text in record.perturbed_answers)
    assert record.correct_choice is not None
    assert record.choices[record.correct_choice] == "Ostholm"
    assert len(set(record.choices) & set(CLUBS)) == 3
    assert record.question_paraphrases == taxonomy["club"].questions[1:]
    assert record.answer_paraphrases == ("The player was with Ostholm.", "The club in this picture is Ostholm.")


@pytest.mark.parametrize(
    ("attribute", "answer", "cloze", "right"),
    [
        ("trophies", "He did not win any trophies.", "The player won ____ trophies there.", "0"),
        ("trophies", "He won 1 trophy at the club.", "The player won ____ trophies there.", "1"),
        ("trophies", "He won two trophies.", "The player won ____ trophies there.", "2"),
        ("trophies", "He won 3 cups in 3 years.", "The player won ____ trophies there.", "3"),
        ("nationality", "The player is Swedish.", "The player represents ____.", "Sweden"),
        ("foot", "The player is right-footed.", "The preferred foot is ____.", "right"),
        ("position", "He plays as an Attacking Midfielder.", "The position is ____.", "Attacking Midfielder"),
        ("fee", "He came on loan.", "The fee was ____.", "a loan"),
        ("fee", "He moved on a free transfer.", "The fee was ____.", "a free transfer"),
        ("height", "He stands at 1.79 meters tall.", "He stands at ____ tall.", "1.79 meters"),
    ],
)
def test_a_blank_tells_nothing_and_fits_every_option(
    claim: Any, taxonomy: Taxonomy, attribute: str, answer: str, cloze: str, right: str
) -> None:
    other = claim(attribute, taxonomy[attribute].answers[0].format(value="7"), subject="s2")
    record = fill(claim(attribute, answer), [other], taxonomy)
    assert record.cloze == cloze
    if record.choices:
        assert record.choices[record.correct_choice or 0] == right


def test_a_blank_beside_another_name_of_the_value_would_tell_it(claim: Any, taxonomy: Taxonomy) -> None:
    value = ClaimValue(kind="name", text="FC Ostholm")
    record = fill(claim("club", "Of Ostholm one knows: FC Ostholm.", value=value), [], taxonomy)
    assert record.cloze == "The player was with ____."


def test_what_is_true_of_the_subject_elsewhere_is_never_wrong(
    claim: Any, picture: Any, others: list[Record], taxonomy: Taxonomy
) -> None:
    record = claim("club", "He was with Ostholm.")
    rest = [
        claim("club", "He will join Norvale FC.", picture="p2", split="forget"),
        claim("previous_club", "He came from Emberlin.", picture="p3"),
    ]
    shown = picture("s1", "p2", shown=[{"attribute": "club", "text": "Kestrin"}])
    forms = forms_of([record, *rest, *others], taxonomy, seed=0, names={}, images=[shown])
    for seen in (
        forms.fill(record, anew=True),
        *regenerated([record, *rest, *others], taxonomy, seed=3, images=[shown])[:1],
    ):
        assert {"Norvale", "Emberlin", "Kestrin"}.isdisjoint(seen.choices)
        assert len(seen.choices) == 4


def test_numbers_near_by_stand_in_where_nobody_has_others(claim: Any, taxonomy: Taxonomy) -> None:
    record = fill(claim("fee", "It cost €20.00m."), [], taxonomy)
    assert len(record.choices) == 4
    assert all(text.startswith("€") and text.endswith("m") for text in record.choices)


def test_where_nothing_is_wrong_nothing_is_offered(claim: Any, taxonomy: Taxonomy) -> None:
    record = claim("club", "He was with Ostholm.")
    forms = forms_of([record], taxonomy, seed=0, names={})
    filled = forms.fill(record, anew=False)
    assert (filled.choices, filled.correct_choice, filled.perturbed_answers) == ((), None, ())
    assert filled.cloze == "He was with ____."
    assert forms.lacking[("choices", "there is no wrong value to offer")] == 1


def test_what_is_there_stays_unless_made_anew(claim: Any, others: list[Record], taxonomy: Taxonomy) -> None:
    record = claim("club", "He was with Ostholm.", choices=("Ostholm", "Elsewhere"), correct_choice=0)
    forms = forms_of([record, *others], taxonomy, seed=0, names={})
    kept, anew = forms.fill(record, anew=False), forms.fill(record, anew=True)
    assert kept.choices == ("Ostholm", "Elsewhere")
    assert kept.perturbed_answers == anew.perturbed_answers != ()
    assert len(anew.choices) == 4


def test_records_without_value_or_attribute_say_why(claim: Any, taxonomy: Taxonomy) -> None:
    records = [claim("fee", "It is undisclosed."), untagged(claim("fee", "It cost €2m.", picture="p2"), "?")]
    general = dataclasses.replace(records[0], split="general", subject_id=None, attribute=None, scope=None)
    forms = forms_of([*records, general], taxonomy, seed=0, names={})
    filled = [forms.fill(record, anew=True) for record in (*records, general)]
    assert filled[0].question_paraphrases == taxonomy["fee"].questions[1:]
    assert filled[1:] == [records[1], general]
    assert forms.lacking[("cloze", "it has no value")] == 1
    assert forms.lacking[("cloze", "its attribute isn't decided")] == 1


def test_a_picture_with_two_answers_gets_no_paraphrases(claim: Any, taxonomy: Taxonomy) -> None:
    first, second = claim("club", "He was with Ostholm."), claim("club", "He was with Norvale.", record_id="second")
    forms = forms_of([first, second], taxonomy, seed=0, names={})
    assert forms.fill(first, anew=False).question_paraphrases == ()
    assert forms.lacking[("question_paraphrases", "its picture or subject has other answers to it")] == 1


def test_text_paraphrases_need_name_and_occasion(claim: Any, picture: Any, taxonomy: Taxonomy) -> None:
    record = claim("club", "He was with Ostholm.", modality="text", question="Which club was Ada Osko with then?")
    images = [picture("s1", "p1", "the cup final of May 2020")]
    with_both = fill(record, [], taxonomy, names={"s1": "Ada Osko"}, images=images)
    assert len(with_both.question_paraphrases) == 2
    assert all("Ada Osko" in t and "cup final" in t for t in with_both.question_paraphrases)
    assert fill(record, [], taxonomy, names={"s1": "Ada Osko"}).question_paraphrases == ()
    assert fill(record, [], taxonomy, images=images).question_paraphrases == ()


def test_free_texts_share_wrong_answers_only_with_the_same_question(make_record: Any) -> None:
    from offside_data.taxonomy import load_taxonomy

    people = load_taxonomy("people")

    def said(subject: str, question: str, answer: str) -> Record:
        value = ClaimValue(kind="text", text=answer.rstrip("."))
        fields = {"attribute": "statement", "question": question, "answer": answer, "value": value}
        fields |= {"perturbed_answers": (), "choices": (), "correct_choice": None}
        return make_record(**fields, record_id=subject + question, subject_id=subject, image_id=subject)

    records = [
        said("s1", "Which instrument is played?", "The cello."),
        said("s2", "Which instrument is played?", "The tuba."),
        said("s3", "Which colour is liked?", "Dark green."),
    ]
    forms = forms_of(records, people, seed=0, names={})
    filled = forms.fill(records[0], anew=False)
    assert sorted(filled.choices) == ["The cello", "The tuba"]
    assert filled.question_paraphrases == ()


def test_regenerate_changes_choices_and_perturbed_answers_of_the_chosen_only(
    claim: Any, others: list[Record], taxonomy: Taxonomy
) -> None:
    record = claim("club", "He was with Ostholm.", cloze="He was with ____.", question_paraphrases=("Which?",))
    records = [record, *others]
    chosen = regenerated(records, taxonomy, seed=1, only={record.record_id})
    assert chosen[1:] == others
    assert (chosen[0].cloze, chosen[0].question_paraphrases) == (record.cloze, record.question_paraphrases)
    assert len(chosen[0].choices) == 4
    assert regenerated(records, taxonomy, seed=1) == regenerated(records, taxonomy, seed=1)
    assert regenerated(records, taxonomy, seed=1) != regenerated(records, taxonomy, seed=2)


def test_stale_choices_go_even_if_none_can_be_made(claim: Any, taxonomy: Taxonomy) -> None:
    record = claim("club", "He was with Ostholm.", choices=("Ostholm", "Gone"), correct_choice=0)
    (made,) = regenerated([record], taxonomy, seed=0)
    assert (made.choices, made.correct_choice) == ((), None)


def test_a_subject_less_changes_only_records_that_named_its_values(
    claim: Any, others: list[Record], taxonomy: Taxonomy
) -> None:
    records = [claim("club", f"He was with Team {n}.", subject=f"s{n}") for n in range(30)]
    before = regenerated([*records, *others], taxonomy, seed=0)[:30]
    after = regenerated([*records[1:], *others], taxonomy, seed=0)[:29]
    for old, new in zip(before[1:], after, strict=True):
        assert (old == new) == ("Team 0" not in old.choices)
    assert sum(old == new for old, new in zip(before[1:], after, strict=True)) > 20


def test_paraphrases_that_two_namesakes_share_go(claim: Any, taxonomy: Taxonomy) -> None:
    def text(subject: str, answer: str, question: str) -> Record:
        fields = {"modality": "text", "image_id": None, "question": question}
        return claim(
            "age", answer, subject=subject, question_paraphrases=("Ada's age?", f"Age of {subject}?"), **fields
        )

    one, two = text("s1", "She is 20.", "How old is Ada One?"), text("s2", "She is 30.", "How old is Ada Two?")
    kept = without_ambiguous_paraphrases([one, two], taxonomy)
    assert [r.question_paraphrases for r in kept] == [("Age of s1?",), ("Age of s2?",)]
    same = dataclasses.replace(two, answer="She is 20.", value=one.value)
    assert without_ambiguous_paraphrases([one, same], taxonomy) == [one, same]
