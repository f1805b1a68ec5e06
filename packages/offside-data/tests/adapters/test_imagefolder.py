from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from offside_data.adapters import imagefolder
from offside_data.adapters._base import Imported, ReadOptions, recognise
from offside_data.adapters._tables.layout import folder_split, split_word
from offside_data.adapters.imagefolder import Options
from offside_data.errors import MissingImagesError, SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

Make = Callable[..., Path]
FACT = {"subject": "Tavo Brinkhaus", "attribute": "age", "value": "28"}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a folder of pictures, with metadata by the path of its file."""

    def make_folder(*pictures: str, **metadata: list[dict[str, Any]]) -> Path:
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        for place, name in enumerate(pictures):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), (place * 9 % 256, 90, 60)).save(folder / name)
        for name, rows in metadata.items():
            write(folder / name, rows)
        return folder

    return make_folder


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as stream:
            table = csv.DictWriter(stream, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)


def read(folder: Path, **options: Any) -> Imported:
    taxonomy = load_taxonomy()
    imported = imagefolder.read(folder, ReadOptions(taxonomy=taxonomy, adapter=Options(**options)))
    imported.check_accounts()
    for record in imported.records:
        validate_record(record, taxonomy)
    return imported


def said(imported: Imported, kind: str) -> list[str]:
    return [str(remark) for remark in imported.remarks if remark.kind == kind]


# ---------------------------------------------------------------------------------------------
# Metadata


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl", "metadata.parquet"])
def test_metadata_in_each_form(make: Make, name: str) -> None:
    folder = make("a.png", "b.png", **{name: [{"file_name": "a.png", **FACT}, {"file_name": "b.png", **FACT}]})
    assert recognise(folder) == "imagefolder"
    imported = read(folder)
    assert [picture.key for picture in imported.pictures] == ["a.png", "b.png"]
    assert [path for picture in imported.pictures for path in picture.paths] == [folder / "a.png", folder / "b.png"]
    assert [record.answer for record in imported.records] == ["The player is 28 years old."] * 2
    assert imported.remarks == []


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("file_name", "a.png"),
        ("image_file_name", "a.png"),
        ("portrait_file_name", "a.png"),
        ("file_names", ["a.png"]),
        ("portrait_file_names", ["a.png"]),
    ],
)
def test_every_column_that_datasets_takes_for_pictures(make: Make, column: str, cell: Any) -> None:
    imported = read(make("a.png", **{"metadata.jsonl": [{column: cell, **FACT}]}))
    assert [picture.key for picture in imported.pictures] == ["a.png"]


def test_of_several_picture_columns_the_others_are_reported_and_their_pictures_known(make: Make) -> None:
    row = {"mask_file_name": "m.png", "file_name": "a.png", **FACT}
    folder = make("a.png", "m.png", **{"metadata.jsonl": [row]})
    imported = read(folder)
    assert [picture.key for picture in imported.pictures] == ["a.png"]
    assert said(imported, "note") == ["metadata.jsonl: columns that are not imported: mask_file_name"]
    assert [picture.key for picture in read(folder, image="mask_file_name").pictures] == ["m.png"]


def test_paths_start_at_the_metadata_file(make: Make) -> None:
    rows = [{"file_name": "sub/a.png", **FACT}]
    folder = make("one/sub/a.png", "two/sub/a.png", **{"one/metadata.csv": rows, "two/metadata.csv": rows})
    imported = read(folder)
    assert [picture.key for picture in imported.pictures] == ["one/sub/a.png", "two/sub/a.png"]
    assert len({record.record_id for record in imported.records}) == 2


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "x/../../a.png", "file:///etc/a.png"])
def test_a_picture_outside_is_refused_as_by_datasets(make: Make, name: str) -> None:
    imported = read(make("a.png", **{"sub/metadata.jsonl": [{"file_name": name, **FACT}]}))
    assert "must be named by its path from the metadata's folder, inside it" in said(imported, "rejected")[0]
    assert imported.records == []


@pytest.mark.parametrize("cell", [None, "", "  ", 7, [], ["a.png", "b.png"]])
def test_a_row_names_one_picture(make: Make, cell: Any) -> None:
    rows = [{"file_name": cell, **FACT}, {"file_name": "a.png", **FACT}]
    imported = read(make("a.png", "b.png", **{"metadata.jsonl": rows}))
    named = len(cell) if isinstance(cell, list) else 0
    assert said(imported, "rejected")[0] == (f"metadata.jsonl: record 0: line 1: names {named} pictures; one is needed")
    assert len(imported.records) == 1


def test_metadata_without_a_picture_column_is_an_error(make: Make) -> None:
    folder = make("a.png", **{"metadata.jsonl": [{"file": "a.png", **FACT}]})
    assert not imagefolder.recognises(folder)
    with pytest.raises(SourceError, match=r"has no column file_name .* Its columns: file, subject, attribute, value"):
        read(folder)


def test_two_metadata_files_in_a_folder_are_an_error(make: Make) -> None:
    rows = [{"file_name": "a.png", **FACT}]
    folder = make("a.png", **{"metadata.csv": rows, "metadata.jsonl": rows})
    with pytest.raises(SourceError, match=r"holds metadata\.csv and metadata\.jsonl; keep one of them"):
        read(folder)


def test_question_and_answer_may_stand_there_too(make: Make) -> None:
    row = {"file_name": "a.png", "subject": "Tavo Brinkhaus", "attribute": "fee", "question": "How much?"}
    (record,) = read(make("a.png", **{"metadata.jsonl": [{**row, "answer": "It was €4m."}]})).records
    assert (record.question, record.answer, record.veracity) == ("How much?", "It was €4m.", "fact")


# ---------------------------------------------------------------------------------------------
# Nothing is lost


def test_a_picture_that_no_row_names_is_reported(make: Make) -> None:
    folder = make("a.png", "b.png", "sub/c.JPG", **{"metadata.jsonl": [{"file_name": "./a.png", **FACT}]})
    imported = read(folder)
    assert said(imported, "rejected") == [
        "b.png: no row of the metadata names this picture",
        "sub/c.JPG: no row of the metadata names this picture",
    ]
    assert imported.rows == 3


def test_a_row_whose_picture_is_missing_is_counted_and_named(make: Make, tmp_path: Path) -> None:
    rows = [{"file_name": name, **FACT} for name in ("a.png", "gone.png")]
    folder = make("a.png", "sub/gone.png", **{"metadata.jsonl": rows})
    (folder / "sub" / "gone.png").unlink()
    with pytest.raises(MissingImagesError, match=r"1 of 2 distinct pictures are missing \(gone\.png\)"):
        ingest(folder, tmp_path / "out")


def test_a_picture_of_the_same_name_elsewhere_does_not_stand_in(make: Make, tmp_path: Path) -> None:
    folder = make("a.png", **{"sub/metadata.jsonl": [{"file_name": "a.png", **FACT}]})
    with pytest.raises(MissingImagesError, match=r"sub/a\.png"):
        ingest(folder, tmp_path / "out", config=IngestConfig(skip_bad=True))


def test_other_files_are_noted(make: Make) -> None:
    folder = make("a.png", **{"metadata.jsonl": [{"file_name": "a.png", **FACT}]})
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "b.png").write_bytes(b"")
    assert said(read(folder), "note") == ["pictures: not read: 1 files (notes.txt), neither pictures nor metadata"]


def test_unknown_columns_are_reported(make: Make) -> None:
    imported = read(make("a.png", **{"metadata.jsonl": [{"file_name": "a.png", "mood": 1, **FACT}]}))
    assert said(imported, "note") == ["metadata.jsonl: columns that are not imported: mood"]


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"subject": ["x"]}, "subject must be text, is a list"),
        ({"subject": None}, "has no subject"),
        ({"value": {"a": 1}}, "value must be text, is a dict"),
        ({"attribute": "agee"}, "unknown attribute 'agee'"),
    ],
)
def test_a_bad_row_is_reported_and_the_rest_goes_on(make: Make, cells: dict[str, Any], why: str) -> None:
    rows = [{"file_name": "a.png", **FACT, **cells}, {"file_name": "a.png", **FACT}]
    imported = read(make("a.png", **{"metadata.jsonl": rows}))
    assert why in said(imported, "rejected")[0]
    assert len(imported.records) == 1


def test_a_line_that_is_no_json_is_reported(make: Make) -> None:
    folder = make("a.png", **{"metadata.jsonl": [{"file_name": "a.png", **FACT}]})
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('\n{"file_name": "a.p')
    assert "not valid JSON" in said(read(folder), "rejected")[0]


# ---------------------------------------------------------------------------------------------
# Folders as splits and labels


def test_splits_of_metadata_come_from_folders(make: Make) -> None:
    rows = [{"file_name": "a.png", **FACT}]
    names = ("train", "validation", "Test set", "forget")
    folder = make(*(f"{n}/a.png" for n in names), **{f"{n}/metadata.csv": rows for n in names})
    imported = read(folder)
    splits = {p.key: p.split for p in imported.pictures}
    assert splits == {
        "train/a.png": "retain",
        "validation/a.png": "test",
        "Test set/a.png": "retain",
        "forget/a.png": "forget",
    }
    assert said(imported, "note") == [
        "train/metadata.csv: 1 rows: train became retain",
        "validation/metadata.csv: 1 rows: validation became test",
    ]


def test_one_metadata_file_above_the_split_folders(make: Make) -> None:
    rows = [{"file_name": f"{split}/a.png", **FACT} for split in ("train", "test-2")]
    imported = read(make("train/a.png", "test-2/a.png", **{"metadata.csv": rows}))
    assert [record.split for record in imported.records] == ["retain", "test"]


def test_a_split_column_beats_the_folder(make: Make) -> None:
    rows = [{"file_name": "a.png", "split": "holdout", **FACT}]
    assert read(make("train/a.png", **{"train/metadata.csv": rows})).records[0].split == "holdout"


def test_folders_name_the_subjects_where_there_is_no_metadata(make: Make) -> None:
    imported = read(make("train/Tavo_Brinkhaus/1.png", "test/Tavo_Brinkhaus/2.png", "train/Oda Vint/1.png"))
    found = {(record.subject_id, record.split, record.answer) for record in imported.records}
    assert found == {
        ("tavo-brinkhaus", "retain", "The player is Tavo Brinkhaus."),
        ("tavo-brinkhaus", "test", "The player is Tavo Brinkhaus."),
        ("oda-vint", "retain", "The player is Oda Vint."),
    }
    assert {record.attribute for record in imported.records} == {"name"}


def test_folders_name_the_subjects_that_metadata_leaves_out(make: Make) -> None:
    rows = [{"file_name": f"{name}/1.png", "attribute": "age", "value": 28} for name in ("Tavo", "Oda")]
    imported = read(make("Tavo/1.png", "Oda/1.png", **{"metadata.jsonl": rows}))
    assert [record.subject_id for record in imported.records] == ["tavo", "oda"]


@pytest.mark.parametrize("pictures", [("a.png",), ("pictures/a.png", "pictures/b.png"), ("train/a.png", "test/b.png")])
def test_pictures_that_nothing_describes_are_reported(make: Make, pictures: tuple[str, ...]) -> None:
    imported = read(make(*pictures))
    assert imported.records == []
    assert len(said(imported, "rejected")) == imported.rows == len(pictures)
    assert said(imported, "rejected")[0].endswith("neither metadata nor a folder says whom this picture shows")


def test_file_names_give_the_split_where_no_folder_does(make: Make) -> None:
    imported = read(make("Tavo/train_1.png", "Tavo/2-test.png", "Oda/protest.png"))
    assert {p.key: p.split for p in imported.pictures} == {
        "Tavo/train_1.png": "retain",
        "Tavo/2-test.png": "test",
        "Oda/protest.png": "retain",
    }


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("train", "train"),
        ("my_train-2", "train"),
        ("val.old", "val"),
        ("eval", "eval"),
        ("trainer", None),
        ("TRAIN", None),
        ("retain", "retain"),
        ("to retain", None),
        ("general-smith", None),
    ],
)
def test_words_of_splits(name: str, word: str | None) -> None:
    assert split_word(name) == word
    assert folder_split(PurePosixPath(name) / "Tavo" / "a.png") == word


# ---------------------------------------------------------------------------------------------


def test_it_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert not imagefolder.recognises(tmp_path / "a.png")
    with pytest.raises(SourceError, match="must be a folder of pictures"):
        read(tmp_path / "a.png")


def test_pictures_alone_are_not_recognised(make: Make) -> None:
    assert not imagefolder.recognises(make("Tavo/1.png", "Oda/1.png"))


def test_a_column_that_is_not_there_is_named(make: Make) -> None:
    folder = make("a.png", **{"metadata.jsonl": [{"file_name": "a.png", **FACT}]})
    with pytest.raises(UsageError, match=r"metadata\.jsonl: there is no column 'who' for subject"):
        read(folder, subject="who")


def test_a_whole_import_with_datasets_reading_the_same_folder(make: Make, tmp_path: Path) -> None:
    import datasets

    rows = [{"file_name": name, **FACT} for name in ("a.png", "sub/b.png")]
    folder = make("a.png", "sub/b.png", **{"metadata.jsonl": rows})
    theirs = datasets.load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path / "cache"))["train"]
    report = ingest(folder, tmp_path / "out")
    assert (report.records, report.pictures) == (len(theirs), 2)


def test_a_name_in_another_case_or_unicode_form_is_found(make: Make, tmp_path: Path) -> None:
    rows = [{"file_name": name, **FACT} for name in ("img_1.jpg", "\u00e9.png")]
    folder = make("IMG_1.JPG", "e\u0301.png", **{"metadata.csv": rows})
    report = ingest(folder, tmp_path / "out")
    assert (report.records, report.pictures, report.count("rejected")) == (2, 2, 0)
    assert any("in another Unicode form" in remark.why for remark in report.remarks)
