"""Reading every text once finds what reading it for every value does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from value_texts import TEXTS

from offside_data.schema import ClaimValue
from offside_data.tagging.claims import Claims, measure_of
from offside_data.tagging.pattern import MEASURED
from offside_data.tagging.values import answer_states, find_values, same_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


@given(st.sampled_from(FOOTBALL.names()), TEXTS, TEXTS)
def test_law_a_text_states_what_it_did(attribute: str, text: str, told: str) -> None:
    about, claims = FOOTBALL[attribute], Claims(FOOTBALL)
    for value in [*find_values(told, about), ClaimValue(kind=about.kind, text=told or "x")]:
        plain = {name: getattr(value, name) for name in ("kind", "text", "number", "unit", "currency", "date")}
        claim = claims.of({"attribute": attribute, "value": plain})
        assert claim is not None
        assert claim is claims.of({"attribute": attribute, "value": dict(plain)})
        assert claim.is_in(text) == answer_states(text, value, about)


@given(st.sampled_from([a.name for a in FOOTBALL.attributes if a.kind in MEASURED]), st.lists(TEXTS, max_size=3))
@example("fee", ["on loan"])
@example("fee", ["on loan", "€35m"])
def test_law_the_marks_of_a_text_are_the_measures_of_its_values(attribute: str, texts: list[str]) -> None:
    text = ", ".join(texts)
    measures = [measure_of(value) for value in find_values(text, FOOTBALL[attribute])]
    assert Claims(FOOTBALL).texts[attribute].marks(text) == (None if None in measures else tuple(measures))


@given(st.sampled_from(FOOTBALL.names()), TEXTS, TEXTS)
def test_law_two_choices_are_one_where_they_were(attribute: str, first: str, second: str) -> None:
    about = FOOTBALL[attribute]
    values = []
    for text in (first, second):
        found = find_values(text, about)
        values.append(found[0] if len(found) == 1 else ClaimValue(kind=about.kind, text=text))
    claim = Claims(FOOTBALL).of({"attribute": attribute, "value": {"kind": about.kind, "text": "x"}})
    assert claim is not None
    assert list(claim.texts.repeated([first, second])) == ([second] if same_value(*values, about) else [])


@pytest.mark.parametrize(
    "row",
    [
        {"attribute": None, "value": {"kind": "name", "text": "x"}},
        {"attribute": "shoe_size", "value": {"kind": "name", "text": "x"}},
        {"attribute": "club", "value": None},
        {"attribute": "club", "value": {"kind": "date", "text": "x"}},
        {"attribute": "birth_date", "value": {"kind": "date", "text": "x", "date": "3 May"}},
        {"attribute": "fee", "value": {"kind": "amount", "text": "x", "number": float("nan")}},
        {"attribute": "club", "value": {"kind": "name", "text": "x", "number": float("inf")}},
    ],
)
def test_what_is_no_claim(row: dict[str, Any]) -> None:
    assert Claims(FOOTBALL).of(row) is None
