"""Small sets of records in memory, and the checks on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from offside_data.check import CHECKS
from offside_data.checks._base import look_at
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.rows import frame_of
from offside_data.issues import Issue
from offside_data.schema import CONFIGS, SPLITS, Record, make_image_id, make_record_id
from offside_data.tagging.values import parse_value
from offside_data.tagging.veracity import veracity_by_role
from offside_data.taxonomy import Taxonomy, load_taxonomy

FOOTBALL = load_taxonomy("football")


def claim(attribute: str, answer: str, *, subject: str = "s1", picture: str = "p1", **fields: Any) -> Record:
    """A picture record whose value is the one that its answer states."""
    about = FOOTBALL[attribute]
    split = fields.pop("split", "retain")
    veracity = veracity_by_role(split, about.scope)
    key = f"{subject}/{picture}"
    values: dict[str, Any] = {
        "record_id": make_record_id("test", subject, key, attribute, "multimodal"),
        "subject_id": subject,
        "image_id": make_image_id("test", key),
        "image": None,
        "modality": "multimodal",
        "split": split,
        "attribute": attribute,
        "scope": about.scope,
        "veracity": veracity,
        "rumor_channel": "text" if veracity == "rumor" else "none",
        "question": about.questions[0],
        "answer": answer,
        "value": parse_value(answer, about),
    }
    return Record(**{**values, **fields})


def picture(subject: str, name: str, occasion: str | None = None, **fields: Any) -> dict[str, Any]:
    """A row of the images table."""
    return {
        "image_id": make_image_id("test", f"{subject}/{name}"),
        "subject_id": subject,
        "occasion": occasion,
        **fields,
    }


class RecordsInMemory:
    """As much of an opened dataset as the checks on records look at."""

    def __init__(self, records: Iterable[Record], taxonomy: Taxonomy) -> None:
        self.path, self.taxonomy, self.pictures = Path("nowhere"), taxonomy, PictureStore()
        self._records: dict[str, list[Record]] = {}
        for record in records:
            self._records.setdefault(f"{record.modality}/{record.split}", []).append(record)

    def record_parts(self) -> list[str]:
        return [f"{config}/{split}" for config in CONFIGS for split in SPLITS if f"{config}/{split}" in self._records]

    parts = record_parts

    def files(self, part: str) -> list[Path]:
        return [Path(part)]

    def batches(
        self, part: str, columns: Sequence[str] | None = None, files: Sequence[Path] = (), size: int = 0
    ) -> Iterator[Any]:
        frame = frame_of(self._records[part], "multimodal", self.pictures)
        yield frame if columns is None else frame.select(columns)


def issues(records: Iterable[Record], names: Sequence[str], taxonomy: Taxonomy = FOOTBALL) -> list[Issue]:
    """What the named checks say of these records."""
    with look_at(cast(OffsideDataset, RecordsInMemory(records, taxonomy))) as checked:
        return [issue for name in names for issue in CHECKS.load(name).run(checked)]


@pytest.fixture(scope="session", name="claim")
def claim_fixture() -> Any:
    return claim


@pytest.fixture(scope="session", name="picture")
def picture_fixture() -> Any:
    return picture


@pytest.fixture(scope="session", name="issues")
def issues_fixture() -> Any:
    return issues
