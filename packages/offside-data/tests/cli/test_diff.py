from __future__ import annotations

import dataclasses
import json

from click.testing import CliRunner
from whole_dataset import WholeDataset

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def change(dataset: OffsideDataset) -> None:
    contents = WholeDataset.read(dataset.path)
    contents.records[0] = dataclasses.replace(contents.records[0], question="In which country?", suspect="really?")
    contents.records.pop()
    contents.save(dataset.path)


def test_diff_for_people(small: OffsideDataset, fresh: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["diff", str(small.path), str(fresh.path)])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no difference")
    change(fresh)
    result = CliRunner().invoke(main, ["diff", str(small.path), str(fresh.path)])
    assert result.exit_code == 0, result.output
    assert "record changed: 1\n" in result.stdout
    assert "    suspect: None -> 'really?' [patch]\n" in result.stdout
    assert "2 changes: a minor version at least" in result.stdout


def test_diff_for_programs(small: OffsideDataset, fresh: OffsideDataset) -> None:
    change(fresh)
    told = json.loads(CliRunner().invoke(main, ["diff", str(small.path), str(fresh.path), "--json"]).stdout)
    assert told["bump"] == "minor"
    assert told["b"]["digest"] != told["a"]["digest"] == small.digest
    changed, removed = sorted(told["changes"], key=lambda c: str(c["action"]))
    assert [f["field"] for f in changed["fields"]] == ["question", "suspect"]
    assert {f["bump"] for f in changed["fields"]} == {"patch"}
    assert (removed["action"], removed["bump"]) == ("removed", "minor")


def test_long_lists_are_cut(small: OffsideDataset, fresh: OffsideDataset) -> None:
    contents = WholeDataset.read(fresh.path)
    contents.records = [dataclasses.replace(record, suspect="look") for record in contents.records]
    contents.save(fresh.path)
    result = CliRunner().invoke(main, ["diff", str(small.path), str(fresh.path)])
    assert "and 20 more; --json lists all" in result.stdout


def test_what_is_no_dataset(small: OffsideDataset) -> None:
    result = CliRunner().invoke(main, ["diff", str(small.path), "./none"])
    assert result.exit_code == 2
    assert "no such dataset folder" in result.stderr
