from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from offside_data.adapters._base import Imported, Picture
from offside_data.errors import MissingImagesError, PictureError, SourceError
from offside_data.images.ahead import PictureWork
from offside_data.images.decode import decode_image
from offside_data.images.hashing import hash_image
from offside_data.images.intake import BadPicture, load_pictures, reject_records, write_quarantine
from offside_data.schema import Record, SourceRecord, make_image_id


def picture(key: str, folder: Path, **changes: Any) -> Picture:
    values: dict[str, Any] = {"image_id": make_image_id("test", key), "key": key, "paths": (folder / key,)}
    return Picture(**{"subject_id": "s1", "split": "retain", **values, **changes})


@pytest.fixture
def imported(tmp_path: Path, make_record: Any, whole_kinds: dict[str, bytes]) -> Imported:
    """Three pictures in a folder, one embedded; two records each, one of them text."""
    for name, kind in (("a.jpg", "jpeg"), ("b.jpg", "png"), ("c.jpg", "jpeg-cmyk")):
        (tmp_path / name).write_bytes(whole_kinds[kind])
    keys = ("a.jpg", "b.jpg", "c.jpg", "embedded")
    pictures = [picture(key, tmp_path) for key in keys[:3]]
    pictures.append(picture("embedded", tmp_path, data=whole_kinds["webp"], paths=()))
    records = []
    for number, key in enumerate(keys):
        common = {"image_id": make_image_id("test", key), "image": None, "subject_id": f"s{number}"}
        source = SourceRecord(file="rows.csv", index=number, question="?", answer="!")
        records.append(make_record(**common, record_id=f"r{number}", source_record=source))
        records.append(make_record(**common, record_id=f"t{number}", modality="text"))
    subjects = [{"subject_id": f"s{number}"} for number in range(4)]
    return Imported(rows=8, records=records, pictures=pictures, subjects=subjects)


def test_pictures_are_loaded_normalised_and_hashed(imported: Imported, tmp_path: Path) -> None:
    intake = load_pictures(imported, PictureWork([tmp_path]), skip_bad=False)
    assert [loaded.image.path for loaded in intake.loaded.values()] == ["a.jpg", "b.png", "c.jpg", "embedded.webp"]
    for loaded in intake.loaded.values():
        assert loaded.columns == dataclasses.asdict(hash_image(loaded.image.bytes))
        assert decode_image(loaded.image.bytes)
    assert [(remark.file, remark.why) for remark in intake.remarks] == [
        ("b.jpg", "stored as b.png, because it is PNG"),
        ("c.jpg", "stored anew as JPEG, so that every reader shows the same: colours of type CMYK"),
    ]


def test_bad_pictures_are_listed_with_a_way_out(imported: Imported, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").write_text("moved to the archive")
    with pytest.raises(SourceError) as error:
        load_pictures(imported, PictureWork([tmp_path]), skip_bad=False)
    first, *lines, last = str(error.value).split("\n")
    assert first == "2 of 4 pictures can't be used:"
    assert lines[0] == f"  {tmp_path / 'a.jpg'}: empty: the file is empty (0 bytes). Fetch it again."
    assert lines[1].startswith(f"  {tmp_path / 'b.jpg'}: not-a-picture: a text, ")
    assert last == "Replace them, or leave their records out with --skip-bad."


def test_every_kind_of_fault_is_quarantined(
    imported: Imported, tmp_path: Path, broken_kinds: dict[str, tuple[bytes, str]], make_record: Any
) -> None:
    for name, (data, _) in broken_kinds.items():
        (tmp_path / name).write_bytes(data)
        imported.pictures.append(picture(name, tmp_path))
        imported.records.append(make_record(record_id=name, image=None, image_id=make_image_id("test", name)))
    imported.rows += len(broken_kinds)
    intake = load_pictures(imported, PictureWork([tmp_path]), skip_bad=True)
    assert {bad.picture.key: bad.problem.kind for bad in intake.bad} == {n: k for n, (_, k) in broken_kinds.items()}
    assert len(intake.loaded) == 4
    reject_records(imported, intake.bad)
    imported.check_accounts()
    write_quarantine(tmp_path / "out", intake.bad)
    kept = [path.read_bytes() for path in (tmp_path / "out" / ".offside" / "quarantine").glob("i*")]
    assert sorted(kept) == sorted(data for data, _ in broken_kinds.values())


def test_missing_pictures_can_be_skipped_unless_all_are(imported: Imported, tmp_path: Path) -> None:
    imported.pictures.pop()
    imported.records = imported.records[:6]
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(MissingImagesError, match=r"1 of 3 .*leave their records out with --skip-bad"):
        load_pictures(imported, PictureWork([tmp_path]), skip_bad=False)
    (bad,) = load_pictures(imported, PictureWork([tmp_path]), skip_bad=True).bad
    assert (bad.problem.kind, bad.path) == ("missing", None)
    for name in ("b.jpg", "c.jpg"):
        (tmp_path / name).unlink()
    with pytest.raises(MissingImagesError, match=r"3 of 3") as error:
        load_pictures(imported, PictureWork([tmp_path]), skip_bad=True)
    assert "--skip-bad" not in str(error.value)


def test_a_link_out_of_the_source_is_bad_unless_its_folder_is_allowed(imported: Imported, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.jpg").symlink_to(tmp_path / "a.jpg")
    imported.pictures[:3] = [picture("a.jpg", source)]
    imported.records = [*imported.records[:2], *imported.records[6:]]
    (bad,) = load_pictures(imported, PictureWork([source]), skip_bad=True).bad
    assert bad.problem.kind == "outside"
    assert load_pictures(imported, PictureWork([source, tmp_path]), skip_bad=False).bad == []


def bad_picture(which: Picture, kind: str = "damaged") -> BadPicture:
    return BadPicture(picture=which, path=which.paths[0], problem=PictureError(which.key, kind, "a reason."))


def test_rejected_records_are_accounted_for(imported: Imported) -> None:
    reject_records(imported, [bad_picture(imported.pictures[0])])
    imported.check_accounts()
    (remark,) = imported.remarks
    assert (remark.kind, remark.file, remark.index) == ("rejected", "rows.csv", 0)
    assert remark.why == "its picture a.jpg can't be used: a reason."
    assert "r0" not in {record.record_id for record in imported.records}
    assert "t0" in {record.record_id for record in imported.records}  # A text needs no picture,
    assert imported.pictures[0].key == "a.jpg"  # but still names it.


def test_pictures_and_subjects_that_nothing_refers_to_go(imported: Imported) -> None:
    imported.records = [record for record in imported.records if record.modality == "multimodal"]
    reject_records(imported, [bad_picture(imported.pictures[0])])
    assert [p.key for p in imported.pictures] == ["b.jpg", "c.jpg", "embedded"]
    assert [row["subject_id"] for row in imported.subjects] == ["s1", "s2", "s3"]


def test_what_referred_to_a_rejected_record_is_mended_and_flagged(imported: Imported) -> None:
    bad = imported.pictures[0]
    correction = dataclasses.replace(imported.records[2], corrects="r0")
    copy = dataclasses.replace(imported.records[4], derived_from=bad.image_id)
    imported.records[2], imported.records[4] = correction, copy
    reject_records(imported, [bad_picture(bad)])
    kept: dict[str, Record] = {record.record_id: record for record in imported.records}
    assert (kept["r1"].corrects, kept["r1"].suspect) == (
        None,
        "the record that it corrects was left out",
    )
    assert (kept["r2"].derived_from, kept["r2"].suspect) == (
        bad.image_id,
        "the picture that its own was made from was left out",
    )


def test_the_quarantine_holds_pictures_and_reasons(imported: Imported, tmp_path: Path) -> None:
    bad = [bad_picture(imported.pictures[0]), bad_picture(imported.pictures[1], "outside")]
    embedded = imported.pictures[3]
    bad.append(BadPicture(picture=embedded, path=None, problem=PictureError("embedded", "damaged", "cut off.")))
    write_quarantine(tmp_path / "out", bad)
    quarantine = tmp_path / "out" / ".offside" / "quarantine"
    lines = [json.loads(line) for line in (quarantine / "quarantine.jsonl").read_text().splitlines()]
    assert lines[0] == {
        "image_id": bad[0].picture.image_id,
        "source": "a.jpg",
        "problem": "damaged",
        "reason": "a reason.",
        "file": f"{bad[0].picture.image_id}.jpg",
    }
    assert lines[1]["file"] is None  # What a link leads to isn't the source's to copy.
    assert (quarantine / lines[0]["file"]).read_bytes() == (tmp_path / "a.jpg").read_bytes()
    assert (quarantine / lines[2]["file"]).read_bytes() == embedded.data


def test_without_bad_pictures_there_is_no_quarantine(tmp_path: Path) -> None:
    write_quarantine(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
