from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from offside_data.adapters._people import archives as _archives
from offside_data.adapters._people.archives import Archive
from offside_data.adapters._values import UnusableError


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_the_path_that_agrees_longest_is_read(tmp_path: Path) -> None:
    archive = Archive(packed(tmp_path / "a.zip", {"x/1.png": b"x", "y/1.png": b"y", "y/2.png": b"2"}))
    assert archive.read("dataset/y/1.png") == b"y"
    assert archive.read("2.png") == b"2"
    assert archive.read("3.png") is None
    assert archive.read("") is None
    with pytest.raises(UnusableError, match=r"several pictures that 'z/1\.png' may mean: x/1\.png, y/1\.png"):
        archive.read("z/1.png")


def test_a_damaged_archive_and_a_damaged_file(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"1.png": b"x" * 500})
    data = bytearray(path.read_bytes())
    data[36:40] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(data))
    with pytest.raises(UnusableError, match=r"1\.png in a\.zip is damaged"):
        Archive(path).read("1.png")
    path.write_bytes(b"PK")
    with pytest.raises(UnusableError, match=r"a\.zip can't be read as a ZIP archive"):
        Archive(path)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archives, "MAX_BYTES", 100)
    with pytest.raises(UnusableError, match=r"1\.png in a\.zip is larger than"):
        Archive(packed(tmp_path / "a.zip", {"1.png": b"x" * 500})).read("1.png")
