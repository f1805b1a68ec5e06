"""Run folders: recognised when finished, gone on with when not, never half-written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from offside_data.errors import ModelError, OffsideError, OutputExistsError, UsageError
from offside_data.run_manifest import RunManifest
from offside_unlearn import manifest as manifests
from offside_unlearn import ranks
from offside_unlearn.runs import Run, WorkFolder, finished, open_work_folder, work_folder

IDENTITY = {"role": "vanilla", "config": {"lr": 1e-3}, "base_model": {"path": "./a", "digest": "sha256:1"}}


REST: dict[str, Any] = {
    "title": "t", "command": "tiny", "config": {}, "base_model": None, "adapter": None, "image_backend": "pil",
    "method": None, "setting": None, "only": [], "forget": None, "parents": [], "trained_on": [], "seeds": {"seed": 0},
    "dataset": {"name": "small", "version": "0.1.0", "commit": None, "digest": "sha256:d"},
}  # fmt: skip


def manifest_of(identity: dict[str, Any]) -> RunManifest:
    return manifests.complete(identity, {key: value for key, value in REST.items() if key not in identity})


def make(out: Path, identity: dict[str, Any], *, force: bool = False) -> Run:
    with open_work_folder(out, identity, force=force) as work:

        def fill(folder: Path) -> RunManifest:
            (folder / "model.safetensors").write_text("weights")
            return manifest_of(identity)

        return work.finish(fill)


def test_a_run_appears_whole_and_its_work_goes(tmp_path: Path) -> None:
    run = make(tmp_path / "deep" / "run", IDENTITY)
    names = sorted(path.name for path in run.path.iterdir())
    assert names == [".offside", "README.md", "model.safetensors", "offside_run.json"]
    assert [path.name for path in run.path.parent.iterdir()] == ["run"]
    assert Run.open(run.path).manifest == run.manifest


def test_the_same_request_is_recognised_wherever_its_base_lies(tmp_path: Path) -> None:
    out = make(tmp_path / "run", IDENTITY).path
    moved = {**IDENTITY, "base_model": {"path": "/elsewhere", "digest": "sha256:1"}}
    found = finished(out, moved, force=False)
    assert found is not None
    assert found.reused
    with pytest.raises(OutputExistsError, match=r"another run \(vanilla\)"):
        finished(out, {**IDENTITY, "config": {"lr": 1e-4}}, force=False)
    assert finished(out, IDENTITY, force=True) is None


def fail(out: Path, identity: dict[str, Any], error: type[Exception], *, force: bool = False) -> None:
    """An attempt that gets as far as a checkpoint."""
    with open_work_folder(out, identity, force=force) as work:
        (work.folder / "checkpoint").write_text("half")
        work.note_seconds()
        raise error


def test_what_an_attempt_left_is_there_for_the_next(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(RuntimeError):
        fail(out, IDENTITY, RuntimeError)
    assert not out.exists()
    with open_work_folder(out, IDENTITY, force=False) as work:
        assert (work.folder / "checkpoint").read_text() == "half"
        assert work.seconds() > work.before > 0


def test_an_impossible_request_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fail(tmp_path / "run", IDENTITY, UsageError)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_lost_costs_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*args: Any) -> None:
        raise RuntimeError("Connection closed by peer\nand more")

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "all_gather_object", lost)

    def meet(out: Path) -> None:
        with open_work_folder(out, IDENTITY, force=False) as work:
            (work.folder / "checkpoint").write_text("half")
            ranks.wait()

    with pytest.raises(ranks.LostProcessError, match=r"\(Connection closed by peer\)\. .* last checkpoint\.$"):
        meet(tmp_path / "run")
    with open_work_folder(tmp_path / "run", IDENTITY, force=False) as work:
        assert (work.folder / "checkpoint").read_text() == "half"


@pytest.mark.parametrize("error", [UsageError, ModelError])
def test_who_starts_a_run_again_wrongly_loses_nothing_of_it(tmp_path: Path, error: type[Exception]) -> None:
    """A device that isn't there, a number of processes that doesn't fit."""
    out = tmp_path / "run"
    with pytest.raises(RuntimeError):
        fail(out, IDENTITY, RuntimeError)
    with pytest.raises(error), open_work_folder(out, IDENTITY, force=False):
        raise error
    with open_work_folder(out, IDENTITY, force=False) as work:
        assert (work.folder / "checkpoint").read_text() == "half"
    with pytest.raises(OffsideError):
        fail(out, IDENTITY, OffsideError)
    assert list(tmp_path.iterdir()) == [], "what can't be trained begins anew"


def test_what_another_request_left_is_not_taken_up(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(RuntimeError):
        fail(out, {"role": "base"}, RuntimeError)
    with open_work_folder(out, IDENTITY, force=False) as work:
        assert not (work.folder / "checkpoint").exists()


def open_and_leave(out: Path) -> None:
    with open_work_folder(out, IDENTITY, force=True):
        pass


@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_of_somebody_else_in_the_place_of_the_work_folder_stays(tmp_path: Path, linked: bool) -> None:
    out, theirs = tmp_path / "run", tmp_path / "theirs" if linked else work_folder(tmp_path / "run")
    theirs.mkdir()
    (theirs / "thesis.tex").write_text("mine")
    if linked:
        work_folder(out).symlink_to(theirs)
    with pytest.raises(OutputExistsError, match="holds something else"):
        open_and_leave(out)
    make(tmp_path / "other", IDENTITY).path.rename(out)
    assert finished(out, IDENTITY, force=False) is not None
    assert (theirs / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize("said", [None, "{"])
def test_a_work_folder_that_was_killed_before_it_said_of_what_is_begun_anew(tmp_path: Path, said: str | None) -> None:
    out = tmp_path / "run"
    work_folder(out).mkdir()
    if said is not None:
        (work_folder(out) / "request.json").write_text(said)
        (work_folder(out) / "checkpoint-1").mkdir()
    with open_work_folder(out, IDENTITY, force=False) as work:
        assert os.listdir(work.folder) == ["request.json"]


def test_a_kill_while_the_run_is_written_leaves_nothing_that_lasts(tmp_path: Path) -> None:
    staged = tmp_path / "run" / ".offside" / "staged"
    staged.mkdir(parents=True)
    (staged / "half.safetensors").write_text("half")
    make(tmp_path / "run", IDENTITY)
    assert not staged.exists()
    assert os.listdir(tmp_path) == ["run"]


def test_forcing_keeps_what_others_put_there(tmp_path: Path) -> None:
    out = make(tmp_path / "run", IDENTITY).path
    (out / "results").mkdir()
    (out / "results" / "results.json").write_text("mine")
    make(out, {**IDENTITY, "role": "base"}, force=True)
    assert (out / "results" / "results.json").read_text() == "mine"
    with pytest.raises(OutputExistsError, match="nothing in it is ours"):
        finished(out / "results", IDENTITY, force=True)


def take_and_finish(work: WorkFolder) -> None:
    work.out.mkdir()
    (work.out / "thesis.tex").write_text("mine")
    work.finish(lambda folder: manifest_of(IDENTITY))


def test_a_folder_that_is_taken_meanwhile_costs_no_work(tmp_path: Path) -> None:
    with pytest.raises(OutputExistsError), open_work_folder(tmp_path / "run", IDENTITY, force=False) as work:
        take_and_finish(work)
    assert (work_folder(tmp_path / "run") / "request.json").is_file()


def test_a_kill_after_the_run_was_written_is_tidied_up(tmp_path: Path) -> None:
    out = make(tmp_path / "run", IDENTITY).path
    work_folder(out).mkdir()
    (tmp_path / ".run.lock").touch()
    assert finished(out, IDENTITY, force=False) is not None
    assert list(tmp_path.iterdir()) == [out]


def test_forcing_keeps_the_old_run_until_the_new_one_is_whole(tmp_path: Path) -> None:
    out = make(tmp_path / "run", IDENTITY).path
    other = {**IDENTITY, "role": "base"}
    with pytest.raises(RuntimeError):
        fail(out, other, RuntimeError, force=True)
    assert Run.open(out).manifest.role == "vanilla"
    make(out, other, force=True)
    assert Run.open(out).manifest.role == "base"


def test_two_processes_do_not_make_the_same_run(tmp_path: Path) -> None:
    with (
        open_work_folder(tmp_path / "run", IDENTITY, force=False),
        pytest.raises(UsageError, match="another process"),
        open_work_folder(tmp_path / "run", IDENTITY, force=False),
    ):
        pass


@pytest.mark.parametrize("kind", ["file", "link", "folder", "pipe"])
def test_somebody_elses_file_in_the_place_of_the_lock_stays(tmp_path: Path, kind: str) -> None:
    lock, notes = tmp_path / ".run.lock", tmp_path / "notes.txt"
    notes.write_text("mine")
    if kind == "file":
        notes.rename(lock)
        notes = lock
    elif kind == "link":
        lock.symlink_to(notes)
    elif kind == "folder":
        lock.mkdir()
    else:
        os.mkfifo(lock)
    with pytest.raises(OutputExistsError, match="somebody's"):
        make(tmp_path / "run", IDENTITY)
    assert os.path.lexists(lock)
    assert notes.read_text() == "mine"
    assert not (tmp_path / "run").exists()


def test_a_lock_that_a_kill_left_holds_nobody_up(tmp_path: Path) -> None:
    lock = tmp_path / ".run.lock"
    lock.touch()
    make(tmp_path / "run", IDENTITY)
    assert not lock.exists()


def test_who_is_refused_leaves_the_lock_as_it_is(tmp_path: Path) -> None:
    lock = tmp_path / ".run.lock"
    with open_work_folder(tmp_path / "run", IDENTITY, force=False):
        before = lock.stat()
        with pytest.raises(UsageError), open_work_folder(tmp_path / "run", IDENTITY, force=False):
            pass
        assert (lock.stat().st_ino, lock.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        lock.unlink()
        lock.write_text("a stranger's")
    assert lock.read_text() == "a stranger's"


def test_unreadable_manifests_are_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="it is no run"):
        Run.open(tmp_path)
    (tmp_path / "offside_run.json").write_text("{")
    with pytest.raises(ModelError, match="can't be read"):
        Run.open(tmp_path)
    (tmp_path / "offside_run.json").write_text(json.dumps({"schema": 99}))
    with pytest.raises(ModelError, match="schema 1"):
        Run.open(tmp_path)
