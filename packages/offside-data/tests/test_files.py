from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from offside_data.errors import OutputExistsError
from offside_data.files import (
    ensure_free,
    read_text,
    sha256_file,
    temporary_folder,
    whole_file,
    whole_folder,
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


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as partial:
        (partial / "a").write_text("1")
        assert not (tmp_path / "out").exists()
    assert names(tmp_path) == ["out"]


def test_a_failed_folder_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stop"), whole_folder(tmp_path / "out") as partial:
        fail_after(partial / "a")
    assert names(tmp_path) == []


def test_a_failed_replacement_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("1")
    with pytest.raises(RuntimeError, match="stop"), whole_folder(tmp_path / "out", force=True):
        raise RuntimeError("stop")
    assert names(tmp_path / "out") == ["old"]


def test_force_replaces(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("1")
    with whole_folder(tmp_path / "out", force=True) as partial:
        (partial / "new").write_text("1")
    assert names(tmp_path / "out") == ["new"]


def test_only_a_missing_or_empty_folder_is_free(tmp_path: Path) -> None:
    ensure_free(tmp_path / "missing")
    ensure_free(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputExistsError, match=r"already holds something else.*--force"):
        ensure_free(tmp_path)
    ensure_free(tmp_path, force=True)
    with pytest.raises(OutputExistsError, match="is a file"):
        ensure_free(tmp_path / "file", force=True)


def test_sha256_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as partial:
        mine = partial.name
    dead = mine.replace(f"-{os.getpid()}.", "-999999999.")
    elsewhere = ".out.another-machine-1.12345678.partial"
    for name in (dead, mine, elsewhere):
        (tmp_path / name).mkdir()
    with whole_folder(tmp_path / "out", force=True) as partial:
        (partial / "file").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine, elsewhere, "out"])


def test_a_kill_between_old_and_new_loses_nothing(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as partial:
        aside = partial.name.replace(f"-{os.getpid()}.", "-999999999.").replace(".partial", ".replaced")
        (partial / "file").write_text("old")
    (tmp_path / "out").rename(tmp_path / aside)
    with pytest.raises(OutputExistsError), whole_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "file").read_text() == "old"


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
