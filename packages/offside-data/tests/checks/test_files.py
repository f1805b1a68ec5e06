from __future__ import annotations

import shutil

import pytest
from run_check import run_check

from offside_data.check import check_dataset
from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import DatasetError


@pytest.mark.parametrize(
    "name",
    [
        "data/multimodal/copy.parquet",
        "data/multimodal/forget.parquet",
        "data/multimodal/train-00000-of-00001.parquet",
        "data/other/forget-00000-of-00001.parquet",
        "data/old.PARQUET",
        "tables/backup.parquet",
        "tables/old/subjects.parquet",
    ],
)
def test_a_stray_file_is_named(fresh: OffsideDataset, name: str) -> None:
    (fresh.path / name).parent.mkdir(exist_ok=True)
    shutil.copy(fresh.files("multimodal/forget")[0], fresh.path / name)
    assert [(f.severity, f.code, f.where) for f in run_check("files", fresh.path)] == [("warning", "stray-file", name)]


def test_other_files_are_a_persons_own(fresh: OffsideDataset) -> None:
    for name in ("extra.parquet", "data/notes.txt"):
        (fresh.path / name).write_text("mine")
    assert run_check("files", fresh.path) == []


@pytest.mark.parametrize("name", ["forget-backup.parquet", "forget-00000-of-00001 (copy).parquet"])
def test_a_copy_that_would_be_loaded_is_refused_by_its_name(fresh: OffsideDataset, name: str) -> None:
    copy = fresh.path / "data/multimodal" / name
    shutil.copy(fresh.files("multimodal/forget")[0], copy)
    with pytest.raises(DatasetError, match="by its name it isn't one of the files of multimodal/forget") as caught:
        fresh.files("multimodal/forget")
    assert str(copy) in str(caught.value)
    assert ("file-unreadable", "multimodal/forget") in {(f.code, f.where) for f in check_dataset(fresh)}
