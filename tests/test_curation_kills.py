"""Every curation command, killed at random points and started again, ends as if nothing had happened."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forked_commands import Begin, begin_program, forks
from PIL import Image

from offside_data import open_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.journal import changing, is_passing
from offside_data.dataset.lock import LOCK_FILES
from offside_data.dataset.transaction import change_dataset
from offside_data.fictional.league import make_league
from offside_data.schema import EncodedImage
from offside_data.seeding import rng

pytestmark = pytest.mark.full
KILLS = 3


@dataclass(frozen=True)
class Command:
    """A command under test.

    Args:
        name: Of the command.
        arguments: From the folder it works in, which holds `source` and `dataset`.
        result: What it changes or makes there.
        first: A command that has to be run before it.
    """

    name: str
    arguments: Callable[[Path], list[str]]
    result: str = "dataset"
    first: Command | None = None


def _subject(folder: Path) -> str:
    return min(str(row["subject_id"]) for row in open_dataset(folder / "dataset").table_rows("subjects"))


def _merge(folder: Path) -> str:
    return next(str(d["id"]) for d in read_decisions(folder / "dataset") if d["kind"] == "duplicate")


DEDUP = Command("dedup", lambda f: ["dedup", "dataset", "--apply"])
COMMANDS = [
    Command("fictional", lambda f: ["fictional", "out", "--subjects", "4"], "out"),
    Command("ingest", lambda f: ["ingest", "source", "out", "--format", "offside"], "out"),
    Command("export", lambda f: ["export", "dataset", "out", "--format", "swift"], "out"),
    DEDUP,
    Command("undo", lambda f: ["undo", "dataset", _merge(f)], first=DEDUP),
    Command("tag", lambda f: ["tag", "dataset"]),
    Command("questions", lambda f: ["questions", "dataset", "--only", "all", "--seed", "5"]),
    Command("split", lambda f: ["split", "dataset", "--policy", "ratio", "--set", "share=0.5"]),
    Command("release", lambda f: ["release", "dataset", "--bump", "major", "--note", "First."]),
    Command(
        "remove",
        lambda f: ["remove", "dataset", "--subject", (f / "subject").read_text(), "--reason", "Asked for."],
    ),
]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset that has something for every command to do, and a source to ingest."""
    folder = tmp_path_factory.mktemp("start")
    make_league(folder / "dataset", subjects=4, general=4, utility=4)
    _plant_copy(folder / "dataset")
    export = ["export", "dataset", "source", "--format", "offside"]
    assert begin_program(folder, export, tmp_path_factory.mktemp("said") / "said.txt").wait() == 0
    (folder / "subject").write_text(_subject(folder))
    return folder


@pytest.fixture(scope="module")
def forked(start: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begin]:
    """Begins commands without importing what they use in each."""
    commands = [command.arguments(start) for command in COMMANDS if not command.first]
    with forks(start, tmp_path_factory.mktemp("loading"), commands) as begin:
        yield begin


def _plant_copy(folder: Path) -> None:
    """A second file of one retain picture, with the same claims: a duplicate."""
    dataset = open_dataset(folder)
    records = [r for r in dataset.iter_records() if r.modality == "multimodal"]
    first = next(r for r in records if r.split == "retain")
    assert first.image is not None
    with Image.open(io.BytesIO(first.image.bytes)) as picture:
        stream = io.BytesIO()
        picture.save(stream, "PNG", compress_level=0)
    images = dataset.table_rows("images")
    row = next(row for row in images if row["image_id"] == first.image_id)
    image = EncodedImage(bytes=stream.getvalue(), path="copy.png")
    with change_dataset(dataset) as change:
        change.set_table("images", [*images, {**row, "image_id": "icopy", "sha256": None, "source": "planted"}])
        change.add_records(
            dataclasses.replace(r, record_id=f"{r.record_id}-copy", image_id="icopy", image=image)
            for r in records
            if r.image_id == first.image_id
        )


def state(folder: Path) -> dict[str, Any]:
    """All that a command leaves in a folder, but for times and salts."""
    if not (folder / "README.md").is_file():
        return {}
    if not (folder / "taxonomy.yaml").is_file():  # An export.
        return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    dataset = open_dataset(folder)
    return {
        "digest": dataset.verify(),
        "version": dataset.version,
        "decisions": [(d["kind"], d["why"]) for d in read_decisions(folder)],
        "changelog": (folder / "CHANGELOG.md").read_text(),
        "releases": sorted(p.name for p in (folder / ".offside" / "releases").glob("*")),
        "files": sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if _counts(p, folder)),
    }


def _counts(path: Path, folder: Path) -> bool:
    return path.is_file() and ".offside/" not in path.relative_to(folder).as_posix()


def run(begin: Begin, command: Command, folder: Path, kill_after: float | None = None) -> int:
    """Run a command; with `kill_after`, kill it after so many seconds if it still runs."""
    output = folder.with_suffix(".txt")
    process = begin(folder, command.arguments(folder), output)
    try:
        code = process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    print(output.read_text()[-2000:])
    return code


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_killed_and_started_again_it_ends_the_same(
    command: Command, start: Path, forked: Begin, tmp_path: Path
) -> None:
    """In forks, which begin their work at once; one command as the real program, whose imports come first."""
    begin, earliest = (begin_program, 0.4) if command.name == "release" else (forked, 0.05)
    if command.first:
        shutil.copytree(start, tmp_path / "first")
        assert run(begin, command.first, tmp_path / "first") == 0
        start = tmp_path / "first"
    shutil.copytree(start, tmp_path / "undisturbed")
    began = time.monotonic()
    assert run(begin, command, tmp_path / "undisturbed") == 0
    seconds = time.monotonic() - began
    expected = state(tmp_path / "undisturbed" / command.result)
    assert expected
    source = rng(0, "kill", command.name)
    met: list[bool] = []
    for attempt in range(KILLS):
        folder = tmp_path / f"killed-{attempt}"
        shutil.copytree(start, folder)
        after = [seconds * source.uniform(earliest, 1.0) for _ in range(2)]
        met += _kill_until_it_is_through(begin, command, folder, after)
        assert state(folder / command.result) == expected
        assert not list(folder.glob(".*")), "something half-written stayed behind"
    print(f"{command.name}: {len(met)} of {2 * KILLS} kills met it running, {sum(met)} with something half-written")


def _kill_until_it_is_through(begin: Begin, command: Command, folder: Path, after: list[float]) -> list[bool]:
    """Kill it after so many seconds each, then let it end; a run that had ended before its kill is fine.

    Returns:
        For each kill that met it running, whether something was half-written.
    """
    met: list[bool] = []
    for seconds in after:
        code = run(begin, command, folder, kill_after=seconds)
        assert code in (0, -signal.SIGKILL)
        if code == 0:
            return met
        met.append(_half_written(folder))
        if _through(folder):
            return met
    assert run(begin, command, folder) == 0
    return met


def _half_written(folder: Path) -> bool:
    """Whether a change of something in a folder was under way, rather than only its lock held."""
    return any(is_passing(path.name) and path.name not in LOCK_FILES for path in folder.glob("*/.offside/*"))


def _through(folder: Path) -> bool:
    """Whether a command that can't be run twice did its work just before it was killed."""
    open_dataset(folder / "dataset")  # Finishes what was interrupted.
    if (folder / "out").exists():
        with changing(folder / "out"):  # The same. Until then the folder may hold nothing but the lock.
            pass
    undone = any(d["kind"] == "undo" for d in read_decisions(folder / "dataset"))
    return undone or (folder / "out" / "README.md").is_file()


def test_the_state_tells_datasets_apart(start: Path, tmp_path: Path) -> None:
    shutil.copytree(start / "dataset", tmp_path / "other")
    with change_dataset(tmp_path / "other") as change:
        change.remove_records([next(open_dataset(tmp_path / "other").iter_records()).record_id])
    assert state(tmp_path / "other") != state(start / "dataset")
    assert json.dumps(state(tmp_path / "other"))
