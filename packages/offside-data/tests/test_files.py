from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from offside_data.files import (
    read_text,
    sha256_file,
    sync,
    temporary_folder,
    whole_file,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def fail_after(file: Path) -> None:
    file.write_text("half")
    raise RuntimeError("stop")


def test_a_file_appears_whole(tmp_path: Path) -> None:
    with whole_file(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("half")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert (tmp_path / "deep" / "a.txt").read_text() == "half"
    assert names(tmp_path / "deep") == ["a.txt"]


def test_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError, match="stop"), whole_file(tmp_path / "a.txt") as partial:
        fail_after(partial)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_text_is_utf8_with_unix_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"


def test_json_holds_no_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"é": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "é": 1\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", float("nan"))
    assert names(tmp_path) == ["a.json"]


def test_sha256_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_what_is_durable_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, replace, fsync = [], os.replace, os.fsync
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append("named"), replace(a, b))[1])
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("synced"), fsync(number))[1])
    write_json(tmp_path / "a.json", 1)
    assert done == ["named"]
    write_json(tmp_path / "a.json", 2, durable=True)
    assert done == ["named", "synced", "named", "synced"]
    assert (tmp_path / "a.json").read_text() == "2\n"


def test_many_files_are_synced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep").mkdir()
    for number in range(5):
        (tmp_path / "deep" / str(number)).write_text("x")
    one_by_one, at_once, fsync = [], [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (one_by_one.append(number), fsync(number)))
    monkeypatch.setattr(os, "sync", lambda: at_once.append(1))
    sync(tmp_path)
    assert (len(one_by_one), len(at_once)) == (7, 0)
    monkeypatch.setattr("offside_data.files._SYNC_ONE_BY_ONE", 3)
    sync(tmp_path)
    assert (len(one_by_one), len(at_once)) == (7, 1)


def test_temporary_folders_of_killed_processes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Owner:
        pass

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = Owner()
    mine = temporary_folder(owner)
    killed = tmp_path / mine.name.replace(f"-{os.getpid()}.", "-999999999.")
    (killed / "spool").mkdir(parents=True)
    (tmp_path / "offside-notes").mkdir()
    other = Owner()
    assert temporary_folder(other).is_dir()
    assert not killed.exists()
    assert mine.is_dir()
    assert (tmp_path / "offside-notes").is_dir()
    del owner
    assert not mine.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_in_another_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.md").write_bytes("Från – hier\n".encode(encoding))
    assert read_text(tmp_path / "a.md") == "Från – hier\n"
    (tmp_path / "b.md").write_bytes(b"\x81\xff")
    assert read_text(tmp_path / "b.md") == "\x81\xff"
