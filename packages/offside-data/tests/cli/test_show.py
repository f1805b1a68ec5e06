from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["show", *map(str, args)])


def test_show_tells_what_the_card_tells(small: OffsideDataset) -> None:
    result = run(small.path)
    assert result.exit_code == 0
    for words in (
        "small",
        "0.1.0",
        small.digest,
        "cc0-1.0",
        "complete, selective, corrective",
        "previous_club",
        "multimodal/forget",
        "Which country",
    ):
        assert words in result.stdout


def test_json(small: OffsideDataset) -> None:
    printed = json.loads(run(small.path, "--json", "--samples", "2").stdout)
    assert printed["splits"]["text/forget"]["records"] == 4
    assert printed["taxonomy"]["name"] == "football"
    samples = [s for s in printed["samples"] if s["split"] == "multimodal/retain"]
    assert [s["attribute"] for s in samples] == ["nationality", "club"]


def test_more_samples_than_records(small: OffsideDataset) -> None:
    printed = json.loads(run(small.path, "--json", "--samples", "100").stdout)
    assert len(printed["samples"]) == 40
    assert len({s["record_id"] for s in printed["samples"]}) == 40


def test_no_samples(small: OffsideDataset) -> None:
    assert json.loads(run(small.path, "--json", "--samples", "0").stdout)["samples"] == []
    assert "question" not in run(small.path, "--samples", "0").stdout


def test_a_malformed_card_exits_1(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\noffside: {name: x}\n---\n")
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "malformed card" in result.stderr


def test_a_reference_to_the_hub(tmp_path: Path) -> None:
    result = run("org/name@^1.0")  # No test reaches the network.
    assert result.exit_code == 1
    assert "org/name: can't list its versions: HF_HUB_OFFLINE is set" in result.stderr


def test_at_80_columns_no_word_is_broken(small: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    printed = run(small.path).stdout
    shown = json.loads(run(small.path, "--json").stdout)
    words = [*shown["taxonomy"]["private"], shown["digest"]]
    for sample in shown["samples"]:
        words += [sample["attribute"] or "", *sample["question"].split(), *sample["answer"].split()]
    assert [word for word in words if word not in printed] == []
    assert max(map(len, printed.splitlines())) <= 80
