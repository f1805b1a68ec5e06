"""Does each record keep to the data model and the taxonomy, under an id of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from offside_data.checks._base import NO_ID, CheckedDataset
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import TABLES
from offside_data.frames import formatted
from offside_data.issues import Issue
from offside_data.validation import frame_problems


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Check records one by one, then their ids."""
    import polars as pl

    told = {issue.where for issue in checked.problems if issue.code == "record-invalid"}
    for issues in checked.map(_one_by_one):
        yield from (issue for issue in issues if issue.where not in told)
    records, subjects = checked.records, checked.tables["subjects"]
    home = formatted("{}/{}", pl.col("modality").fill_null("None"), pl.col("split").fill_null("None"))
    for name, place, file in (
        records.select("record_id", home, pl.col("part").cast(pl.String))
        .filter(pl.col("modality") != pl.col("part"))
        .rows()
    ):
        yield Issue("error", "wrong-file", name, f"a {place} record lies in {file}.")
    for name, why in records.filter(pl.col("suspect") != "").select("record_id", "suspect").rows():
        yield Issue("warning", "suspect", name, f"flagged for a second look: {why}")
    unlisted = records.join(subjects, on="subject_id", how="anti")["subject_id"].drop_nulls().unique()
    for subject in unlisted.sort():
        message = "has records but no row in tables/subjects.parquet."
        yield Issue("warning", "subject-unlisted", subject, message)
    for kind, rows in {"record_id": records, **{key: checked.tables[table] for table, key in TABLES.items()}}.items():
        counts = rows[kind].value_counts(sort=False).filter(pl.col("count") > 1).sort(kind)
        for name, count in counts.rows():
            code = f"duplicate-{kind.replace('_', '-')}"
            yield Issue("error", code, name, f"{kind} {name} stands {count} times; it must be unique.")


def _one_by_one(dataset: OffsideDataset, part: str, file: Path) -> list[Issue]:
    return [
        Issue("error", "record-invalid", name or NO_ID, problem)
        for batch in dataset.batches(part, files=[file])
        for name, problems in frame_problems(batch, dataset.taxonomy)
        for problem in problems
    ]
