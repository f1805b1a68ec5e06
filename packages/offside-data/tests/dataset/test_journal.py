from __future__ import annotations

import json
from pathlib import Path

import pytest

from offside_data.dataset import journal as workspace
from offside_data.dataset.journal import finish_replacement, replaced_content, work_folder
from offside_data.errors import DatasetError


def make_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    for name, text in {
        "README.md": "old",
        "notes.txt": "mine",
        "data/text/retain-00000-of-00001.parquet": "old",
        "data/text/forget-00000-of-00001.parquet": "old",
        "tables/images.parquet": "old",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def texts(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


NEW = {
    "README.md": "new",
    "notes.txt": "mine",
    "data/text/retain-00000-of-00001.parquet": "new",
    "tables/subjects.parquet": "new",
}


def write_new(staged: Path) -> None:
    for name in NEW.keys() - {"notes.txt"}:
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text("new")


def test_what_was_written_replaces_what_is_ours(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with replaced_content(folder) as staged:
        write_new(staged)
    assert texts(folder) == NEW


def fail_halfway(folder: Path) -> None:
    with replaced_content(folder) as staged:
        write_new(staged)
        raise ValueError("stop")


def test_an_error_changes_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = texts(folder)
    with pytest.raises(ValueError, match="stop"):
        fail_halfway(folder)
    assert texts(folder) == before


class Killed(BaseException):
    """Stands for `kill -9`: nothing cleans up after it."""


@pytest.mark.parametrize("at", range(4))
def test_whoever_opens_the_folder_next_finishes_what_a_kill_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    folder = make_folder(tmp_path)
    real = workspace.os.replace
    moves = 0

    def replace(source: Path, target: Path) -> None:
        nonlocal moves
        if ".offside/staged" in str(source):
            if moves == at:
                raise Killed
            moves += 1
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(workspace.os, "replace", replace)
        if at < 3:
            with pytest.raises(Killed), replaced_content(folder) as staged:
                write_new(staged)
        else:
            with replaced_content(folder) as staged:
                write_new(staged)
    finish_replacement(folder)
    assert texts(folder) == NEW
    finish_replacement(folder)
    assert texts(folder) == NEW


def test_a_half_staged_change_is_forgotten_by_the_next_one(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    work_folder(folder, "staged").mkdir(parents=True)
    work_folder(folder, "staged", "half.parquet").write_text("half")
    with replaced_content(folder) as staged:
        write_new(staged)
    assert texts(folder) == NEW


@pytest.mark.parametrize("journal", ["{", "[]", json.dumps({"move": ["../other.txt"], "delete": []})])
def test_a_damaged_journal_is_an_error_that_names_it(tmp_path: Path, journal: str) -> None:
    folder = make_folder(tmp_path)
    (tmp_path / "other.txt").write_text("not ours")
    work_folder(folder).mkdir()
    work_folder(folder, "commit.json").write_text(journal)
    with pytest.raises(DatasetError, match=r"commit\.json"):
        finish_replacement(folder)
    assert (tmp_path / "other.txt").read_text() == "not ours"


def test_an_interruption_right_after_the_journal_appeared_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = make_folder(tmp_path), workspace.write_json

    def interrupted(path: Path, value: object) -> None:
        real(path, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workspace, "write_json", interrupted)
        with pytest.raises(KeyboardInterrupt), replaced_content(folder) as staged:
            write_new(staged)
    finish_replacement(folder)
    assert texts(folder) == NEW
