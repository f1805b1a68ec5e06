"""Are the options of a question written alike: another decimal mark, unit or full stop gives the right one away."""

from __future__ import annotations

from collections.abc import Iterator

from offside_data.checks._base import NO_ID, CheckedDataset, Files, batches_of
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import ROWS_PER_BATCH
from offside_data.issues import Issue
from offside_data.questions.styles import WrittenStyle, style_of, unlike

_COLUMNS = ("record_id", "attribute", "choices")


def run(checked: CheckedDataset) -> Iterator[Issue]:
    """Compare how the options of each question are written; free texts are as their source wrote them."""
    for _, issues in checked.together(_in_files):
        yield from issues


def _in_files(dataset: OffsideDataset, files: Files) -> list[Issue]:
    import polars as pl

    kinds = {name: kind for name in dataset.taxonomy.names() if (kind := dataset.taxonomy[name].kind) != "text"}
    issues: list[Issue] = []
    if not kinds:
        return issues
    own = pl.col("attribute").replace_strict(kinds, default=None, return_dtype=pl.String).alias("kind")
    schema = {"kind": pl.String, "mask": pl.String, **dict.fromkeys(WrittenStyle._fields, pl.String)}
    for batch in batches_of(dataset, files, _COLUMNS, ROWS_PER_BATCH):
        rows = batch.filter(pl.col("choices").list.len() > 1).with_columns(own).drop_nulls("kind").with_row_index()
        # Which digit it is says nothing of a style, but for a leading zero; so few texts differ.
        mask = pl.col("choices").str.replace_all("[1-9]", "1").alias("mask")
        options = rows.select("index", "kind", "choices").explode("choices").drop_nulls().with_columns(mask)
        distinct = options.select("kind", "mask").unique()
        styles = [(kind, mask, *style_of(mask, kind)) for kind, mask in distinct.iter_rows()]
        known = options.join(pl.DataFrame(styles, schema, orient="row"), on=["kind", "mask"])
        several = pl.any_horizontal(pl.col(name).drop_nulls().n_unique() > 1 for name in WrittenStyle._fields)
        mixed = known.group_by("index").agg(several.alias("mixed")).filter("mixed")
        for row in rows.join(mixed, on="index", how="semi", maintain_order="left").iter_rows(named=True):
            texts = [text for text in row["choices"] if text is not None]
            how = " and ".join(unlike(style_of(text, row["kind"]) for text in texts))
            message = (
                f"its options aren't written alike ({how}), which gives one of them away: "
                f"{', '.join(map(repr, texts))}. Write them alike, or run `questions --only all`."
            )
            issues.append(Issue("warning", "options-unlike", row["record_id"] or NO_ID, message))
    return issues
