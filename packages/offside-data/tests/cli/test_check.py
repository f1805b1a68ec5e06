from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["check", *map(str, args)])


def test_a_good_dataset_exits_0(small: OffsideDataset) -> None:
    result = run(small.path, "--strict")
    assert result.exit_code == 0
    assert result.stdout == f"{small.path}: 0 error, 0 warning, 0 info\n"


def test_an_error_exits_1_and_is_one_line(fresh: OffsideDataset, edit_rows: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["answer"] = "Nothing."

    dataset = edit_rows(fresh, "text/forget", change)
    result = run(dataset.path)
    assert result.exit_code == 1
    assert "error: content-hash: r" in result.stdout
    assert "error: digest-mismatch: offside.digest: " in result.stdout
    assert result.stdout.splitlines()[-1].endswith("3 error, 1 warning, 0 info")


def test_strict_makes_warnings_errors(fresh: OffsideDataset) -> None:
    del fresh.card.data["license"]
    fresh.card.save(fresh.path)
    assert run(fresh.path).exit_code == 0
    assert run(fresh.path, "--strict").exit_code == 1


def test_json(fresh: OffsideDataset) -> None:
    del fresh.card.data["license"]
    fresh.card.save(fresh.path)
    printed = json.loads(run(fresh.path, "--json").stdout)
    assert printed["counts"] == {"error": 0, "warning": 1, "info": 0}
    assert printed["findings"][0]["code"] == "card-incomplete"


def test_a_missing_folder_is_wrong_usage(tmp_path: Path) -> None:
    result = run(tmp_path / "gone")
    assert result.exit_code == 2
    assert "no such dataset folder" in result.stderr
    assert "Traceback" not in result.output


def test_a_malformed_card_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\noffside: {name: x}\n---\n")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "error: card-malformed" in result.stdout
    assert "Traceback" not in result.output
