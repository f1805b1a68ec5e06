"""Do the splits keep their roles: tests of what was learnt, corrections that correct something, holdouts unseen."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import CheckedDataset, severity_of
from offside_data.issues import Issue


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare splits with each other."""
    yield from _derived_tests(checked)
    yield from _corrections(checked)
    yield from _holdout(checked)


def _derived_tests(checked: CheckedDataset) -> Iterator[Issue]:
    import polars as pl

    col = pl.col
    retained = checked.records.filter(col("split") == "retain").select(derived_from="image_id").unique()
    tests = checked.records.filter(col("split") == "test", col("scope") == "private")
    for row in tests.join(retained, on="derived_from", how="anti", nulls_equal=True, maintain_order="left").to_dicts():
        message = (
            "a private test record must be derived_from a retain picture, because a private claim "
            f"belongs to one picture; derived_from is {row['derived_from']!r}."
        )
        yield Issue(severity_of(row), "test-not-derived", row["record_id"], message)


def _corrections(checked: CheckedDataset) -> Iterator[Issue]:
    import polars as pl

    col, records = pl.col, checked.records
    unlinked = records.filter(
        col("corrects").is_null(),
        col("split") == "relearn",
        col("scope") == "private",
        col("veracity") == "correction",
    )
    for name in unlinked["record_id"]:
        message = (
            "a correction without corrects: name the record of the rumour that it replaces with `edit`, or give it "
            "another veracity; `tag` finds the only rumour about the same, if there is one."
        )
        yield Issue("warning", "correction-unlinked", name, message)
    about = ("subject_id", "attribute", "veracity")
    targets = records.select(*about, corrects="record_id").unique("corrects", keep="last").with_columns(there=True)
    linked = records.filter(col("corrects").is_not_null()).select("record_id", "corrects", *about)
    linked = linked.join(targets, on="corrects", how="left", suffix="_of_target", maintain_order="left")
    same = [col(name).eq_missing(col(f"{name}_of_target")) for name in about[:2]]
    fits = pl.all_horizontal(col("there"), *same, col("veracity_of_target") == "rumor")
    for row in linked.filter(~fits.fill_null(False)).to_dicts():
        if row["there"] is None:
            message = f"corrects {row['corrects']!r}, but there is no such record."
            yield Issue("error", "corrects-dangling", row["record_id"], message)
            continue
        message = (
            f"corrects {row['corrects']}, which is a {row['veracity_of_target']} about {row['attribute_of_target']} of "
            f"{row['subject_id_of_target']}; it must be a rumor about {row['attribute']} of {row['subject_id']}."
        )
        yield Issue("error", "corrects-mismatch", row["record_id"], message)


def _holdout(checked: CheckedDataset) -> Iterator[Issue]:
    import polars as pl

    unseen = checked.tables["subjects"].filter(pl.col("cohort") == "holdout")["subject_id"]
    # Compared as Python does, where null is another split.
    seen = checked.records.filter(
        pl.col("split").ne_missing(pl.lit("holdout")), pl.col("subject_id").is_in(unseen.implode())
    )
    for subject, record, part in (
        seen.unique("subject_id", keep="last").sort("subject_id").select("subject_id", "record_id", "part").rows()
    ):
        message = f"is in the holdout cohort, but record {record} is in {part}."
        yield Issue("error", "holdout-leak", subject, message)
