from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from offside_data.schema import (
    CONFIGS,
    SPLITS,
    Annotation,
    Record,
    Source,
    SourceRecord,
    arrow_types,
    features_of,
    make_image_id,
    make_record_id,
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
    assert set(row) == set(features_of("multimodal"))
    table = pa.Table.from_pylist([row], schema=features_of("multimodal").arrow_schema)
    assert table.to_pylist() == [row]


def test_a_record_survives_the_round_trip(full: Record, make_record: Callable[..., Record]) -> None:
    for record in (full, make_record(image=None, value=None)):
        assert Record.from_row(record.to_row()) == record


def test_the_features_name_every_field() -> None:
    assert set(features_of("multimodal")) == {f.name for f in dataclasses.fields(Record)} | {"content_hash"}


def test_both_kinds_of_records_have_the_same_columns() -> None:
    assert features_of("multimodal") == features_of("text")
    assert len({tuple(features_of(config)) for config in ("multimodal", "subjects", "images")}) == 3


@pytest.mark.parametrize("config", ["multimodal", "text", "subjects", "images"])
def test_arrow_and_datasets_have_the_same_types(config: str) -> None:
    assert arrow_types(config).equals(features_of(config).arrow_schema, check_metadata=False)


def test_reading_frames_imports_no_datasets(tmp_path: Path) -> None:
    """Each process that shares a command's work would pay for it, in seconds and megabytes."""
    code = (
        "import sys; from offside_data.dataset.storage import frame_schema, arrow_schema; "
        "[frame_schema(config) for config in ('multimodal', 'text', 'subjects', 'images')]; "
        "print('datasets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "False"


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
