from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import killed_at_every_step

from offside_data.dataset import journal as workspace
from offside_data.dataset.journal import changing, finish_replacement, replaced_content, state_of, work_folder
from offside_data.dataset.replacing import dataset_files
from offside_data.errors import DatasetError


def make_folder(tmp_path: Path, name: str = "dataset") -> Path:
    folder = tmp_path / name
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
    """All files but those of the working area that mean nothing by themselves."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    passing = (".offside/lock", ".offside/staged/", ".offside/.commit.json.")
    return {name: path.read_text() for name, path in files.items() if not name.startswith(passing)}


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
    with replaced_content(folder, dataset_files) as staged:
        write_new(staged)
    assert texts(folder) == NEW


def fail_halfway(folder: Path) -> None:
    with replaced_content(folder, dataset_files) as staged:
        write_new(staged)
        raise ValueError("stop")


def test_an_error_changes_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = texts(folder)
    with pytest.raises(ValueError, match="stop"):
        fail_halfway(folder)
    assert texts(folder) == before


def put_new(folder: Path) -> None:
    with replaced_content(folder, dataset_files) as staged:
        write_new(staged)


def put(folder: Path, name: str) -> None:
    with replaced_content(folder, dataset_files) as staged:
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text("ours")


def put_other(folder: Path) -> None:
    with replaced_content(folder, dataset_files) as staged:
        (staged / "README.md").write_text("other")


def start_over(folder: Path) -> None:
    make_folder(folder.parent, folder.name)


def test_killed_at_any_step_it_is_before_or_after(tmp_path: Path) -> None:
    old, seen = texts(make_folder(tmp_path)), []
    for folder in killed_at_every_step(tmp_path, start_over, put_new):
        finish_replacement(folder)
        now = texts(folder)
        seen.append({"old": old, "new": NEW}[now["README.md"]] == now and now["README.md"])
        finish_replacement(folder)
        assert texts(folder) == now
    assert set(seen) == {"old", "new"}
    assert seen == sorted(seen, reverse=True), "what had appeared was gone again"
    assert len(seen) > len(NEW) + 3


@pytest.mark.parametrize("then", [put_new, put_other])
def test_whatever_comes_next_begins_by_putting_it_right(tmp_path: Path, then: Callable[[Path], None]) -> None:
    old, after = texts(make_folder(tmp_path)), set()
    for folder in killed_at_every_step(tmp_path, start_over, put_new):
        then(folder)
        now = texts(folder)
        assert now == NEW if then is put_new else now["README.md"] == "other"
        after.add(frozenset(now.items()))
    ended = [texts_after(tmp_path / f"whole-{n}", *calls) for n, calls in enumerate([(then,), (put_new, then)])]
    assert after == {frozenset(end.items()) for end in ended}
    assert old != NEW


def texts_after(folder: Path, *calls: Callable[[Path], None]) -> dict[str, str]:
    make_folder(folder.parent, folder.name)
    for call in calls:
        call(folder)
    return texts(folder)


def test_a_half_staged_change_is_forgotten_by_the_next_one(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    work_folder(folder, "staged").mkdir(parents=True)
    work_folder(folder, "staged", "half.parquet").write_text("half")
    with replaced_content(folder, dataset_files) as staged:
        write_new(staged)
    assert texts(folder) == NEW


@pytest.mark.parametrize(
    "journal",
    [
        *("{", "[]", "3", '"move"', "[" * 100_000),
        *(json.dumps({"move": [], "delete": names}) for names in (["../other.txt"], [3], [None], "ab", ["a\0b"], {})),
        *(json.dumps({"move": names, "delete": []}) for names in (["../other.txt"], [[]], "ab", ["a\0b"], None)),
    ],
)
def test_a_damaged_journal_is_an_error_that_names_it(tmp_path: Path, journal: str) -> None:
    folder = make_folder(tmp_path)
    (tmp_path / "other.txt").write_text("not ours")
    work_folder(folder).mkdir()
    work_folder(folder, "commit.json").write_text(journal)
    with pytest.raises(DatasetError, match=r"commit\.json"):
        finish_replacement(folder)
    assert (tmp_path / "other.txt").read_text() == "not ours"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_journal_that_is_a_pipe_is_neither_waited_for_nor_passed_over(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    work_folder(folder).mkdir()
    os.mkfifo(work_folder(folder, "commit.json"))
    with pytest.raises(DatasetError, match=r"commit\.json: .*a pipe"):
        finish_replacement(folder)


def test_an_interruption_right_after_the_journal_appeared_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, real = make_folder(tmp_path), workspace.write_json

    def interrupted(path: Path, value: object, **options: bool) -> None:
        real(path, value, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(workspace, "write_json", interrupted)
        with pytest.raises(KeyboardInterrupt), replaced_content(folder, dataset_files) as staged:
            write_new(staged)
    finish_replacement(folder)
    assert texts(folder) == NEW


@pytest.mark.parametrize("part", ["data", ".offside", "tables", "data/text"])
def test_a_part_on_another_disk_is_refused_before_anything_is_written(tmp_path: Path, part: str) -> None:
    folder, bigger = make_folder(tmp_path), tmp_path / "bigger"
    (folder / ".offside").mkdir()
    (folder / part).rename(bigger)
    (folder / part).symlink_to(bigger)
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(DatasetError, match=f"{part} lies in another place.*Move the whole folder"):
        put_new(folder)
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_whole_folder_may_be_elsewhere(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "link").symlink_to("dataset")
    put_new(tmp_path / "link")
    assert texts(tmp_path / "dataset") == NEW


@pytest.mark.parametrize(("mine", "ours"), [("data", "data/text/x"), ("data/text/x/mine", "data/text/x")])
def test_what_is_in_the_way_is_an_error_and_stays(tmp_path: Path, mine: str, ours: str) -> None:
    folder = tmp_path / "folder"
    (folder / mine).parent.mkdir(parents=True)
    (folder / mine).write_text("mine")
    with pytest.raises(DatasetError, match="is in the way"):
        put(folder, ours)
    assert texts(folder) == {mine: "mine"}


def test_files_that_only_look_like_ours_stay(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    mine = {f"data/{name}": "mine" for name in ("text/mine.parquet", "text/mine-00000-of-00001.parquet", "x/y.parquet")}
    mine["tables/mine.parquet"] = "mine"
    for name, text in mine.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    put_new(folder)
    assert texts(folder) == NEW | mine


def test_a_change_shows_in_the_state(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = state_of(folder)
    assert before is not None
    assert before == state_of(folder)
    put_new(folder)
    assert state_of(folder) not in (before, None)
    work_folder(folder).mkdir()
    work_folder(folder, "commit.json").write_text("{}")
    assert state_of(folder) is None
    released = work_folder(folder, "releases", "1.0.0")
    released.mkdir(parents=True)
    (released / "README.md").write_text("released")
    assert state_of(released) is None


def test_who_may_not_write_does_not_finish_what_was_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path)
    work_folder(folder).mkdir()
    work_folder(folder, "commit.json").write_text('{"move": [], "delete": ["notes.txt"]}')
    monkeypatch.setattr(workspace.os, "access", lambda *arguments: False)
    with pytest.raises(DatasetError, match="isn't finished, and nothing may be written here"):
        finish_replacement(folder)
    assert (folder / "notes.txt").read_text() == "mine"


def test_what_was_released_never_changes(tmp_path: Path) -> None:
    released = work_folder(make_folder(tmp_path), "releases")
    before = texts(make_folder(released.parent, "releases"))
    with pytest.raises(DatasetError, match="what was released never changes"):
        put_new(released)
    assert texts(released) == before


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path)
    before = texts(folder)

    def full(*paths: Path, deep: bool = True) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(workspace, "sync", full)
    with pytest.raises(DatasetError, match=r"can't be changed: No space left on device\. Nothing was"):
        put_new(folder)
    assert texts(folder) == before


def test_nothing_of_a_change_stays_in_the_working_area(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with changing(folder):
        put_new(folder)
        assert work_folder(folder).is_dir()
    assert not work_folder(folder).exists()
