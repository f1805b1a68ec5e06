from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_a_waiver_and_the_list_of_decisions(records: Any, write_dataset: Any, tmp_path: Path) -> None:
    first, *rest = records
    folder = write_dataset(tmp_path / "odd", [dataclasses.replace(first, suspect="odd"), *rest]).path
    assert run("check", folder, "--strict").exit_code == 1
    result = run("waive", folder, "suspect", "--reason", "looked at, fine")
    assert result.exit_code == 0
    assert f"suspect at {first.record_id} is waived." in result.stdout
    assert run("check", folder, "--strict").exit_code == 0
    (decision,) = json.loads(run("decisions", folder, "--json").stdout)
    assert (decision["kind"], decision["holds"]) == ("waiver", True)
    assert run("undo", folder, decision["id"]).exit_code == 0
    assert run("check", folder, "--strict").exit_code == 1


def test_an_unknown_issue_is_wrong_use(fresh: OffsideDataset) -> None:
    result = run("waive", fresh.path, "picture-leak", "--reason", "why not")
    assert result.exit_code == 2
    assert "check finds no 'picture-leak' to waive. It finds: nothing." in result.stderr
