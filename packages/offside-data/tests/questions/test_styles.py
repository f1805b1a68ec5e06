from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.questions import phrasings
from offside_data.questions.styles import (
    _data,
    _languages,
    _written,
    canonical,
    repeats_unit,
    style_of,
    unlike,
    written_like,
)
from offside_data.schema import ClaimValue
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


def amount(text: str, number: float, currency: str | None = "EUR") -> ClaimValue:
    return ClaimValue(kind="amount", text=text, number=number, currency=currency)


def length(text: str, number: float) -> ClaimValue:
    return ClaimValue(kind="length", text=text, number=number, unit="m")


def day(text: str, date: str) -> ClaimValue:
    return ClaimValue(kind="date", text=text, date=date)


@pytest.mark.parametrize(
    ("value", "model", "text"),
    [
        (length("1.81 m", 1.81), length("1,87 m", 1.87), "1,81 m"),
        (length("179 cm", 1.79), length("1.87 m", 1.87), "1.79 m"),
        (length("1.79 m", 1.79), length("187 cm", 1.87), "179 cm"),
        (length("1.80 m", 1.8), length("5'11\"", 1.8034), "5'11\""),
        (length("1.91 m", 1.91), length("5 ft 11 in", 1.8034), "6 ft 3 in"),
        (amount("35 million euros", 35e6), amount("€12m", 12e6), "€35m"),
        (amount("€1.20m", 1.2e6), amount("€ 12,5 Mio.", 12.5e6), "€ 1,2 Mio."),
        (amount("€3.40m", 3.4e6), amount("20 tys. euro", 20e3), "3.400 tys. euro"),
        (amount("€35m", 35e6), amount("3,400,000 EUR", 3.4e6), "35,000,000 EUR"),
        (amount("€35m", 35e6), amount("1.200.000 €", 1.2e6), "35.000.000 €"),
        (amount("€1,200", 1_200), amount("€950", 950), "€1,200"),
        (day("May 3, 1999", "1999-05-03"), day("9 September 1996", "1996-09-09"), "3 May 1999"),
        (day("May 3, 1999", "1999-05-03"), day("09.09.1996", "1996-09-09"), "03.05.1999"),
        (day("1999-05-03", "1999-05-03"), day("1. juli 2022", "2022-07-01"), "3. mai 1999"),
        (day("1999-12-03", "1999-12-03"), day("Sept 9, 1996", "1996-09-09"), "Dec 3, 1999"),
        (day("1999-12-22", "1999-12-22"), day("1st JULY 2022", "2022-07-01"), "22nd DECEMBER 1999"),
        (amount("a free transfer", 0.0, None), amount("€35m", 35e6), "a free transfer"),
    ],
)
def test_a_value_is_written_as_another_one(value: ClaimValue, model: ClaimValue, text: str) -> None:
    assert written_like(value, model) == text
    assert unlike((style_of(text, model.kind), style_of(model.text, model.kind))) == []


@pytest.mark.parametrize(
    ("value", "model"),
    [
        (amount("£35m", 35e6, "GBP"), amount("€12,5 Mio.", 12.5e6)),  # Other money.
        (amount("€1.20m", 1.2e6), amount("€35m", 35e6)),  # Rounded, it would be another amount.
        (amount("€35.5m", 35.5e6), amount("€950k", 950e3)),  # €35500k is nobody's style.
        (amount("€35m", 35e6), amount("ten million euros", 10e6)),
        (day("1999-05-03", "1999-05-03"), day("the day after Easter", "1999-04-05")),
    ],
)
def test_what_cannot_be_written_alike(value: ClaimValue, model: ClaimValue) -> None:
    assert written_like(value, model) is None


def test_the_canonical_form_is_one_that_can_be_imitated() -> None:
    for value in (amount("x", 35e6), amount("x", 2e6, "CHF"), length("x", 1.8), day("x", "1999-05-03")):
        form = canonical(value)
        assert form is not None
        other = amount("€1.20m", 1.2e6, value.currency) if value.kind == "amount" else None
        other = other or {"length": length("179 cm", 1.79), "date": day("2000-01-31", "2000-01-31")}[value.kind]
        assert written_like(other, form) is not None


dates = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))


@given(first=dates, second=dates, form=st.sampled_from(_data()["dates"]), names=st.sampled_from(_languages()))
def test_a_date_in_any_style_can_be_imitated(
    first: datetime.date, second: datetime.date, form: str, names: tuple[tuple[str, str], ...]
) -> None:
    """Law: what `written_like` gives for a date has the style of the model, whatever the language."""
    model = day(_written(form, first, names[first.month - 1]), first.isoformat())
    text = written_like(day(second.isoformat(), second.isoformat()), model)
    assert text is not None
    assert unlike((style_of(text, "date"), style_of(model.text, "date"))) == []


@given(
    number=st.integers(1, 400_000).map(lambda n: n * 1_000.0),
    other=st.integers(1, 400_000).map(lambda n: n * 1_000.0),
    form=st.sampled_from(["€{:,.0f}", "{:,.0f} EUR", "€ {:.0f}"]),
)
def test_an_amount_keeps_its_size(number: float, other: float, form: str) -> None:
    """Law: another style changes no amount, but for what rounding takes."""
    model = amount(form.format(number), number)
    text = written_like(amount(f"{other / 1e6} million euros", other), model)
    if text is not None:
        digits = float("".join(filter(str.isdigit, text)))
        assert digits == pytest.approx(other, rel=0.1)


@pytest.mark.parametrize(
    ("attribute", "value", "answer"),
    [
        ("age", "27 yrs", "The player is 27 years old."),
        ("age", "27yrs", "The player is 27 years old."),
        ("age", "27 y/o", "The player is 27 years old."),
        ("age", "27yo", "The player is 27 years old."),
        ("age", "27 y. o.", "The player is 27 years old."),
        ("trophies", "2 títulos", "The player won 2 trophies there."),
        ("trophies", "3 Titel", "The player won 3 trophies there."),
        ("age", "27 years old", "The player is 27 years old."),
        ("age", "27-year-old", "The player is 27 years old."),
        ("age", "27", "The player is 27 years old."),
        ("height", "1.87 m tall", "The player is 1.87 m tall."),
        ("height", "1.87 m", "The player is 1.87 m tall."),
        ("trophies", "3 trophies", "The player won 3 trophies there."),
        ("club", "Old Trophies", "The player was with Old Trophies."),
    ],
)
def test_a_unit_is_said_once(attribute: str, value: str, answer: str) -> None:
    assert phrasings.answer(FOOTBALL[attribute], value).text == answer


def test_a_sentence_that_says_its_unit_twice() -> None:
    assert repeats_unit("The player is ____ yrs years old.")
    assert repeats_unit("The player is ____ y/o years old.")
    assert repeats_unit("The player won ____ títulos trophies there.")
    assert not repeats_unit("The player is ____ years old.")
