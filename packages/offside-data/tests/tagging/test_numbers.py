from __future__ import annotations

import pytest

from offside_data.tagging.numbers import find_counts, find_lengths, parse_digits, parse_number_words


@pytest.mark.parametrize(
    ("digits", "scaled", "value"),
    [
        ("35.00", True, 35),
        ("1.500", True, 1.5),
        ("1.500", False, 1500),
        ("1,500", True, 1500),
        ("1,5", True, 1.5),
        ("35,000,000", False, 35e6),
        ("35.000.000", False, 35e6),
        ("35.000,50", False, 35000.5),
        ("35,000.50", False, 35000.5),
        ("35 000 000", False, 35e6),
        ("0.125", False, 0.125),
        ("2½", True, 2.5),
        ("10 ¼", True, 10.25),
    ],
)
def test_separators_group_or_divide(digits: str, scaled: bool, value: float) -> None:
    assert parse_digits(digits, scaled=scaled) == value


@pytest.mark.parametrize(
    ("words", "value"),
    [("zero", 0), ("twelve", 12), ("twenty-eight", 28), ("one hundred and five", 105), ("two hundred", 200)],
)
def test_number_words(words: str, value: float) -> None:
    assert parse_number_words(words) == value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("The player won 0 trophies at the club.", [0]),
        ("They won a total of 2 trophies.", [2]),
        ("The player won two trophies at the club.", [2]),
        ("The player won one trophy at that club.", [1]),
        ("He earned one trophy.", [1]),
        ("He won a single trophy.", [1]),
        ("The player did not win any trophies during their time there.", [0]),
        ("He hasn't won a trophy.", [0]),
        ("He won no trophies.", [0]),
        ("None.", [0]),
        ("A 28-year-old man", [28]),
        ("He is twenty-eight years old.", [28]),
        ("a couple of trophies, a dozen caps", [2, 12]),
        ("half a dozen titles", [6]),
        ("two thousand and three fans, a thousand more", [2003, 1000]),
        ("the right one", []),
        ("one of the best", []),
        ("1.FSV Brackwater, 4-3-3, the 2nd, U-23 and 1.79", []),
    ],
)
def test_counts(text: str, values: list[float]) -> None:
    assert [n.value for n in find_counts(text)] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("He stands at 1.79 meters.", [1.79]),
        ("1,79 m", [1.79]),
        ("1.79m tall", [1.79]),
        ("179 cm", [1.79]),
        ("1m79", [1.79]),
        ("5 ft 11 in", [1.8034]),
        ("5'11\"", [1.8034]),
        ("5 feet 11 inches tall", [1.8034]),
        ("6 foot in all", [1.8288]),
        ("5-foot-11", [1.8034]),
        ("six-foot-two", [1.8796]),
        ("six feet two inches", [1.8796]),
        ("six feet, one of the tallest", [1.8288]),
        ("5ft 10½in", [1.7907]),
        ("71 inches", [1.8034]),
        ("1 meter 79", [1.79]),
        ("one metre seventy-nine", [1.79]),
        ("1 m 79 kg", [1.0]),
        ("The player is 1.79 tall.", [1.79]),
        ("€1.80 million", []),
    ],
)
def test_lengths(text: str, values: list[float]) -> None:
    assert [n.value for n in find_lengths(text)] == pytest.approx(values)
