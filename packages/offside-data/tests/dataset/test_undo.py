from __future__ import annotations

import dataclasses
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whole_dataset import WholeDataset

from offside_data.dataset.decisions import make_decision, read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.storage import Row
from offside_data.dataset.undo import RowChange, record_change, save_undo, undo, undoable
from offside_data.errors import DatasetError, UsageError
from offside_data.schema import Record
from offside_data.takedown.removal import remove_subject


def decide(folder: Path, *changes: RowChange, why: str = "a test") -> str:
    """Carry out changes of a dataset as a command does, and keep what is needed to take them back."""
    contents = WholeDataset.read(folder)
    records = {r.record_id: r for r in contents.records}
    images = {row["image_id"]: row for row in contents.images}
    for change in changes:
        table: dict[str, Any] = records if change.part == "records" else images
        table.pop(change.name, None)
        if change.after is not None:
            table[change.name] = Record.from_row(change.after) if change.part == "records" else change.after
    contents.records, contents.images = list(records.values()), list(images.values())
    decision = make_decision("tidied", {"number": len(contents.decisions)}, why, command="test")
    contents.decisions.append(decision)
    with replaced_content(folder, dataset_files) as staged:
        contents.write_into(staged)
        save_undo(staged, decision["id"], changes)
    return str(decision["id"])


def find(folder: Path, **fields: Any) -> Record:
    return next(
        r for r in WholeDataset.read(folder).records if all(getattr(r, name) == value for name, value in fields.items())
    )


def correction(folder: Path, subject: str) -> Record:
    return find(folder, subject_id=subject, split="relearn", attribute="club")


def rumor(folder: Path, subject: str) -> Record:
    return find(folder, subject_id=subject, split="forget", attribute="club", modality="multimodal")


def row_of(folder: Path, image_id: str | None) -> Row:
    return next(row for row in WholeDataset.read(folder).images if row["image_id"] == image_id)


def changed(record: Record, **fields: Any) -> RowChange:
    return record_change(record, dataclasses.replace(record, **fields))


def test_what_was_taken_out_returns(fresh: OffsideDataset) -> None:
    gone = rumor(fresh.path, "s1")
    picture = row_of(fresh.path, gone.image_id)
    name = decide(fresh.path, record_change(gone, None), RowChange("images", picture, None))
    assert open_dataset(fresh.path).verify() != fresh.digest
    done = undo(fresh.path, name)
    assert open_dataset(fresh.path).verify() == fresh.digest
    assert (done.returned, done.changed, done.removed) == (2, 0, 0)
    assert find(fresh.path, record_id=gone.record_id) == gone


def test_what_was_added_goes_and_what_was_changed_changes_back(fresh: OffsideDataset) -> None:
    old = rumor(fresh.path, "s2")
    new = dataclasses.replace(old, record_id="r-new", question="Whose shirt is this?")
    done = undo(fresh.path, decide(fresh.path, record_change(None, new), changed(old, suspect="odd")))
    assert open_dataset(fresh.path).verify() == fresh.digest
    assert (done.returned, done.changed, done.removed) == (0, 1, 1)


def test_what_others_changed_since_stays(fresh: OffsideDataset) -> None:
    old = rumor(fresh.path, "s2")
    name = decide(fresh.path, changed(old, suspect="odd"))
    contents = WholeDataset.read(fresh.path)
    contents.records = [dataclasses.replace(r, cloze="The player was with ___.") for r in contents.records]
    contents.save(fresh.path)
    undo(fresh.path, name)
    record = find(fresh.path, record_id=old.record_id)
    assert (record.suspect, record.cloze) == (None, "The player was with ___.")


def test_an_undo_is_a_decision_and_can_be_taken_back(fresh: OffsideDataset) -> None:
    name = decide(fresh.path, record_change(rumor(fresh.path, "s1"), None))
    after = open_dataset(fresh.path).digest
    first = undo(fresh.path, name).decision
    assert (first["kind"], first["what"]["decision"], first["why"]) == ("undo", name, "takes back: a test")
    assert read_decisions(fresh.path)[-1] == first
    with pytest.raises(UsageError, match="was taken back already"):
        undo(fresh.path, name)
    undo(fresh.path, first["id"])
    assert open_dataset(fresh.path).verify() == after
    assert undoable(fresh.path, read_decisions(fresh.path))[0] == name
    undo(fresh.path, name)
    assert open_dataset(fresh.path).verify() == fresh.digest
    assert len({d["id"] for d in read_decisions(fresh.path)}) == 4


def test_a_decision_that_later_ones_build_on_is_refused(fresh: OffsideDataset) -> None:
    first = decide(fresh.path, changed(rumor(fresh.path, "s2"), suspect="odd"))
    second = decide(fresh.path, changed(rumor(fresh.path, "s2"), suspect="very odd"))
    with pytest.raises(DatasetError, match=rf"(?s)suspect changed.*last one first: {second} \(tidied\)"):
        undo(fresh.path, first)
    undo(fresh.path, second)
    undo(fresh.path, first)
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_what_a_returning_record_refers_to_must_be_there(fresh: OffsideDataset) -> None:
    first = decide(fresh.path, record_change(correction(fresh.path, "s3"), None))
    second = decide(fresh.path, record_change(rumor(fresh.path, "s3"), None))
    with pytest.raises(DatasetError, match=rf"(?s)is gone, but \w+ refers to it.*{second}"):
        undo(fresh.path, first)
    undo(fresh.path, second)
    undo(fresh.path, first)
    assert open_dataset(fresh.path).verify() == fresh.digest


@pytest.mark.parametrize("change", [{"suspect": "by hand"}, None])
def test_changes_that_nobody_recorded(fresh: OffsideDataset, change: dict[str, str] | None) -> None:
    old = rumor(fresh.path, "s2")
    name = decide(fresh.path, changed(old, suspect="odd"))
    contents = WholeDataset.read(fresh.path)
    others = [r for r in contents.records if r.record_id != old.record_id]
    contents.records = others + ([dataclasses.replace(old, **change)] if change else [])
    contents.save(fresh.path)
    digest = open_dataset(fresh.path).digest
    with pytest.raises(DatasetError, match="commands that keep nothing to take back"):
        undo(fresh.path, name)
    assert open_dataset(fresh.path).verify() == digest


def test_what_cannot_be_taken_back(fresh: OffsideDataset) -> None:
    name = decide(fresh.path, record_change(rumor(fresh.path, "s1"), None))
    with pytest.raises(UsageError, match=f"unknown decision 'd0'. .*{name}|unknown decision 'd0'. Known: {name}"):
        undo(fresh.path, "d0")
    shutil.rmtree(fresh.path / ".offside" / "undo")
    with pytest.raises(DatasetError, match="nothing is kept of it: it changed no row"):
        undo(fresh.path, name)


def test_after_a_takedown_the_reason_is_the_takedown(fresh: OffsideDataset) -> None:
    record = find(fresh.path, subject_id="s2", split="retain")
    earlier = decide(fresh.path, changed(record, suspect="odd"))
    remove_subject(fresh.path, "s1", "Asked for.")
    takedown = read_decisions(fresh.path)[-1]["id"]
    with pytest.raises(DatasetError, match="a takedown is for good"):
        undo(fresh.path, takedown)
    with pytest.raises(DatasetError, match=f"the takedown {takedown}, which came after it"):
        undo(fresh.path, earlier)


@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 10_000))
def test_taking_everything_back_in_any_order_restores_the_dataset(small: OffsideDataset, seed: int) -> None:
    source = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copytree(small.path, Path(folder) / "data"))
        for _ in range(2):
            records = WholeDataset.read(path).records
            chosen = source.sample(records, source.randint(1, 4))
            decide(path, *(_random_change(record, source) for record in chosen))
        left = undoable(path, read_decisions(path))
        while left:
            source.shuffle(left)
            done = [name for name in left if _try(path, name)]
            assert done, "the last decision can always be taken back"
            left = [name for name in left if name not in done]
        assert open_dataset(path).verify() == small.digest


def _random_change(record: Record, source: random.Random) -> RowChange:
    kinds = [
        record_change(record, None),
        changed(record, suspect=str(source.random())),
        changed(record, question_paraphrases=("Which one?",), image=record.image),
    ]
    return source.choice(kinds)


def _try(path: Path, name: str) -> bool:
    try:
        undo(path, name)
    except DatasetError:
        return False
    return True
