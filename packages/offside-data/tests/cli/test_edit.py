from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def claim(fresh: OffsideDataset) -> str:
    """A text record of s1, whose picture says the same."""
    return next(r.record_id for r in fresh.iter_records() if (r.modality, r.subject_id) == ("text", "s1"))


@pytest.fixture
def table(claim: str, tmp_path: Path) -> Path:
    (tmp_path / "clubs.csv").write_text(f"record_id,value\n{claim},Ostholm\n")
    return tmp_path / "clubs.csv"


def test_a_table_is_followed_once(fresh: OffsideDataset, table: Path, claim: str) -> None:
    told = run("edit", fresh.path, table, "--dry-run")
    assert told.exit_code == 0
    assert "Would change" in told.stdout
    assert "Norvale Rovers -> Ostholm" in told.stdout
    assert "1 row; 1 record would change, 0 would follow." in told.stdout
    assert open_dataset(fresh.path).digest == fresh.digest
    done = run("edit", fresh.path, table)
    assert "1 row; 1 record changed, 0 followed. Decision d" in done.stdout
    assert f"note: {claim} says otherwise than" in done.stdout
    assert "made anew" in done.stdout
    assert run("edit", fresh.path, table).stdout == "1 row; nothing to change.\n"


def test_as_json(fresh: OffsideDataset, table: Path, claim: str) -> None:
    done = json.loads(run("edit", fresh.path, table, "--json", "--by", "ana", "--reason", "They said so.").stdout)
    assert (done["rows"], done["dry_run"]) == (1, False)
    assert done["changes"][0]["record_id"] == claim
    assert done["changes"][0]["fields"]["value"] == ["Norvale Rovers", "Ostholm"]
    assert done["decision"]["why"] == "They said so."
    back = run("undo", fresh.path, done["decision"]["id"])
    assert back.exit_code == 0
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_a_template_is_written(fresh: OffsideDataset, tmp_path: Path) -> None:
    result = run("edit", fresh.path, "--template", tmp_path / "t.xlsx", "--where", "split=forget", "--columns", "value")
    assert result.exit_code == 0
    assert "t.xlsx: 12 records. Fill it in, then: offside-data edit" in result.stdout
    assert run("edit", fresh.path, tmp_path / "t.xlsx").stdout == "12 rows; nothing to change.\n"
    told = json.loads(run("edit", fresh.path, "--template", tmp_path / "t.csv", "--json").stdout)
    assert told == {"template": str(tmp_path / "t.csv"), "records": 40}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the TABLE to follow, or --template OUT"),
        (["{table}", "--template", "{table}.x.csv"], "not both"),
        (["{table}", "--where", "split=forget"], "--where and --columns choose what --template lists"),
        (["{table}", "--set", "sheets=1"], "unknown option of EditTableOptions 'sheets'. Did you mean 'sheet'?"),
        (["{table}", "--set", "delimiter=;"], "unknown column 'record_id,value'"),
        (["none.csv"], "none.csv: no such table"),
        (["--template", "t.csv", "--where", "split=forgot"], "Did you mean 'forget'?"),
    ],
)
def test_wrong_use(fresh: OffsideDataset, table: Path, arguments: list[str], message: str) -> None:
    result = run("edit", fresh.path, *(argument.format(table=table) for argument in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_rows_that_fail(fresh: OffsideDataset, claim: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"record_id,attribute,veracity\n{claim},clubb,\nnobody,,fact\n")
    result = run("edit", fresh.path, tmp_path / "t.csv")
    assert result.exit_code == 2
    assert f"line 2: record {claim}: unknown attribute 'clubb'. Did you mean 'club'?" in result.stderr
    assert "line 3: there is no record 'nobody'." in result.stderr
