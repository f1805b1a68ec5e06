from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset
from offside_data.dedup.declared import declare_apart
from offside_data.schema import make_image_id

PAIR = (make_image_id("test", "s1/p1"), make_image_id("test", "s1/p3"))


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False, env={"COLUMNS": "250"})


@pytest.fixture
def decided(fresh: OffsideDataset, edit_rows: Any) -> OffsideDataset:
    def state(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["source"] = "claims:posts/one.png" if row["image_id"] == PAIR[0] else None

    edit_rows(fresh, "images", state)
    declare_apart(fresh.path, [PAIR], "another number")
    return fresh


def test_decisions_are_listed_with_files(decided: OffsideDataset) -> None:
    result = run("decisions", decided.path)
    assert result.exit_code == 0
    assert f"posts/one.png ({PAIR[0]})" in result.stdout
    assert "another number" in result.stdout
    assert result.stdout.endswith("1 decision\n")


def test_what_was_taken_back_says_so(decided: OffsideDataset) -> None:
    (decision,) = json.loads(run("decisions", decided.path, "--json").stdout)
    run("undo", decided.path, decision["id"])
    assert "not-duplicate, taken back" in run("decisions", decided.path).stdout
    listed = json.loads(run("decisions", decided.path, "--kind", "not-duplicate", "--json").stdout)
    assert [line["holds"] for line in listed] == [False]


def test_a_wrong_kind_is_wrong_use(decided: OffsideDataset) -> None:
    result = run("decisions", decided.path, "--kind", "waivers")
    assert result.exit_code == 2
    assert "unknown kind of decision 'waivers'. Known: not-duplicate." in result.stderr


def test_none_at_all(fresh: OffsideDataset) -> None:
    assert run("decisions", fresh.path).stdout == "0 decisions\n"
