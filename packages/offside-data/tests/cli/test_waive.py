from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def test_a_waiver_and_the_list_of_decisions(fresh: OffsideDataset) -> None:
    del fresh.card.data["license"]
    fresh.card.save(fresh.path)
    assert run("check", fresh.path, "--strict").exit_code == 1
    result = run("waive", fresh.path, "card-incomplete", "--reason", "nobody knows the licence")
    assert result.exit_code == 0
    assert "card-incomplete at license is waived." in result.stdout
    assert run("check", fresh.path, "--strict").exit_code == 0
    (decision,) = json.loads(run("decisions", fresh.path, "--json").stdout)
    assert (decision["kind"], decision["holds"]) == ("waiver", True)
    assert run("undo", fresh.path, decision["id"]).exit_code == 0
    assert run("check", fresh.path, "--strict").exit_code == 1


def test_an_unknown_issue_is_wrong_use(fresh: OffsideDataset) -> None:
    result = run("waive", fresh.path, "picture-leak", "--reason", "why not")
    assert result.exit_code == 2
    assert "check finds no 'picture-leak' to waive. It finds: nothing." in result.stderr
