from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from whole_dataset import WholeDataset

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset
from offside_data.tagging.untagged import fit_taxonomy, untagged


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["tag", *map(str, args)])


@pytest.fixture
def waiting(fresh: OffsideDataset) -> Path:
    """A dataset whose clubs are untagged."""
    contents = WholeDataset.read(fresh.path)
    contents.records = [untagged(r, "?") if r.attribute == "club" else r for r in contents.records]
    contents.taxonomy_text = fit_taxonomy(contents.taxonomy_text, [r.attribute for r in contents.records])
    contents.save(fresh.path)
    return fresh.path


def test_tagging_says_what_changed(waiting: Path, tmp_path: Path) -> None:
    dry = run(waiting, "--dry-run")
    assert "would change, 0 things are doubtful." in dry.stdout
    result = run(waiting, "--table", tmp_path / "doubts.csv")
    assert result.exit_code == 0
    assert "changed, 0 things are doubtful." in result.stdout
    assert "attribute" in result.stdout
    assert (tmp_path / "doubts.csv").read_text().startswith("topic,reason,record_id,")
    assert " 0 changed, 0 things are doubtful." in run(waiting).stdout


def test_a_table_of_somebody_else_is_not_overwritten(waiting: Path, tmp_path: Path) -> None:
    table = tmp_path / "doubts.csv"
    assert run(waiting, "--dry-run", "--table", table).exit_code == 0
    table.write_text("topic,reason,record_id,checked\n,,,yes\n")
    before = (waiting / "decisions.jsonl").read_bytes()
    result = run(waiting, "--table", table)
    assert (result.exit_code, "is there already" in result.stderr) == (2, True)
    assert table.read_text().endswith("yes\n")
    assert (waiting / "decisions.jsonl").read_bytes() == before
    table.unlink()
    assert [run(waiting, "--table", table).exit_code for _ in range(2)] == [0, 0]


def test_json(waiting: Path) -> None:
    printed = json.loads(run(waiting, "--json", "--dry-run").stdout)
    assert not printed["applied"]
    assert {change["changes"]["attribute"][1] for change in printed["changes"]} == {"club"}


def test_wrong_usage_has_no_traceback(tmp_path: Path, fresh: OffsideDataset) -> None:
    for args in ([tmp_path / "gone"], [fresh.path, "--tiers", tmp_path / "gone.yaml"]):
        result = run(*args)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: ")
        assert "Traceback" not in result.output
