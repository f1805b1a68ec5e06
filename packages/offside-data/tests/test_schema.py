from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pyarrow as pa
import pytest

from offside_data.schema import (
    CONFIGS,
    SPLITS,
    Annotation,
    Record,
    Source,
    SourceRecord,
    features_of,
    image_features,
    make_image_id,
    make_record_id,
    record_features,
    subject_features,
)


@pytest.fixture
def full(make_record: Callable[..., Record]) -> Record:
    return make_record(
        source_record=SourceRecord(file="a.json", index=3, question="<image>\nWho?", answer="He."),
        sources=(
            Source(tier="media", url="https://example.org", retrieved_on="2024-01-02"),
            Source(tier="social"),
        ),
        annotations=(Annotation(annotator="a1", value="false", at="2024-01-02T03:04:05Z"),),
        question_paraphrases=("Who is it?",),
        cloze="The player represents ____.",
    )


def test_a_row_fits_the_features(full: Record) -> None:
    assert full.image is not None
    image = {"bytes": full.image.bytes, "path": full.image.path}
    row = {**full.to_row(), "image": image, "content_hash": "filled in when it is written"}
    assert set(row) == set(record_features())
    table = pa.Table.from_pylist([row], schema=record_features().arrow_schema)
    assert table.to_pylist() == [row]


def test_a_record_survives_the_round_trip(full: Record, make_record: Callable[..., Record]) -> None:
    for record in (full, make_record(image=None, value=None)):
        assert Record.from_row(record.to_row()) == record


def test_the_features_name_every_field() -> None:
    assert set(record_features()) == {f.name for f in dataclasses.fields(Record)} | {"content_hash"}


def test_features_of() -> None:
    assert features_of("subjects") == subject_features()
    assert features_of("images") == image_features()
    assert features_of("multimodal") == features_of("text") == record_features()


def test_ids_depend_on_the_source_key_alone() -> None:
    key = ("set", "s1", "p1", "club", "text")
    assert make_record_id(*key) == make_record_id(*key, ordinal=0)
    others = [
        ("set2", *key[1:]),
        ("set", "s2", *key[2:]),
        ("set", None, *key[2:]),
        (*key[:2], None, *key[3:]),
    ]
    ids = {
        make_record_id(*key),
        make_record_id(*key, ordinal=1),
        *(make_record_id(*other) for other in others),
    }
    assert len(ids) == 6
    assert all(i.startswith("r") and len(i) == 21 for i in ids)


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert make_record_id("a", "b,c", None, None, "text") != make_record_id("a,b", "c", None, None, "text")
    assert make_image_id("a", "bc") != make_image_id("ab", "c")


def test_ids_never_change() -> None:
    assert make_record_id("set", "s1", "p1", "club", "text") == "r711668f638ec5ba85b9b"
    assert make_image_id("set", "p1") == "i7976a8d617a62ee9e0dc"


def test_records_are_frozen(full: Record) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        full.answer = "x"  # type: ignore[misc]


def test_the_names_of_configs_and_splits() -> None:
    assert CONFIGS == ("multimodal", "text")
    assert SPLITS == ("retain", "forget", "test", "relearn", "holdout", "general", "utility")
