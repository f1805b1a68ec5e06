from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.digest import (
    canonical_json,
    dataset_digest,
    hashed_row_leaf,
    hashed_rows,
    ids_digest,
    record_content_hash,
    table_root,
    taxonomy_digest,
)
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.errors import RecordError
from offside_data.schema import ClaimValue, EncodedImage, Record
from offside_data.taxonomy import Taxonomy, parse_taxonomy, shipped_taxonomy_text

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(text, plain, max_size=5))
def test_canonical_json_ignores_the_order_of_keys(value: dict[str, Any]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


@given(st.lists(text, max_size=4))
def test_canonical_json_is_the_same_for_equivalent_unicode(texts: list[str]) -> None:
    decomposed = [unicodedata.normalize("NFD", t) for t in texts]
    composed = [unicodedata.normalize("NFC", t) for t in texts]
    assert canonical_json(decomposed) == canonical_json(composed)


def test_canonical_json_composes_within_strings_only() -> None:
    assert canonical_json(["e\u0301"]) == '["é"]'
    assert canonical_json(["\n\u0303"]) == '["\\n\u0303"]'


@given(plain)
def test_canonical_json_loses_nothing_but_the_unicode_form(value: Any) -> None:
    def composed(item: Any) -> Any:
        if isinstance(item, str):
            return unicodedata.normalize("NFC", item)
        if isinstance(item, dict):
            return {composed(key): composed(inner) for key, inner in item.items()}
        return [composed(inner) for inner in item] if isinstance(item, list) else item

    again = json.loads(canonical_json(value))
    assert again == composed(value)


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.binary(min_size=32, max_size=32), max_size=8),
    st.randoms(),
)
def test_table_root_ignores_the_order_of_rows(leaves: dict[str, bytes], random: Any) -> None:
    shuffled = list(leaves.items())
    random.shuffle(shuffled)
    assert table_root(shuffled) == table_root(leaves.items())


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=6), st.data())
def test_table_root_notices_every_leaf(leaves: list[bytes], data: st.DataObject) -> None:
    named = {f"r{i}": leaf for i, leaf in enumerate(leaves)}
    changed = data.draw(st.sampled_from(sorted(named)))
    other = {**named, changed: bytes(b ^ 1 for b in named[changed])}
    assert table_root(other.items()) != table_root(named.items())
    assert table_root([i for i in named.items() if i[0] != changed]) != table_root(named.items())


CHANGES: dict[str, Any] = {
    "record_id": "r2",
    "subject_id": None,
    "image_id": "i2",
    "modality": "text",
    "split": "forget",
    "attribute": "club",
    "scope": "private",
    "veracity": "rumor",
    "rumor_channel": "image",
    "question": "Which one?",
    "answer": "The other one.",
    "value": ClaimValue(kind="place", text="Avaria", number=1.5),
    "question_paraphrases": ("Which?",),
    "answer_paraphrases": ("That.",),
    "perturbed_answers": (),
    "choices": ("Belmora", "Avaria", "Cestria"),
    "correct_choice": 1,
    "cloze": "The player represents ____.",
    "corrects": "r3",
    "derived_from": "i3",
    "agreed_value": "x",
    "suspect": "odd",
    "image": EncodedImage(bytes=b"other", path="p1.png"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_any_changed_field_changes_the_hash(make_record: Callable[..., Record], field: str) -> None:
    changed = dataclasses.replace(make_record(), **{field: CHANGES[field]})
    assert changed.to_row()["content_hash"] != make_record().to_row()["content_hash"]


def test_every_plain_field_was_tried() -> None:
    nested = {"source_record", "sources", "annotations"}
    assert {f.name for f in dataclasses.fields(Record)} - nested == set(CHANGES)


def test_the_name_of_the_picture_s_file_does_not_count(make_record: Callable[..., Record]) -> None:
    image = make_record().image
    assert image is not None
    renamed = dataclasses.replace(make_record(), image=EncodedImage(bytes=image.bytes, path="other.png"))
    assert renamed.to_row()["content_hash"] == make_record().to_row()["content_hash"]


def test_null_and_the_empty_list_are_distinct(make_record: Callable[..., Record]) -> None:
    row = make_record(choices=(), correct_choice=None).to_row()
    assert record_content_hash({**row, "choices": None}) != record_content_hash(row)


def test_a_struct_of_nulls_is_null(make_record: Callable[..., Record]) -> None:
    row = make_record(value=None).to_row()
    keys = ("kind", "text", "number", "unit", "currency", "date")
    assert record_content_hash({**row, "value": dict.fromkeys(keys)}) == row["content_hash"]


def test_whole_numbers_hash_as_parquet_stores_them(make_record: Callable[..., Record]) -> None:
    whole = make_record(value=ClaimValue(kind="place", text="x", number=35))
    stored = make_record(value=ClaimValue(kind="place", text="x", number=35.0))
    assert whole.to_row()["content_hash"] == stored.to_row()["content_hash"]


def test_a_number_that_json_cannot_hold_is_an_error(make_record: Callable[..., Record]) -> None:
    broken = make_record(record_id="r7", value=ClaimValue(kind="place", text="x", number=float("nan")))
    with pytest.raises(RecordError, match=r"r7.*finite"):
        broken.to_row()


def test_the_taxonomy_s_layout_does_not_count(taxonomy: Taxonomy) -> None:
    source = shipped_taxonomy_text("football")
    commented = parse_taxonomy(f"# a comment\n\n{source}", where="test")
    assert taxonomy_digest(commented) == taxonomy_digest(taxonomy)
    retuned = parse_taxonomy(source.replace("tolerance: 0.005", "tolerance: 0.01"), where="test")
    assert taxonomy_digest(retuned) != taxonomy_digest(taxonomy)


def test_ids_digest_is_of_a_set() -> None:
    assert ids_digest(["b", "a", "a"]) == ids_digest(["a", "b"])
    assert ids_digest(["ab"]) != ids_digest(["a", "b"])


def test_dataset_digest_names_its_roots() -> None:
    assert dataset_digest({"a": "1", "b": "2"}) == dataset_digest({"b": "2", "a": "1"})
    assert dataset_digest({"a": "1", "b": "2"}) != dataset_digest({"a": "2", "b": "1"})


def test_stored_rows_have_the_hashes_they_were_written_with(small: OffsideDataset) -> None:
    for part in small.files():
        rows = hashed_rows(small.read(part))
        assert [row["content_hash"] for row in rows] == [hashed_row_leaf(row).hex() for row in rows]


@pytest.mark.parametrize("rows_per_shard", [1, 3, 5])
def test_the_digest_does_not_depend_on_shards(
    small: OffsideDataset, tmp_path: Path, records: list[Record], write_dataset: Any, rows_per_shard: int
) -> None:
    other = write_dataset(tmp_path / "d", reversed(records), rows_per_shard=rows_per_shard)
    assert len(other.paths("multimodal/retain")) == {1: 4, 3: 2, 5: 2}[rows_per_shard]
    assert other.verify() == small.digest


def _by_polars(path: Path) -> None:
    import polars as pl

    frame = pl.read_parquet(path)
    frame.select(reversed(frame.columns)).sample(fraction=1, shuffle=True, seed=3).write_parquet(
        path, row_group_size=3, compression="gzip"
    )


def _by_pyarrow(path: Path) -> None:
    table = pq.read_table(path, partitioning=None)
    reordered = table.select(sorted(table.column_names)).replace_schema_metadata(None)
    pq.write_table(reordered, path, use_dictionary=False, row_group_size=2, compression="snappy")


def _by_datasets(path: Path) -> None:
    import datasets

    rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(path.parent.parent / "cache"))
    rows.shuffle(seed=1).to_parquet(path)


@pytest.mark.parametrize("rewrite", [_by_polars, _by_pyarrow, _by_datasets])
def test_the_digest_does_not_depend_on_the_writer(fresh: OffsideDataset, rewrite: Callable[[Path], None]) -> None:
    for part in fresh.parts():
        for path in fresh.paths(part):
            rewrite(path)
    again = open_dataset(fresh.path)
    assert again.verify() == fresh.digest
    row = again.records("multimodal", "forget")[0]
    assert row["image"]["bytes"].startswith(b"\x89PNG")
