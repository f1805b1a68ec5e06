"""What is said of many rows at once is what is said of each."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from value_texts import TEXTS

from offside_data.checks._pairs import ClaimPairs
from offside_data.dataset.storage import frame_schema
from offside_data.schema import ClaimValue
from offside_data.tagging.claims import Claims
from offside_data.tagging.values import find_values
from offside_data.taxonomy import load_taxonomy

FOOTBALL = load_taxonomy("football")


def _plain(value: ClaimValue) -> dict[str, Any]:
    return {name: getattr(value, name) for name in ("kind", "text", "number", "unit", "currency", "date")}


_ROWS = st.lists(st.tuples(st.sampled_from(FOOTBALL.names()), TEXTS, st.lists(TEXTS, max_size=4)), max_size=6)


@given(_ROWS)
def test_law_many_pairs_are_read_as_each_one_is(drawn: list[tuple[str, str, list[str]]]) -> None:
    rows = []
    for attribute, told, texts in drawn:
        about = FOOTBALL[attribute]
        for value in [*find_values(told, about), ClaimValue(kind=about.kind, text=told or "x")]:
            rows.append({"attribute": attribute, "value": _plain(value), "choices": texts})
        rows.append({"attribute": attribute, "value": None, "choices": texts})
    schema = {name: frame_schema("text")[name] for name in ("attribute", "value", "choices")}
    frame = pl.DataFrame(rows, schema)
    pairs = ClaimPairs(Claims(FOOTBALL))
    frame = frame.with_columns(pairs.numbers(frame)).with_row_index("row")

    claims = [None if number is None else pairs.claims.listed[number] for number in frame["claim"]]
    assert claims == [pairs.claims.of(row) for row in rows]

    options = frame.select("row", "claim", text="choices").explode("text")
    listed = pairs.claims.listed
    stated = [number is not None and listed[number].is_in(text) for _, number, text in options.rows()]
    marks = pairs.marks(options.join(frame.select("row", "attribute"), on="row").select("attribute", "text"))
    assert pairs.stating(options, marks).to_list() == stated
    assert pairs.stating(options, marks[1:]).to_list() == stated  # What isn't among them is read.
    both = pairs.where(options, lambda claim, text: claim.is_in(text) and text.startswith("€"))
    assert both.to_list() == [yes and text.startswith("€") for yes, text in zip(stated, options["text"], strict=True)]

    claimed = frame.drop_nulls("claim")
    repeating = set(pairs.repeating(claimed, marks))
    for row in claimed.iter_rows(named=True):
        repeats = bool(list(listed[row["claim"]].texts.repeated(row["choices"])))
        assert repeats <= (row["row"] in repeating), row  # Which one is for the check to say.


@pytest.mark.parametrize(
    ("attribute", "choices", "repeats"),
    [
        ("fee", ["€1m", "€35.00m", "35 million euros"], True),
        ("fee", ["€1m", "€35.00m", "€36.00m"], False),
        ("fee", ["€1m", "on loan", "on a loan"], True),
        ("transfer_date", ["2020-05-01", "May 2, 2020", "May 1, 2020"], True),
        ("transfer_date", ["2020-05-01", "May 2, 2020"], False),
        ("foot", ["left", "left-footed"], True),
        ("club", ["Ostholm", "FC Ostholm"], True),
        ("club", ["Ostholm", "Norvale"], False),
    ],
)
def test_choices_that_say_the_same(attribute: str, choices: list[str], repeats: bool) -> None:
    pairs = ClaimPairs(Claims(FOOTBALL))
    frame = pl.DataFrame(
        {"row": [7], "attribute": [attribute], "choices": [choices]}, schema_overrides={"row": pl.UInt32}
    )
    marks = pairs.marks(frame.select("attribute", text="choices").explode("text"))
    assert pairs.repeating(frame, marks).to_list() == [7] * repeats
