from __future__ import annotations

import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offside_data.dataset.digest import (
    canonical_json,
    dataset_digest,
    frame_root,
    ids_digest,
    leaves,
    row_leaf,
    sha256_of,
    taxonomy_digest,
)
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.errors import RecordError
from offside_data.schema import ClaimValue, EncodedImage, Record
from offside_data.taxonomy import Taxonomy, parse_taxonomy, shipped_taxonomy_text


def content_hash(record: Record | dict[str, Any]) -> str:
    """A record's leaf, by the reference that goes row by row."""
    row = record.to_row() if isinstance(record, Record) else record
    image = row["image"]
    return row_leaf(row, image and hashlib.sha256(image.bytes).hexdigest()).hex()


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


hexes = st.binary(min_size=32, max_size=32).map(bytes.hex)


def root_of(found: dict[str, str]) -> str:
    return frame_root(pl.Series(list(found), dtype=pl.String), pl.Series(list(found.values()), dtype=pl.String))


@given(st.dictionaries(st.text(min_size=1, max_size=5), hexes, max_size=8), st.randoms())
def test_a_root_ignores_the_order_of_rows(found: dict[str, str], random: Any) -> None:
    shuffled = list(found.items())
    random.shuffle(shuffled)
    assert root_of(dict(shuffled)) == root_of(found)
    reference = b"".join(bytes.fromhex(leaf) for _, leaf in sorted(found.items()))
    assert root_of(found) == "sha256:" + hashlib.sha256(reference).hexdigest()


@given(st.lists(hexes, min_size=1, max_size=6), st.data())
def test_a_root_notices_every_leaf(found: list[str], data: st.DataObject) -> None:
    named = {f"r{i}": leaf for i, leaf in enumerate(found)}
    changed = data.draw(st.sampled_from(sorted(named)))
    other = {**named, changed: bytes(b ^ 1 for b in bytes.fromhex(named[changed])).hex()}
    assert root_of(other) != root_of(named)
    assert root_of({name: leaf for name, leaf in named.items() if name != changed}) != root_of(named)


numbers = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([1e-5, 1e16, -0.0, 5e-324, 1e15])
)
odd_text = text | st.sampled_from(["e\u0301", "\x7f", "\u2028", '"\\\b\f\x1f', "\u212b", "\U0001f600", "\n\u0303"])
values = st.none() | st.builds(
    ClaimValue,
    kind=st.sampled_from(["amount", "name"]),
    text=odd_text,
    number=numbers,
    unit=st.none() | odd_text,
    currency=st.none(),
    date=st.none(),
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "record_id": odd_text,
                "question": odd_text,
                "subject_id": st.none() | odd_text,
                "value": values,
                "choices": st.none() | st.lists(st.none() | odd_text, max_size=3),
                "correct_choice": st.none() | st.integers(-(2**63), 2**63 - 1),
                "sources": st.none()
                | st.lists(st.fixed_dictionaries({"url": st.none() | odd_text, "tier": odd_text}), max_size=2),
            }
        ),
        max_size=4,
    ),
    st.data(),
)
def test_many_leaves_at_once_are_those_of_the_reference(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    frame = frame_of(
        [{**row, "value": row["value"] and dataclasses.asdict(row["value"])} for row in rows], "text", PictureStore()
    )
    shown = pl.Series([data.draw(st.none() | hexes) for _ in rows], dtype=pl.String)
    reference = [row_leaf(row, shown[place]).hex() for place, row in enumerate(frame.iter_rows(named=True))]
    assert leaves(frame, shown).to_list() == reference


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
    assert content_hash(changed) != content_hash(make_record())


def test_every_plain_field_was_tried() -> None:
    nested = {"source_record", "sources", "annotations"}
    assert {f.name for f in dataclasses.fields(Record)} - nested == set(CHANGES)


def test_the_name_of_the_picture_s_file_does_not_count(make_record: Callable[..., Record]) -> None:
    image = make_record().image
    assert image is not None
    renamed = dataclasses.replace(make_record(), image=EncodedImage(bytes=image.bytes, path="other.png"))
    assert content_hash(renamed) == content_hash(make_record())


def test_null_and_the_empty_list_are_distinct(make_record: Callable[..., Record]) -> None:
    row = make_record(choices=(), correct_choice=None).to_row()
    assert content_hash({**row, "choices": None}) != content_hash(row)


def test_a_struct_of_nulls_is_null(make_record: Callable[..., Record]) -> None:
    row = make_record(value=None).to_row()
    keys = ("kind", "text", "number", "unit", "currency", "date")
    assert content_hash({**row, "value": dict.fromkeys(keys)}) == content_hash(row)


def test_whole_numbers_hash_as_parquet_stores_them(make_record: Callable[..., Record]) -> None:
    whole = make_record(value=ClaimValue(kind="place", text="x", number=35))
    stored = make_record(value=ClaimValue(kind="place", text="x", number=35.0))
    assert content_hash(whole) == content_hash(stored)


def test_a_number_that_json_cannot_hold_is_an_error(make_record: Callable[..., Record]) -> None:
    broken = make_record(record_id="r7", value=ClaimValue(kind="place", text="x", number=float("nan")))
    with pytest.raises(RecordError, match=r"r7.*finite"):
        content_hash(broken)
    with pytest.raises(RecordError, match=r"r7.*finite"):
        leaves(frame_of([broken], "multimodal", PictureStore()))


def test_the_taxonomy_s_layout_does_not_count(taxonomy: Taxonomy) -> None:
    source = shipped_taxonomy_text("football")
    commented = parse_taxonomy(f"# a comment\n\n{source}", where="test")
    assert taxonomy_digest(commented) == taxonomy_digest(taxonomy)
    wider = parse_taxonomy(source.replace("most: 2.3", "most: 2.5"), where="test")
    assert taxonomy_digest(wider) != taxonomy_digest(taxonomy)
    retuned = parse_taxonomy(source.replace("tolerance: 0.005", "tolerance: 0.01"), where="test")
    assert taxonomy_digest(retuned) != taxonomy_digest(taxonomy)


def test_ids_digest_is_of_a_set() -> None:
    assert ids_digest(["b", "a", "a"]) == ids_digest(["a", "b"])
    assert ids_digest(["ab"]) != ids_digest(["a", "b"])


def test_dataset_digest_names_its_roots() -> None:
    assert dataset_digest({"a": "1", "b": "2"}) == dataset_digest({"b": "2", "a": "1"})
    assert dataset_digest({"a": "1", "b": "2"}) != dataset_digest({"a": "2", "b": "1"})


def test_stored_rows_have_the_hashes_they_were_written_with(small: OffsideDataset) -> None:
    for part in small.record_parts():
        for batch, pictures in small.hashed_batches(part):
            assert batch["content_hash"].to_list() == leaves(batch, pictures).to_list()
            rows = batch.drop("image").iter_rows(named=True)
            assert batch["content_hash"].to_list() == [row_leaf(r, pictures[i]).hex() for i, r in enumerate(rows)]


def test_equal_pictures_are_hashed_alike(small: OffsideDataset) -> None:
    batch = next(small.batches("multimodal/forget"))
    taken = small.pictures.take(batch["image"].struct.unnest())
    assert sha256_of(taken).to_list() == [hashlib.sha256(data).hexdigest() for data in taken.to_pylist()]


@pytest.mark.parametrize("rows_per_shard", [1, 3, 5])
def test_the_digest_does_not_depend_on_shards(
    small: OffsideDataset, tmp_path: Path, records: list[Record], write_dataset: Any, rows_per_shard: int
) -> None:
    other = write_dataset(tmp_path / "d", reversed(records), rows_per_shard=rows_per_shard)
    assert len(other.files("multimodal/retain")) == {1: 8, 3: 4, 5: 2}[rows_per_shard]
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
        for path in fresh.files(part):
            rewrite(path)
    again = open_dataset(fresh.path)
    assert again.verify() == fresh.digest
    row = again.records("multimodal", "forget")[0]
    assert row["image"]["bytes"].startswith(b"\x89PNG")
