from __future__ import annotations

import polars as pl
import pytest

from offside_data.frames import formatted


def parts(*texts: str) -> pl.DataFrame:
    """Frames of parts put together; with a struct among the columns, a filter keeps the chunks that it empties."""
    return pl.concat([pl.DataFrame({"x": [text] * 2, "n": [1, 2], "s": [{"a": text}] * 2}) for text in texts])


@pytest.mark.parametrize("kept", ["first", "second", "third", "none"])
def test_a_part_without_rows_is_no_stop(kept: str) -> None:
    found = parts("first", "second", "third").filter(pl.col("x") == kept)
    told = found.select(formatted("a {} of {}.", "x", pl.col("n")).alias("told"))["told"].to_list()
    assert told == [f"a {kept} of {n}." for n in found["n"]]


def test_it_is_as_polars_formats() -> None:
    frame = pl.DataFrame({"x": ["a", None, ""]})
    for template in ("{}", "{} b", "b {}"):
        assert frame.select(formatted(template, "x"))["x"].equals(frame.select(pl.format(template, "x")).to_series())
    with pytest.raises(ValueError, match="2 places for 1 columns"):
        formatted("{} {}", "x")
