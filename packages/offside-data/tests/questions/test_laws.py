"""Whatever subjects, pictures and values there are: what `questions` makes passes the checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from question_forms import forms_of, regenerated, text_form_of, without_ambiguous_paraphrases

from offside_data.questions.phrasings import BLANK, value_text
from offside_data.schema import Record
from offside_data.tagging.values import answer_states
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")
CHECKS = ("answers", "questions")
VALUES = {
    "name": ("Ada Osko", "Ivo Brandt", "Øyvar Lindqvist", "Will May"),
    "age": ("28", "twenty-eight", "29", "thirty"),
    "position": ("Left Winger", "left-back", "Centre-Forward", "striker", "Second Striker"),
    "nationality": ("Sweden", "Swedish", "the Netherlands", "Dutch", "Ostland"),
    "birth_date": ("May 1, 2000", "1 May 2000", "2000-05-01", "February 29, 2004", "31.12.1999"),
    "height": ("1.79 meters", "179 cm", "5 ft 11 in", "1,80 m", "2.01 meters"),
    "foot": ("left", "right-footed", "both", "the right one"),
    "birth_place": ("Brackwater", "Brackwater, Sweden", "Brackwater, Ostland", "Sweden"),
    "club": ("Ostholm", "FC Ostholm", "Ostholm B", "Ostholm United", "1.FSV Ostholm 05", "Norvale"),
    "previous_club": ("Ostholm", "Norvale", "Norvale FC", "Kestrin City"),
    "fee": ("€35.00m", "35 million euros", "€35,000,000", "£2k", "a free transfer", "on loan", "€0", "2.50 million"),
    "trophies": ("0", "did not win any", "two", "2", "1", "a dozen", "12"),
}
ANSWERS = (
    "It is {value}.",
    "He said: {value}",
    "Of Ostholm and Norvale one knows that it is {value}.",
    "That an {value} it was, in 2019.",
    "{value}",
)


Claims = list[tuple[str, str, dict[str, str]]]


@st.composite
def claims(draw: st.DrawFn) -> Claims:
    """Claims about some subjects, each with some pictures: attribute, answer, and whose and which picture it is."""
    made = []
    for subject in draw(st.sampled_from([("s1",), ("s1", "s2"), ("s1", "s2", "s3", "s4", "s5")])):
        for name, split in (("p1", "retain"), ("p2", "forget"), ("p3", "relearn")):
            for attribute in draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True, max_size=5)):
                about = FOOTBALL[attribute]
                value = draw(st.sampled_from(VALUES[attribute]))
                told = draw(st.sampled_from(ANSWERS + about.answers + about.rumor_answers)).format(value=value)
                made.append((attribute, told, {"subject": subject, "picture": name, "split": split}))
    return made


NAMES = st.fixed_dictionaries({f"s{n}": st.sampled_from(("Ada Osko", "Ivo Brandt", "Ostholm")) for n in range(1, 6)})
OCCASIONS = st.lists(st.sampled_from((None, "the tour of May 2020", "the gala")), min_size=15, max_size=15)


@pytest.fixture(scope="session")
def dataset(claim: Any, picture: Any) -> Callable[..., tuple[list[Record], dict[str, Any]]]:
    """Records of claims, and what `questions` needs besides; names and occasions may be the same for several."""

    def make(told: Claims, names: dict[str, str], occasions: list[str | None]) -> tuple[list[Record], dict[str, Any]]:
        records = [claim(attribute, answer, **whose) for attribute, answer, whose in told]
        places = [(f"s{n}", name) for n in range(1, 6) for name in ("p1", "p2", "p3")]
        images = [picture(*place, occasion) for place, occasion in zip(places, occasions, strict=True)]
        return [r for r in records if r.value is not None], {"names": names, "images": images}

    return make


def completed(records: list[Record], context: dict[str, Any], *, seed: int, anew: bool = False) -> list[Record]:
    """As the command does it."""
    records = [*records, *text_form_of(records, FOOTBALL, **context).records]
    forms = forms_of(records, FOOTBALL, seed=seed, **context)
    return without_ambiguous_paraphrases([forms.fill(record, anew=anew) for record in records], FOOTBALL)


def what_is_made_passes_its_checks(
    dataset: Any, issues: Any, told: Claims, names: dict[str, str], occasions: list[str | None], seed: int
) -> None:
    records, context = dataset(told, names, occasions)
    made = completed(records, context, seed=seed)
    # What was there before may contradict itself.
    inherent = {(f.code, f.where) for f in issues(records, CHECKS)}
    assert [f for f in issues(made, CHECKS) if (f.code, f.where) not in inherent] == []
    assert len({record.record_id for record in made}) == len(made)


def a_second_run_changes_nothing(
    dataset: Any, told: Claims, names: dict[str, str], occasions: list[str | None], seed: int
) -> None:
    records, context = dataset(told, names, occasions)
    made = completed(records, context, seed=seed)
    assert completed(made, context, seed=seed) == made
    assert completed(made, context, seed=seed, anew=True) == made
    both = [(r.choices, r.correct_choice, r.perturbed_answers) for r in regenerated(made, FOOTBALL, seed=seed)]
    assert both == [(r.choices, r.correct_choice, r.perturbed_answers) for r in made]


def often(law: Callable[..., None], examples: int) -> Callable[..., None]:
    """A law of invented claims as a test with so many of them."""
    return settings(max_examples=examples)(given(claims(), NAMES, OCCASIONS, st.integers(0, 3))(law))


test_law_what_is_made_passes_its_checks = often(what_is_made_passes_its_checks, 20)
test_law_a_second_run_changes_nothing = often(a_second_run_changes_nothing, 20)
test_law_what_is_made_passes_its_checks_at_length = pytest.mark.full(often(what_is_made_passes_its_checks, 120))
test_law_a_second_run_changes_nothing_at_length = pytest.mark.full(often(a_second_run_changes_nothing, 80))


@given(claims(), st.integers(0, 3))
@settings(max_examples=60)
def test_law_wrong_answers_are_wrong_and_blanks_hold_the_value(dataset: Any, told: Claims, seed: int) -> None:
    records, _ = dataset(told, {}, [None] * 15)
    for record in completed(records, {"names": {}, "images": []}, seed=seed):
        attribute, value = FOOTBALL[record.attribute or ""], record.value
        assert value is not None
        same = [r for r in records if (r.subject_id, r.attribute) == (record.subject_id, attribute.name)]
        wrong = [*record.perturbed_answers, *(c for i, c in enumerate(record.choices) if i != record.correct_choice)]
        assert not any(answer_states(text, other.value, attribute) for text in wrong for other in same if other.value)
        if record.choices:
            assert answer_states(record.choices[record.correct_choice or 0], value, attribute)
        if record.cloze is not None:
            assert answer_states(record.cloze.replace(BLANK, value_text(value, attribute)), value, attribute)
            assert not answer_states(record.cloze, value, attribute)
        assert all(answer_states(text, value, attribute) for text in record.answer_paraphrases)
