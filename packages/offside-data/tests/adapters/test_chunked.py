from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Sequence

import pytest

from offside_data.adapters import _chunked
from offside_data.adapters._base import Imported, Remark
from offside_data.adapters._chunked import Chunked
from offside_data.schema import (
    Annotation,
    ClaimValue,
    Record,
    Source,
    SourceRecord,
    features_of,
    make_record_id,
)


def made(number: int) -> Record:
    """A record; every third one has everything that a record may have."""
    full = number % 3 == 0
    return Record(
        record_id=make_record_id("test", f"p{number}", None, "fee", "text"),
        subject_id=f"p{number}",
        image_id=None,
        image=None,
        modality="text",
        split="forget",
        attribute="fee",
        scope="private",
        veracity="rumor",
        rumor_channel="text",
        question=f"What is said to be paid for Ødmark {number}?",
        answer=f"€{number}.00m, in “cash”.",
        source_record=SourceRecord(file="a.csv", index=number, question="", answer="") if full else None,
        value=ClaimValue(kind="amount", text=f"€{number}.00m", number=1e6 * number, currency="EUR") if full else None,
        choices=("€1.00m", "€2.00m") if full else (),
        correct_choice=0 if full else None,
        sources=(Source(url="https://example.org", tier="media"), Source(tier="official")) if full else (),
        annotations=(Annotation(annotator="a1", value="rumor", at="2024-01-01T00:00:00+00:00"),) if full else (),
        suspect="odd" if full else None,
    )


RECORDS = [made(number) for number in range(23)]


@pytest.fixture(params=[4, 23, 10_000])
def records(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Chunked[Record]:
    monkeypatch.setattr(_chunked, "CHUNK", request.param)
    return Chunked(Record, RECORDS, without=("image",))


def test_what_goes_in_comes_out_in_order(records: Chunked[Record]) -> None:
    assert len(records) == len(RECORDS)
    assert list(records) == RECORDS
    assert records == RECORDS
    assert records != RECORDS[1:]
    assert records[3:-3] == RECORDS[3:-3]
    assert [records[place] for place in (-1, 0, 11, -23)] == [RECORDS[place] for place in (-1, 0, 11, -23)]
    for place in (23, -24):
        with pytest.raises(IndexError):
            records[place]


def test_items_are_replaced_and_added_anywhere(records: Chunked[Record]) -> None:
    expected = list(RECORDS)
    for place in (0, 9, 22, 5, 0):
        new = dataclasses.replace(expected[place], answer=f"changed at {place}", suspect=None)
        records[place] = expected[place] = new
        assert list(records) == expected
    records += [made(40), made(41)]
    records.append(made(42))
    assert records == [*expected, made(40), made(41), made(42)]


def test_some_fields_alone_are_read_and_changed(records: Chunked[Record]) -> None:
    fields = ("subject_id", "value", "choices")
    assert list(records.columns(*fields)) == [tuple(getattr(r, field) for field in fields) for r in RECORDS]
    records.patch({2: {"suspect": "why"}, 21: {"corrects": "r1"}, 3: {"corrects": None, "choices": ("x",)}})
    expected = list(RECORDS)
    expected[2] = dataclasses.replace(expected[2], suspect="why")
    expected[21] = dataclasses.replace(expected[21], corrects="r1")
    expected[3] = dataclasses.replace(expected[3], choices=("x",))
    assert records == expected


def test_items_are_changed_and_taken_out_as_a_whole(records: Chunked[Record]) -> None:
    kept = records.rewritten(lambda r: None if r.suspect else dataclasses.replace(r, cloze="____"))
    assert kept == [dataclasses.replace(r, cloze="____") for r in RECORDS if not r.suspect]
    assert len(records) == 0
    assert list(kept.drained()) == [dataclasses.replace(r, cloze="____") for r in RECORDS if not r.suspect]
    assert kept == []


def test_frames_have_the_columns_of_the_schema(records: Chunked[Record]) -> None:
    import polars as pl

    schema = features_of("multimodal").arrow_schema
    wanted = pl.DataFrame(pl.from_arrow(schema.empty_table())).drop("image", "content_hash").schema
    frames = list(records.frames())
    assert all(frame.schema == wanted for frame in frames)
    rows = pl.concat(frames).to_dicts()
    plain = [record.to_row() for record in RECORDS]
    assert rows == [{name: row[name] for name in wanted} for row in plain]


def test_an_empty_one() -> None:
    records = Chunked(Record, without=("image",))
    assert records == []
    assert list(records.frames()) == list(records.columns("record_id")) == list(records.drained()) == []


def test_many_records_take_a_fraction_of_their_size_as_objects() -> None:
    def taken(count: int) -> int:
        tracemalloc.start()
        records = Chunked(Record, map(made, range(count)), without=("image",))
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(records) == count
        return size + sum(buffer.size for buffer in records._packed.values())

    small, large = taken(20_000), taken(40_000)
    assert (large - small) / 20_000 < 150  # Bytes a record; as objects some 2,000.


# ---------------------------------------------------------------------------------------------
# In an import


def test_an_import_keeps_plain_lists_of_records_as_columns() -> None:
    imported = Imported(rows=23, records=RECORDS)
    assert isinstance(imported.records, Chunked)
    imported.records = RECORDS[:20]
    imported.records += RECORDS[20:]
    kept: Sequence[Record] = imported.records
    assert kept == RECORDS
    imported.check_accounts()


def test_what_is_left_out_of_columns_becomes_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chunked, "CHUNK", 4)
    correction = dataclasses.replace(RECORDS[1], record_id="r-c", corrects=RECORDS[9].record_id)
    subjects = [{"subject_id": record.subject_id} for record in RECORDS]
    imported = Imported(rows=24, records=[*RECORDS, correction], subjects=subjects)
    imported.leave_out({RECORDS[9].record_id: "because"})
    assert imported.remarks == [Remark(kind="rejected", file="a.csv", index=9, why="because")]
    assert len(imported.records) == 23
    assert (imported.records[-1].corrects, imported.records[-1].suspect) == (
        None,
        "the record that it corrects was left out",
    )
    assert [row["subject_id"] for row in imported.subjects] == [f"p{n}" for n in range(23) if n != 9]
    imported.check_accounts()
