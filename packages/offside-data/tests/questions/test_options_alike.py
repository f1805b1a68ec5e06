from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from question_forms import forms_of

from offside_data.questions.styles import style_of, unlike
from offside_data.schema import Record
from offside_data.taxonomy import Taxonomy

ANSWERS = {
    "height": ("1,87 m", "1.81 m", "179 cm", "5'11\"", "1.9 m", "6 ft 2 in", "188cm"),
    "fee": ("€ 12,5 Mio.", "€1.20m", "3,400,000 EUR", "35 million euros", "€950k", "£4.10m", "ten million euros"),
    "birth_date": ("May 3, 1999", "1998-02-01", "07.08.1997", "9 Sept 1996", "the 3rd of June 1995"),
}


def filled(claim: Any, taxonomy: Taxonomy, attribute: str, texts: list[str]) -> list[Record]:
    records = [claim(attribute, f"It is {text}.", subject=f"s{n}", picture=f"p{n}") for n, text in enumerate(texts)]
    forms = forms_of(records, taxonomy, seed=0, names={})
    return [forms.fill(record, anew=False) for record in records if record.value is not None]


@pytest.mark.parametrize("attribute", ANSWERS)
def test_options_are_written_alike_whatever_the_others_are_written_like(
    claim: Any, taxonomy: Taxonomy, attribute: str
) -> None:
    for record in filled(claim, taxonomy, attribute, list(ANSWERS[attribute])):
        assert len(record.choices) == 4, record.answer
        styles = [style_of(text, taxonomy[attribute].kind) for text in record.choices]
        assert unlike(styles) == [], record.choices
        assert record.correct_choice is not None


@given(data=st.data())
def test_law_no_mixture_of_styles_gives_an_option_away(data: st.DataObject, claim: Any, taxonomy: Taxonomy) -> None:
    attribute = data.draw(st.sampled_from(sorted(ANSWERS)))
    texts = data.draw(st.lists(st.sampled_from(ANSWERS[attribute]), min_size=2, max_size=6))
    for record in filled(claim, taxonomy, attribute, texts):
        assert unlike(style_of(text, taxonomy[attribute].kind) for text in record.choices) == []


def test_the_right_option_is_the_answers_own_text_where_others_can_be_written_so(
    claim: Any, taxonomy: Taxonomy
) -> None:
    first, *_ = filled(claim, taxonomy, "height", ["1,87 m", "1.81 m", "179 cm", "1.74 m"])
    assert first.choices[first.correct_choice or 0] == "1,87 m"
    assert {*first.choices} == {"1,87 m", "1,81 m", "1,79 m", "1,74 m"}
    assert all(text.startswith("It is 1,") for text in first.perturbed_answers)


def test_where_they_cannot_all_are_written_in_the_canonical_way(claim: Any, taxonomy: Taxonomy) -> None:
    first, *_ = filled(claim, taxonomy, "fee", ["ten million euros", "€35m", "a free transfer"])
    assert first.choices[first.correct_choice or 0] == "€10.00m"


def test_beside_a_move_without_a_price_amounts_are_written_alike(claim: Any, taxonomy: Taxonomy) -> None:
    first, *_ = filled(claim, taxonomy, "fee", ["a free transfer", "€35m", "4,100,000 EUR", "€ 12,5 Mio."])
    priced = [style_of(text, "amount") for text in first.choices if any(map(str.isdigit, text))]
    assert len(priced) == 3
    assert unlike(priced) == []


def test_a_unit_that_the_answer_says_twice_is_asked_once(claim: Any, taxonomy: Taxonomy) -> None:
    records = [claim("age", f"The player is {n} yrs years old.", subject=f"s{n}") for n in (27, 31, 22)]
    forms = forms_of(records, taxonomy, seed=0, names={})
    record = forms.fill(records[0], anew=False)
    assert record.cloze == "The player is ____ years old."
    assert all("yrs" not in text for text in (*record.perturbed_answers, *record.choices))
