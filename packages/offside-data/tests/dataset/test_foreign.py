from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from offside_data.dataset.folder import open_dataset
from offside_data.dataset.foreign import what_it_is
from offside_data.errors import CardError, DatasetReferenceError, SourceError
from offside_data.ingest import ingest


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "source.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("claims.csv", "subject,attribute,value\n")
    return path


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """What `save_to_disk` leaves."""
    folder = tmp_path / "saved"
    folder.mkdir()
    for name in ("state.json", "dataset_info.json", "data-00000-of-00001.arrow"):
        (folder / name).write_text("{}")
    return folder


def test_an_archive_is_named(archive: Path, tmp_path: Path) -> None:
    assert "a ZIP archive. Unpack it" in (what_it_is(archive) or "")
    archive.rename(tmp_path / "claims.csv")
    with pytest.raises(SourceError, match="is a ZIP archive"):
        ingest(tmp_path / "claims.csv", tmp_path / "out", "hub")
    with pytest.raises(DatasetReferenceError, match="no dataset folder, but a ZIP archive"):
        open_dataset(tmp_path / "claims.csv")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("a.csv"))
    for data, kind in ((stream.getvalue(), "a TAR archive"), (gzip.compress(b"x"), "a gzip archive")):
        (tmp_path / "x").write_bytes(data)
        assert kind in (what_it_is(tmp_path / "x") or "")


def test_a_saved_dataset_is_named(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"`save_to_disk` of `datasets` wrote.*to_parquet"):
        ingest(saved, tmp_path / "out")
    with pytest.raises(CardError, match=r"isn't a dataset folder, but a folder that `save_to_disk`"):
        open_dataset(saved)
    (saved / "state.json").rename(saved / "dataset_dict.json")
    assert "save_to_disk" in (what_it_is(saved) or "")


def test_what_holds_nothing(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert what_it_is(tmp_path / "folder") == "an empty folder."
    archive.rename(tmp_path / "folder" / "all.zip")
    assert "nothing but archives (all.zip)" in (what_it_is(tmp_path / "folder") or "")
    (tmp_path / "claims.csv").touch()
    assert "empty (0 bytes)" in (what_it_is(tmp_path / "claims.csv") or "")


def test_a_workbook_is_no_archive(tmp_path: Path, archive: Path) -> None:
    assert what_it_is(archive.rename(tmp_path / "claims.xlsx")) is None
