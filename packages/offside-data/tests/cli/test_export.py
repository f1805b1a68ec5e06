from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["export", *map(str, args)])


def test_says_what_was_written_and_what_is_lost(small: OffsideDataset, tmp_path: Path) -> None:
    result = run(
        small.path, tmp_path / "out", "--format", "offside", "--config", "multimodal", "--splits", "retain, forget"
    )
    assert result.exit_code == 0, result.output
    assert "complete_unlearning_data/finetune_set.json" in result.stdout
    assert "perturbed_answers" in result.stdout
    assert "16 of 16 records written, 0 left out" in result.stdout
    assert (tmp_path / "out" / "complete_unlearning_data" / "finetune_set.json").is_file()


def test_json(small: OffsideDataset, tmp_path: Path) -> None:
    result = run(small.path, tmp_path / "out", "--format", "swift", "--json")
    printed = json.loads(result.stdout)
    assert printed["records"] == printed["written"] == 40
    assert printed["format"] == "swift"


def test_an_unknown_format_lists_what_is_known(small: OffsideDataset, tmp_path: Path) -> None:
    result = run(small.path, tmp_path / "out", "--format", "csv")
    assert result.exit_code == 2
    assert "unknown export format 'csv'. Known: llamafactory, mllmu_bench, offside, swift" in result.stderr
    assert "Traceback" not in result.output


def test_a_full_output_folder_needs_force(small: OffsideDataset, tmp_path: Path) -> None:
    assert run(small.path, tmp_path / "out", "--format", "swift").exit_code == 0
    again = run(small.path, tmp_path / "out", "--format", "swift")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert run(small.path, tmp_path / "out", "--format", "swift", "--force").exit_code == 0
