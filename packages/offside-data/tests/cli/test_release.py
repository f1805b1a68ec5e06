from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from offside_data.check import check_dataset
from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["release", *arguments])


def test_release_and_again(fresh: OffsideDataset) -> None:
    arguments = [str(fresh.path), "--bump", "patch", "--note", "The first one."]
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "released 1.0.0\ndigest sha256:" in result.stdout
    assert check_dataset(open_dataset(fresh.path)) == []  # With the real croissant.json.
    result = run(*arguments)
    assert (result.exit_code, result.stdout[:48]) == (0, "Nothing differs from 1.0.0, which is released al")


def test_release_for_programs(fresh: OffsideDataset) -> None:
    told = json.loads(run(str(fresh.path), "--bump", "major", "--note", "The first one.", "--json").stdout)
    assert (told["version"], told["parent"], told["new"]) == ("1.0.0", None, True)
    assert {"kind": "subject", "action": "added", "number": 4} in told["changes"]


def test_a_refusal_has_no_traceback(fresh: OffsideDataset, edit_rows: Any) -> None:
    edit_rows(fresh, "text/retain", lambda rows: rows[0].update(question="Edited?"))
    result = run(str(fresh.path), "--bump", "major", "--note", "x")
    assert result.exit_code == 1
    assert "error: " in result.stderr
    assert "digest-mismatch" in result.stderr
    assert run(str(fresh.path), "--bump", "huge", "--note", "x").exit_code == 2
    assert run(str(fresh.path), "--bump", "major", "--note", " ").exit_code == 2
