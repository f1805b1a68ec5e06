"""Reading sources about persons with every law of the data model checked, and ways to damage them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from offside_data.adapters._base import ADAPTERS, Imported, ReadOptions, adapter_options
from offside_data.taxonomy import load_taxonomy
from offside_data.validation import validate_record

JUNK: tuple[Any, ...] = (
    None,
    "",
    "  ",
    "<image>",
    "\ud800",
    "x",
    0,
    -1.5,
    True,
    [],
    {},
    ["x"],
    [None],
    {"a": None},
    [["x"]],
)


@pytest.fixture(scope="session")
def read_people() -> Callable[..., Imported]:
    """Read a source with an adapter: `read_people("clear", path, ratio="5")`."""

    def read(name: str, source: Path, **settings: str) -> Imported:
        adapter = ADAPTERS.load(name)
        taxonomy = load_taxonomy(adapter.TAXONOMY)
        options = ReadOptions(taxonomy=taxonomy, adapter=adapter_options(name, settings))
        imported: Imported = adapter.read(source, options)
        imported.check_accounts()
        for record in imported.records:
            validate_record(record, taxonomy)
        ids = [record.record_id for record in imported.records]
        assert len(set(ids)) == len(ids)
        pictures = {picture.image_id: picture for picture in imported.pictures}
        assert len(pictures) == len(imported.pictures)
        assert {r.image_id for r in imported.records} - {None} == pictures.keys()
        assert {r.subject_id for r in imported.records} - {None} == {row["subject_id"] for row in imported.subjects}
        return imported

    return read


@pytest.fixture(scope="session")
def damage() -> Callable[[st.DataObject, Any], Any]:
    """A copy of nested values in which up to four random places are gone or hold junk."""

    def strike(data: st.DataObject, value: Any) -> Any:
        keys = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
        key = data.draw(st.sampled_from([None, *keys, *keys]))
        if key is None:
            return data.draw(st.sampled_from(JUNK))
        rest = dict(value) if isinstance(value, dict) else list(value)
        if data.draw(st.integers(0, 5)) == 5:
            del rest[key]
        else:
            rest[key] = strike(data, rest[key])
        return rest

    def damaged(data: st.DataObject, value: Any) -> Any:
        for _ in range(data.draw(st.integers(0, 4))):
            value = strike(data, value)
        return value

    return damaged


@pytest.fixture(scope="session")
def said() -> Callable[..., list[str]]:
    """The remarks of a kind as text."""

    def remarks(imported: Imported, kind: str) -> list[str]:
        return [str(remark) for remark in imported.remarks if remark.kind == kind]

    return remarks
