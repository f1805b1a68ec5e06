from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from run_check import run_check

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset
from offside_data.issues import Issue


def check_with(dataset: OffsideDataset, card: Card) -> list[Issue]:
    card.save(dataset.path)
    return run_check("card", dataset.path)


def places(issues: list[Issue]) -> list[tuple[str, str, str]]:
    return [(f.severity, f.code, f.where) for f in issues]


def test_lost_records_make_the_card_outdated(found: Any) -> None:
    issues = found("card", {"text/forget": lambda rows: rows[1:]})
    assert places(issues) == [
        ("error", "card-outdated", "offside.splits.text/forget.records"),
        ("error", "card-outdated", "offside.splits.text/forget.subjects"),
        ("error", "card-outdated", "offside.splits.text/forget.images"),
        ("error", "card-outdated", "dataset_info.text/forget"),
    ]


def test_a_split_only_in_the_card(fresh: OffsideDataset) -> None:
    fresh.files("multimodal/relearn")[0].unlink()
    issues = check_with(fresh, fresh.card)
    assert places(issues) == [
        ("error", "card-outdated", "offside.splits.multimodal/relearn"),
        ("error", "card-outdated", "offside.settings"),
    ]
    assert "the records allow complete, selective, unimodal, visual-rumor" in issues[1].message


def test_a_split_only_on_disk(fresh: OffsideDataset) -> None:
    splits = {part: facts for part, facts in fresh.card.block.splits.items() if part != "text/forget"}
    fresh.card.block = dataclasses.replace(fresh.card.block, splits=splits)
    assert ("error", "card-outdated", "offside.splits.text/forget") in places(check_with(fresh, fresh.card))


def test_a_visual_rumor_must_be_there_to_be_offered(found: Any) -> None:
    def no_longer(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["rumor_channel"] = "none"

    assert places(found("card", {"multimodal/forget": no_longer})) == [("error", "card-outdated", "offside.settings")]


def test_what_datasets_needs(fresh: OffsideDataset) -> None:
    fresh.card.data["configs"] = [c for c in fresh.card.data["configs"] if c["config_name"] != "text"]
    del fresh.card.data["dataset_info"]
    found = places(check_with(fresh, fresh.card))
    assert ("error", "card-outdated", "configs.text") in found
    assert ("error", "card-outdated", "dataset_info.subjects") in found


@pytest.mark.parametrize(
    "told",
    [
        *("/etc/passwd", "../../etc/*", "hf://datasets/some/other", "https://example.org/a.parquet"),
        *(["../a"], [{"split": "forget", "path": ["../a"]}], {"forget": "../a"}),
    ],
    ids=str,
)
def test_data_files_elsewhere_are_refused(fresh: OffsideDataset, told: Any) -> None:
    fresh.card.data["configs"][0]["data_files"] = told
    assert ("error", "data-files-outside", "configs.multimodal") in places(check_with(fresh, fresh.card))


def test_data_files_that_miss_a_file(fresh: OffsideDataset) -> None:
    text = next(config for config in fresh.card.data["configs"] if config["config_name"] == "text")
    text["data_files"][0]["path"] = "data/text/nothing-*.parquet"
    issues = check_with(fresh, fresh.card)
    assert places(issues) == [("error", "card-outdated", "configs.text.data_files")]


@pytest.mark.parametrize("configs", [3, "a", {"a": 1}, [3], [None], [[1]], [{"config_name": ["a"]}]], ids=str)
def test_configs_of_another_type_list_nothing(fresh: OffsideDataset, configs: Any) -> None:
    fresh.card.data["configs"] = configs
    assert ("error", "card-outdated", "configs.text") in places(check_with(fresh, fresh.card))


def test_a_missing_notice_is_warned_about(fresh: OffsideDataset) -> None:
    fresh.card.body = re.sub(r"<!-- offside:begin notice -->", "", fresh.card.body)
    assert places(check_with(fresh, fresh.card)) == [("warning", "card-section-missing", "notice")]


def test_issues_of_the_card_itself_are_passed_on(fresh: OffsideDataset) -> None:
    del fresh.card.data["license"]
    assert places(check_with(fresh, fresh.card)) == [("warning", "card-incomplete", "license")]
