from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import OutputExistsError, UsageError
from offside_data.schema import make_image_id, make_record_id
from offside_data.view import ViewReport, view_dataset
from offside_data.view.layout import make_layout

Read = Callable[[Path, str], Any]


@pytest.fixture(scope="session")
def folder(viewed: ViewReport) -> Path:
    return viewed.path.parent


def everything(folder: Path, read_value: Read) -> list[tuple[int, dict[str, Any]]]:
    """All records of all files of details, by number."""
    chunks = [read_value(folder, f"chunk-{n}") for n in range(len(read_value(folder, "dataset")["chunks"]))]
    return [(chunk["first"] + place, record) for chunk in chunks for place, record in enumerate(chunk["records"])]


def test_every_record_and_picture_is_there(
    viewed: ViewReport, odd: OffsideDataset, folder: Path, read_value: Read
) -> None:
    assert (viewed.records, viewed.pictures, viewed.subjects) == (41, 16, 4)
    ids = {row["record_id"] for part in odd.record_parts() for row in odd.rows(part)}
    found = everything(folder, read_value)
    assert [number for number, _ in found] == list(range(41))
    assert {record["record_id"] for _, record in found} == ids
    pictures = read_value(folder, "pictures")
    assert sorted(pictures["ids"]) == sorted({row["image_id"] for row in odd.images()})
    assert sum(count for _, _, count in pictures["units"]) == 41


def test_a_page_from_disk_knows_nothing_of_saving(folder: Path, read_value: Read) -> None:
    assert "editing" not in read_value(folder, "dataset")
    assert "default-src 'none'; script-src" in (folder / "index.html").read_text(encoding="utf-8")


def test_columns_say_of_each_record_what_the_dataset_says(odd: OffsideDataset, folder: Path, read_value: Read) -> None:
    rows = {row["record_id"]: {**row, "part": part} for part in odd.record_parts() for row in odd.rows(part)}
    columns = read_value(folder, "records")["columns"]
    for number, record in everything(folder, read_value):
        row = rows[record["record_id"]]
        for name, column in columns.items():
            assert column["values"][column["codes"][number]] == row[name]
        assert (record["question"], record["answer"]) == (row["question"], row["answer"])
        assert record.get("choices", []) == row["choices"]


def test_corrections_are_linked_both_ways(folder: Path, read_value: Read) -> None:
    found = dict(everything(folder, read_value))
    numbers = {record["record_id"]: number for number, record in found.items()}
    rumor = numbers[make_record_id("test", "s1", "s1/p3", "club", "multimodal")]
    correction = numbers[make_record_id("test", "s1", "s1/p4", "club", "multimodal")]
    assert found[correction]["corrects"]["record"] == rumor
    assert found[rumor]["corrected_by"] == [correction]


def test_a_correction_of_a_record_that_is_gone_keeps_its_id(
    fresh: OffsideDataset, edit_rows: Callable[..., OffsideDataset], tmp_path: Path, read_value: Read
) -> None:
    edit_rows(fresh, "multimodal/relearn", lambda rows: [row.update(corrects="r-gone") for row in rows] and None)
    report = view_dataset(fresh.path, tmp_path / "view")
    corrects = [record["corrects"] for _, record in everything(report.path.parent, read_value) if "corrects" in record]
    assert corrects[0] == {"id": "r-gone", "record": None}


def test_texts_hold_what_is_searched(folder: Path, read_value: Read) -> None:
    texts = read_value(folder, "texts-0")
    found = dict(everything(folder, read_value))
    assert len(texts["questions"]) == len(set(texts["questions"])) < 41
    for number, record in found.items():
        place = number - texts["first"]
        assert texts["questions"][texts["question"][place]] == record["question"]
        assert (texts["answers"][place], texts["ids"][place]) == (record["answer"], record["record_id"])


def test_equal_pictures_are_a_cluster_and_a_broken_one_says_why(
    viewed: ViewReport, folder: Path, read_value: Read
) -> None:
    broken = make_image_id("test", "s3/p1")
    assert list(viewed.problems) == [broken]
    facts, pictures = read_value(folder, "dataset"), read_value(folder, "pictures")
    assert pictures["problem"].keys() == {str(pictures["ids"].index(broken))}
    # A picture that can't be decoded can't be hashed: the page says so instead of showing no clusters.
    assert facts["clusters"] == []
    assert "Duplicates were not looked for" in facts["note"]
    assert broken in facts["note"]


def test_clusters(
    small: OffsideDataset,
    tmp_path: Path,
    write_dataset: Callable[..., OffsideDataset],
    records: list[Any],
    make_png: Callable[..., bytes],
    read_value: Read,
) -> None:
    import dataclasses

    one, other = make_image_id("test", "s1/p1"), make_image_id("test", "s2/p1")
    data = next(r.image for r in records if r.image_id == one)
    records = [dataclasses.replace(r, image=data) if r.image_id == other and r.image else r for r in records]
    report = view_dataset(write_dataset(tmp_path / "d", records).path, tmp_path / "view")
    ids = read_value(tmp_path / "view", "pictures")["ids"]
    (cluster,) = read_value(tmp_path / "view", "dataset")["clusters"]
    assert {ids[number] for number in cluster} == {one, other}
    assert report.clusters == 1


def test_a_decision_stands_with_the_picture_that_it_names(folder: Path, read_value: Read) -> None:
    number = read_value(folder, "pictures")["ids"].index(make_image_id("test", "s1/p1"))
    facts = read_value(folder, "chunk-0")["pictures"][str(number)]
    assert [row["kind"] for row in facts["decisions"]] == ["duplicate"]


def test_small_files_hold_the_same(
    odd: OffsideDataset, folder: Path, tmp_path: Path, read_value: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "offside_data.view.building.make_layout",
        lambda index, images: make_layout(index, images, chunk_records=3, volume_records=9),
    )
    view_dataset(odd.path, tmp_path / "view")
    assert read_value(tmp_path / "view", "dataset")["volumes"] > 2
    assert everything(tmp_path / "view", read_value) == everything(folder, read_value)
    assert not list((tmp_path / "view" / "data").glob("*.jsonl"))


def test_files_are_named_by_numbers_and_know_nothing_of_this_machine(odd: OffsideDataset, folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {file.name for file in folder.iterdir() if file.is_file()} >= {
        "index.html",
        "page.css",
        "data.js",
        "main.js",
    }
    assert all(file.stem.isdigit() for file in (folder / "pictures").rglob("*.*"))
    for file in files:
        if file.suffix in (".js", ".html", ".css"):
            text = file.read_text(encoding="utf-8")
            assert str(odd.path.parent) not in text
            assert "http://" not in text
            assert "https://" not in text.replace("https?:", "")


def test_the_dataset_is_not_changed(small: OffsideDataset, tmp_path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in small.path.rglob("*")}
    view_dataset(small.path, tmp_path / "view")
    assert {f: f.stat().st_mtime_ns for f in small.path.rglob("*")} == before


def test_the_default_is_beside_the_dataset(fresh: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fresh.path)
    assert view_dataset(".").path == fresh.path.parent / "fresh-view" / "index.html"


@pytest.mark.parametrize("place", [".", "..", "data", "new"])
def test_a_view_may_not_overlap_the_dataset(fresh: OffsideDataset, place: str) -> None:
    before = sorted(fresh.path.rglob("*"))
    with pytest.raises(UsageError, match="overlaps the dataset"):
        view_dataset(fresh.path, fresh.path / place, force=True)
    assert sorted(fresh.path.rglob("*")) == before


def test_force_replaces_a_view_and_nothing_else(fresh: OffsideDataset, tmp_path: Path) -> None:
    out = tmp_path / "view"
    view_dataset(fresh.path, out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="--force"):
        view_dataset(fresh.path, out)
    view_dataset(fresh.path, out, force=True)
    assert (out / "notes.txt").read_text() == "mine"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="nothing in it is ours"):
        view_dataset(fresh.path, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_a_failure_leaves_nothing(fresh: OffsideDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(dataset: OffsideDataset) -> Any:
        raise OSError("no space left")

    monkeypatch.setattr("offside_data.view.building.find_clusters", fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="no space"):
        view_dataset(fresh.path, tmp_path / "out" / "view")
    assert list((tmp_path / "out").iterdir()) == []


def test_texts_without_pictures(
    small: OffsideDataset,
    tmp_path: Path,
    write_dataset: Callable[..., OffsideDataset],
    records: list[Any],
    read_value: Read,
) -> None:
    texts = [record for record in records if record.modality == "text"]
    report = view_dataset(write_dataset(tmp_path / "d", texts).path, tmp_path / "view")
    assert (report.records, report.pictures) == (8, 8)  # They name occasions, of which no picture is stored.
    assert set(read_value(tmp_path / "view", "pictures")["ending"]) == {0}


def test_report_is_json(viewed: ViewReport) -> None:
    assert json.dumps(viewed.problems)
