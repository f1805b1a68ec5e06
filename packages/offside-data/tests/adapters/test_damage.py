"""Whatever happens to a valid source, no row is lost without a word, and nobody sees a traceback."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from offside_data.adapters import claims, hub, imagefolder
from offside_data.adapters._base import Imported, ReadOptions
from offside_data.errors import OffsideError
from offside_data.tagging.untagged import UNTAGGED
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

ROWS: list[dict[str, Any]] = [
    {"id": "c1", "subject": "Tavo Brinkhaus", "attribute": "club", "value": "Ostholm", "veracity": "rumor"},
    {"subject": "Tavo Brinkhaus", "attribute": "fee", "value": "€4.10m", "tier": "media", "date": "2024-07-01"},
    {"subject": "Oda Vint", "attribute": "height", "value": 1.89, "occasion": "the cup final", "split": "retain"},
    {"subject": "Oda Vint", "attribute": "club", "value": "Marina", "veracity": "correction", "corrects": "c1"},
    {"subject": "Oda Vint", "attribute": "age", "question": "How old?", "answer": "28", "choices": ["27", "28"]},
]
for place, cells in enumerate(ROWS):
    cells["file_name"] = f"{place}.png"
    cells.setdefault("correct choice", 1)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["<image>", "0.png", "../x", "\0", "\ud800", "general", "relearn", "both", "A", "club", "c1", "03/04/2021"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["A", "bytes", "path"]), inner),
    max_leaves=4,
)
COLUMNS = st.sampled_from(
    [*sorted({name for cells in ROWS for name in cells}), "source", "derived from", "channel", "new"]
)
CHANGES = st.lists(st.tuples(st.integers(0, len(ROWS) - 1), COLUMNS, VALUES), max_size=6)
OTHER_ROWS = st.lists(st.tuples(st.integers(0, len(ROWS)), VALUES), max_size=2)


TAXONOMY = load_taxonomy()
WITH_UNTAGGED = dataclasses.replace(TAXONOMY, attributes=(*TAXONOMY.attributes, UNTAGGED))


def fine(imported: Imported) -> Imported:
    """Check accounts and records of what was read."""
    imported.check_accounts()
    for record in imported.records:
        validate_record(record, WITH_UNTAGGED)
    assert len({record.record_id for record in imported.records}) == len(imported.records)
    known = {picture.image_id for picture in imported.pictures}
    assert {record.image_id for record in imported.records} - {None} <= known
    return imported


def read(module: Any, source: Path) -> Imported | None:
    """Read a source; null if it can't be read at all, which the user is told."""
    try:
        return fine(module.read(source, ReadOptions(taxonomy=TAXONOMY)))
    except OffsideError:
        return None


@pytest.mark.parametrize(("module", "name"), [(claims, "a.jsonl"), (hub, "a.jsonl"), (imagefolder, "metadata.jsonl")])
@given(changes=CHANGES, others=OTHER_ROWS)
@settings(max_examples=80)
def test_law_no_changed_cell_loses_a_row(
    module: Any, name: str, changes: list[tuple[int, str, Any]], others: list[tuple[int, Any]]
) -> None:
    rows: list[Any] = [dict(cells) for cells in ROWS]
    for place, column, value in changes:
        rows[place][column] = value
    for place, value in others:
        rows.insert(place, value)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        imported = read(module, Path(folder) if module is imagefolder else Path(folder) / name)
    assert imported is None or imported.rows == len(rows)


@given(
    edits=st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 3), st.text(st.sampled_from('a;,|\t"\n\r €\0'), max_size=3)),
        max_size=5,
    )
)
@settings(max_examples=100)
def test_law_no_edit_of_a_csv_file_loses_a_row(edits: list[tuple[int, int, str]]) -> None:
    columns = list(dict.fromkeys(name for cells in ROWS for name in cells if name != "choices"))
    lines = [",".join(columns), *(",".join(str(cells.get(name, "")) for name in columns) for cells in ROWS)]
    text = "\n".join(lines)
    for place, cut, put in edits:
        text = text[:place] + put + text[place + cut :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.csv"
        path.write_text(text, encoding="utf-8", newline="")
        imported = read(claims, path)
    if imported is not None and not any('"' in put for _, _, put in edits):
        above = [remark.why for remark in imported.remarks if "rows above the header" in remark.why]
        rows = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip(";,|\t \0")]
        assert imported.rows + sum(int(why.split()[0]) for why in above) + 1 >= len(rows)


def parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{k: str(v) for k, v in cells.items()} for cells in ROWS]), path)


def workbook(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        columns = sorted({name for cells in ROWS for name in cells})
        sheet.write_row(0, 0, columns)
        for place, cells in enumerate(ROWS, start=1):
            sheet.write_row(place, 0, [str(cells.get(name, "")) for name in columns])


@pytest.mark.parametrize(("name", "make"), [("a.parquet", parquet), ("a.xlsx", workbook)])
@given(at=st.floats(0, 1), damage=st.binary(min_size=1, max_size=20), cut=st.booleans())
@settings(max_examples=40)
def test_law_a_damaged_file_is_told(
    name: str, make: Callable[[Path], None], at: float, damage: bytes, cut: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        make(path)
        data = path.read_bytes()
        place = int(at * len(data))
        path.write_bytes(data[:place] + damage + (b"" if cut else data[place + len(damage) :]))
        read(claims, path)
        claims.recognises(path)
