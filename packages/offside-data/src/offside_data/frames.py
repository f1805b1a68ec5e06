"""What frames need where polars by itself isn't enough."""

from __future__ import annotations

from itertools import chain, zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def formatted(template: str, *columns: str | pl.Expr) -> pl.Expr:
    """As `polars.format`, for any frame: that one panics where the first chunk of a column is empty (polars 2.1).

    A filter leaves such chunks: one for each part of a dataset, of which the first may hold nothing that is looked for.

    Args:
        template: A text with `{}` for each column.
        columns: Names or expressions. Null in one of them gives null.

    Returns:
        The text, named as the first column.
    """
    import polars as pl

    between = [pl.lit(text) if text else None for text in template.split("{}")]
    filled = [pl.col(column) if isinstance(column, str) else column for column in columns]
    if len(between) != len(filled) + 1:
        raise ValueError(f"{template!r} has {len(between) - 1} places for {len(filled)} columns")
    pieces = chain.from_iterable(zip_longest(between, filled))
    return pl.concat_str([piece for piece in pieces if piece is not None]).alias(filled[0].meta.output_name())
