from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from raw_card import edit_block
from run_check import run_check

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.issues import Issue
from offside_data.release.croissant import CROISSANT_FILE, write_croissant


@pytest.fixture(scope="module")
def described(small: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = shutil.copytree(small.path, tmp_path_factory.mktemp("described") / "data")
    write_croissant(folder, small.card)
    return folder


@pytest.fixture
def dataset(described: Path, tmp_path: Path) -> OffsideDataset:
    """A dataset with its `croissant.json`, of this test's own."""
    return open_dataset(shutil.copytree(described, tmp_path / "data"))


def run(dataset: OffsideDataset) -> list[Issue]:
    return run_check("croissant", dataset.path)


def test_a_fresh_description_fits(dataset: OffsideDataset) -> None:
    assert run(dataset) == []


def test_none_is_needed_before_the_first_release(fresh: OffsideDataset) -> None:
    assert run(fresh) == []


@pytest.mark.parametrize(
    "released", [{"version": "1.0.0"}, {"parent": {"version": "0.1.0", "digest": "sha256:" + "0" * 64}}]
)
def test_a_release_lacks_it(fresh: OffsideDataset, released: dict[str, Any]) -> None:
    edit_block(fresh.path, **released)
    (issue,) = run(fresh)
    assert (issue.severity, issue.code, issue.where) == ("warning", "croissant-missing", CROISSANT_FILE)


def test_a_changed_file_makes_it_outdated(dataset: OffsideDataset, edit_rows: Any) -> None:
    edit_rows(dataset, "text/forget", lambda rows: rows[1:])
    (issue,) = run(dataset)
    assert (issue.severity, issue.code) == ("warning", "croissant-outdated")
    assert "data/text/forget-00000-of-00001.parquet" in issue.message
    assert "retain" not in issue.message


def test_added_and_removed_files_make_it_outdated(dataset: OffsideDataset) -> None:
    dataset.files("text/forget")[0].rename(dataset.path / "data/text/test-00000-of-00001.parquet")
    files, parts = run(dataset)
    assert "data/text/forget-00000-of-00001.parquet, data/text/test-00000-of-00001.parquet" in files.message
    assert "text/forget, text/test" in parts.message


def test_a_missing_shard_stops_no_check(dataset: OffsideDataset) -> None:
    dataset.files("text/forget")[0].rename(dataset.path / "data/text/forget-00000-of-00002.parquet")
    (issue,) = run(dataset)
    assert "data/text/forget-00000-of-00002.parquet" in issue.message


def test_other_columns_make_it_outdated(dataset: OffsideDataset) -> None:
    path = dataset.path / CROISSANT_FILE
    described = json.loads(path.read_text())
    described["recordSet"][0]["field"].pop()
    path.write_text(json.dumps(described))
    (issue,) = run(dataset)
    assert issue.message.startswith("it names parts whose columns are no longer what it says: multimodal/retain.")


def test_another_version_makes_it_outdated(dataset: OffsideDataset) -> None:
    edit_block(dataset.path, version="0.2.0")
    (issue,) = run(dataset)
    assert "it says version '0.1.0', the card '0.2.0'" in issue.message


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"distribution": [{"contentUrl": "a"}], "recordSet": []}', "\0"]
)
def test_what_can_t_be_read_is_an_error(dataset: OffsideDataset, text: str) -> None:
    (dataset.path / CROISSANT_FILE).write_text(text)
    (issue,) = run(dataset)
    assert (issue.severity, issue.code) == ("error", "croissant-unreadable")


def test_checking_does_not_import_mlcroissant(described: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from offside_data.check import check_reference; "
        f"check_reference({str(described)!r}); assert 'mlcroissant' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
