from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.schema import make_image_id, make_record_id

COPY = make_image_id("test", "copy")


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False, env={"COLUMNS": "200"})


@pytest.fixture
def twice(records: Any, write_dataset: Any, tmp_path: Path) -> OffsideDataset:
    """The retain picture of `s1` stands there twice."""
    copies = [
        dataclasses.replace(
            r,
            record_id=make_record_id("test", "s1", "copy", r.attribute, r.modality),
            image_id=COPY,
            question=r.question if r.image else f"Again: {r.question}",
        )
        for r in records
        if r.image_id == make_image_id("test", "s1/p1")
    ]
    dataset: OffsideDataset = write_dataset(tmp_path / "twice", [*records, *copies])
    return dataset


def test_a_table_a_sheet_and_no_change(twice: OffsideDataset, tmp_path: Path) -> None:
    result = run("dedup", twice.path, "--sheet", tmp_path / "sheet.html")
    assert result.exit_code == 0
    assert "equal pixels" in result.stdout
    assert "3 records go, 0 move to the keeper." in result.stdout
    assert "17 pictures, 1 clusters" in result.stdout
    assert "Nothing was changed; --apply merges 1 clusters." in result.stdout
    assert (tmp_path / "sheet.html").is_file()
    assert open_dataset(twice.path).verify() == twice.digest


def test_apply(twice: OffsideDataset) -> None:
    applied = json.loads(run("dedup", twice.path, "--apply", "--json").stdout)
    (decision,) = applied["decisions"]
    assert decision["who"].endswith("dedup --hash phash --radius 8 --apply")
    assert open_dataset(twice.path).verify() != twice.digest
    assert run("dedup", twice.path, "--apply").stdout.startswith("16 pictures, 0 clusters")


def test_as_json(twice: OffsideDataset) -> None:
    found = json.loads(run("dedup", twice.path, "--json").stdout)
    (cluster,) = found["clusters"]
    assert {cluster["keeper"]["key"], cluster["others"][0]["picture"]["key"]} == {make_image_id("test", "s1/p1"), COPY}
    assert (found["pictures"], found["radius"], found["decisions"]) == (17, 8, [])


def test_nothing_found(fresh: OffsideDataset) -> None:
    result = run("dedup", fresh.path)
    assert result.stdout.startswith("16 pictures, 0 clusters")
    assert "sheet" not in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "ray"], "allowed: local"),
        (["--hash", "md5"], "unknown hash 'md5'"),
        (["--radius", "-2"], "radius -2"),
        (["--against", "./nowhere"], "no such dataset folder"),
    ],
)
def test_wrong_use(fresh: OffsideDataset, options: list[str], message: str) -> None:
    result = run("dedup", fresh.path, *options)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
