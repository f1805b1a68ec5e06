from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
from appended import append_decisions
from PIL import Image
from raw_card import edit_block
from whole_dataset import WholeDataset

from offside_data.check import check_dataset
from offside_data.dataset.card import Card
from offside_data.dataset.card_block import ParentRelease
from offside_data.dataset.decisions import make_decision
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.transaction import change_dataset, transaction_of
from offside_data.errors import ReleaseError, UsageError
from offside_data.release import migration
from offside_data.release.changelog import released_versions
from offside_data.release.diff import diff_datasets
from offside_data.release.releasing import make_release
from offside_data.release.rules import Level
from offside_data.release.snapshots import all_snapshots, find_snapshot, snapshot_folder
from offside_data.release.stripping import strip_pictures
from offside_data.schema import ClaimValue, EncodedImage, Record

pytestmark = pytest.mark.usefixtures("plain_croissant")


def codes(folder: Path) -> set[str]:
    found = {f.code for f in check_dataset(open_dataset(folder)) if f.severity != "info"}
    return found - {"croissant-unreadable"}  # The one that these tests write.


def club(record: Any) -> bool:
    return bool(record.attribute == "club" and record.split == "retain" and record.image)


WORDS = {"question": "And which club is this one about?"}
VALUES = {
    "value": ClaimValue(kind="name", text="Quenby Athletic"),
    "answer": "The player was with Quenby Athletic.",
    "choices": (),
    "correct_choice": None,
}


def test_a_first_release_is_1_0_0_whatever_the_working_version(fresh: OffsideDataset) -> None:
    assert fresh.version == "0.1.0"
    report = make_release(fresh.path, bump="patch", note="The first one.")
    assert (report.version, report.parent, report.new, report.needed) == ("1.0.0", None, True, None)
    dataset = open_dataset(fresh.path)
    assert (dataset.version, dataset.card.block.parent) == ("1.0.0", None)
    assert dataset.verify() == report.digest == fresh.digest
    assert released_versions((fresh.path / "CHANGELOG.md").read_text()) == ["1.0.0"]
    assert json.loads((fresh.path / "croissant.json").read_text())["version"] == "1.0.0"
    assert codes(fresh.path) == set()


def test_what_was_released_is_kept(first_release: Path) -> None:
    released = first_release
    (snapshot,) = all_snapshots(released)
    kept = open_dataset(snapshot.folder)
    assert (snapshot.version, snapshot.digest, kept.verify()) == ("1.0.0", kept.digest, kept.digest)
    parquet = next(released.glob("data/*/*.parquet"))
    assert parquet.samefile(snapshot.folder / parquet.relative_to(released))
    assert not (released / "README.md").samefile(snapshot.folder / "README.md")


def test_commands_leave_what_was_released_alone(released: Path, edit_records: Any) -> None:
    edit_records(released, club, **VALUES)
    (snapshot,) = all_snapshots(released)
    assert open_dataset(snapshot.folder).verify() == snapshot.digest != open_dataset(released).digest


def test_the_next_release_names_its_parent(released: Path, edit_records: Any) -> None:
    first = open_dataset(released).digest
    edit_records(released, club, **WORDS)
    report = make_release(released, bump=Level.PATCH, note="Better words.")
    assert (report.version, report.parent, report.needed) == ("1.0.1", "1.0.0", "patch")
    assert open_dataset(released).card.block.parent == ParentRelease(version="1.0.0", digest=first)
    assert [s.version for s in all_snapshots(released)] == ["1.0.0", "1.0.1"]
    assert released_versions((released / "CHANGELOG.md").read_text()) == ["1.0.1", "1.0.0"]
    assert codes(released) == set()


def test_values_that_change_need_a_major_version(released: Path, edit_records: Any) -> None:
    edit_records(released, club, **VALUES)
    with pytest.raises(ReleaseError) as caught:
        make_release(released, bump="minor", note="Values.")
    lines = [line for line in str(caught.value).splitlines() if "-> 'Quenby Athletic'" in line]
    assert len(lines) == 4
    assert open_dataset(released).version == "1.0.0"
    assert make_release(released, bump="major", note="Values.").version == "2.0.0"


def test_a_larger_bump_than_needed_is_allowed(released: Path, edit_records: Any) -> None:
    edit_records(released, club, **WORDS)
    report = make_release(released, bump="major", note="We felt like it.")
    assert (report.version, report.needed) == ("2.0.0", "patch")


def test_the_same_content_again_is_released_already(released: Path) -> None:
    before = {path: path.read_bytes() for path in released.rglob("*") if path.is_file()}
    report = make_release(released, bump="minor", note="Again.")
    assert (report.new, report.version, report.digest) == (False, "1.0.0", open_dataset(released).digest)
    assert {path: path.read_bytes() for path in released.rglob("*") if path.is_file()} == before


def test_prose_and_licence_make_a_patch(released: Path) -> None:
    card = Card.load(released)
    card.data["license"] = "cc-by-4.0"
    card.save(released)
    assert make_release(released, bump="patch", note="A licence.").version == "1.0.1"


def test_one_number_is_never_given_to_two_contents(released: Path, edit_records: Any) -> None:
    shutil.copytree(released, released.parent / "old")
    edit_records(released, club, **WORDS)
    make_release(released, bump="patch", note="Better words.")
    old = WholeDataset.read(released.parent / "old")
    old.records = [dataclasses.replace(r, suspect="look again") if club(r) else r for r in old.records]
    old.save(released)  # Somebody goes back to 1.0.0 and on from there.
    with pytest.raises(ReleaseError, match=r"1\.0\.1 was released before with other content.*larger --bump"):
        make_release(released, bump="patch", note="Other words.")
    assert make_release(released, bump="minor", note="Other words.").version == "1.1.0"


def test_what_check_finds_stops_a_release_and_a_waiver_lets_it_pass(fresh: OffsideDataset, edit_records: Any) -> None:
    edit_records(fresh.path, lambda r: r.veracity == "correction" and r.subject_id == "s1" and r.image, corrects="gone")
    with pytest.raises(ReleaseError, match=r"finds 1 errors:\n  corrects-dangling: r\w+: corrects 'gone'"):
        make_release(fresh.path, bump="major", note="The first one.")
    (issue,) = [f for f in check_dataset(open_dataset(fresh.path)) if f.severity == "error"]
    waiver = {"kind": "waiver", "code": issue.code, "where": issue.where, "reason": "it comes with 1.1"}
    append_decisions(fresh.path, [waiver])
    assert make_release(fresh.path, bump="major", note="The first one.").version == "1.0.0"


def test_an_edited_parquet_file_stops_a_release(fresh: OffsideDataset, edit_rows: Any) -> None:
    edit_rows(fresh, "text/retain", lambda rows: rows[0].update(question="Edited?"))
    with pytest.raises(ReleaseError, match="digest-mismatch"):
        make_release(fresh.path, bump="major", note="The first one.")


def test_a_release_that_was_edited_in_place_is_no_parent(released: Path, edit_rows: Any, edit_records: Any) -> None:
    snapshot = snapshot_folder(released, "1.0.0")
    edit_records(released, club, **WORDS)
    edit_rows(open_dataset(snapshot), "multimodal/test", lambda rows: rows[0].update(question="Edited?"))
    with pytest.raises(ReleaseError, match=r"release 1\.0\.0 isn't what it was.*edited a file in place.*--parent"):
        make_release(released, bump="patch", note="Words.")


def test_a_dataset_that_was_fetched_needs_its_parent(released: Path, edit_records: Any) -> None:
    fetched = shutil.copytree(released, released.parent / "fetched", ignore=shutil.ignore_patterns(".offside"))
    edit_records(fetched, club, **WORDS)
    with pytest.raises(
        ReleaseError, match=r"1\.0\.0 was released, but release 1\.0\.0 isn't kept here.*--parent FOLDER"
    ):
        make_release(fetched, bump="patch", note="Words.")
    report = make_release(fetched, bump="patch", note="Words.", parent=released)
    assert (report.version, report.parent) == ("1.0.1", "1.0.0")
    assert [s.version for s in all_snapshots(fetched)] == ["1.0.1"]


def test_another_dataset_is_no_parent(released: Path, write_dataset: Any, records: Any, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other", records, name="other").path
    with pytest.raises(UsageError, match="is the dataset 'other', not 'small'"):
        make_release(released, bump="patch", note="Words.", parent=other)


@pytest.mark.parametrize("note", ["", "  \n"])
def test_a_note_is_needed(released: Path, note: str) -> None:
    with pytest.raises(UsageError, match="--note is empty"):
        make_release(released, bump="patch", note=note)


# ---------------------------------------------------------------------------------------------
# Metadata of pictures


def with_gps(data: bytes) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "Training ground, by the gate"
    stream = io.BytesIO()
    Image.open(io.BytesIO(data)).save(stream, "PNG", exif=exif)
    return stream.getvalue()


def photograph(folder: Path) -> None:
    """Give a picture of the dataset metadata."""
    contents = WholeDataset.read(folder)
    picture = contents.records[0].image_id
    for place, record in enumerate(contents.records):
        if record.image_id == picture and record.image is not None:
            image = EncodedImage(bytes=with_gps(record.image.bytes), path="photo.png")
            contents.records[place] = dataclasses.replace(record, image=image)
    contents.save(folder)


def test_metadata_of_pictures_is_not_released(fresh: OffsideDataset) -> None:
    photograph(fresh.path)
    report = make_release(fresh.path, bump="major", note="The first one.")
    assert report.stripped == 1
    assert all(b"by the gate" not in path.read_bytes() for path in fresh.path.rglob("*.parquet"))
    assert strip_pictures(transaction_of(open_dataset(fresh.path))) == 0


def test_stripping_alone_is_a_patch(fresh: OffsideDataset) -> None:
    photograph(fresh.path)
    assert make_release(fresh.path, bump="major", note="With all.", keep_metadata=True).stripped == 0
    report = make_release(fresh.path, bump="patch", note="Without.")
    assert (report.version, report.needed, report.stripped) == ("1.0.1", "patch", 1)
    assert all(f.alike for c in diff_datasets(snapshot_folder(fresh.path, "1.0.0"), fresh.path) for f in c.fields)


def test_hashes_of_stripped_pictures_follow(fresh: OffsideDataset) -> None:
    photograph(fresh.path)
    contents = WholeDataset.read(fresh.path)
    image = contents.records[0].image
    assert image is not None
    contents.images[0] |= {"sha256": hashlib.sha256(image.bytes).hexdigest()}
    contents.images[1] |= {"image": {"bytes": image.bytes, "path": "twin.png"}}
    contents.save(fresh.path)
    with change_dataset(fresh.path) as change:
        assert strip_pictures(change) == 1
    after = WholeDataset.read(fresh.path)
    stripped = after.records[0].image
    assert stripped is not None
    assert stripped.bytes != image.bytes
    assert stripped.path == image.path == "photo.png"
    assert after.images[0]["sha256"] == hashlib.sha256(stripped.bytes).hexdigest()
    assert (after.images[1]["image"].bytes, after.images[1]["image"].path) == (stripped.bytes, "twin.png")
    assert {r.image.bytes for r in after.records if r.image and r.image_id == after.records[0].image_id} == {
        stripped.bytes
    }
    untouched = {r.image_id: r.image for r in contents.records if r.image and r.image_id != after.records[0].image_id}
    assert untouched == {r.image_id: r.image for r in after.records if r.image and r.image_id in untouched}


# ---------------------------------------------------------------------------------------------
# Schema, and kills


def test_a_parent_of_an_older_schema_needs_a_major_version(
    released: Path, edit_records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = snapshot_folder(released, "1.0.0")
    edit_block(snapshot, schema_version=0)
    step = SimpleNamespace(run=lambda folder: None)
    registry = SimpleNamespace(names=lambda: ["v0_to_v1"], load=lambda name: step)
    monkeypatch.setattr(migration, "STEPS", registry)
    edit_records(released, club, **WORDS)
    with pytest.raises(ReleaseError, match="major: schema small: schema_version 0 -> 1"):
        make_release(released, bump="minor", note="A new data model.")
    assert make_release(released, bump="major", note="A new data model.").version == "2.0.0"


@pytest.mark.parametrize("at", [3, *(pytest.param(at, marks=pytest.mark.full) for at in (0, 1, 7, 15))])
def test_a_release_that_was_killed_and_run_again(
    released: Path, edit_records: Any, killed_at: Callable[..., bool], at: int
) -> None:
    edit_records(released, club, **WORDS)
    digest = open_dataset(released).digest
    assert killed_at(at, lambda: make_release(released, bump="patch", note="Words."))
    make_release(released, bump="patch", note="Words.")
    dataset = open_dataset(released)
    assert (dataset.version, dataset.verify()) == ("1.0.1", digest)
    assert released_versions((released / "CHANGELOG.md").read_text()) == ["1.0.1", "1.0.0"]
    assert [s.version for s in all_snapshots(released)] == ["1.0.0", "1.0.1"]
    snapshot = find_snapshot(released, "1.0.1")
    assert snapshot is not None
    assert open_dataset(snapshot.folder).verify() == snapshot.digest == digest


def test_decisions_alone_are_nothing_to_release(released: Path) -> None:
    append_decisions(released, [make_decision("note", {}, "we talked about it", command="by hand")])
    assert not make_release(released, bump="patch", note="Talk.").new


# ---------------------------------------------------------------------------------------------
# Scale


def test_a_release_reads_columns_a_few_times_and_makes_no_records(
    released: Path, edit_records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releasing 1,508 records once read all of 24 files 36 times, and made 3,840 records of them."""
    edit_records(released, club, **WORDS)
    opened: Counter[Path] = Counter()
    shown: Counter[Path] = Counter()
    made: list[Record] = []
    read, make = pq.ParquetFile.__init__, Record.from_row.__func__  # type: ignore[attr-defined]
    read_group = pq.ParquetFile.read_row_group

    def open_file(file: pq.ParquetFile, source: Path, **options: Any) -> None:
        opened[source] += isinstance(source, Path)  # Else its metadata alone is read.
        file.path = source
        read(file, source, **options)

    def read_pictures(file: pq.ParquetFile, group: int, columns: list[str]) -> Any:
        shown[file.path] += columns == ["image.bytes"]
        return read_group(file, group, columns=columns)

    def from_row(kind: type[Record], row: Any) -> Record:
        made.append(make(kind, row))
        return made[-1]

    monkeypatch.setattr(pq.ParquetFile, "__init__", open_file)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", read_pictures)
    monkeypatch.setattr(Record, "from_row", classmethod(from_row))
    assert make_release(released, bump="patch", note="Words.").new
    # Three datasets of eight files: as it is, as it is staged, its parent; some columns each time.
    assert max(opened.values()) <= 10
    assert opened.total() <= 80
    # One row group each: for `check`, to strip them, and for the digest of the parent.
    assert shown.total() <= 3 * 4
    assert len(made) <= 8


def test_a_stray_file_is_neither_published_nor_deleted(fresh: OffsideDataset) -> None:
    stray = fresh.path / "data" / "multimodal" / "filled-in.parquet"
    shutil.copy(fresh.files("multimodal/forget")[0], stray)
    with pytest.raises(ReleaseError, match=r"(?s)would be published with it.*data/multimodal/filled-in\.parquet"):
        make_release(fresh.path, bump="major", note="The first one.")
    assert stray.is_file()
