from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from whole_dataset import WholeDataset

from offside_data.cli import main
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.undo import record_change, save_undo


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def decision(fresh: OffsideDataset) -> str:
    """A decision that took a record out and changed another one."""
    contents = WholeDataset.read(fresh.path)
    gone, other, *rest = [r for r in contents.records if r.split == "retain"]
    changed = dataclasses.replace(other, suspect="odd")
    contents.records = [changed, *rest, *(r for r in contents.records if r.split != "retain")]
    made = make_decision("tidied", {"records": [gone.record_id]}, "a test", command="test")
    contents.decisions.append(made)
    with replaced_content(fresh.path, dataset_files) as staged:
        contents.write_into(staged)
        save_undo(staged, made["id"], [record_change(gone, None), record_change(other, changed)])
    return str(made["id"])


def test_a_decision_is_taken_back(fresh: OffsideDataset, decision: str) -> None:
    result = run("undo", fresh.path, decision)
    assert result.exit_code == 0
    assert f"{decision} taken back: 1 rows returned, 1 changed back, 0 removed." in result.stdout
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_as_json(fresh: OffsideDataset, decision: str) -> None:
    done = json.loads(run("undo", fresh.path, decision, "--json").stdout)
    assert (done["returned"], done["changed"], done["removed"]) == (1, 1, 0)
    assert done["decision"]["what"]["decision"] == decision


def test_twice_is_wrong_use(fresh: OffsideDataset, decision: str) -> None:
    run("undo", fresh.path, decision)
    result = run("undo", fresh.path, decision)
    assert result.exit_code == 2
    assert "was taken back already" in result.stderr


def test_an_unknown_decision(fresh: OffsideDataset, decision: str, tmp_path: Path) -> None:
    result = run("undo", fresh.path, "d123")
    assert result.exit_code == 2
    assert f"unknown decision 'd123'. Known: {decision}." in result.stderr
