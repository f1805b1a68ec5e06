"""Commands beside another process that changes the same folder."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from holding import held_elsewhere

from offside_data.cli import main
from offside_data.dataset import journal, lock
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import work_folder

CHANGING = {
    "dedup": ["used", "--apply"],
    "edit": ["used", "edits.csv"],
    "export": ["other", "out", "--format", "swift", "--force"],
    "fictional": ["used", "--force"],
    "ingest": ["claims.csv", "used", "--force", "--format", "claims"],
    "migrate": ["used"],
    "ocr": ["used"],
    "questions": ["used"],
    "release": ["used", "--bump", "major", "--note", "First."],
    "remove": ["used", "--subject", "s1", "--reason", "Asked for."],
    "split": ["used"],
    "tag": ["used"],
    "undo": ["used", "d0"],
    "view": ["other", "out", "--force"],
    "waive": ["used", "picture-leak", "--reason", "Seen."],
}
"""Every command that has `--wait`."""
FILLING = {name: CHANGING[name] for name in ("export", "view")}
"""Those that fill a folder which isn't a dataset."""
READING = {
    "check": ["used"],
    "diff": ["other", "used"],
    "edit": ["used", "edits.csv", "--dry-run"],
    "export": ["used", "out", "--format", "swift"],
    "remove": ["used", "--verify"],
    "decisions": ["used"],
    "show": ["used"],
    "split": ["used", "--dry-run"],
    "tag": ["used", "--dry-run"],
    "view": ["used", "out"],
}
"""What commands do that change nothing in it."""


@pytest.fixture
def here(fresh: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dataset that others use, a copy of it, and what commands read."""
    shutil.copytree(fresh.path, tmp_path / "here" / "used")
    shutil.copytree(fresh.path, tmp_path / "here" / "other")
    first = next(fresh.iter_records()).record_id
    (tmp_path / "here" / "edits.csv").write_text(f"record_id,suspect\n{first},look again\n")
    (tmp_path / "here" / "claims.csv").write_text("subject,attribute,value\nVeda Norrin,height,1.80 m\n")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(lock, "_GRACE", 0.0)
    return tmp_path / "here"


def run(name: str, arguments: list[str]) -> tuple[int, str]:
    result = CliRunner().invoke(main, [name, *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def contents(folder: Path) -> dict[str, bytes]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if "/.offside/lock" not in name}


def test_whoever_changes_a_folder_can_wait() -> None:
    assert isinstance(main, click.Group)
    context = click.Context(main)
    names = main.list_commands(context)
    commands = {name: command for name in names if (command := main.get_command(context, name))}
    waiting = {name for name, command in commands.items() if any(p.name == "wait" for p in command.params)}
    assert waiting == {*CHANGING, "fetch"}
    served = {"fetch", "publish", "annotate"}  # They need a service to be tried.
    assert {*commands} == {*CHANGING, *READING, *served}, "a new command changes a folder, or only reads it"


def test_beside_another_process_nothing_is_changed_and_everything_is_read(here: Path) -> None:
    before = contents(here)
    with held_elsewhere(here / "used") as other:
        for name in sorted(CHANGING.keys() - FILLING.keys()):
            code, output = run(name, CHANGING[name])
            assert (code, f"used is in use by process {other.pid}" in output) == (1, True), (name, output)
        assert contents(here) == before
        for name, arguments in READING.items():
            code, output = run(name, arguments)
            assert "in use" not in output, name
            assert code == 0 or name in ("check", "diff"), (name, output)
            shutil.rmtree(here / "out", ignore_errors=True)


def test_annotations_do_not_land_in_a_folder_in_use(here: Path) -> None:
    (here / "export.json").write_text("[]")
    before = contents(here)
    with held_elsewhere(here / "used") as other:
        code, output = run("annotate", ["pull", "used", "--from-file", "export.json"])
        assert (code, f"used is in use by process {other.pid}" in output) == (1, True), output
        assert contents(here) == before


@pytest.mark.parametrize("name", FILLING)
def test_two_do_not_fill_a_folder_together(here: Path, name: str) -> None:
    assert run(name, FILLING[name])[0] == 0
    before = contents(here)
    with held_elsewhere(here / "out") as other:
        code, output = run(name, FILLING[name])
        assert (code, f"out is in use by process {other.pid}" in output) == (1, True), output
    assert contents(here) == before


def test_a_command_holds_the_lock_from_its_first_read_to_its_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: set[tuple[str, bool]] = set()

    def seen(what: str) -> None:
        folder = os.path.realpath(here / "used")
        alone.add((what, folder in lock._held.folders))

    read, carry_out = OffsideDataset.batches, journal._carry_out

    def batches(self: OffsideDataset, *arguments: object, **options: object) -> Iterator[object]:
        if self.path.resolve() == (here / "used").resolve():
            seen("read")
        return read(self, *arguments, **options)  # type: ignore[arg-type]

    def carrying_out(folder: Path) -> None:
        if work_folder(folder, "commit.json").exists():
            seen("moved")
        carry_out(folder)

    monkeypatch.setattr(OffsideDataset, "batches", batches)
    monkeypatch.setattr(journal, "_carry_out", carrying_out)
    moved = set()
    for name in ("tag", "questions", "edit", "split", "remove", "ingest", "release"):
        run(name, CHANGING[name])
        moved |= {name} if ("moved", True) in alone else set()
        assert not [what for what, held in alone if not held], name
        alone.clear()
    assert {"edit", "questions", "remove", "ingest", "release"} <= moved


def test_who_reads_while_it_is_changed_reads_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = OffsideDataset.batches
    changes = iter([["edit", "used", "edits.csv"]])

    def batches(self: OffsideDataset, *arguments: object, **options: object) -> Iterator[object]:
        for batch in read(self, *arguments, **options):  # type: ignore[arg-type]
            for change in changes:
                with contextlib.suppress(SystemExit):
                    main(change)
            yield batch

    monkeypatch.setattr(OffsideDataset, "batches", batches)
    result = CliRunner().invoke(main, ["export", "used", "out", "--format", "swift"])
    assert result.exit_code == 0, result.output
    assert "was changed by another command while it was read; reading it again" in result.stderr
    report = (here / "out" / "export.json").read_text()
    assert open_dataset(here / "used").digest in report
    assert open_dataset(here / "other").digest not in report
