from __future__ import annotations

import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from offside_data.cli import main
from offside_data.dataset.folder import OffsideDataset
from offside_data.schema import EncodedImage


def run(*args: Any) -> Any:
    return CliRunner().invoke(main, ["view", *map(str, args)])


def test_it_says_what_to_open(small: OffsideDataset, tmp_path: Path) -> None:
    result = run(small.path, tmp_path / "view")
    assert result.exit_code == 0
    assert "16 pictures, 40 records, 4 subjects" in result.stdout
    assert f"open {tmp_path / 'view' / 'index.html'}" in result.stdout
    assert (tmp_path / "view" / "index.html").is_file()


def test_pictures_that_are_not_readable_are_counted(
    small: OffsideDataset, tmp_path: Path, records: list[Any], write_dataset: Any
) -> None:
    bad = EncodedImage(bytes=b"no picture", path="a.png")
    broken = [dataclasses.replace(record, image=bad if record.image else None) for record in records]
    result = run(write_dataset(tmp_path / "d", broken).path, tmp_path / "view")
    assert result.exit_code == 0
    assert result.stderr.count("can't be shown: ") == 10
    assert "and 6 more" in result.stderr


def test_json(small: OffsideDataset, tmp_path: Path) -> None:
    printed = json.loads(run(small.path, tmp_path / "view", "--json").stdout)
    assert printed["path"] == str(tmp_path / "view" / "index.html")
    assert (printed["pictures"], printed["records"], printed["problems"]) == (16, 40, {})


def test_what_stands_in_the_way_exits_2(small: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.txt").write_text("a")
    (tmp_path / "file").write_text("a")
    for out in ("there", "file"):
        assert run(small.path, tmp_path / out).exit_code == 2
    assert run(small.path, small.path).exit_code == 2
    missing = run(tmp_path / "nothing", tmp_path / "view")
    assert missing.exit_code == 2
    assert "no such dataset folder" in missing.stderr


def test_an_unreadable_dataset_exits_1(fresh: OffsideDataset, tmp_path: Path) -> None:
    (path,) = fresh.files("text/forget")
    path.write_bytes(b"nothing of the sort")
    result = run(fresh.path, tmp_path / "view")
    assert result.exit_code == 1
    assert "not readable as Parquet" in result.stderr
    assert not (tmp_path / "view").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["out", "--edit"], "OUT: not together with --edit."),
        (["--edit", "--json", "--force"], "--force, --json: not together with --edit."),
        (["--port", "8000", "--by", "ana"], "--by, --port: only together with --edit."),
    ],
)
def test_options_that_do_not_go_together_exit_2(small: OffsideDataset, options: list[str], says: str) -> None:
    result = run(small.path, *options)
    assert (result.exit_code, result.stderr) == (2, f"error: {says}\n")


def test_a_port_that_is_taken_exits_2(small: OffsideDataset) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = run(small.path, "--edit", "--port", taken.getsockname()[1])
    assert result.exit_code == 2
    assert "can't be used" in result.stderr
