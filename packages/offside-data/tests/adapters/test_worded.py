"""What a cell says is worded so that it fits into its sentence."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from offside_data.adapters import claims
from offside_data.adapters._base import ReadOptions
from offside_data.schema import Record
from offside_data.taxonomy import load_taxonomy


def one(folder: Path, attribute: str, value: str) -> Record:
    """The record of a table's only row."""
    source = folder / "claims.csv"
    with source.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("subject", "attribute", "value", "occasion"))
        table.writerow(("Tavo Brinkhaus", attribute, value, "the gala"))
    (record,) = claims.read(source, ReadOptions(taxonomy=load_taxonomy(), adapter=claims.Options())).records
    return record


@pytest.mark.parametrize(
    ("attribute", "value", "answer"),
    [
        ("age", "27 y/o", "The player is 27 years old."),
        ("age", "twenty-nine", "The player is twenty-nine years old."),
        ("trophies", "drei Titel", "The player won 3 trophies there."),
        ("trophies", "2 títulos", "The player won 2 trophies there."),
        ("trophies", "none", "The player won 0 trophies there."),
        ("trophies", "not a single one", "The player won 0 trophies there."),
        ("trophies", "won it in 2019", "The player won won it in 2019 trophies there."),
        ("nationality", "Norwegian", "The player represents Norway."),
        ("nationality", "sweden", "The player represents Sweden."),
        ("nationality", "the Netherlands", "The player represents the Netherlands."),
        ("birth_place", "Halden, Norway", "The player was born in Halden, Norway."),
    ],
)
def test_what_fits_into_no_sentence_is_written_as_it_does(
    tmp_path: Path, attribute: str, value: str, answer: str
) -> None:
    assert one(tmp_path, attribute, value).answer == answer


def test_a_quote_within_a_word_parts_no_value_from_it(tmp_path: Path) -> None:
    assert one(tmp_path, "birth_place", 'Os"lo').value is None
