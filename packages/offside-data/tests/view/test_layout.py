from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from offside_data.view.layout import Layout, make_layout
from offside_data.view.reading import INDEXED

BLANK: dict[str, Any] = dict.fromkeys((*INDEXED, "part"))


def index(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([BLANK | row for row in rows], schema=dict.fromkeys(BLANK, pl.String))


def image(key: str, **changes: Any) -> dict[str, Any]:
    return {"image_id": key, "subject_id": None, "split": None, "twin_of": None, **changes}


def shown(layout: Layout) -> list[tuple[str | None, str | None, int]]:
    pictures = [row["image_id"] for row in layout.pictures]
    return [(u.subject_id, None if u.picture is None else pictures[u.picture], u.records) for u in layout.units]


def test_a_subject_stands_together_and_pictures_without_one_come_last() -> None:
    layout = make_layout(
        index(
            {"record_id": "r0", "image_id": "z", "split": "general"},
            {"record_id": "r1", "image_id": "b", "subject_id": "s2", "split": "retain"},
            {"record_id": "r2", "image_id": "c", "subject_id": "s1", "split": "forget"},
            {"record_id": "r3", "image_id": "d", "subject_id": "s1", "split": "retain"},
            {"record_id": "r4", "subject_id": "s1", "split": "retain"},
            {"record_id": "r5", "image_id": "c", "subject_id": "s1", "split": "forget"},
        ),
        [],
    )
    assert shown(layout) == [("s1", None, 1), ("s1", "d", 1), ("s1", "c", 2), ("s2", "b", 1), (None, "z", 1)]
    assert layout.records["record_id"].to_list() == ["r4", "r3", "r2", "r5", "r1", "r0"]
    assert layout.places.tolist() == [5, 4, 2, 1, 0, 3]


def test_a_picture_that_only_the_table_knows_is_shown() -> None:
    rows = index({"record_id": "r", "image_id": "a", "subject_id": "s", "split": "forget"})
    layout = make_layout(rows, [image("a", subject_id="s"), image("t", twin_of="a", twin="blank")])
    assert shown(layout) == [("s", "a", 1), ("s", "t", 0)]
    assert [row["split"] for row in layout.pictures] == ["forget", "forget"]


def test_records_without_subject_and_picture() -> None:
    layout = make_layout(index({"record_id": "r", "split": "general"}, {"record_id": "q", "split": "general"}), [])
    assert shown(layout) == [(None, None, 2)]


@pytest.mark.parametrize("number", [1, 7, 40])
def test_files_hold_whole_units_one_after_the_other(number: int) -> None:
    rows = [
        {"record_id": f"r{k}", "image_id": f"i{k % number:02d}", "subject_id": "s", "split": "retain"}
        for k in range(100)
    ]
    layout = make_layout(index(*rows), [image("t", twin_of="i00")], chunk_records=6, volume_records=20)
    for runs in (layout.chunks, layout.volumes):
        assert [n for run in runs for n in run.units] == list(range(number + 1))
        assert [n for run in runs for n in run.records] == list(range(100))
    starts = {run.units.start for run in layout.chunks}
    assert {run.units.start for run in layout.volumes} <= starts
    assert all(len(run.records) >= 20 for run in layout.volumes[:-1])
    assert all(len(run.records) + len(run.units) >= 6 for run in layout.chunks[:-1])


def test_an_empty_dataset() -> None:
    layout = make_layout(index(), [])
    assert (layout.units, layout.chunks, layout.volumes, len(layout.places)) == ([], [], [], 0)
