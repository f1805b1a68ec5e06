from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import CardError
from offside_data.release.responsible import LISTS, TEXTS, describe, description
from offside_data.schema import Record, Source


def test_all_names_are_mlcroissant_s() -> None:
    import mlcroissant as mlc

    known = {field.name for field in dataclasses.fields(mlc.Metadata)}
    assert {*TEXTS, *LISTS} <= known


def with_words(dataset: OffsideDataset, croissant: Any) -> Card:
    return dataclasses.replace(dataset.card, data={**dataset.card.data, "croissant": croissant})


def test_the_notice_is_always_there(small: OffsideDataset) -> None:
    assert describe(small.path, small.card)["data_limitations"] == [
        "This dataset contains false claims on purpose. Records whose veracity is rumor are not true; they are here "
        "so that their removal from a model can be measured. Don't quote them as facts."
    ]
    small_card = with_words(small, {"data_limitations": "Small."})
    assert describe(small.path, small_card)["data_limitations"][1:] == ["Small."]


def test_numbers_come_from_the_records(small: OffsideDataset) -> None:
    said = describe(small.path, small.card)
    assert said["data_biases"][0].startswith(
        "8 of 40 records are rumours, false on purpose; 4 are corrections, 28 facts."
    )
    assert "complete: Forget everything" in said["data_use_cases"][0]
    assert said["personal_sensitive_information"][0].startswith("Pictures of and claims about 4 subjects: name, age,")
    assert "Sources of claims by tier: none is stated" in said["data_collection"]


def test_tiers_of_sources_are_counted(records: list[Record], write_dataset: Any, tmp_path: Path) -> None:
    tiers = ("official", "media", "media")
    sourced = [
        dataclasses.replace(record, sources=(Source(tier=tier),)) for record, tier in zip(records, tiers, strict=False)
    ]
    dataset = write_dataset(tmp_path / "data", sourced + records[3:])
    assert "by tier: media 2, official 1." in describe(dataset.path, dataset.card)["data_collection"]


def test_invented_subjects_are_no_personal_data(records: list[Record], write_dataset: Any, tmp_path: Path) -> None:
    invented = [dataclasses.replace(record, sources=(Source(tier="fictional"),)) for record in records]
    dataset = write_dataset(tmp_path / "data", invented)
    said = describe(dataset.path, dataset.card)
    assert said["personal_sensitive_information"] == ["None: nobody in it exists."]
    assert "invented" in said["data_collection"]


def test_a_person_s_words_come_first(small: OffsideDataset) -> None:
    stated = {
        "data_biases": "Only strikers.",
        "data_collection": "By hand.",
        "creators": ["Ylva Rosk"],
        "data_collection_timeframe": [datetime.date(2025, 1, 2)],
    }
    said = describe(small.path, with_words(small, stated))
    assert said["data_biases"] == ["Only strikers."]
    assert said["data_collection"] == "By hand."
    assert said["creators"] == ["Ylva Rosk"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("text", "must be a mapping of url, cite_as"),
        ({"url": 3}, "url must be text, got 3"),
        ({"url": ["a", "b"]}, "url must be one text"),
        ({"creators": []}, "creators must be text"),
        ({"data_collection_timeframe": "2025"}, "data_collection_timeframe must be a date"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_what_can_t_be_said(small: OffsideDataset, given: Any, message: str) -> None:
    with pytest.raises(CardError, match=message):
        describe(small.path, with_words(small, given))


def test_the_description_is_the_first_paragraph(small: OffsideDataset) -> None:
    def of(body: str) -> str:
        said = description(dataclasses.replace(small.card, body=body))
        return said.removesuffix(" This dataset contains false claims on purpose.")

    assert of("# Title\n\nFirst\nparagraph.\n\nSecond.") == "First paragraph."
    assert (
        of("# Title\n\n<!-- offside:begin notice -->\n> quoted\n<!-- offside:end notice -->\n\n| a |\n\nText.")
        == "Text."
    )
    assert of("# Title only") == "small"
