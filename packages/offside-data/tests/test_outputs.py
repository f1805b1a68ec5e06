from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from offside_data.dataset import journal
from offside_data.errors import OutputExistsError, UsageError
from offside_data.outputs import ensure_free, ensure_replaceable, require_apart, whole_folder

OURS = ["a/new.txt", "plain.txt"]


def names(folder: Path) -> list[str]:
    """All files of a folder, those of its working area left out."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith(".offside/"))


def fill(folder: Path, *files: str, force: bool = False) -> None:
    with whole_folder(folder, force=force) as partial:
        for name in files:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_text("ours")
        assert not set(names(folder)) & set(files) or force


def fail_halfway(folder: Path, *, force: bool = False) -> None:
    with whole_folder(folder, force=force) as partial:
        (partial / "half").write_text("half")
        raise RuntimeError("stop")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    fill(tmp_path / "out", *OURS)
    assert names(tmp_path / "out") == OURS
    assert os.listdir(tmp_path) == ["out"]
    assert os.listdir(tmp_path / "out" / ".offside") == ["written.json"]


@pytest.mark.parametrize("there", [False, True])
def test_a_failure_leaves_everything_as_it_was(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "out").mkdir()
    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway(tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] == (["out"] if there else [])


def test_a_failed_replacement_leaves_what_was_there(tmp_path: Path) -> None:
    fill(tmp_path / "out", *OURS)
    with pytest.raises(RuntimeError, match="stop"):
        fail_halfway(tmp_path / "out", force=True)
    assert names(tmp_path / "out") == OURS


def test_the_current_folder_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fill(Path(), *OURS)
    assert names(tmp_path) == OURS


def test_force_replaces_what_we_wrote_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, *OURS, "gone/old.txt")
    for name in ("notes.txt", ".git/config", "a/mine.txt", "gone/mine/too.txt"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    (out / "a" / "new.txt").write_text("touched")
    fill(out, *OURS, force=True)
    assert names(out) == [".git/config", "a/mine.txt", "a/new.txt", "gone/mine/too.txt", "notes.txt", "plain.txt"]
    assert {name for name in names(out) if (out / name).read_text() == "ours"} == set(OURS)


def test_folders_that_are_left_empty_go(tmp_path: Path) -> None:
    fill(tmp_path / "out", "a/b/old.txt", "plain.txt")
    fill(tmp_path / "out", "plain.txt", force=True)
    assert sorted(os.listdir(tmp_path / "out")) == [".offside", "plain.txt"]


@pytest.mark.parametrize("listed", [None, "{", "[]"])
def test_a_folder_that_is_not_ours_is_refused_whatever_is_asked(tmp_path: Path, listed: str | None) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    if listed is not None:
        (tmp_path / ".offside").mkdir()
        (tmp_path / ".offside" / "written.json").write_text(listed)
    for force in (False, True):
        with pytest.raises(OutputExistsError, match="already holds something else"):
            fill(tmp_path, "thesis.txt", force=force)
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_the_refusal_names_what_is_there_and_does_not_recommend_force(tmp_path: Path) -> None:
    for name in "dcba":
        (tmp_path / name).write_text("mine")
    with pytest.raises(OutputExistsError, match=r"\(a, b, c and 1 more\).*Choose another output folder\.$") as refusal:
        ensure_free(tmp_path)
    assert "pass --force" not in str(refusal.value)
    fill(tmp_path / "out", *OURS)
    with pytest.raises(OutputExistsError, match="pass --force"):
        ensure_free(tmp_path / "out")


def test_a_file_of_the_same_name_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "plain.txt")
    (out / "a").mkdir()
    (out / "a" / "new.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"a/new\.txt"):
        fill(out, *OURS, force=True)
    assert (out / "a" / "new.txt").read_text() == "mine"
    assert (out / "plain.txt").read_text() == "ours"


def test_nothing_is_deleted_through_a_link(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    fill(out, *OURS)
    (out / "a").rename(elsewhere)
    (out / "a").symlink_to(elsewhere)
    with pytest.raises(Exception, match="lies in another place"):
        fill(out, "plain.txt", force=True)
    assert (elsewhere / "new.txt").read_text() == "ours"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for force in (False, True):
        with pytest.raises(OutputExistsError, match="is a file"):
            ensure_free(tmp_path / "file", force=force)


def test_what_a_kill_left_before_anything_appeared_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".offside" / "staged").mkdir(parents=True)
    (tmp_path / ".offside" / "staged" / "half").write_text("half")
    (tmp_path / ".offside" / "lock").write_text("")
    ensure_free(tmp_path)
    fill(tmp_path, *OURS)
    assert names(tmp_path) == OURS


def test_a_folder_that_somebody_emptied_is_free(tmp_path: Path) -> None:
    fill(tmp_path, "plain.txt")
    (tmp_path / "plain.txt").unlink()
    fill(tmp_path, *OURS)
    assert names(tmp_path) == OURS


def test_what_a_kill_left_half_moved_is_finished_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".offside" / "staged" / "a").mkdir(parents=True)
    (out / ".offside" / "staged" / "a" / "new.txt").write_text("first")
    (out / ".offside" / "commit.json").write_text(json.dumps({"move": ["a"], "delete": []}))
    with pytest.raises(OutputExistsError):
        fill(out, *OURS)
    assert (out / "a" / "new.txt").read_text() == "first"
    assert not journal.work_folder(out, "commit.json").exists()


@pytest.mark.parametrize(
    ("out", "other"),
    [("raw", "raw"), ("raw/out", "raw"), (".", "raw"), ("raw", "raw/who.csv"), (".", "raw/who.csv"), ("link", "raw")],
)
def test_a_source_and_an_output_never_overlap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, other: str
) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "who.csv").write_text("mine")
    (tmp_path / "link").symlink_to("raw")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"overlaps the source .* Give a folder beside it"):
        require_apart(Path(out), Path(other), "source")


def test_a_folder_beside_a_file_is_fine(tmp_path: Path) -> None:
    (tmp_path / "who.csv").write_text("mine")
    require_apart(tmp_path / "out", tmp_path / "who.csv", "source")
    (tmp_path / "out").mkdir()
    require_apart(tmp_path / "out", tmp_path / "who.csv", "source")


@pytest.mark.parametrize(
    "listed",
    [
        ["notes"],
        ["../beside.txt"],
        ["notes/../../beside.txt"],
        ["/etc/hostname"],
        [".offside/releases/1.0.0/README.md"],
        ["."],
        [""],
        [7, None, ["plain.txt"]],
        {"plain.txt": 1},
        "plain.txt",
    ],
)
def test_a_list_that_somebody_edited_gives_no_right_to_anything_else(tmp_path: Path, listed: object) -> None:
    out, beside = tmp_path / "out", tmp_path / "beside.txt"
    fill(out, "plain.txt")
    kept = [out / "notes" / "mine.txt", out / ".offside" / "releases" / "1.0.0" / "README.md", beside]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    (out / ".offside" / "written.json").write_text(json.dumps(listed))
    fill(out, "new.txt", force=True)
    assert [path.read_text() for path in kept] == ["mine"] * len(kept)
    assert names(out) == ["new.txt", "notes/mine.txt", "plain.txt"]  # Nobody's file now, but no loss.
    fill(out, "newer.txt", force=True)


def test_a_folder_in_the_place_of_a_file_of_ours_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, "plain.txt")
    (out / "plain.txt").unlink()
    (out / "plain.txt").mkdir()
    (out / "plain.txt" / "mine").write_text("mine")
    fill(out, "new.txt", force=True)
    assert names(out) == ["new.txt", "plain.txt/mine"]
    with pytest.raises(OutputExistsError, match="nothing in it is ours"):
        fill(out, "plain.txt", force=True)
    assert (out / "plain.txt" / "mine").read_text() == "mine"


def test_a_file_is_replaced_only_if_it_is_one_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    ensure_replaceable(file, "a,b\n")
    file.write_text("a,b\n1,2\n")
    ensure_replaceable(file, "a,b\n")
    for theirs in ("a,b,c\n1,2,checked\n", "a;b\n", "a,b"):
        file.write_text(theirs)
        with pytest.raises(OutputExistsError, match="Give another file"):
            ensure_replaceable(file, "a,b\n")
    with pytest.raises(OutputExistsError, match="Give another file"):
        ensure_replaceable(tmp_path, "a,b\n")
