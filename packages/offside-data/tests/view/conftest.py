"""Views of small datasets, and their data files read back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offside_data.dataset.folder import OffsideDataset
from offside_data.schema import EncodedImage, Record, Source, make_image_id
from offside_data.view import ViewReport, view_dataset

HOSTILE = "</script><img src=x onerror=\"document.title='owned'\"> &amp; {{7*7}}"


def value_of(folder: Path, name: str) -> Any:
    """What a data file puts under its name."""
    text = (folder / "data" / f"{name}.js").read_text(encoding="ascii")
    found = re.fullmatch(r'offsideView\.put\("([a-z0-9-]+)",(.*)\);\n', text, re.DOTALL)
    assert found is not None
    assert found[1] == name
    return json.loads(found[2])


@pytest.fixture(scope="session")
def read_value() -> Callable[[Path, str], Any]:
    return value_of


def odd_records(records: list[Record], pictures: dict[str, bytes]) -> list[Record]:
    """The small records with a hostile question, a suspect, a text record about no picture, and the given pictures."""
    changed = []
    for record in records:
        if record.image_id in pictures and record.image is not None:
            image = EncodedImage(bytes=pictures[record.image_id], path=f"{record.image_id}.png")
            record = dataclasses.replace(record, image=image)
        changed.append(record)
    first = changed[0]
    changed[0] = dataclasses.replace(first, question=HOSTILE, suspect="the value differs from the table")
    changed[1] = dataclasses.replace(
        changed[1], sources=(Source(url="javascript:alert(1)", publisher="A paper", tier="media"),)
    )
    alone = {"record_id": "r-alone", "modality": "text", "image": None, "image_id": None, "derived_from": None}
    return [*changed, dataclasses.replace(first, **alone, question="Which country is it?")]


@pytest.fixture(scope="session")
def odd(
    small: OffsideDataset,
    write_dataset: Callable[..., OffsideDataset],
    make_png: Callable[..., bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> OffsideDataset:
    """A dataset with what the page must cope with; two of its pictures are equal, one is not readable."""
    rows = [row for part in small.record_parts() for row in small.rows(part)]
    twice, broken = (make_image_id("test", key) for key in ("s2/p1", "s3/p1"))
    first = make_image_id("test", "s1/p1")
    records = odd_records([Record.from_row(row) for row in rows], {twice: make_png(0), broken: b"\x89PNG\r\n\x1a\nno"})
    decision = {
        "id": "d1",
        "kind": "duplicate",
        "what": {"kept": first, "dropped": ["gone"]},
        "why": "equal",
        "when": "",
    }
    return write_dataset(tmp_path_factory.mktemp("odd") / "odd", records, decisions=[decision])


@pytest.fixture(scope="session")
def viewed(odd: OffsideDataset, tmp_path_factory: pytest.TempPathFactory) -> ViewReport:
    return view_dataset(odd.path, tmp_path_factory.mktemp("view") / "view")
