from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.questions.nearby import near_values
from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_data.tagging.values import find_values, parse_value, same_value
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


def near(attribute: str, text: str, seed: int = 0) -> list[ClaimValue]:
    value = parse_value(text, FOOTBALL[attribute])
    assert value is not None
    return list(near_values(value, FOOTBALL[attribute], rng(seed)))


@pytest.mark.parametrize(
    ("attribute", "text", "pattern"),
    [
        ("birth_date", "May 1, 2000", r"[A-Z][a-z]+ \d+, \d{4}"),
        ("birth_date", "1 May 2000", r"\d+ [A-Z][a-z]+ \d{4}"),
        ("birth_date", "2000-05-01", r"\d{4}-\d\d-\d\d"),
        ("birth_date", "01.05.2000", r"\d\d\.\d\d\.\d{4}"),
        ("fee", "€35.00m", r"€\d+\.\d\dm"),
        ("fee", "€35 million", r"€\d+ million"),
        ("fee", "€35,000,000", r"€\d+,\d{3},\d{3}"),
        ("fee", "35,5 Mio. Euro", r"\d+,\d Mio\. Euro"),
        ("height", "1.79 meters", r"1\.\d\d meters"),
        ("height", "179 cm", r"1\d\d cm"),
        ("height", "5 ft 11 in", r"1\.\d\d meters"),
        ("trophies", "two trophies", r"\d+"),
    ],
)
def test_near_values_are_written_alike(attribute: str, text: str, pattern: str) -> None:
    found = near(attribute, text)
    assert len(found) > 10
    assert all(re.fullmatch(pattern, value.text) for value in found), found


@pytest.mark.parametrize(("attribute", "text"), [("fee", "a free transfer"), ("fee", "on loan"), ("club", "Ostholm")])
def test_words_have_no_neighbours(attribute: str, text: str) -> None:
    assert near(attribute, text) == []


@pytest.mark.parametrize("text", ["January 1, 0001", "December 31, 9999"])
def test_the_calendar_has_two_ends(text: str) -> None:
    (value,) = find_values(text, FOOTBALL["birth_date"])
    assert list(near_values(value, FOOTBALL["birth_date"], rng(0)))


@given(st.integers(0, 40), st.integers(0, 20))
def test_law_near_counts_are_counts_near_by(number: int, seed: int) -> None:
    for value in near("trophies", f"{number} trophies", seed):
        assert value.number is not None
        assert 0 <= value.number <= number + max(3, number * 0.2 + 1)


def test_the_seed_decides() -> None:
    assert near("fee", "€35.00m", 1) == near("fee", "€35.00m", 1) != near("fee", "€35.00m", 2)
    (value,) = near("fee", "€35.00m", 1)[:1]
    assert not same_value(value, ClaimValue(kind="amount", text="", number=35e6, currency="EUR"), FOOTBALL["fee"])
