from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset, load, open_dataset
from offside_data.dataset.transaction import Transaction, change_dataset, new_dataset
from offside_data.errors import DatasetError, OutputExistsError, RecordError, TaxonomyError, UsageError
from offside_data.schema import SUBJECTLESS_SPLITS, Record
from offside_data.taxonomy import Taxonomy, load_taxonomy

Write = Callable[..., OffsideDataset]


def test_a_folder_is_complete(small: OffsideDataset) -> None:
    files = sorted(str(p.relative_to(small.path)) for p in small.path.rglob("*") if p.is_file())
    assert files == [
        "CHANGELOG.md",
        "README.md",
        "data/multimodal/forget-00000-of-00001.parquet",
        "data/multimodal/relearn-00000-of-00001.parquet",
        "data/multimodal/retain-00000-of-00001.parquet",
        "data/multimodal/test-00000-of-00001.parquet",
        "data/text/forget-00000-of-00001.parquet",
        "data/text/retain-00000-of-00001.parquet",
        "decisions.jsonl",
        "tables/images.parquet",
        "tables/subjects.parquet",
        "taxonomy.yaml",
    ]


def test_the_card_counts_what_was_written(small: OffsideDataset) -> None:
    facts = {
        part: {k: v for k, v in dataclasses.asdict(f).items() if k != "digest"}
        for part, f in small.card.block.splits.items()
    }
    assert facts == {
        "multimodal/retain": {"records": 8, "subjects": 4, "images": 4},
        "multimodal/forget": {"records": 8, "subjects": 4, "images": 4},
        "multimodal/test": {"records": 8, "subjects": 4, "images": 4},
        "multimodal/relearn": {"records": 8, "subjects": 4, "images": 4},
        "text/retain": {"records": 4, "subjects": 4, "images": 4},
        "text/forget": {"records": 4, "subjects": 4, "images": 4},
    }
    assert small.card.data["size_categories"] == ["n<1K"]
    assert small.card.block.created_with.keys() == {"offside-data"}


@pytest.mark.parametrize("config", ["multimodal", "text", "subjects", "images"])
def test_plain_datasets_loads_every_config(small: OffsideDataset, tmp_path: Path, config: str) -> None:
    plain = datasets.load_dataset(str(small.path), config, cache_dir=str(tmp_path))
    ours = load(small.path, config)
    assert isinstance(ours, datasets.DatasetDict)
    assert list(plain) == list(ours)
    for split in plain:
        assert plain[split].features == ours[split].features
        assert len(plain[split]) == len(ours[split])
        assert plain[split].remove_columns("image" if config != "subjects" else []).to_list() == (
            ours[split].remove_columns("image" if config != "subjects" else []).to_list()
        )
    if config == "multimodal":
        assert plain["forget"][0]["image"].size == (32, 32)


def test_the_first_config_is_the_default(small: OffsideDataset, tmp_path: Path) -> None:
    rows = datasets.load_dataset(str(small.path), split="forget", cache_dir=str(tmp_path))
    assert set(rows["modality"]) == {"multimodal"}


def test_shards_load_with_plain_datasets(tmp_path: Path, records: list[Record], write_dataset: Write) -> None:
    written = write_dataset(tmp_path / "d", records, rows_per_shard=2)
    rows = datasets.load_dataset(str(written.path), "multimodal", split="retain", cache_dir=str(tmp_path / "c"))
    assert rows["record_id"][:] == written.records("multimodal", "retain")["record_id"][:]


def test_rows_are_ordered_by_picture_then_attribute(small: OffsideDataset) -> None:
    rows = small.records("multimodal", "retain")
    assert list(rows["image_id"]) == sorted(rows["image_id"])
    assert list(rows["attribute"]) == ["nationality", "club"] * 4


def test_the_order_of_adding_does_not_change_a_byte(
    tmp_path: Path, records: list[Record], write_dataset: Write
) -> None:
    first = write_dataset(tmp_path / "a", records).path
    second = write_dataset(tmp_path / "b", reversed(records)).path
    for file in sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file()):
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


def test_a_taxonomy_object_is_written_as_yaml(
    tmp_path: Path, taxonomy: Taxonomy, records: list[Record], write_dataset: Write
) -> None:
    written = write_dataset(tmp_path / "d", records, taxonomy=taxonomy)
    assert load_taxonomy(written.path / "taxonomy.yaml") == taxonomy
    assert written.verify() == written.digest


def test_yaml_text_keeps_its_comments(small: OffsideDataset) -> None:
    assert (small.path / "taxonomy.yaml").read_text(encoding="utf-8").startswith("# Footballers.")


def test_tables_without_rows_are_left_out(tmp_path: Path, records: list[Record]) -> None:
    with new_dataset(tmp_path / "d", name="bare", taxonomy=load_taxonomy()) as writer:
        writer.add_records(records)
    bare = open_dataset(tmp_path / "d")
    assert not (bare.path / "tables").exists()
    assert [c["config_name"] for c in bare.card.data["configs"]] == ["multimodal", "text"]
    assert len(bare.subjects()) == len(bare.images()) == 0
    assert bare.images().column_names == list(open_dataset(bare.path).images().features)
    assert bare.verify() == bare.digest


def test_text_alone_makes_text_the_default(tmp_path: Path, records: list[Record], write_dataset: Write) -> None:
    written = write_dataset(tmp_path / "d", [r for r in records if r.modality == "text"])
    assert written.card.data["configs"][0] == {
        "config_name": "text",
        "default": True,
        "data_files": [
            {"split": "retain", "path": "data/text/retain-*.parquet"},
            {"split": "forget", "path": "data/text/forget-*.parquet"},
        ],
    }
    assert written.settings() == []


def test_records_without_a_subject_have_no_subjects_to_count(
    tmp_path: Path, make_record: Callable[..., Record], write_dataset: Write
) -> None:
    general = [
        make_record(
            record_id=f"r-{split}",
            split=split,
            subject_id=None,
            attribute=None,
            scope=None,
            image_id=f"i-{split}",
        )
        for split in SUBJECTLESS_SPLITS
    ]
    written = write_dataset(tmp_path / "d", general)
    assert [facts.subjects for facts in written.card.block.splits.values()] == [0, 0]


def test_decisions_are_lines_of_json(tmp_path: Path, records: list[Record], write_dataset: Write) -> None:
    written = write_dataset(tmp_path / "d", records, decisions=[{"kind": "note", "reason": "é"}, {"kind": "x"}])
    lines = (written.path / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"kind": "note", "reason": "é"}, {"kind": "x"}]


def test_a_change_keeps_a_person_s_words(fresh: OffsideDataset, records: list[Record]) -> None:
    card = Card.load(fresh.path)
    card.data["license"] = "cc-by-4.0"
    card.data["homepage"] = "https://example.org"
    card.block = dataclasses.replace(card.block, version="0.2.0")
    card.body = card.body.replace("Four invented people.", "Words of a person.\n\nAnd more.") + "\nThe end.\n"
    before = card.text
    with change_dataset(fresh.path) as change:
        change.card = card
        change.remove_records([records[-1].record_id])
    written = open_dataset(fresh.path)
    assert written.card.data["license"] == "cc-by-4.0"
    assert written.card.data["homepage"] == "https://example.org"
    assert "Words of a person.\n\nAnd more." in written.card.body
    assert written.card.body.rstrip().endswith("The end.")
    assert "`small` 0.2.0" in written.card.body
    assert "`small` 0.1.0" not in written.card.body
    assert written.version == "0.2.0"
    assert card.text == before


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-x"])
def test_names_that_cannot_be_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="dataset name"):
        new_dataset(tmp_path / "d", name=name, taxonomy=load_taxonomy()).__enter__()


def test_versions_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"MAJOR\.MINOR\.PATCH"):
        new_dataset(tmp_path / "d", name="x", version="1.0", taxonomy=load_taxonomy()).__enter__()


def test_a_malformed_taxonomy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"taxonomy\.yaml"):
        new_dataset(tmp_path / "d", name="x", taxonomy="attributes: 3").__enter__()


@pytest.fixture
def writer_fails(tmp_path: Path) -> Callable[..., None]:
    def run(fill: Callable[[Transaction], Any], error: type[Exception], match: str) -> None:
        with (
            pytest.raises(error, match=match),
            new_dataset(tmp_path / "d", name="x", taxonomy=load_taxonomy()) as writer,
        ):
            fill(writer)
        assert list(tmp_path.iterdir()) == []  # Nothing half-written stays behind.

    return run


def test_an_attribute_outside_the_taxonomy_is_refused(writer_fails: Any, make_record: Any) -> None:
    odd = make_record(record_id="r9", attribute="shoe_size")
    writer_fails(lambda w: w.add_records([odd]), RecordError, "r9.*'shoe_size' isn't in the taxonomy 'football'")


def test_an_id_is_taken_once(writer_fails: Any, make_record: Any) -> None:
    twice = [make_record(record_id="r9"), dataclasses.replace(make_record(record_id="r9"), split="test")]
    writer_fails(lambda w: w.add_records(twice), RecordError, "r9 was added before")


def test_rows_of_tables_are_checked(writer_fails: Any) -> None:
    writer_fails(lambda w: w.add_subjects([{"subject_id": "s", "shoe": 3}]), RecordError, r"unknown columns \['shoe'\]")
    writer_fails(lambda w: w.add_images([{"occasion": "x"}]), RecordError, "needs a image_id of its own")
    writer_fails(lambda w: w.add_images([{"image_id": "i"}, {"image_id": "i"}]), RecordError, "of its own, got 'i'")


def test_a_dataset_needs_a_record(writer_fails: Any) -> None:
    writer_fails(lambda w: None, DatasetError, "at least one")


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, records: list[Record], write_dataset: Write
) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already holds"):
        write_dataset(tmp_path / "d", records)
    assert (tmp_path / "d" / "mine.txt").read_text() == "mine"
    with pytest.raises(OutputExistsError, match="nothing in it is ours"):
        write_dataset(tmp_path / "d", records, force=True)
    assert (tmp_path / "d" / "mine.txt").read_text() == "mine"
