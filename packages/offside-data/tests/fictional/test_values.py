from __future__ import annotations

import datetime

import pytest

from offside_data.fictional.values import (
    amount_value,
    birthday,
    choice_value,
    count_value,
    date_value,
    different_days,
    length_value,
    name_value,
    place_value,
)
from offside_data.schema import ClaimValue
from offside_data.seeding import rng
from offside_data.tagging.values import find_values
from offside_data.taxonomy import Attribute


@pytest.mark.parametrize(
    "value",
    [
        name_value("Ironbeck Timber"),
        place_value("Upper Wold"),
        count_value(7),
        count_value(12_400),
        date_value(datetime.date(2019, 7, 4)),
        length_value(184),
        amount_value("$1.25 million", 1.25e6, "USD"),
        amount_value("€800k", 0.8 * 1e6, "EUR"),
    ],
)
def test_a_value_means_what_its_text_says(value: ClaimValue) -> None:
    attribute = Attribute(name="any", scope="shared", kind=value.kind, questions=(), answers=())
    assert find_values(value.text, attribute) == [value]


def test_a_choice_is_one_of_the_options_in_its_first_spelling() -> None:
    options = (("left", "left-footed"), ("right",))
    attribute = Attribute(name="foot", scope="shared", kind="choice", options=options, questions=(), answers=())
    assert {choice_value(rng(n), attribute).text for n in range(20)} == {"left", "right"}


def test_days_differ_and_stay_in_their_time() -> None:
    days = different_days(rng(0), datetime.date(2016, 1, 1), 30, 30)
    assert len(set(days)) == 30
    assert (min(days), max(days)) == (datetime.date(2016, 1, 1), datetime.date(2016, 1, 30))
    assert {birthday(rng(n), (1990, 1991)).year for n in range(20)} == {1990, 1991}
