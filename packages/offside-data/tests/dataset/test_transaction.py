from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path

import polars as pl
import pytest

from offside_data.dataset import pictures
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset, new_dataset, transaction_of
from offside_data.errors import DatasetChangedError, DatasetError, OutputExistsError, RecordError
from offside_data.schema import EncodedImage, Record


def texts(dataset: OffsideDataset, column: str) -> dict[str, object]:
    return dict(dataset.claims(["record_id", column]).select("record_id", column).rows())


def written_anew(dataset: OffsideDataset, out: Path) -> OffsideDataset:
    change = transaction_of(dataset)
    change.rewrite_records(lambda batches: batches)
    out.mkdir()
    change.write_into(out)
    return open_dataset(out)


def test_reading_and_writing_changes_nothing(fresh: OffsideDataset, tmp_path: Path) -> None:
    copy = written_anew(fresh, tmp_path / "copy")
    assert copy.verify() == fresh.digest
    assert copy.card.text == fresh.card.text


def test_what_is_not_touched_is_linked(fresh: OffsideDataset, tmp_path: Path) -> None:
    kept, touched = fresh.record_parts()[:2]
    record_id = fresh.frame(touched, ["record_id"])["record_id"][0]
    before = {part: fresh.files(part)[0].stat().st_ino for part in (kept, touched)}
    with change_dataset(fresh.path) as change:
        change.update(pl.DataFrame({"record_id": [record_id], "suspect": ["look again"]}))
    after = open_dataset(fresh.path)
    assert after.verify() != fresh.digest
    assert after.files(kept)[0].stat().st_ino == before[kept]
    assert after.files(touched)[0].stat().st_ino != before[touched]
    assert texts(after, "suspect")[record_id] == "look again"
    others = {name: said for name, said in texts(after, "suspect").items() if name != record_id}
    assert set(others.values()) == {None}


def test_pictures_are_read_when_asked_for(fresh: OffsideDataset) -> None:
    record = next(record for record in fresh.iter_records() if record.image is not None)
    fresh.files(f"{record.modality}/{record.split}")[0].unlink()
    with pytest.raises(DatasetError, match="not readable as Parquet"):
        record.image.bytes  # noqa: B018


def test_a_change_keeps_what_is_not_ours(fresh: OffsideDataset) -> None:
    (fresh.path / "notes.txt").write_text("mine")
    first = next(fresh.iter_records())
    with change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(first, suspect="look again")], ["suspect"])
    changed = open_dataset(fresh.path)
    assert changed.verify() != fresh.digest
    assert (fresh.path / "notes.txt").read_text() == "mine"
    assert texts(changed, "suspect")[first.record_id] == "look again"


def test_a_block_that_asks_for_nothing_writes_nothing(fresh: OffsideDataset) -> None:
    before = {path: path.stat().st_mtime_ns for path in fresh.path.rglob("*")}
    with change_dataset(fresh.path) as change:
        change.update(pl.DataFrame(schema={"record_id": pl.String, "suspect": pl.String}))
    assert {path: path.stat().st_mtime_ns for path in fresh.path.rglob("*")} == before


def test_a_split_without_records_is_gone(fresh: OffsideDataset) -> None:
    with change_dataset(fresh.path) as change:
        change.remove_records(r.record_id for r in fresh.iter_records() if r.split != "retain")
    after = open_dataset(fresh.path)
    assert {part.split("/")[1] for part in after.record_parts()} == {"retain"}
    after.verify()


def test_a_record_moves_with_its_picture(fresh: OffsideDataset) -> None:
    moving = [r for r in fresh.iter_records() if (r.modality, r.split) == ("multimodal", "test")]
    pictures = {r.record_id: r.image.bytes for r in moving if r.image}
    with change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(r, split="retain") for r in moving], ["split"])
    after = open_dataset(fresh.path)
    assert "multimodal/test" not in after.record_parts()
    moved = {r.record_id: r for r in after.iter_records() if r.record_id in pictures}
    assert {name: r.image.bytes for name, r in moved.items() if r.image} == pictures
    assert {r.split for r in moved.values()} == {"retain"}
    after.verify()


def test_nulls_of_an_update_count(fresh: OffsideDataset) -> None:
    with_value = [r for r in fresh.iter_records() if r.value is not None][:2]
    with change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(r, value=None) for r in with_value], ["value"])
    values = {r.record_id: r.value for r in open_dataset(fresh.path).iter_records()}
    assert [values[r.record_id] for r in with_value] == [None, None]
    assert sum(value is not None for value in values.values()) > 2


def test_an_id_is_changed_once(fresh: OffsideDataset) -> None:
    first = next(fresh.iter_records()).record_id
    twice = pl.DataFrame({"record_id": [first, first], "suspect": ["one", "another"]})
    with pytest.raises(RecordError, match=f"{first} is to be changed twice"), change_dataset(fresh.path) as change:
        change.update(twice)
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_a_broken_record_changes_nothing(fresh: OffsideDataset) -> None:
    first = next(fresh.iter_records())
    with pytest.raises(RecordError, match="question is empty"), change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(first, question="")], ["question"])
    assert open_dataset(fresh.path).verify() == fresh.digest


@pytest.mark.parametrize("name", ["README.md", "decisions.jsonl", "CHANGELOG.md", "taxonomy.yaml"])
def test_what_a_person_writes_meanwhile_is_not_lost(fresh: OffsideDataset, name: str) -> None:
    first, mine = next(fresh.iter_records()), ""

    def write_meanwhile() -> None:
        nonlocal mine
        with change_dataset(fresh.path) as change:
            change.update_records([dataclasses.replace(first, suspect="look again")], ["suspect"])
            mine = (fresh.path / name).read_text() + "\n"
            (fresh.path / name).write_text(mine)

    with pytest.raises(DatasetChangedError, match="Run the command again"):
        write_meanwhile()
    assert (fresh.path / name).read_text() == mine
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_what_was_changed_since_it_was_opened_is_not_changed_back(fresh: OffsideDataset) -> None:
    first = next(fresh.iter_records())
    with change_dataset(fresh.path) as change:
        change.update_records([dataclasses.replace(first, suspect="look again")], ["suspect"])
    with pytest.raises(DatasetChangedError, match="was changed by another command"), change_dataset(fresh):
        pass
    with pytest.raises(DatasetChangedError):
        fresh.frame(fresh.record_parts()[0])
    assert texts(open_dataset(fresh.path), "suspect")[first.record_id] == "look again"


def test_an_id_that_is_there_cannot_be_added(fresh: OffsideDataset) -> None:
    first: Record = next(fresh.iter_records())
    with (
        pytest.raises(RecordError, match=f"{first.record_id} was added before"),
        change_dataset(fresh.path) as change,
    ):
        change.add_records([first])
    assert open_dataset(fresh.path).verify() == fresh.digest


def test_an_error_in_the_block_changes_nothing(fresh: OffsideDataset) -> None:
    def remove_and_fail() -> None:
        with change_dataset(fresh.path) as change:
            change.remove_records([next(fresh.iter_records()).record_id])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        remove_and_fail()
    assert open_dataset(fresh.path).verify() == fresh.digest
    assert not (fresh.path / ".offside" / "staged").exists()


def test_writing_over_something_else_is_refused(fresh: OffsideDataset, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").write_text("mine")
    with (
        pytest.raises(OutputExistsError),
        new_dataset(tmp_path / "taken", name="x", taxonomy=fresh.taxonomy) as new,
    ):
        new.add_records(fresh.iter_records())


def test_any_number_of_pictures_is_held_on_disk(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_HELD_PER_GROUP", 3)
    store = pictures.PictureStore()
    given = [EncodedImage(bytes=f"picture {number % 8}".encode(), path=f"{number}.png") for number in range(20)]
    held = [store.hold(image) for image in given]
    assert len(store._held) < 3
    assert [(image.bytes, image.path) for image in held] == [(image.bytes, image.path) for image in given]
    places = pl.DataFrame([image.place() for image in held[::-1]]).with_columns(pl.col("file").cast(pl.UInt32))
    assert store.take(places).to_pylist() == [image.bytes for image in given[::-1]]
    hashes = [hashlib.sha256(image.bytes).hexdigest() for image in given[::-1]]
    assert store.hashes(places).to_list() == hashes
    assert store.hashes(places.clear()).to_list() == []


@pytest.mark.parametrize(
    "lost", ["data/multimodal/test-00000-of-00001.parquet", "tables/subjects.parquet", "data"], ids=str
)
def test_a_lost_part_is_not_written_out_of_the_card(fresh: OffsideDataset, lost: str) -> None:
    path = fresh.path / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    card = fresh.card.text
    name = lost.split("/")[-1].partition("-")[0].removesuffix(".parquet")
    told = f"the files of .*{name if name != 'data' else 'text/retain'}.* are missing"
    with pytest.raises(DatasetError, match=told), change_dataset(fresh.path) as change:
        change.decide([{"kind": "edit"}])
    with pytest.raises(DatasetError, match="are missing"):
        fresh.claims(["record_id"])
    assert open_dataset(fresh.path).card.text == card
