from __future__ import annotations

import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.adapters._tables.cells import (
    CHANNEL_WORDS,
    SPLIT_WORDS,
    TIER_WORDS,
    VERACITY_WORDS,
    clean_text,
    in_words,
    options_of,
    read_date,
    text_of,
    word_of,
)
from offside_data.schema import SPLITS
from offside_data.tagging.values import parse_value
from offside_data.taxonomy import Attribute, load_taxonomy

TAXONOMY = load_taxonomy("football")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (" as it is \n", " as it is \n"),
        (True, "true"),
        (28, "28"),
        (28.0, "28"),
        (0.1 + 0.2, "0.3"),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime.date(2019, 7, 1), "2019-07-01"),
        (datetime.datetime(2019, 7, 1), "2019-07-01 00:00:00"),
    ],
)
def test_a_cell_is_text(cell: Any, text: str) -> None:
    assert text_of(cell, "it") == text


@pytest.mark.parametrize("cell", [[], {}, b"", float("inf"), datetime.time(1)])
def test_anything_else_is_none(cell: Any) -> None:
    with pytest.raises(ValueError, match=r"the value must be text, is a \w+"):
        text_of(cell, "the value")


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(ValueError, match="holds half a character"):
        text_of("a\ud800", "it")


def test_texts_are_cleaned_of_blanks_and_tokens() -> None:
    assert clean_text("<image>\nWho is  it?", "it") == "Who is it?"


@pytest.mark.parametrize(
    ("words", "said", "meant"),
    [
        (VERACITY_WORDS, "Rumour", "rumor"),
        (VERACITY_WORDS, " FALSE ", "rumor"),
        (VERACITY_WORDS, True, "fact"),
        (VERACITY_WORDS, "corrected", "correction"),
        (SPLIT_WORDS, "Forget", "forget"),
        (SPLIT_WORDS, "train", "retain"),
        (SPLIT_WORDS, "validation", "test"),
        (CHANNEL_WORDS, "picture", "image"),
        (TIER_WORDS, "Social-Media", "social"),
        (TIER_WORDS, None, None),
        (TIER_WORDS, "  ", None),
    ],
)
def test_words_are_understood_leniently(words: dict[str, str], said: Any, meant: str | None) -> None:
    assert word_of(said, "it", words) == meant


def test_an_unknown_word_lists_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"unknown veracity 'rumr'. Did you mean 'rumor'\? Known: .*fact"):
        word_of("rumr", "veracity", VERACITY_WORDS)


def test_every_split_is_a_word_for_itself() -> None:
    assert {SPLIT_WORDS[split] for split in SPLITS} == set(SPLITS)


# ---------------------------------------------------------------------------------------------
# Options

TWO = (("Ostholm", "Marina"), 1)


@pytest.mark.parametrize(
    ("choices", "correct"),
    [
        (["Ostholm", "Marina"], "B"),
        (["Ostholm", "Marina"], "b"),
        (["Ostholm", "Marina"], 1),
        (["Ostholm", "Marina"], "1"),
        (["Ostholm", "Marina"], "marina"),
        ({"A": "Ostholm", "B": "Marina", "C": None}, "B"),
        ({"x": "Ostholm", "y": "Marina"}, "y"),
        ('["Ostholm", "Marina"]', "B"),
        ("{'A': 'Ostholm', 'B': 'Marina'}", "B"),
        ("Ostholm | Marina", "B"),
    ],
)
def test_options_in_many_forms(choices: Any, correct: Any) -> None:
    assert options_of(choices, correct) == TWO


@pytest.mark.parametrize("choices", [None, "", "  "])
def test_no_options(choices: Any) -> None:
    assert options_of(choices, None) == ((), None)


def test_a_number_counts_from_0_although_options_are_numbers() -> None:
    assert options_of(["2", "1", "0"], 1) == (("2", "1", "0"), 1)
    assert options_of(["2", "1", "0"], "2") == (("2", "1", "0"), 0)


@pytest.mark.parametrize(
    ("choices", "correct", "why"),
    [
        (["Ostholm"], "A", "at least two different texts"),
        (["Ostholm", "OSTHOLM"], "A", "at least two different texts"),
        (["Ostholm", ""], "A", "at least two different texts"),
        (["Ostholm", ["x"]], "A", "an option must be text, is a list"),
        (["Ostholm", "Marina"], "C", "the correct choice is 'C', the options are A, B"),
        (["Ostholm", "Marina"], 2, "the correct choice is '2'"),
        (["Ostholm", "Marina"], None, "the correct choice is ''"),
        ({"A": "B", "B": "A"}, "A", "the correct choice is 'A'"),
        (7, "A", "choices must be a list"),
    ],
)
def test_options_that_make_no_question(choices: Any, correct: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        options_of(choices, correct)


# ---------------------------------------------------------------------------------------------
# Values in words


def attribute(kind: str) -> Attribute:
    return next(a for a in TAXONOMY.attributes if a.kind == kind)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("transfer_date", "2019-07-01", "July 1, 2019"),
        ("transfer_date", "2019-07-01 00:00:00", "July 1, 2019"),
        ("transfer_date", "2019-07-01T13:05:00+00:00", "July 1, 2019"),
        ("transfer_date", "01.07.2019", "July 1, 2019"),
        ("transfer_date", "16/03/2021", "March 16, 2021"),
        ("transfer_date", "03/04/2021", "03/04/2021"),
        ("transfer_date", "2019-02-30", "2019-02-30"),
        ("transfer_date", "in July 2019", "in July 2019"),
        ("fee", "€4100000", "€4.10m"),
        ("fee", "4100000 €", "€4.10m"),
        ("fee", "EUR 4100000", "€4.10m"),
        ("fee", "4,100,000 CHF", "CHF 4.10m"),
        ("fee", "£4.123.456", "£4,123,456"),
        ("fee", "€15000", "€15k"),
        ("fee", "€950.5", "€950.50"),
        ("fee", "4100000", "4.1 million"),
        ("fee", "15500", "15.5 thousand"),
        ("fee", "12", "12"),
        ("fee", "€4.1m", "€4.1m"),
        ("fee", "free transfer", "free transfer"),
        ("height", "1.89", "1.89 meters"),
        ("height", "1,9", "1.90 meters"),
        ("height", "189", "1.89 meters"),
        ("height", "5.9", "5.9"),
        ("height", "6 ft 2 in", "6 ft 2 in"),
        ("trophies", "3", "3"),
        ("club", "1860", "1860"),
    ],
)
def test_a_value_in_words(name: str, text: str, words: str) -> None:
    assert in_words(text, TAXONOMY[name]) == words


@pytest.mark.parametrize(
    ("text", "currency", "words"),
    [("4100000", "eur", "€4.10m"), ("4100000", "€", "€4.10m"), ("4.1m", "GBP", "£4.1m"), ("$4.1m", "EUR", "$4.1m")],
)
def test_a_currency_said_elsewhere_goes_before_amounts_without_one(text: str, currency: str, words: str) -> None:
    assert in_words(text, TAXONOMY["fee"], currency=currency) == words


@pytest.mark.parametrize(
    ("order", "day"), [("unknown", None), ("day-first", "2021-04-03"), ("month-first", "2021-03-04")]
)
def test_the_order_of_day_and_month_may_be_said(order: Any, day: str | None) -> None:
    found = read_date("03/04/2021", order)
    assert (found and found.isoformat()) == day


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2025, 1, 1)))
def test_law_a_date_says_the_same_in_words(day: datetime.date) -> None:
    value = parse_value(f"It was on {in_words(str(day), TAXONOMY['transfer_date'])}.", TAXONOMY["transfer_date"])
    assert value is not None
    assert value.date == day.isoformat()


@given(st.integers(1000, 10**9), st.sampled_from(["EUR", "CHF", "$"]))
def test_law_an_amount_says_the_same_in_words(number: int, currency: str) -> None:
    words = in_words(str(number), TAXONOMY["fee"], currency=currency)
    value = parse_value(f"The fee was {words}.", TAXONOMY["fee"])
    assert value is not None
    assert value.number == pytest.approx(number, abs=0.01)
    assert value.currency == {"$": "USD"}.get(currency, currency)


@given(st.integers(1000, 10**9))
def test_law_an_amount_without_currency_says_the_same_or_stays_as_it_is(number: int) -> None:
    words = in_words(str(number), TAXONOMY["fee"])
    value = parse_value(f"The fee was {words}.", TAXONOMY["fee"])
    assert words == str(number) if value is None else value.number == pytest.approx(number, abs=0.01)
    assert value is not None or number % 1000


@given(st.integers(120, 230))
def test_law_a_height_says_the_same_in_metres_and_centimetres(centimetres: int) -> None:
    words = in_words(str(centimetres), TAXONOMY["height"])
    assert words == in_words(f"{centimetres / 100}", TAXONOMY["height"])
    value = parse_value(f"The player is {words} tall.", TAXONOMY["height"])
    assert value is not None
    assert value.number == pytest.approx(centimetres / 100)
