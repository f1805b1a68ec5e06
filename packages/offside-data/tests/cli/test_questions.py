from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["questions", *map(str, args)])


def test_it_says_what_was_made_and_what_was_not(fresh: OffsideDataset) -> None:
    result = run(fresh.path)
    assert result.exit_code == 0
    for text in ("question paraphrases", "Not made", "its picture has no occasion", "4 text records added."):
        assert text in result.stdout
    assert "0 text records added." in run(fresh.path).stdout


def test_json(fresh: OffsideDataset) -> None:
    printed = json.loads(run(fresh.path, "--json", "--only", "all", "--seed", 3).stdout)
    assert printed["made"]["choices"] > 0
    assert {"form", "why", "records"} == printed["lacking"][0].keys()


def test_wrong_usage_has_no_traceback(tmp_path: Path) -> None:
    result = run(tmp_path / "gone")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output
