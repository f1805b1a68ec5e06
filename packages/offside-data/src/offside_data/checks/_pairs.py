"""Which texts state which claims, for all rows of a batch at once.

The same pair of a claim and a text stands in many rows and is read once. Numbers, days and words are compared by
columns first; only pairs that these leave open are read as `tagging.values` says.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from offside_data.tagging.claims import Claim, Claims, Texts, claims_of
from offside_data.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl


ROWS = 50_000
"""Rows of a few columns that are compared at once: the more, the fewer texts are read again."""


@functools.lru_cache(maxsize=1)
def pairs_of(taxonomy: Taxonomy) -> ClaimPairs:
    """Of a taxonomy; what is known of its claims serves all files that a process looks at."""
    return ClaimPairs(claims_of(taxonomy))


class ClaimPairs:
    """Pairs of a claim and a text, by columns: `claim`, a number in `claims.listed`, and `text`.

    Args:
        claims: Makes equal claims one.
    """

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    def numbers(self, rows: pl.DataFrame) -> pl.Series:
        """What each row claims by its `attribute` and `value`, as a number; null if it claims nothing."""
        import polars as pl

        plain = rows.select("attribute", "value").unnest("value")
        distinct = rows.select("attribute", "value").unique()
        found = [self.claims.of(row) for row in distinct.iter_rows(named=True)]
        numbers = pl.Series("claim", [claim and claim.number for claim in found], pl.UInt32)
        known = distinct.unnest("value").with_columns(numbers)
        return plain.join(known, on=plain.columns, how="left", nulls_equal=True, maintain_order="left")["claim"]

    def stating(self, pairs: pl.DataFrame, marks: pl.DataFrame) -> pl.Series:
        """Whether the text of each pair states its claim; not if one of both is null.

        Args:
            pairs: They.
            marks: Of their texts, or of some of them; the others are read as such.
        """
        return self._where(pairs, self._not_ruled_out(_distinct(pairs), marks), Claim.is_in)

    def where(self, pairs: pl.DataFrame, holds: Callable[[Claim, str], bool]) -> pl.Series:
        """Whether `holds(claim, text)`, asked once for each distinct pair; not if one of both is null."""
        return self._where(pairs, _distinct(pairs), holds)

    def _where(self, pairs: pl.DataFrame, asked: pl.DataFrame, holds: Callable[[Claim, str], bool]) -> pl.Series:
        import polars as pl

        listed = self.claims.listed
        answers = pl.Series("holds", [holds(listed[number], text) for number, text in asked.rows()], pl.Boolean)
        known = asked.with_columns(answers).filter("holds")
        found = pairs.select("claim", "text").join(known, on=["claim", "text"], how="left", maintain_order="left")
        return found["holds"].fill_null(False)

    def _not_ruled_out(self, pairs: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        """Those of some distinct pairs whose text may state the claim, as `Claim.may_be_in` says."""
        import polars as pl

        col, numbers = pl.col, pairs["claim"].unique()
        claims = [self.claims.listed[number] for number in numbers]
        marks = {
            "attribute": pl.Series([claim.texts.attribute.name for claim in claims], dtype=pl.String),
            "low": pl.Series([claim.low for claim in claims], dtype=pl.Float64),
            "high": pl.Series([claim.high for claim in claims], dtype=pl.Float64),
            "word": pl.Series([claim.word for claim in claims], dtype=pl.String),
        }
        found = pairs.join(pl.DataFrame({"claim": numbers, **marks}), on="claim", maintain_order="left")
        found = found.join(known, on=["attribute", "text"], how="left", maintain_order="left").with_row_index("pair")
        measured = found.select("pair", "low", "high", "measures").drop_nulls().explode("measures")
        near = measured.filter(col("measures").is_between("low", "high"))["pair"].unique()
        unknown = col("measures").is_null() & col("words").is_null() | col("low").is_null() & col("word").is_null()
        worded = col("words").list.contains(col("word")).fill_null(False)
        return found.filter(unknown | worded | col("pair").is_in(near.implode())).select("claim", "text")

    def marks(self, texts: pl.DataFrame) -> pl.DataFrame:
        """The `measures` or the `words` of texts, each read once; null where they don't tell.

        Args:
            texts: `attribute` and `text`, in which any may stand several times.
        """
        import polars as pl
        import pyarrow as pa

        kinds = pl.List(pl.Float64), pl.List(pl.String)
        found = [
            pl.DataFrame(schema={"attribute": pl.String, "text": pl.String, "measures": kinds[0], "words": kinds[1]})
        ]
        for distinct in texts.drop_nulls().unique().partition_by("attribute"):
            of = self.claims.texts[distinct["attribute"][0]]
            if not (of.measured or of.worded):
                continue
            # By Arrow: polars takes many times as long to make lists of Python objects.
            read = pa.array(
                [of.marks(text) for text in distinct["text"]], pa.list_(pa.float64() if of.measured else pa.string())
            )
            name, other, kind = ("measures", "words", kinds[1]) if of.measured else ("words", "measures", kinds[0])
            columns = pl.Series(name, read), pl.lit(None, kind).alias(other)
            found.append(distinct.with_columns(columns).select(found[0].columns))
        return pl.concat(found)

    def repeating(self, rows: pl.DataFrame, marks: pl.DataFrame) -> pl.Series:
        """The `row` numbers of those whose `choices` may say the same twice, as `Texts.repeated` would find.

        Args:
            rows: With `row`, `attribute` and `choices`; all of them claim something.
            marks: Of their choices.
        """
        import polars as pl

        col, texts = pl.col, self.claims.texts
        options = rows.select("row", "attribute", text="choices").explode("text").drop_nulls("text")
        # The mark of a choice, as `Texts.mark_of_choice` says: the number of one that holds one.
        single = pl.when(col("measures").list.len() == 1).then(col("measures").list.first()).alias("measure")
        known = (
            options.select("attribute", "text")
            .unique()
            .join(marks.select("attribute", "text", single), on=["attribute", "text"], how="left")
        )
        known = known.with_columns(
            reach=pl.Series(
                [
                    None if measure is None else texts[attribute].reach(measure)
                    for attribute, measure in known.select("attribute", "measure").rows()
                ],
                dtype=pl.Float64,
            ),
            word=pl.Series(
                [
                    texts[attribute].mark_of_choice(text) if texts[attribute].worded else None
                    for attribute, text in known.select("attribute", "text").rows()
                ],
                dtype=pl.String,
            ),
        )
        options = options.join(known, on=["attribute", "text"]).sort("row", "measure")
        close = (col("measure").diff() <= col("reach")) & (col("row").diff() == 0)
        same = pl.struct("row", "word").is_duplicated() & col("word").is_not_null()
        unknown = options.filter(col("measure").is_null() & col("word").is_null())["row"].unique()
        found = options.filter(close | same)["row"]
        return pl.concat([found, self._repeating_unread(rows.filter(col("row").is_in(unknown.implode())))]).unique()

    def _repeating_unread(self, rows: pl.DataFrame) -> pl.Series:
        """As `repeating`, where options must be read to be compared; the same options are read once."""
        import polars as pl

        options = rows.select("row", "attribute", pl.col("choices").list.drop_nulls().list.sort())
        distinct = options.select("attribute", "choices").unique()
        repeated = [_repeats(self.claims.texts[attribute], choices) for attribute, choices in distinct.rows()]
        known = distinct.with_columns(repeated=pl.Series(repeated, dtype=pl.Boolean)).filter("repeated")
        return options.join(known, on=["attribute", "choices"], how="semi")["row"]


def _repeats(texts: Texts, choices: Sequence[str]) -> bool:
    return any(True for _ in texts.repeated(choices))


def _distinct(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.select("claim", "text").drop_nulls().unique()
