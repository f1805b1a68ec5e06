from __future__ import annotations

import pytest

from offside_data.tagging.amounts import find_amounts


@pytest.mark.parametrize(
    ("text", "number", "currency"),
    [
        ("The transfer fee was €20 million.", 20e6, "EUR"),
        ("€35.00m", 35e6, "EUR"),
        ("€15.04 million", 15_040_000, "EUR"),
        ("€200k", 200e3, "EUR"),
        ("35 million euros", 35e6, "EUR"),
        ("thirty-five million euros", 35e6, "EUR"),
        ("EUR 35m", 35e6, "EUR"),
        ("35 M€", 35e6, "EUR"),
        ("€35,000,000", 35e6, "EUR"),
        ("£26 million", 26e6, "GBP"),
        ("26 million pounds", 26e6, "GBP"),
        ("$1.2bn", 1.2e9, "USD"),
        ("Their market value is 2.50 million.", 2.5e6, None),
        ("€4.10 million", 4.1e6, "EUR"),
        ("35,5 Mio. Euro", 35.5e6, "EUR"),
        ("35 Mio. €", 35e6, "EUR"),
        ("35 mil euros", 35e6, "EUR"),
        ("€500Th.", 500e3, "EUR"),
        ("500 tsd. Euro", 500e3, "EUR"),
        ("€2½ million", 2.5e6, "EUR"),
        ("half a million euros", 0.5e6, "EUR"),
        ("one and a half million pounds", 1.5e6, "GBP"),
        ("a million dollars", 1e6, "USD"),
        ("3 million U.S. dollars", 3e6, "USD"),
        ("A$3m", 3e6, "AUD"),
        ("R$ 10 million", 10e6, "BRL"),
        ("SEK 30m", 30e6, "SEK"),
        ("2 million Swiss francs", 2e6, "CHF"),
        ("€750 thousand", 750e3, "EUR"),
        ("€10 Millionen", 10e6, "EUR"),
        ("1,500 Mio. €", 1.5e6, "EUR"),
        ("1.500 Mio. €", 1.5e9, "EUR"),
        ("1,500 millions d'euros", 1.5e6, "EUR"),
        ("1,500m kronor", 1.5e6, "SEK"),
        ("€2 milliards", 2e9, "EUR"),
        ("₹5 crore", 5e7, "INR"),
        ("₹1,23,456", 123_456, "INR"),
        ("R$ 35 mil", 35e3, "BRL"),
        ("£10 grand", 10e3, "GBP"),
        ("500 тыс. евро", 500e3, "EUR"),
        ("zehn Millionen Euro", 10e6, "EUR"),
        ("quatre-vingt-dix millions d'euros", 90e6, "EUR"),
        ("5億円", 5e8, "JPY"),
        ("EUR35m", 35e6, "EUR"),
    ],
)
def test_an_amount_in_its_spellings(text: str, number: float, currency: str | None) -> None:
    (amount,) = find_amounts(text)
    assert (amount.number, amount.currency) == (number, currency)
    assert text[amount.start : amount.end] == amount.text


@pytest.mark.parametrize(
    ("text", "term", "said"),
    [
        ("The player was transferred on a free transfer.", "free", "free transfer"),
        ("He came for free.", "free", "for free"),
        ("A Bosman move.", "free", "Bosman move"),
        ("He came without a fee.", "free", "without a fee"),
        ("End of loan", "end of loan", "End of loan"),
        ("The player was transferred on loan.", "loan", "on loan"),
        ("The transfer was a loan deal.", "loan", "loan deal"),
        (
            "The player returned at the end of their loan period.",
            "end of loan",
            "returned at the end of their loan period",
        ),
    ],
)
def test_terms_without_a_fee(text: str, term: str, said: str) -> None:
    (amount,) = find_amounts(text)
    assert (amount.term, amount.text) == (term, said)


@pytest.mark.parametrize(
    "text", ["He is 28.", "35", "20kg", "6th of March", "a striker", "in 2019", "1.79 cm", "€" + "9" * 400]
)
def test_a_bare_number_is_no_amount(text: str) -> None:
    assert find_amounts(text) == []


@pytest.mark.parametrize("text", ["€1.2.3m", "€1,2,3", "1,2345,678 euros"])
def test_a_numeral_that_is_none_is_no_amount(text: str) -> None:
    assert find_amounts(text) == []


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("35 mil euros", "'mil' may be a million in English slang, a thousand in Spanish and Portuguese"),
        ("€5m dollars", "it names several currencies, EUR, USD"),
        ("€1,23,456", "'1,23,456' is grouped as rupees are"),
    ],
)
def test_an_amount_may_be_doubtful(text: str, doubt: str) -> None:
    assert [a.doubt for a in find_amounts(text)] == [doubt]
