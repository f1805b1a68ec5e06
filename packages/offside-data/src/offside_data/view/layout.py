"""The order of a view: which number each picture and record has, and in which file its details lie.

Everything about a subject stands together: first its records without a picture, then picture after picture. A *unit*
is one picture with the records about it, or the records of one subject that are about no picture. Units are never cut:
files of details (*chunks*) and of texts to search in (*volumes*) end where a unit ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offside_data.dataset.storage import Row
from offside_data.schema import SPLITS

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

CHUNK_RECORDS = 500
"""Records of a file of details, at least (but the last)."""
VOLUME_RECORDS = 20_000
"""Records of a file of texts, at least (but the last)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewUnit:
    """A picture and its records, or a subject's records without a picture; records follow each other by number.

    Args:
        picture: Number of the picture; null for records without one.
        subject_id: Whom it is about.
        records: How many records it has.
    """

    picture: int | None
    subject_id: str | None
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRange:
    """Units that follow each other in one file, and their records: numbers from a first to before a last."""

    units: range
    records: range


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Pictures, records and units in order.

    Args:
        pictures: The table's row of each picture, by number; pictures that the table lacks have but an `image_id`.
        numbers: Number of each picture by image_id.
        records: The columns `reading.INDEXED`, `part` and `picture` of each record, by number.
        places: Number of each record, in the order of `reading.record_rows`; shape (records,).
        units: All units.
        chunks: What stands in each file of details.
        volumes: What stands in each file of texts: whole chunks.
    """

    pictures: list[Row]
    numbers: dict[str, int]
    records: pl.DataFrame
    places: NDArray[np.int64]
    units: list[ViewUnit]
    chunks: list[UnitRange]
    volumes: list[UnitRange]


def make_layout(
    index: pl.DataFrame,
    images: Sequence[Row],
    *,
    chunk_records: int = CHUNK_RECORDS,
    volume_records: int = VOLUME_RECORDS,
) -> Layout:
    """Order pictures and records.

    Args:
        index: What `reading.record_index` gives.
        images: The table of pictures.
        chunk_records: See `CHUNK_RECORDS`.
        volume_records: See `VOLUME_RECORDS`.
    """
    import numpy as np
    import polars as pl

    pictures = _pictures(index, images)
    numbers = {row["image_id"]: number for number, row in enumerate(pictures)}
    about = pl.DataFrame(
        {"image_id": list(numbers), "picture": range(len(pictures)), "whose": [row["subject_id"] for row in pictures]},
        schema={"image_id": pl.String, "picture": pl.Int64, "whose": pl.String},
    )
    records = (
        index.with_row_index("place")
        .join(about, on="image_id", how="left", maintain_order="left")
        .with_columns(whose=pl.when(pl.col("picture").is_null()).then("subject_id").otherwise("whose"))
        .sort("whose", "picture", "place", nulls_last=[True, False, False])
    )
    places = np.empty(len(records), np.int64)
    places[records["place"].to_numpy()] = np.arange(len(records))
    units = _units(records, pictures)
    single, first = [], 0
    for number, unit in enumerate(units):
        single.append(UnitRange(units=range(number, number + 1), records=range(first, first + unit.records)))
        first += unit.records
    chunks = _joined(single, chunk_records)
    return Layout(
        pictures=pictures,
        numbers=numbers,
        records=records.drop("place"),
        places=places,
        units=units,
        chunks=chunks,
        volumes=_joined(chunks, volume_records),
    )


def _pictures(index: pl.DataFrame, images: Sequence[Row]) -> list[Row]:
    """Rows of all pictures by subject, split and id; whom and where a row doesn't say, its records do."""
    import polars as pl

    said = index.drop_nulls("image_id").group_by("image_id").agg(pl.col("subject_id", "split").drop_nulls().first())
    rows = {row["image_id"]: row for row in said.iter_rows(named=True)}
    for image in images:
        known = rows.get(image["image_id"], {})
        rows[image["image_id"]] = image | {key: image[key] or known.get(key) for key in ("subject_id", "split")}
    for row in rows.values():  # A twin is about whom its picture is about.
        twin_of = rows.get(row.get("twin_of") or "", {})
        row |= {key: row[key] or twin_of.get(key) for key in ("subject_id", "split")}
    return sorted(rows.values(), key=_order)


def _order(row: Row) -> tuple[bool, str, int, str]:
    split = SPLITS.index(row["split"]) if row["split"] in SPLITS else len(SPLITS)
    return row["subject_id"] is None, row["subject_id"] or "", split, row["image_id"]


def _units(records: pl.DataFrame, pictures: Sequence[Row]) -> list[ViewUnit]:
    """One unit a picture, also one without records; one for each subject's records without a picture."""
    import polars as pl

    counted = records.group_by("whose", "picture", maintain_order=True).agg(pl.len().alias("records"))
    found = {(whose, picture): number for whose, picture, number in counted.iter_rows()}
    for number, row in enumerate(pictures):
        found.setdefault((row["subject_id"], number), 0)
    ordered = sorted(found, key=lambda unit: (unit[0] is None, unit[0] or "", -1 if unit[1] is None else unit[1]))
    return [ViewUnit(picture=picture, subject_id=whose, records=found[whose, picture]) for whose, picture in ordered]


def _joined(runs: Sequence[UnitRange], size: int) -> list[UnitRange]:
    """Runs put together until they hold at least `size` records; a picture without records counts as one."""
    joined: list[UnitRange] = []
    held = size
    for run in runs:
        if held >= size:
            joined.append(run)
            held = 0
        else:
            units = range(joined[-1].units.start, run.units.stop)
            joined[-1] = UnitRange(units=units, records=range(joined[-1].records.start, run.records.stop))
        held += max(len(run.units), len(run.records))
    return joined
