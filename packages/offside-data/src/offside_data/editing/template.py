"""Templates: tables of chosen records with the columns that can be changed, filled in with what they say now.

A template that nobody touches asks for nothing when it is fed back.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.adapters._tables.cells import CHANNEL_WORDS, SPLIT_WORDS, VERACITY_WORDS, word_of
from offside_data.dataset.access import reads
from offside_data.dataset.card import FILE_NAME
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.rows import records_of
from offside_data.dataset.writer import TAXONOMY_FILE
from offside_data.editing.columns import CONTEXT, EDITABLE, KEY, READ, texts_of, written
from offside_data.errors import OutputExistsError, UsageError
from offside_data.files import whole_file
from offside_data.plugins import require_known

if TYPE_CHECKING:
    import polars as pl

WHERE = {
    **{name: name for name in ("split", "attribute", "scope", "veracity", "rumor_channel")},
    **{"subject": "subject_id", "image": "image_id", "record": "record_id", "config": "modality", "suspect": "suspect"},
}
"""What records can be chosen by, and the fields that are compared."""
FORMS = "KEY=VALUE with one of split, attribute, scope, veracity, rumor_channel, subject, image, record, config, \
suspect=yes|no, or text~WORDS"
"""How a condition is written."""
_WORDS: dict[str, Mapping[str, str]] = {
    "split": SPLIT_WORDS,
    "veracity": VERACITY_WORDS,
    "rumor_channel": CHANNEL_WORDS,
    "suspect": {"yes": "yes", "no": "no"},
}
_CELL, _ROWS = 32_767, 1_048_576
"""What a sheet of a workbook can hold: characters of a cell, and rows."""
_ROWS_AT_ONCE = 10_000
Row = tuple[str, ...]


@reads
def write_template(
    folder: str | Path, out: str | Path, where: Sequence[str] = (), *, columns: Sequence[str] = EDITABLE
) -> int:
    """Write a table of records to be changed; gives their number.

    Args:
        folder: The dataset.
        out: The file: `.csv`, `.xlsx` or `.parquet`.
        where: Conditions (`FORMS`). Several of one key add up, those of different keys narrow each other.
        columns: Those to fill in, after the ones that say what a record is about.

    Raises:
        DatasetReferenceError: If there is no such dataset.
        UsageError: If a condition is malformed or no record fits, or the file can't be written or hold them.
        OutputExistsError: If the file is there: somebody may have filled it in.
    """
    path = Path(out)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise UsageError(f"{path}: a template is a table; end its name in {', '.join(_WRITERS)}.")
    require_known("column", columns, EDITABLE)
    dataset, header = open_dataset(folder), (KEY, *CONTEXT, *columns)
    _require_outside(path, dataset.path)
    if os.path.lexists(path):
        raise OutputExistsError(f"{path} is there already, and may be filled in. Give another file, or delete it.")
    rows = _rows(dataset, condition_of(dataset, where), header)
    first = next(rows, None)
    if first is None:
        said = f" fits --where {' '.join(where)}" if where else ""
        raise UsageError(f"{dataset.path}: no record{said}.{hint(dataset, where)}")
    try:
        with whole_file(path) as partial:
            return write(partial, path, itertools.chain([header, first], rows)) - 1
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}.") from error


def _require_outside(path: Path, folder: Path) -> None:
    """Refuse a place among a dataset's own files: there a template would be published, or take the place of one.

    Raises:
        UsageError: If `path` lies in `folder` or in another dataset.
    """
    place = path.resolve()
    for parent in place.parents:
        if parent == folder.resolve() or ((parent / TAXONOMY_FILE).is_file() and (parent / FILE_NAME).is_file()):
            raise UsageError(f"{path}: lies in the dataset {parent}, so it would be published. Write it elsewhere.")


def _rows(dataset: OffsideDataset, keep: pl.Expr, header: Row) -> Iterator[Row]:
    for part in dataset.record_parts():
        for batch in dataset.batches(part, READ):
            for record in records_of(batch.filter(keep), dataset.pictures):
                texts = texts_of(record)
                yield tuple(texts[column] for column in header)


# ---------------------------------------------------------------------------------------------
# Which records


def condition_of(dataset: OffsideDataset, where: Sequence[str]) -> pl.Expr:
    """The condition on records that `--where` asks for.

    Args:
        dataset: The dataset.
        where: As `write_template`.

    Raises:
        UsageError: If an item is malformed.
    """
    import polars as pl

    alternatives: dict[str, pl.Expr] = {}
    for item in where:
        key, value = _parsed(item)
        if key == "text":
            said = pl.concat_str("question", "answer", separator=" ").str.to_lowercase()
            condition = pl.all_horizontal(said.str.contains(word, literal=True) for word in value.lower().split())
        elif key == "suspect":
            condition = pl.col("suspect").is_not_null() if value == "yes" else pl.col("suspect").is_null()
        elif key == "subject":
            condition = pl.col("subject_id").is_in(_subjects(dataset, value))
        elif key == "image":
            condition = pl.col("image_id").is_in(_pictures(dataset, value))
        else:
            condition = pl.col(WHERE[key]) == value
        alternatives[key] = alternatives[key] | condition if key in alternatives else condition
    return pl.all_horizontal(alternatives.values()) if alternatives else pl.lit(True)


def _parsed(item: str) -> tuple[str, str]:
    """Key and value of a condition.

    Raises:
        UsageError: If it is malformed.
    """
    sign = "~" if item.partition("=")[0].startswith("text") else "="
    key, found, value = (part.strip() for part in item.partition(sign))
    if not found or not value:
        raise UsageError(f"--where takes {FORMS}; got {item!r}.")
    require_known("key", [key], (*WHERE, "text"), where="--where")
    if key in _WORDS:
        try:
            return key, word_of(value, key.replace("_", " "), _WORDS[key]) or ""
        except ValueError as problem:
            raise UsageError(f"--where {item}: {problem}.") from problem
    return key, value


def _subjects(dataset: OffsideDataset, said: str) -> list[str]:
    """Ids of the subjects of this id or name."""
    import polars as pl

    subjects = dataset.frame("subjects", ["subject_id", "name"])
    named = subjects.filter(pl.col("name").str.to_lowercase() == said.lower())
    return [said, *named["subject_id"].to_list()]


def _pictures(dataset: OffsideDataset, said: str) -> list[str]:
    """Ids of the pictures of this id, or of this name where they came from."""
    import polars as pl

    images = dataset.frame("images", ["image_id", "source"])
    named = images.filter((pl.col("source") == said) | pl.col("source").str.ends_with(f":{said}"))
    return [said, *named["image_id"].to_list()]


def hint(dataset: OffsideDataset, where: Sequence[str]) -> str:
    """Of the first condition that no record fits, what comes near."""
    for item in where:
        key, value = _parsed(item)
        if key in ("text", "suspect"):
            continue
        column = WHERE[key]
        known = {name for part in dataset.record_parts() for name in dataset.frame(part, [column])[column].unique()}
        if key == "subject":
            known |= set(dataset.frame("subjects", ["name"])["name"])
        elif key == "image":
            known |= set(dataset.frame("images", ["source"])["source"])
        names = sorted(name for name in known if name)
        if value not in names and value.lower() not in map(str.lower, names):
            near = difflib.get_close_matches(value, names, n=1)
            return (f" Did you mean {key}={near[0]}?" if near else "") + (
                f" There are: {', '.join(names)}." if len(names) <= 12 else ""
            )
    return ""


# ---------------------------------------------------------------------------------------------
# Files


def _to_csv(file: Path, path: Path, rows: Iterator[Row]) -> int:
    # With a byte order mark, for spreadsheets take any other file for one of their own code page.
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        count = 0
        for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is their number.
            writer.writerow([written(text, formulas=True) for text in row])
    return count


def _to_workbook(file: Path, path: Path, rows: Iterator[Row]) -> int:
    import xlsxwriter

    count = 0
    with contextlib.closing(xlsxwriter.Workbook(file, {"constant_memory": True})) as book:
        sheet = book.add_worksheet("records")
        sheet.freeze_panes(1, 1)
        for row in rows:
            if count >= _ROWS or any(len(text) >= _CELL for text in row):
                raise UsageError(f"{path}: a sheet holds {_ROWS:,} rows and {_CELL:,} characters a cell; write a .csv.")
            for column, text in enumerate(row):
                if text:  # As text, so that `007` and `=1+1` stay what they are.
                    sheet.write_string(count, column, written(text, formulas=False))
            count += 1
    return count


def _to_parquet(file: Path, path: Path, rows: Iterator[Row]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, count = pa.schema([(name, pa.string()) for name in next(rows)]), 1
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            columns = zip(*([written(text, formulas=False) or None for text in row] for row in batch), strict=True)
            writer.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=schema))
            count += len(batch)
    return count


_WRITERS: dict[str, Callable[[Path, Path, Iterator[Row]], int]] = {
    ".csv": _to_csv,
    ".xlsx": _to_workbook,
    ".parquet": _to_parquet,
}
"""Each writes rows, the header first, and gives their number, the header counted."""
