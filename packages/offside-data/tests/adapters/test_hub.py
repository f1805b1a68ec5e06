from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from offside_data.adapters import _base, hub, offside
from offside_data.adapters._base import Imported, ReadOptions, recognise
from offside_data.adapters.hub import Options
from offside_data.errors import SourceError, UsageError
from offside_data.ingest import IngestConfig, ingest
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

Make = Callable[..., Path]
FACT = {"subject": "Tavo Brinkhaus", "attribute": "age", "question": "How old?", "answer": "He is 28."}


def png(shade: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), (shade, 90, 60)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a dataset folder: rows by the path of their file, and a card."""

    def make_folder(files: dict[str, list[dict[str, Any]]], card: str = "---\nlicense: mit\n---\n") -> Path:
        folder = tmp_path / "downloaded"
        folder.mkdir(exist_ok=True)
        if card:
            (folder / "README.md").write_text(card, encoding="utf-8")
        for name, rows in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".parquet":
                pq.write_table(pa.Table.from_pylist(rows), path)
            else:
                path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        return folder

    return make_folder


def facts(*names: str) -> dict[str, list[dict[str, Any]]]:
    """A fact a file, about a subject of its own."""
    return {name: [{**FACT, "subject": f"Player {name}"}] for name in names}


def read(source: Path, **options: Any) -> Imported:
    taxonomy = load_taxonomy()
    imported = hub.read(source, ReadOptions(taxonomy=taxonomy, adapter=Options(**options)))
    imported.check_accounts()
    for record in imported.records:
        if record.attribute != "untagged":
            validate_record(record, taxonomy)
    return imported


def said(imported: Imported, kind: str) -> list[str]:
    return [str(remark) for remark in imported.remarks if remark.kind == kind]


# ---------------------------------------------------------------------------------------------
# Which file is what


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00001.parquet", "retain"),
        ("data/forget-00000-of-00002.parquet", "forget"),
        ("data/test-00000-of-00001-ab12.parquet", "test"),
        ("validation/rows.jsonl", "test"),
        ("my_train.jsonl", "retain"),
        ("relearn.jsonl", "relearn"),
        ("rows.jsonl", "retain"),
    ],
)
def test_names_give_the_split(make: Make, name: str, split: str) -> None:
    assert [record.split for record in read(make({name: [FACT]})).records] == [split]


def test_a_split_of_theirs_is_noted(make: Make) -> None:
    imported = read(make({"data/real_faces-00000-of-00001.parquet": [FACT], "data/val-00000-of-00001.parquet": [FACT]}))
    assert said(imported, "note") == [
        "data/real_faces-00000-of-00001.parquet: 1 rows: real_faces is no split of ours: it follows from their claims",
        "data/val-00000-of-00001.parquet: 1 rows: val became test",
    ]


CARD = """---
configs:
- config_name: faces
  data_files:
  - {split: forget, path: "a/*.parquet"}
  - {split: retain, path: [b.parquet]}
- config_name: texts
  data_files: c/c.parquet
- config_name: nothing
---
"""


def test_the_card_says_which_files_are_read(make: Make) -> None:
    folder = make(facts("a/1.parquet", "a/2.parquet", "b.parquet", "c/c.parquet"), CARD)
    with pytest.raises(UsageError, match=r"choose a config with --set config=NAME; it has faces, texts\."):
        read(folder)
    imported = read(folder, config="faces")
    assert [(r.split, r.source_record.file) for r in imported.records if r.source_record] == [
        ("forget", "a/1.parquet"),
        ("forget", "a/2.parquet"),
        ("retain", "b.parquet"),
    ]
    assert said(imported, "note") == ["downloaded: not read: 1 files (c/c.parquet)"]
    assert len(read(folder, config="texts").records) == 1
    with pytest.raises(UsageError, match=r"unknown config 'text'\. Did you mean 'texts'"):
        read(folder, config="text")


def test_the_default_config_needs_no_choice(make: Make) -> None:
    card = CARD.replace("config_name: texts", "config_name: default")
    assert len(read(make({"c/c.parquet": [FACT]}, card)).records) == 1


@pytest.mark.parametrize(
    ("data_files", "files"),
    [
        ("b.parquet", ["b.parquet"]),
        ('["a/*", b.parquet]', ["a/1.parquet", "b.parquet"]),
        ("{forget: a/1.parquet}", ["a/1.parquet"]),
        ('"**/1.parquet"', ["a/1.parquet"]),
    ],
)
def test_data_files_in_every_form(make: Make, data_files: str, files: list[str]) -> None:
    card = f"---\nconfigs:\n- config_name: x\n  data_files: {data_files}\n---\n"
    imported = read(make(facts("a/1.parquet", "b.parquet"), card))
    assert sorted({r.source_record.file for r in imported.records if r.source_record}) == files


@pytest.mark.parametrize("pattern", ["../x.parquet", "/etc/x.parquet", "https://example.org/x.parquet"])
def test_a_card_cannot_name_files_outside(make: Make, pattern: str) -> None:
    card = f"---\nconfigs:\n- config_name: x\n  data_files: {pattern}\n---\n"
    with pytest.raises(SourceError, match="isn't inside the dataset"):
        read(make({"a.parquet": [FACT]}, card))


def test_files_of_the_card_that_are_missing_are_an_error(make: Make) -> None:
    with pytest.raises(SourceError, match="none of the files of config 'texts' is there; download the dataset whole"):
        read(make({"a/1.parquet": [FACT]}, CARD), config="texts")


def test_without_a_cards_word_the_first_kind_of_file_is_read(make: Make) -> None:
    imported = read(make({"a.parquet": [FACT], "b.jsonl": [FACT], "c.csv": []}))
    assert len(imported.records) == 1
    assert said(imported, "note") == ["downloaded: not read: 2 files (b.jsonl, c.csv)"]
    with pytest.raises(UsageError, match="lists no configs"):
        read(make({}), config="x")


def test_one_file_is_enough(make: Make) -> None:
    assert len(read(make({"a.parquet": [FACT]}) / "a.parquet").records) == 1


def test_scripts_and_pickles_are_never_opened(make: Make) -> None:
    folder = make({"a.jsonl": [FACT]})
    for name in ("downloaded.py", "rows.pkl", "rows.pt"):
        (folder / name).write_text("raise SystemExit(1)", encoding="utf-8")
    assert said(read(folder), "note") == ["downloaded: not read: 3 files (downloaded.py, rows.pkl, rows.pt)"]
    (folder / "a.jsonl").unlink()
    with pytest.raises(SourceError, match=r"holds no data files.*hf download ORG/NAME --repo-type dataset"):
        read(folder)
    with pytest.raises(SourceError, match="not a table"):
        read(folder / "rows.pkl")


def test_a_dataset_that_is_not_here_must_be_downloaded(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no such file.*hf download org/name --repo-type dataset --local-dir FOLDER"):
        ingest("org/name", tmp_path / "out", "hub")


@pytest.mark.parametrize("front", ["[1, 2]", "{", "configs: 7", "configs: [7]"])
def test_an_odd_card_is_no_traceback(make: Make, front: str) -> None:
    folder = make({"a.jsonl": [FACT]}, f"---\n{front}\n---\n")
    if front.startswith("configs"):
        assert len(read(folder).records) == 1
    else:
        with pytest.raises(SourceError, match=r"README\.md: the front matter can't be read"):
            read(folder)


# ---------------------------------------------------------------------------------------------
# Recognised where nothing else is


def test_a_more_particular_format_goes_first(make: Make, tmp_path: Path) -> None:
    assert recognise(make({"a.parquet": [FACT]})) == "hub"
    folder = tmp_path / "downloaded"
    (folder / "metadata.jsonl").write_text(json.dumps({"file_name": "a.png", **FACT}), encoding="utf-8")
    assert recognise(folder) == "imagefolder"


@pytest.mark.parametrize("card", ["", "# No front matter\n", "---\nlicense: mit\noffside:\n  name: x\n---\n"])
def test_folders_without_a_card_of_the_hub_are_not_recognised(make: Make, card: str) -> None:
    assert not hub.recognises(make({"a.parquet": [FACT]}, card))


def test_two_general_formats_need_a_choice(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Twins:
        def names(self) -> list[str]:
            return ["hub", "offside", "twin"]

        def load(self, name: str) -> Any:
            return offside if name == "offside" else hub

    monkeypatch.setattr(_base, "ADAPTERS", Twins())
    with pytest.raises(UsageError, match="looks like several formats: hub, twin"):
        recognise(make({"a.parquet": [FACT]}))


# ---------------------------------------------------------------------------------------------
# Columns


def test_columns_are_mapped_as_said(make: Make, tmp_path: Path) -> None:
    rows = [{"img": {"bytes": png(1), "path": None}, "who": "Oda Vint", "asked": "How old?", "told": "She is 24."}]
    settings = {
        "image": "img",
        "subject": "who",
        "question": "asked",
        "answer": "told",
        "attribute": "=age",
        "split": "=forget",
    }
    report = ingest(make({"a.parquet": rows}), tmp_path / "out", config=IngestConfig(settings=settings))
    assert (report.format, report.splits, report.pictures) == ("hub", {"multimodal/forget": 1}, 1)


def test_unknown_columns_are_listed_with_examples(make: Make, tmp_path: Path) -> None:
    rows = [{"img": {"bytes": png(1), "path": None}, "user question": "How old?", "told": "She is 24."}]
    with pytest.raises(UsageError) as caught:
        ingest(make({"a.parquet": rows}), tmp_path / "out")
    said = str(caught.value)
    assert f"img: a picture of {len(png(1))} bytes\n  user question: 'How old?'\n  told: 'She is 24.'" in said
    assert "--set question=user question --set answer=COLUMN" in said


def test_questions_about_no_subject(make: Make) -> None:
    rows = [{"question": "Which colour?", "answer": "Red.", "image": {"bytes": png(1), "path": "x.png"}}]
    (record,) = read(make({"a.parquet": rows}), split="=general").records
    assert (record.subject_id, record.split, record.modality) == (None, "general", "multimodal")


def test_multiple_choice_questions(make: Make) -> None:
    rows = [{"question": "Which colour?", "choices": ["Blue", "Red"], "answer key": 1}]
    (record,) = read(make({"a.parquet": rows}), split="=utility").records
    assert (record.answer, record.choices, record.correct_choice) == ("Red", ("Blue", "Red"), 1)


def test_p1_7_a_label_names_the_subject(make: Make) -> None:
    """PEBench: pictures with a `ClassLabel` of person names, nothing else."""
    folder = make({})
    features = {"info": {"features": {"label": {"names": ["Tavo Brinkhaus", "Oda Vint"], "_type": "ClassLabel"}}}}
    made = pa.Table.from_pylist([{"image": {"bytes": png(n), "path": None}, "label": n} for n in range(2)])
    pq.write_table(made.replace_schema_metadata({"huggingface": json.dumps(features)}), folder / "a.parquet")
    imported = read(folder, subject="label", value="label", attribute="=name")
    assert [record.answer for record in imported.records] == [
        "The player is Tavo Brinkhaus.",
        "The player is Oda Vint.",
    ]


def test_a_record_without_an_attribute_is_left_to_tagging(make: Make, tmp_path: Path) -> None:
    folder = make({"a.jsonl": [{k: v for k, v in FACT.items() if k != "attribute"}]})
    assert [record.attribute for record in read(folder).records] == ["untagged"]
    assert ingest(folder, tmp_path / "out").records == 1


# ---------------------------------------------------------------------------------------------
# Part 4 of the page on formats: pictures


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        ({"bytes": png(1), "path": "x/a.png"}, "x/a.png"),
        ({"bytes": png(1), "path": None}, "a.parquet/000000"),
        ({"bytes": None, "path": "a.png"}, "a.png"),
        (png(1), "a.parquet/000000"),
        ("a.png", "a.png"),
        ([{"bytes": png(1), "path": "a.png"}], "a.png"),
        (["a.png"], "a.png"),
    ],
    ids=["bytes-dict", "no-path", "path-dict", "bytes", "text", "list-of-dict", "list-of-text"],
)
def test_p4_pictures_in_every_form(make: Make, cell: Any, key: str) -> None:
    imported = read(make({"a.parquet": [{**FACT, "image": cell}]}))
    (picture,) = imported.pictures
    assert (picture.key, imported.records[0].modality) == (key, "multimodal")
    assert picture.data == (png(1) if b"PNG" in str(cell).encode() else None) or picture.paths


@pytest.mark.parametrize("cell", [None, {"bytes": None, "path": None}, "", [], b""], ids=str)
def test_p4_no_picture_makes_a_text_record(make: Make, cell: Any) -> None:
    rows = [{**FACT, "image": cell}] if cell is not None else [FACT]
    imported = read(make({"a.parquet": rows}))
    assert [(r.modality, r.image_id) for r in imported.records] == [("text", None)]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (["a.png", "b.png"], "has 2 pictures; one is needed"),
        (7.5, "no"),
        ({"bytes": "text", "path": None}, "the picture's bytes must be bytes, they are a str"),
        ({"bytes": None, "path": 7}, "no"),
    ],
)
def test_p4_odd_pictures_are_reported(make: Make, cell: Any, why: str) -> None:
    imported = read(make({"a.jsonl": [{**FACT, "image": cell}, FACT]}))
    if why == "no":  # A number may be a file name.
        assert len(imported.records) == 2
    else:
        assert why in said(imported, "rejected")[0]


def test_p4_several_image_tokens_go_and_raw_text_stays(make: Make) -> None:
    row = {**FACT, "question": "<image>\nHow old in <image>: <image>"}
    (record,) = read(make({"a.jsonl": [row]})).records
    assert record.question == "How old in this image."
    assert record.source_record is not None
    assert record.source_record.question == row["question"]


def test_equal_pictures_are_one_and_others_of_the_same_name_are_not(make: Make) -> None:
    rows = [
        {**FACT, "attribute": name, "image": {"bytes": png(shade), "path": "image.png"}}
        for name, shade in (("age", 1), ("fee", 1), ("age", 2), ("club", 3))
    ]
    imported = read(make({"a.parquet": rows}))
    assert [picture.key for picture in imported.pictures] == [
        "image.png",
        "a.parquet/000002.png",
        "a.parquet/000003.png",
    ]
    assert [p.data for p in imported.pictures] == [png(1), png(2), png(3)]
    assert imported.records[0].image_id == imported.records[1].image_id


def test_pictures_beside_the_data_file_or_in_the_folder_are_found(make: Make, tmp_path: Path) -> None:
    folder = make({"data/a.jsonl": [{**FACT, "image": "images/a.png"}]})
    for place in (folder / "images", folder / "data" / "images"):
        place.mkdir()
        (place / "a.png").write_bytes(png(5))
        assert ingest(folder, tmp_path / "out", force=True).pictures == 1
        (place / "a.png").unlink()


# ---------------------------------------------------------------------------------------------
# Surprises


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"question": None}, None),
        ({"answer": None}, "has neither value nor answer"),
        ({"subject": None}, "has no subject"),
        ({"subject": {"a": 1}}, "subject must be text, is a dict"),
        ({"question": ["x"]}, "question must be text, is a list"),
        ({"attribute": "agee"}, "unknown attribute"),
        ({"question": "\ud800"}, "question holds half a character"),
    ],
)
def test_a_bad_row_is_reported_and_the_rest_goes_on(make: Make, changes: dict[str, Any], why: str | None) -> None:
    imported = read(make({"a.jsonl": [{**FACT, **changes}, {**FACT, "subject": "Oda Vint"}]}))
    assert imported.rows == 2
    if why is None:  # A missing question is made from the taxonomy.
        assert imported.records[0].question == "How old is Tavo Brinkhaus?"
    else:
        assert why in said(imported, "rejected")[0]
        assert len(imported.records) == 1


def test_unknown_columns_are_noted(make: Make) -> None:
    assert said(read(make({"a.jsonl": [{**FACT, "mood": 1}]})), "note") == [
        "a.jsonl: columns that are not imported: mood"
    ]


def test_bad_rows_stop_or_are_left_out_as_told(make: Make, tmp_path: Path) -> None:
    folder = make({"a.jsonl": [FACT, {**FACT, "answer": 7, "attribute": "x"}]})
    with pytest.raises(
        SourceError, match=r"1 of 2 rows can't be used:\n  a\.jsonl: record 1: line 2: unknown attribute"
    ):
        ingest(folder, tmp_path / "out")
    assert ingest(folder, tmp_path / "out", config=IngestConfig(skip_bad=True)).records == 1
