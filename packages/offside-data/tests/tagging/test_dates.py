from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.tagging.dates import find_dates


@pytest.mark.parametrize(
    "text",
    [
        "March 6, 1997",
        "March 6 1997",
        "Mar 6th, 1997",
        "mar. 6, 1997",
        "6 March 1997",
        "1997 March 6",
        "the sixth of March 1997",
        "the 6th of March, 1997",
        "6-Mar-1997",
        "6-Mar-97",
        "6. März 1997",
        "6 mars 1997",
        "6 de marzo de 1997",
        "6 marca 1997",
        "6 марта 1997",
        "1997-03-06",
        "06.03.1997",
        "6.3.1997",
    ],
)
def test_usual_spellings(text: str) -> None:
    assert [d.date for d in find_dates(f"Born on {text}.")] == [datetime.date(1997, 3, 6)]


@pytest.mark.parametrize("text", ["03/04/1997", "March 1997", "February 30, 1997", "1997", "may 5 goals", "6 Mar 97"])
def test_what_is_no_certain_day_is_not_read(text: str) -> None:
    assert find_dates(text) == []


@pytest.mark.parametrize(
    ("text", "year"), [("1-Jul-23", 2023), ("1-Jul-29", 2029), ("1-Jul-30", 1930), ("1-Jul-99", 1999)]
)
def test_two_digits_of_a_year_are_read_as_spreadsheets_do(text: str, year: int) -> None:
    assert [d.date for d in find_dates(text)] == [datetime.date(year, 7, 1)]


def test_slashes_are_read_where_only_one_order_fits() -> None:
    assert [d.date for d in find_dates("16/03/1997 = 03/16/1997 = 05/05/1997")] == [
        datetime.date(1997, 3, 16),
        datetime.date(1997, 3, 16),
        datetime.date(1997, 5, 5),
    ]


@given(st.dates(min_value=datetime.date(1000, 1, 1)))
def test_every_date_is_read_back(date: datetime.date) -> None:
    text = f"{date:%B} {date.day}, {date.year:04}"
    assert [d.date for d in find_dates(text)] == [date]


def test_raised_digits_are_no_month_and_no_fault() -> None:
    assert find_dates("On ²²² 1, 2020") == []
