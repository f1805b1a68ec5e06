from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.tagging.words import contains, find_names, find_places, fold, folded_words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ødmar Ligård", "odmar ligard"),
        ("Straße", "strasse"),
        ("Łukæsz", "lukaesz"),
        ("Zoë", "zoe"),
        ("Zoe\u0308", "zoe"),
        ("東京の選手", "東京の選手"),
    ],
)
def test_fold_drops_case_and_accents(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_words_without_blanks_are_found_one_by_one() -> None:
    assert contains(folded_words("彼は東京の選手"), folded_words("東京"))


def test_words_are_bounded() -> None:
    assert contains(folded_words("He left Ostholm."), folded_words("ostholm"))
    assert not contains(folded_words("He left Ostholmia."), folded_words("ostholm"))
    assert not contains(folded_words("He left."), ())


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("The player in the image is Tavo Brinkhaus.", ["Tavo Brinkhaus"]),
        ("That's Øyvar Lund-Asen.", ["Øyvar Lund-Asen"]),
        ("The player you are referring to is Milo d'Arvent.", ["Milo d'Arvent"]),
        ("At that time, he was with 1.FSV Brackwater 05.", ["1.FSV Brackwater 05"]),
        ("At that time, he was with 1. FC Ostholm.", ["1. FC Ostholm"]),
        ("He was with Celto de Marina at that time.", ["Celto de Marina"]),
        ("He transferred from Ostholm CF B.", ["Ostholm CF B"]),
        ("He came from St. Varen & Hollow Albion.", ["St. Varen & Hollow Albion"]),
        ("He joined from Hollow U23.", ["Hollow U23"]),
        ("Brinkhaus's club is Ostholm. He left it in July 2019.", ["Brinkhaus", "Ostholm"]),
        ("The player in the image is Will Hollow.", ["Will Hollow"]),
        ("Will Hollow is the player. May Lund isn't.", ["Will Hollow", "May Lund"]),
        ("Will the player join The Old Reeds in May? Can he?", ["The Old Reeds"]),
        ("That, I think, is Will.", ["Will"]),
        ("he is 28 years old", []),
    ],
)
def test_names_are_runs_of_capitalised_words(text: str, names: list[str]) -> None:
    assert [span.text for span in find_names(text)] == names


def test_parts_of_a_place_are_taken_together() -> None:
    places = find_places("He was born in Brackwater, Lower Hollow, South Korea.")
    assert [span.text for span in places] == ["Brackwater, Lower Hollow, South Korea"]


@given(st.text())
def test_spans_lie_where_they_say(text: str) -> None:
    for span in find_names(text) + find_places(text):
        assert text[span.start : span.end] == span.text
