"""What tests of `edit` do over and over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.edit import EditReport, edit_rows
from offside_data.errors import UsageError
from offside_data.schema import Record


def records(folder: Path) -> dict[str, Record]:
    return {record.record_id: record for record in open_dataset(folder).iter_records()}


def find(dataset: OffsideDataset, **fields: Any) -> Record:
    return next(r for r in dataset.iter_records() if all(getattr(r, name) == value for name, value in fields.items()))


def retained(dataset: OffsideDataset, attribute: str = "market_value") -> Record:
    """A claim about a picture of which there is a copy in `test`."""
    copied = {r.derived_from for r in dataset.iter_records() if r.derived_from is not None}
    return next(r for r in dataset.iter_records() if r.attribute == attribute and r.image_id in copied)


def change(dataset: OffsideDataset, **row: Any) -> EditReport:
    return edit_rows(dataset.path, [row], reason="a test")


def refusal(dataset: OffsideDataset, **row: Any) -> str:
    before = state(dataset.path)
    with pytest.raises(UsageError) as caught:
        change(dataset, **row)
    assert state(dataset.path) == before
    return str(caught.value)


def state(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
