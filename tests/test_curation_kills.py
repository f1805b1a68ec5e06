"""Every curation command, killed at random points and started again, ends as if nothing had happened."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data import open_dataset
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.journal import changing
from offside_data.dataset.transaction import change_dataset
from offside_data.fictional.league import make_league
from offside_data.schema import EncodedImage
from offside_data.seeding import rng

pytestmark = pytest.mark.full
PROGRAM = str(Path(sys.executable).parent / "offside-data")
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


DEDUP = Command("dedup", lambda f: ["dedup", str(f / "dataset"), "--apply"])
COMMANDS = [
    Command("fictional", lambda f: ["fictional", str(f / "out"), "--subjects", "4"], "out"),
    Command("ingest", lambda f: ["ingest", str(f / "source"), str(f / "out"), "--format", "offside"], "out"),
    Command("export", lambda f: ["export", str(f / "dataset"), str(f / "out"), "--format", "swift"], "out"),
    DEDUP,
    Command("undo", lambda f: ["undo", str(f / "dataset"), _merge(f)], first=DEDUP),
    Command("tag", lambda f: ["tag", str(f / "dataset")]),
    Command("questions", lambda f: ["questions", str(f / "dataset"), "--only", "all", "--seed", "5"]),
    Command("split", lambda f: ["split", str(f / "dataset"), "--policy", "ratio", "--set", "share=0.5"]),
    Command("release", lambda f: ["release", str(f / "dataset"), "--bump", "major", "--note", "First."]),
    Command(
        "remove",
        lambda f: ["remove", str(f / "dataset"), "--subject", (f / "subject").read_text(), "--reason", "Asked for."],
    ),
]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dataset that has something for every command to do, and a source to ingest."""
    folder = tmp_path_factory.mktemp("start")
    make_league(folder / "dataset", subjects=4, general=4, utility=4)
    _plant_copy(folder / "dataset")
    subprocess.run(
        [PROGRAM, "export", str(folder / "dataset"), str(folder / "source"), "--format", "offside"],
        check=True,
        capture_output=True,
    )
    (folder / "subject").write_text(_subject(folder))
    return folder


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


def run(command: Command, folder: Path, kill_after: float | None = None) -> int:
    """Run a command; with `kill_after`, kill it after so many seconds if it still runs."""
    process = subprocess.Popen(
        [PROGRAM, *command.arguments(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    print(output[-2000:])
    return process.returncode


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_killed_and_started_again_it_ends_the_same(command: Command, start: Path, tmp_path: Path) -> None:
    if command.first:
        shutil.copytree(start, tmp_path / "first")
        assert run(command.first, tmp_path / "first") == 0
        start = tmp_path / "first"
    shutil.copytree(start, tmp_path / "undisturbed")
    began = time.monotonic()
    assert run(command, tmp_path / "undisturbed") == 0
    seconds = time.monotonic() - began
    expected = state(tmp_path / "undisturbed" / command.result)
    assert expected
    source = rng(0, "kill", command.name)
    for attempt in range(KILLS):
        folder = tmp_path / f"killed-{attempt}"
        shutil.copytree(start, folder)
        _kill_until_it_is_through(command, folder, seconds, source)
        assert state(folder / command.result) == expected
        assert not list(folder.glob(".*")), "something half-written stayed behind"


def _kill_until_it_is_through(command: Command, folder: Path, seconds: float, source: random.Random) -> None:
    """Kill twice, late enough that work has begun, then let it end; a run that had ended before its kill is fine."""
    for _ in range(2):
        if run(command, folder, kill_after=seconds * source.uniform(0.4, 1.0)) == 0 or _through(folder):
            return
    assert run(command, folder) == 0


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
