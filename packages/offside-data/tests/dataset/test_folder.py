from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest
from raw_card import edit_block

import offside_data
from offside_data.dataset import arrow_rows
from offside_data.dataset.folder import OffsideDataset, load, open_dataset
from offside_data.errors import (
    CardError,
    DatasetError,
    DatasetReferenceError,
    DigestMismatchError,
    TaxonomyError,
)
from offside_data.schema import Record, features_of
from offside_data.settings import Slice


def test_opening_reads_the_card_and_the_taxonomy(small: OffsideDataset) -> None:
    assert (small.name, small.version) == ("small", "0.1.0")
    assert small.digest == small.card.digest == small.ref.digest
    assert small.ref.path == small.path
    assert small.ref.commit is None
    assert "club" in small.taxonomy
    assert small.settings() == ["complete", "selective", "corrective", "unimodal", "visual-rumor"]


def test_the_package_offers_it(small: OffsideDataset) -> None:
    assert offside_data.open_dataset(str(small.path)).digest == small.digest


def test_files_are_listed_in_the_order_of_the_model(small: OffsideDataset) -> None:
    assert small.record_parts() == [
        "multimodal/retain",
        "multimodal/forget",
        "multimodal/test",
        "multimodal/relearn",
        "text/retain",
        "text/forget",
    ]
    assert small.has("text", "forget")
    assert not small.has("text", "test")


def test_records_have_undecoded_pictures(small: OffsideDataset) -> None:
    rows = small.records("multimodal", "forget")
    assert rows.column_names == list(features_of("multimodal"))
    assert rows[0]["image"]["bytes"].startswith(b"\x89PNG")
    assert small.records("text", "forget")[0]["image"] is None
    assert small.records("multimodal", "forget") is rows


def test_records_come_back_as_they_were_written(small: OffsideDataset, records: list[Record]) -> None:
    read = [Record.from_row(row) for part in small.record_parts() for row in small.rows(part)]
    key = lambda record: record.record_id  # noqa: E731
    assert sorted(read, key=key) == sorted(records, key=key)


def test_tables(small: OffsideDataset) -> None:
    assert sorted(small.subjects()["subject_id"]) == ["s1", "s2", "s3", "s4"]
    assert len(small.images()) == 16
    assert small.images()[0]["image"] is None


def test_missing_records_are_named_with_what_is_there(small: OffsideDataset) -> None:
    with pytest.raises(DatasetError, match=r"unknown part 'text/test'.*multimodal/forget"):
        small.records("text", "test")


def test_a_missing_shard_is_noticed(tmp_path: Path, records: list[Record], write_dataset: Any) -> None:
    written = write_dataset(tmp_path / "d", records, rows_per_shard=2)
    written.files("multimodal/retain")[1].unlink()
    with pytest.raises(DatasetError, match=r"3 files of multimodal/retain.*missing, or left over"):
        written.records("multimodal", "retain")


def test_large_splits_are_read_through_the_cache_of_datasets(
    small: OffsideDataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    expected = small.records("multimodal", "retain").to_list()
    monkeypatch.setattr(arrow_rows, "IN_MEMORY_BYTES", 10)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    rows = open_dataset(small.path).records("multimodal", "retain")
    assert rows.cache_files
    assert rows.to_list() == expected


def test_slices(small: OffsideDataset) -> None:
    assert len(small.slice(Slice("multimodal", "forget"))) == 8
    private = small.slice(Slice("multimodal", "forget", "private"))
    assert set(private["attribute"]) == {"club"}
    visual = small.slice(Slice("multimodal", "forget", visual=True))
    assert sorted(zip(visual["subject_id"], visual["scope"], strict=True)) == [
        ("s1", "private"),
        ("s1", "shared"),
    ]
    others = small.slice(Slice("multimodal", "forget", visual=False))
    assert sorted(set(others["subject_id"])) == ["s2", "s3", "s4"]
    assert list(small.slice(Slice("text", "forget", visual=True))["subject_id"]) == ["s1"]


def test_a_slice_keeps_the_order(small: OffsideDataset) -> None:
    whole = list(small.records("multimodal", "retain")["record_id"])
    part = list(small.slice(Slice("multimodal", "retain", "shared"))["record_id"])
    assert part == [i for i in whole if i in part]


def test_verify_recomputes_the_digest(small: OffsideDataset) -> None:
    assert small.verify() == small.digest


def test_a_changed_record_is_noticed(fresh: OffsideDataset, edit_rows: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["answer"] = "Something else."

    with pytest.raises(DigestMismatchError, match=r"differs: text/retain\)"):
        edit_rows(fresh, "text/retain", change).verify()


def test_a_changed_picture_is_noticed(fresh: OffsideDataset, edit_rows: Any, make_png: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["image"]["bytes"] = make_png(99)

    with pytest.raises(DigestMismatchError, match="multimodal/test"):
        edit_rows(fresh, "multimodal/test", change).verify()


def test_a_changed_table_is_noticed(fresh: OffsideDataset, edit_rows: Any) -> None:
    def change(rows: list[dict[str, Any]]) -> None:
        rows[0]["name"] = "Another Name"

    with pytest.raises(DigestMismatchError, match="subjects or images"):
        edit_rows(fresh, "subjects", change).verify()


def test_a_changed_taxonomy_is_noticed(fresh: OffsideDataset) -> None:
    file = fresh.path / "taxonomy.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("How old is", "How aged is"), encoding="utf-8")
    with pytest.raises(DigestMismatchError, match=r"differs: taxonomy\)"):
        open_dataset(fresh.path).verify()


def test_a_removed_split_is_noticed(fresh: OffsideDataset) -> None:
    fresh.files("text/forget")[0].unlink()
    with pytest.raises(DigestMismatchError, match="text/forget"):
        open_dataset(fresh.path).verify()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetReferenceError, match="nowhere: no such dataset folder"):
        open_dataset(tmp_path / "nowhere")


def test_a_folder_without_a_card_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"README\.md: no such card"):
        open_dataset(tmp_path)


def test_a_malformed_card_is_refused(fresh: OffsideDataset) -> None:
    edit_block(fresh.path, version="one")
    with pytest.raises(CardError, match=r"block `offside:`: key 'version': must be MAJOR"):
        open_dataset(fresh.path)


def test_a_missing_taxonomy_is_named(fresh: OffsideDataset) -> None:
    (fresh.path / "taxonomy.yaml").unlink()
    with pytest.raises(TaxonomyError, match=r"taxonomy\.yaml: can't be read"):
        open_dataset(fresh.path)


def test_load_gives_plain_rows_with_decoded_pictures(small: OffsideDataset) -> None:
    rows = load(small.path, "multimodal", "test")
    assert isinstance(rows, datasets.Dataset)
    assert rows[0]["image"].size == (32, 32)
    assert isinstance(load(small.path, "subjects", "train"), datasets.Dataset)


@pytest.mark.parametrize(("config", "split"), [("multimodal", "holdout"), ("tables", None), ("images", "test")])
def test_load_names_what_there_is(small: OffsideDataset, config: str, split: str | None) -> None:
    with pytest.raises(DatasetError, match=r"unknown config/split.*multimodal/retain.*subjects/train"):
        load(small.path, config, split)


def test_speed_of_reading_whole_pictures(small: OffsideDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each distinct picture is hashed once, however many records share it."""
    from offside_data.dataset import digest

    hashed: list[int] = []
    real: Callable[[bytes], str] = digest._sha256
    monkeypatch.setattr(digest, "_sha256", lambda data: hashed.append(len(data)) or real(data))
    list(small.hashed_batches("multimodal/retain"))
    assert len(hashed) == 4
