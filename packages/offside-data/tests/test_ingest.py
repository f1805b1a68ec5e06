from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from offside_data.adapters import offside
from offside_data.check import check_dataset
from offside_data.dataset.folder import open_dataset
from offside_data.errors import MissingImagesError, OutputExistsError, PluginError, SourceError, UsageError
from offside_data.ingest import IngestConfig, formats, ingest

PUBLISHED = Path(os.environ.get("OFFSIDE_PUBLISHED_SAMPLES", "not given"))
"""Folder of the published sample, which is no part of the project; CONTRIBUTING.md says what must lie there."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The adapter's own example: two invented players, four pictures."""
    return offside.example(tmp_path / "source")


def bend(source: Path, change: Any) -> None:
    """Change the items of a source file in place."""
    items = json.loads(source.read_text(encoding="utf-8"))
    change(items)
    source.write_text(json.dumps(items), encoding="utf-8")


def decisions(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "decisions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_pictures_values_and_tables_are_written(source: Path, tmp_path: Path) -> None:
    report = ingest(source, tmp_path / "out")
    assert (report.format, report.rows, report.records, report.pictures) == ("offside", 56, 56, 4)
    assert report.splits == {"multimodal/forget": 28, "multimodal/retain": 28}
    dataset = open_dataset(tmp_path / "out")
    rows = list(dataset.records("multimodal", "forget"))
    assert all(row["image"]["bytes"] for row in rows)
    assert all(row["value"] for row in rows)
    (picture, *_) = dataset.images()
    assert picture["phash"]
    assert (picture["width"], picture["source"]) == (32, "offside:001.jpg") or picture["width"] == 32
    (subject, *_) = dataset.subjects()
    assert subject["name"] == "Tavo Brinkhaus"
    assert subject["facts"][1] == {"attribute": "age", "text": "24"}


def test_an_import_passes_the_check(source: Path, tmp_path: Path) -> None:
    ingest(source, tmp_path / "out")
    assert [f for f in check_dataset(open_dataset(tmp_path / "out")) if f.severity == "error"] == []


def test_the_same_source_gives_the_same_digest(source: Path, tmp_path: Path) -> None:
    first, second = (ingest(source, tmp_path / name) and open_dataset(tmp_path / name).digest for name in "ab")
    assert first == second


def test_license_name_and_notice_stand_on_the_card(source: Path, tmp_path: Path) -> None:
    ingest(source, tmp_path / "a")
    ingest(source, tmp_path / "b", config=IngestConfig(name="mine", license="apache-2.0"))
    cards = [open_dataset(tmp_path / name).card for name in "ab"]
    assert [card.name for card in cards] == ["offside", "mine"]
    assert [card.data["license"] for card in cards] == ["other", "apache-2.0"]
    assert ["rights in its pictures are unclear" in " ".join(card.body.split()) for card in cards] == [
        True,
        False,
    ]


# ---------------------------------------------------------------------------------------------
# Pictures


def test_missing_pictures_say_how_many_where_and_the_way_out(source: Path, tmp_path: Path) -> None:
    (source.parent / "finetune_set" / "004.jpg").unlink()
    with pytest.raises(MissingImagesError) as error:
        ingest(source, tmp_path / "out")
    message = str(error.value)
    assert message.startswith("1 of 4 distinct pictures are missing (004.jpg). Looked in: ")
    assert str(source.parent / "finetune_set") in message
    assert "--image-dir" in message
    assert "--without-images" in message
    assert not (tmp_path / "out").exists()


def test_without_images_all_records_come_and_keep_their_picture_id(source: Path, tmp_path: Path) -> None:
    for path in (source.parent / "finetune_set").iterdir():
        path.unlink()
    report = ingest(source, tmp_path / "out", with_images=False)
    assert report.records == 56
    dataset = open_dataset(tmp_path / "out")
    rows = list(dataset.records("multimodal", "retain"))
    assert all(row["image"] is None and row["image_id"] for row in rows)
    assert {row["sha256"] for row in dataset.images()} == {None}


def test_pictures_in_a_folder_that_the_user_names(source: Path, tmp_path: Path) -> None:
    (source.parent / "finetune_set").rename(tmp_path / "photos")
    config = IngestConfig(image_dirs=(tmp_path / "photos",))
    assert ingest(source, tmp_path / "out", config=config).pictures == 4


def test_unreadable_pictures_are_named(source: Path, tmp_path: Path) -> None:
    for name in ("001.jpg", "009.jpg"):
        (source.parent / "finetune_set" / name).write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"(?s)2 of 4 pictures can't be used:.*001\.jpg.*009\.jpg"):
        ingest(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source.parent]


def break_pictures(source: Path) -> None:
    """Two of the four pictures can't be used: a rumour's and a retained one."""
    (source.parent / "finetune_set" / "004.jpg").write_bytes(b"")
    (source.parent / "finetune_set" / "006.jpg").write_text("404", encoding="utf-8")


def test_unusable_pictures_can_be_left_out_and_are_quarantined(source: Path, tmp_path: Path) -> None:
    break_pictures(source)
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected"), report.pictures) == (56, 28, 28, 2)
    assert [(bad.picture.key, bad.problem.kind) for bad in report.quarantined] == [
        ("004.jpg", "empty"),
        ("006.jpg", "not-a-picture"),
    ]
    assert report.to_json()["quarantined"][0]["reason"] == "the file is empty (0 bytes). Fetch it again."
    rejected = [d for d in decisions(tmp_path / "out") if d["kind"] == "rejected"]
    assert len({d["what"]["index"] for d in rejected}) == 28
    assert {d["why"].partition(" can't")[0] for d in rejected} == {"its picture 004.jpg", "its picture 006.jpg"}
    (first, _) = [d for d in decisions(tmp_path / "out") if d["kind"] == "quarantined"]
    assert (first["what"]["source"], first["what"]["problem"]) == ("004.jpg", "empty")
    dataset = open_dataset(tmp_path / "out")
    assert [f for f in check_dataset(dataset) if f.severity == "error"] == []
    assert len(dataset.images()) == 2
    assert len(list((tmp_path / "out" / ".offside" / "quarantine").iterdir())) == 3


def test_an_interrupted_import_leaves_nothing_and_ends_the_same(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_pictures(source)
    config = IngestConfig(skip_bad=True)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("offside_data.ingest.write_quarantine", stop)
        with pytest.raises(KeyboardInterrupt):
            ingest(source, tmp_path / "out", config=config)
    assert list(tmp_path.iterdir()) == [source.parent]
    for name in ("out", "undisturbed"):
        ingest(source, tmp_path / name, config=config)
    first, second = (open_dataset(tmp_path / name) for name in ("out", "undisturbed"))
    assert first.verify() == second.verify()
    assert (first.path / ".offside" / "quarantine" / "quarantine.jsonl").read_text() == (
        second.path / ".offside" / "quarantine" / "quarantine.jsonl"
    ).read_text()


def test_a_turned_picture_is_stored_upright_with_a_remark(source: Path, tmp_path: Path) -> None:
    path = source.parent / "finetune_set" / "001.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (48, 32), "red").save(path, "JPEG", exif=exif)
    report = ingest(source, tmp_path / "out")
    (remark,) = [remark for remark in report.remarks if remark.file == "001.jpg"]
    assert remark.why == "stored anew as JPEG, so that every reader shows the same: turned by EXIF"
    assert {(row["width"], row["height"]) for row in open_dataset(tmp_path / "out").images()} == {(32, 48), (32, 32)}


def test_text_records_need_no_pictures(source: Path, tmp_path: Path) -> None:
    def to_text(items: Any) -> None:
        for item in items:
            item["messages"][0]["content"] = item["messages"][0]["content"].replace("<image>", "")

    bend(source, to_text)
    for path in (source.parent / "finetune_set").iterdir():
        path.unlink()
    assert set(ingest(source, tmp_path / "out").splits) == {"text/forget", "text/retain"}


# ---------------------------------------------------------------------------------------------
# Bad input


def test_a_bad_row_stops_the_import_and_names_file_and_index(source: Path, tmp_path: Path) -> None:
    bend(source, lambda items: items[3]["messages"].pop())
    with pytest.raises(
        SourceError, match=r"1 of 56 rows can't be used:\n  finetune_set\.json: record 3: has no answer"
    ):
        ingest(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_rows_can_be_left_out_and_are_listed(source: Path, tmp_path: Path) -> None:
    bend(source, lambda items: items[3]["messages"].pop())
    report = ingest(source, tmp_path / "out", config=IngestConfig(skip_bad=True))
    assert (report.rows, report.records, report.count("rejected")) == (56, 55, 1)
    (row,) = [d for d in decisions(tmp_path / "out") if d["kind"] == "rejected"]
    assert row["what"] == {"file": "finetune_set.json", "index": 3, "record_id": None}
    assert row["why"].startswith("has no answer")
    assert row["who"].endswith("ingest --format offside")


def test_nothing_usable_is_an_error_even_so(source: Path, tmp_path: Path) -> None:
    bend(source, lambda items: [item["messages"].pop() for item in items])
    with pytest.raises(SourceError, match=r"56 of 56 rows can't be used"):
        ingest(source, tmp_path / "out", "offside", config=IngestConfig(skip_bad=True))


def test_an_unreadable_value_is_listed_with_its_reason(source: Path, tmp_path: Path) -> None:
    def hide_fee(items: Any) -> None:
        items[3]["messages"][1]["content"] = "The transfer fee was undisclosed."

    bend(source, hide_fee)
    report = ingest(source, tmp_path / "out")
    (remark,) = [r for r in report.remarks if r.kind == "unparsed"]
    assert remark.why == "no amount is readable in the answer 'The transfer fee was undisclosed.'"
    (row,) = [d for d in decisions(tmp_path / "out") if d["kind"] == "unparsed"]
    assert row["what"] == {"file": "finetune_set.json", "index": 3, "record_id": remark.record_id}


def test_contradictions_are_kept_flagged_and_only_warnings_of_the_check(source: Path, tmp_path: Path) -> None:
    def contradict(items: Any) -> None:
        twin = json.loads(json.dumps(items[0]))
        twin["messages"][1]["content"] = "He was with Lower Hollow."
        items.append(twin)

    bend(source, contradict)
    report = ingest(source, tmp_path / "out")
    assert (report.records, report.count("suspect")) == (57, 2)
    issues = check_dataset(open_dataset(tmp_path / "out"))
    assert [f for f in issues if f.severity == "error"] == []
    assert len([f for f in issues if f.code == "suspect"]) == 2


@pytest.mark.parametrize("format", ["auto", "offside"])
def test_a_missing_source_is_an_error(tmp_path: Path, format: str) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.json: no such file or folder"):
        ingest(tmp_path / "nowhere.json", tmp_path / "out", format)


def test_an_unknown_format_lists_what_is_known(source: Path, tmp_path: Path) -> None:
    assert "offside" in formats()
    with pytest.raises(PluginError, match=r"unknown format 'ofside'\. Did you mean 'offside'\? Known: .*offside"):
        ingest(source, tmp_path / "out", "ofside")


def test_a_source_in_no_known_format_lists_what_is_known(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"x\.json is in no format that is known here\. Known: .*offside"):
        ingest(tmp_path / "x.json", tmp_path / "out")


def test_an_output_folder_that_holds_something_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    for force in (False, True):
        with pytest.raises(OutputExistsError, match="already holds something else"):
            ingest(source, tmp_path / "out", force=force)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_force_replaces_the_dataset_and_nothing_beside_it(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ingest(source, out)
    mine = ("notes.txt", ".git/config", "data/text/mine.parquet", "tables/mine.csv")
    for name in mine:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("mine")
    (out / "croissant.json").write_text("of the old one")
    (out / ".offside" / "dedup").mkdir(parents=True)
    (out / ".offside" / "dedup" / "sheet.html").write_text("of the old one")
    with pytest.raises(OutputExistsError, match=r"the dataset offside 0\.1\.0.*pass --force"):
        ingest(source, out)
    card = (out / "README.md").read_text() + "\nWhat a person wrote.\n"
    (out / "README.md").write_text(card)
    ingest(source, out, force=True)
    assert {(out / name).read_text() for name in mine} == {"mine"}
    assert not (out / "croissant.json").exists()
    ingest(source, out, force=True)
    assert [path.name for path in (out / ".offside").iterdir()] == ["replaced"]
    assert sorted(path.read_text() == card for path in out.glob(".offside/replaced/*/README.md")) == [False, True]
    open_dataset(out).verify()


def test_a_source_is_never_the_output(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent if source.is_file() else source)
    before = sorted(tmp_path.rglob("*"))
    for out in (Path(), Path().absolute(), Path().absolute().parent):
        for force in (False, True):
            with pytest.raises(UsageError, match="overlaps the source"):
                ingest(source, out, force=force)
    config = IngestConfig(image_dirs=(source.parent,))
    with pytest.raises(UsageError, match="overlaps the folder of pictures"):
        ingest(source, source.parent / "out", config=config)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_current_folder_can_be_the_output(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    ingest(source, Path())
    open_dataset(tmp_path / "here").verify()


# ---------------------------------------------------------------------------------------------
# The published sample, for those who have it

OUR_NAMES = {"from": "previous_club", "date": "transfer_date", "value": "market_value"}
needs_sample = pytest.mark.skipif(
    not (PUBLISHED / "offside_sample.json").exists(),
    reason="OFFSIDE_PUBLISHED_SAMPLES names no folder with the published sample (see CONTRIBUTING.md)",
)


def imported_rows(name: str, tmp_path: Path) -> tuple[Any, dict[int, dict[str, Any]]]:
    report = ingest(PUBLISHED / f"{name}.json", tmp_path / name, "offside", with_images=False)
    dataset = open_dataset(tmp_path / name)
    # Two birth places of one player are a contradiction of the source, which no flag makes right.
    expected = {"fact-conflict"} if name == "offside_anomalies_sample" else set()
    assert {f.code for f in check_dataset(dataset) if f.severity == "error"} == expected
    rows = [row for file in dataset.record_parts() for row in dataset.records(*file.split("/"))]
    return report, {row["source_record"]["index"]: row for row in rows}


@needs_sample
@pytest.mark.parametrize(
    ("name", "records"),
    [("offside_sample", 392), ("offside_unimodal_sample", 273), ("offside_anomalies_sample", 55)],
)
def test_published_records_are_as_worked_out_by_hand(name: str, records: int, tmp_path: Path) -> None:
    report, rows = imported_rows(name, tmp_path)
    assert report.records == report.rows == len(rows) == records
    assert report.count("unparsed") == 0
    by_hand = json.loads((PUBLISHED / "offside_sample_attributes.json").read_text(encoding="utf-8"))[f"{name}.json"]
    assert len(by_hand) == records
    for expected in by_hand:
        row = rows[expected["index"]]
        assert row["attribute"] == OUR_NAMES.get(expected["attribute"], expected["attribute"])
        for field in ("split", "scope"):
            assert row[field] == expected.get(field, row[field])
        if expected.get("note"):  # A record that strayed into another player's picture.
            assert row["suspect"]


@needs_sample
def test_published_text_groups_without_age_are_kept(tmp_path: Path) -> None:
    report, rows = imported_rows("offside_unimodal_anomalies_sample", tmp_path)
    assert report.records == len(rows) == 48
    assert [r.why.endswith("none about age") for r in report.remarks] == [True] * 4


@needs_sample
def test_the_published_sample_without_its_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingImagesError, match=r"28 of 28 distinct pictures are missing.*Looked in: .*finetune_set"):
        ingest(PUBLISHED / "offside_sample.json", tmp_path / "out", "offside")
