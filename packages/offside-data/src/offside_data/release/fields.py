"""Rows that two datasets both have and that differ: which fields, and whether only their form does.

They are read once from each dataset and kept in a temporary folder, some `_PER_BUCKET` at a time in the order of
their names, so that any number of them takes bounded memory.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import Row, config_of, frame_schema, id_column
from offside_data.errors import PictureError
from offside_data.files import temporary_folder
from offside_data.images.decode import decode_image
from offside_data.images.hashing import pixels_sha256
from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_may_say, same_value
from offside_data.tagging.words import contains, folded_words
from offside_data.taxonomy import Attribute

if TYPE_CHECKING:
    import polars as pl

_PER_BUCKET = 25_000
"""Rows of each of the two datasets that are in memory at once."""
_PER_FLUSH = 50_000
"""Rows that wait until they are written."""
_NAME = "(name)"
"""The column of the rows' ids: tables may have one of that name themselves."""
_ALIKE = "~"
"""Ends the name of a field of which only the form differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs.

    Args:
        field: Its name.
        before: What it was, as plain values; a picture by its hashes.
        after: What it is.
        alike: Whether only the form differs: the same value in other words, the same pixels in another encoding.
    """

    field: str
    before: Any
    after: Any
    alike: bool = False


class Pairs:
    """The rows of one kind that both datasets have and that differ; iterating gives the changes of each, by name.

    Args:
        a: The dataset as it was.
        b: The dataset as it is.
        names: Columns `name`, `part` and `part_after`, sorted by name: which rows, and where they lie.
    """

    def __init__(self, a: OffsideDataset, b: OffsideDataset, names: pl.DataFrame) -> None:
        import polars as pl

        self._datasets = (a, b)
        self._attributes = {attribute.name: attribute for attribute in b.taxonomy.attributes}
        self._schema = frame_schema(config_of(names["part_after"][0]))
        self._names = names.with_row_index("bucket").select(
            pl.col("name").alias(_NAME), pl.col("bucket") // _PER_BUCKET
        )
        self._folder = temporary_folder(self)
        self._files: dict[tuple[int, int], list[Path]] = {}
        for side, column in enumerate(("part", "part_after")):
            waiting: list[pl.DataFrame] = []
            for part in names[column].unique().sort():
                for batch in self._datasets[side].batches(part):
                    waiting.append(self._found(side, part, batch))
                    if sum(map(len, waiting)) >= _PER_FLUSH:
                        self._flush(side, waiting)
            self._flush(side, waiting)

    def __iter__(self) -> Iterator[tuple[FieldChange, ...]]:
        for bucket in self._buckets():
            for row in self._compared(bucket).iter_rows(named=True):
                yield tuple(self._change(row, field, alike) for field, alike in parse_sort(row["sort"]))

    def sorts(self) -> pl.Series:
        """What differs in each row, in words for `parse_sort`."""
        import polars as pl

        return pl.concat(self._compared(bucket)["sort"] for bucket in self._buckets())

    def _change(self, row: Row, field: str, alike: bool) -> FieldChange:
        if field == "image":
            before, after = self._hashes(row["sha256"]), self._hashes(row["sha256_after"])
        else:
            before, after = row[field], row[f"{field}_after"]
        return FieldChange(field=field, before=before, after=after, alike=alike)

    def _hashes(self, sha256: str | None) -> dict[str, str | None] | None:
        return None if sha256 is None else {"sha256": sha256, "pixels_sha256": self._pixels.get(sha256)}

    # -----------------------------------------------------------------------------------------
    # On disk

    def _found(self, side: int, part: str, batch: pl.DataFrame) -> pl.DataFrame:
        import polars as pl

        batch = batch.with_columns(pl.col(id_column(part)).fill_null("").alias(_NAME))
        found = batch.join(self._names, on=_NAME, maintain_order="left")
        if "image" not in found.columns:
            return found
        return found.with_columns(self._datasets[side].pictures.hashes(found["image"].struct.unnest()))

    def _flush(self, side: int, waiting: list[pl.DataFrame]) -> None:
        import polars as pl

        for rows in pl.concat(waiting).partition_by("bucket") if waiting else ():
            files = self._files.setdefault((side, rows["bucket"][0]), [])
            files.append(self._folder / f"{side}-{rows['bucket'][0]}-{len(files)}.arrow")
            rows.drop("bucket").write_ipc(files[-1], compression="lz4")
        waiting.clear()

    def _buckets(self) -> Iterator[int]:
        yield from range(self._names["bucket"].max() + 1)  # type: ignore[arg-type, operator]

    def _read(self, side: int, bucket: int) -> pl.DataFrame:
        import polars as pl

        rows = pl.concat(pl.read_ipc(file) for file in self._files[side, bucket])
        return rows.unique(_NAME, keep="last")  # `check` tells of ids that stand twice.

    # -----------------------------------------------------------------------------------------
    # Compared

    def _compared(self, bucket: int) -> pl.DataFrame:
        """What differs in the rows of a bucket, by name, with the columns in which any does, before and after."""
        import polars as pl

        rows = self._read(0, bucket).join(self._read(1, bucket), on=_NAME, suffix="_after").sort(_NAME)
        columns, said = [_NAME], []
        for field, kind in self._schema.items():
            if field == "content_hash":  # It follows from the others.
                continue
            column, typed = ("sha256", pl.String()) if field == "image" else (field, kind)
            before, after = _canonical(pl.col(column), typed), _canonical(pl.col(f"{column}_after"), typed)
            differs = rows.select(before.ne_missing(after)).to_series()
            if differs.any():
                columns += [column, f"{column}_after"]
                words = pl.Series([field + _ALIKE * alike for alike in self._alike(field, rows.filter(differs))])
                nothing = pl.repeat(None, len(rows), dtype=pl.String, eager=True)
                said.append(nothing.scatter(differs.arg_true(), words))
        sort = pl.concat_str(said, separator=" ", ignore_nulls=True) if said else pl.lit("")
        return rows.select(*columns, sort.alias("sort"))

    def _alike(self, field: str, rows: pl.DataFrame) -> list[bool]:
        """Whether only the form of a field differs, of rows in which it does."""
        if field == "image":
            pairs = rows.select("sha256", "sha256_after").iter_rows()
            return [None not in pair and self._pixels.get(pair[0]) == self._pixels.get(pair[1], "") for pair in pairs]
        if field in ("value", "answer") and "question" in self._schema:
            needed = rows.select("attribute_after", "value", "value_after", "answer", "answer_after")
            return [self._says_the_same(field, row) for row in needed.iter_rows(named=True)]
        return [False] * len(rows)

    def _says_the_same(self, field: str, row: Row) -> bool:
        """Whether value or answer of a record says the same in another form."""
        attribute = self._attributes.get(row["attribute_after"])
        before, after = (ClaimValue(**v) if _is_there(v) else None for v in (row["value"], row["value_after"]))
        if field == "value":
            return before is not None and after is not None and _same(before, after, attribute)
        if after is None:
            return folded_words(row["answer"]) == folded_words(row["answer_after"])
        return _states(row["answer_after"], after, attribute) or not _states(row["answer"], after, attribute)

    @functools.cached_property
    def _pixels(self) -> dict[str, str]:
        """Pixel hashes of the pictures that one of the two shows where the other shows another, by SHA-256."""
        import polars as pl

        shown: list[list[pl.DataFrame]] = [[], []]
        for bucket in self._buckets():
            sides = [self._read(side, bucket).select(_NAME, "sha256", "image") for side in (0, 1)]
            differing = sides[0].join(sides[1], on=_NAME).filter(pl.col("sha256").ne_missing(pl.col("sha256_right")))
            for side, rows in enumerate(sides):
                rows = rows.join(differing, on=_NAME, how="semi").drop_nulls("sha256").unique("sha256")
                shown[side].append(rows.select("sha256", pl.col("image").struct.unnest()))
        pixels: dict[str, str] = {}
        for dataset, found in zip(self._datasets, shown, strict=True):
            # In the order of the files, so that each row group is read once.
            for sha256, *place, _ in pl.concat(found).unique("sha256").sort("file", "group", "row").iter_rows():
                data = None if sha256 in pixels else dataset.pictures.bytes_at(*place)
                # An unreadable picture has no pixels to compare; `check` finds it.
                with contextlib.suppress(PictureError):
                    if data is not None:
                        pixels[sha256] = pixels_sha256(decode_image(data))
        return pixels


@functools.lru_cache(1024)
def parse_sort(words: str) -> tuple[tuple[str, bool], ...]:
    """The fields that differ, each with whether only its form does."""
    return tuple((word.removesuffix(_ALIKE), word.endswith(_ALIKE)) for word in words.split())


def _canonical(column: pl.Expr, kind: Any, *, inside: bool = False) -> pl.Expr:
    """A column as a leaf sees it: other forms of a letter are the letter, a struct of nulls is null but in a list."""
    import polars as pl

    if isinstance(kind, pl.String):
        return column.str.normalize("NFC")
    if isinstance(kind, pl.List):
        return column.list.eval(_canonical(pl.element(), kind.inner, inside=True))
    if isinstance(kind, pl.Struct):
        fields = [_canonical(column.struct.field(each.name), each.dtype).alias(each.name) for each in kind.fields]
        there = column.is_not_null() if inside else pl.any_horizontal(field.is_not_null() for field in fields)
        return pl.when(there).then(pl.struct(fields))
    return column


def _is_there(value: Mapping[str, Any] | None) -> bool:
    return value is not None and any(item is not None for item in value.values())


def _same(a: ClaimValue, b: ClaimValue, attribute: Attribute | None) -> bool:
    """Whether two values are the same without any tolerance: only how they are written may differ."""
    if dataclasses.replace(a, text=b.text) != b:
        return False
    if b.number is not None or b.date is not None or b.unit is not None:
        return True
    if attribute is not None and attribute.kind == b.kind and b.kind != "place":
        return same_value(a, b, attribute)
    return folded_words(a.text) == folded_words(b.text)  # A less precise place is another value.


def _states(answer: str, value: ClaimValue, attribute: Attribute | None) -> bool:
    if attribute is not None and attribute.kind == value.kind:
        return answer_may_say(answer, value, attribute)
    return contains(folded_words(answer), folded_words(value.text))
