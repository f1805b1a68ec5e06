from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from offside_data.dataset.contents import Contents
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import OutputExistsError, RecordError


def test_reading_and_writing_changes_nothing(fresh: OffsideDataset, tmp_path: Path) -> None:
    Contents.read(fresh.path).write(tmp_path / "copy")
    copy = open_dataset(tmp_path / "copy")
    assert copy.verify() == fresh.digest
    assert copy.card.text == fresh.card.text


def test_records_share_their_picture(fresh: OffsideDataset) -> None:
    pictures: dict[str | None, set[int]] = {}
    for record in Contents.read(fresh.path).records:
        if record.image is not None:
            pictures.setdefault(record.image_id, set()).add(id(record.image.bytes))
    assert pictures
    assert all(len(objects) == 1 for objects in pictures.values())


def test_save_changes_in_place_and_keeps_what_is_not_ours(fresh: OffsideDataset) -> None:
    (fresh.path / "notes.txt").write_text("mine")
    contents = Contents.read(fresh.path)
    first = contents.records[0]
    contents.records[0] = dataclasses.replace(first, suspect="look again")
    contents.save(fresh.path)
    changed = open_dataset(fresh.path)
    assert changed.verify() != fresh.digest
    assert (fresh.path / "notes.txt").read_text() == "mine"
    assert [r.suspect for r in Contents.read(fresh.path).records if r.record_id == first.record_id] == ["look again"]


def test_a_split_without_records_is_gone(fresh: OffsideDataset) -> None:
    contents = Contents.read(fresh.path)
    contents.records = [record for record in contents.records if record.split == "retain"]
    contents.save(fresh.path)
    assert {part.split("/")[1] for part in open_dataset(fresh.path).files()} == {"retain"}
    open_dataset(fresh.path).verify()


def test_a_broken_record_changes_nothing(fresh: OffsideDataset) -> None:
    contents = Contents.read(fresh.path)
    contents.records[0] = dataclasses.replace(contents.records[0], question="")
    with pytest.raises(RecordError, match="question is empty"):
        contents.save(fresh.path)
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_writing_over_something_else_is_refused(fresh: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    with pytest.raises(OutputExistsError):
        Contents.read(fresh.path).write(tmp_path / "taken")
