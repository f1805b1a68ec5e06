"""What the checks look at: a dataset by its columns, its files read once, large ones by two processes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.metadata
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset import digest as digests
from offside_data.dataset.card import Card
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.journal import work_folder
from offside_data.dataset.pictures import open_parquet
from offside_data.dataset.storage import TABLES, Row, config_of, frame_schema, id_column
from offside_data.errors import DatasetError, PictureError, RecordError
from offside_data.images.parts import add_part, read_parts
from offside_data.images.quality import measure
from offside_data.issues import Issue, Severity
from offside_data.processes import Workers, worth_sharing

if TYPE_CHECKING:
    import polars as pl

Work = Callable[..., Any]
"""`work(dataset, part, file, …)` looks at one file of a part; it is found by its name in another process."""
Files = Sequence[tuple[str, Path, int]]
"""Files of records, each with its part and the number of its rows."""
_Place = tuple[str, int, int, str | None, list[float] | None]
"""Where a picture lies (file, row group, row), why it can't be decoded, and its quality."""

NO_ID = "(no id)"
"""What rows are called that have no id."""
_WORDS = ("modality", "split", "attribute", "scope", "veracity", "rumor_channel")
_COLUMNS = (
    *("record_id", "subject_id", "image_id", *_WORDS, "question", "answer", "value"),
    *("corrects", "derived_from", "suspect"),
)
_PICTURES_WORTH_KEEPING = 1_000
"""From so many newly decoded pictures on a check remembers which they were."""
_ROWS_OF_PICTURES = 2_000
"""Rows whose pictures are in memory at a time."""
_FEW = 10_000
"""Rows in several files that are looked at at once: to ask polars costs the same for ten rows as for thousands."""


def severity_of(row: Mapping[str, Any]) -> Severity:
    """Of a contradiction: a warning once the record is flagged `suspect`, else an error."""
    return "warning" if row["suspect"] else "error"


@dataclass(frozen=True, eq=False, kw_only=True)
class CheckedDataset:
    """What a check looks at. Files that can't be read are left out and stand in `problems`.

    Args:
        dataset: The dataset, with its card, taxonomy and files.
        records: All records in the order of their files: `part`, `row` (which one of the part), the columns that say
            who claims what of whom, whether a source of it is `official`, and `picture_sha256` of the encoded bytes,
            null where none are stored. Columns of lists aren't here: `whole` and `map` read them.
        tables: `subjects` and `images`, with `row` and `picture_sha256` instead of the picture.
        sizes: How many rows each part has.
        files: Those of records.
        roots: The digest of each part and of the taxonomy, computed from the files.
        rehashed: `name`, `content_hash` and `leaf` of the records whose content isn't what its hash says.
        pictures: `picture_sha256`, `path`, `group`, `row` and `quality` (`Quality.to_row`) of each distinct picture.
        unreadable: Why a picture can't be decoded, by SHA-256.
        problems: Files and rows that can't be read.
        workers: The processes that share the work.
    """

    dataset: OffsideDataset
    records: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    sizes: dict[str, int]
    files: Files
    roots: dict[str, str]
    rehashed: pl.DataFrame
    pictures: pl.DataFrame
    unreadable: dict[str, str]
    problems: list[Issue]
    workers: Workers[_Opened]

    def map(self, work: Work, *args: Any) -> Iterator[Any]:
        """What `work(dataset, part, file, *args)` gives for each file of records, in their order; see `Work`."""
        parts = [part for part in self.sizes if part not in TABLES]
        return (found for _, found in _map(self.dataset, self.workers, parts, work, *args))

    def together(self, work: Work, *args: Any) -> Iterator[tuple[Files, Any]]:
        """What `work(dataset, files, *args)` gives for the files of records, small ones together, with those files."""
        groups, rows = list[list[tuple[str, Path, int]]](), _FEW
        for part, file, here in self.files:
            if rows + here > _FEW:
                groups.append([])
                rows = 0
            groups[-1].append((part, file, here))
            rows += here
        return zip(groups, self.workers.map(_of_files, ((files, work, args) for files in groups)), strict=True)

    def whole(self, some: pl.DataFrame, *columns: str) -> Iterator[Row]:
        """A few of `records` as plain mappings, with further columns from the files.

        Args:
            some: The rows of `records`, in their order.
            columns: What else is needed, e.g. `choices`.
        """
        import polars as pl

        for part in some["part"].unique(maintain_order=True):
            few, start = some.filter(pl.col("part") == part), 0
            for batch in self.dataset.batches(part, ["record_id", *columns]):
                here = few.filter(pl.col("row").is_between(start, start + len(batch) - 1))
                if len(here):
                    read = batch.select(columns)[(here["row"] - start).to_list()]
                    yield from here.with_columns(read).to_dicts()
                start += len(batch)

    def encoded(self, sha256s: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Pictures by SHA-256, in the order of their files, so that few are in memory at a time."""
        import polars as pl

        store = self.dataset.pictures
        wanted = self.pictures.filter(pl.col("picture_sha256").is_in(list(sha256s)))
        for sha256, path, group, row in wanted.select("picture_sha256", "path", "group", "row").rows():
            data = store.bytes_at(store.add(Path(path)), group, row)
            assert data is not None, "a picture without bytes has no hash"
            yield sha256, data


@contextlib.contextmanager
def look_at(dataset: OffsideDataset) -> Iterator[CheckedDataset]:
    """Read a dataset for its checks; other processes are at hand until the block ends if the dataset is large."""
    with Workers(_Opened(dataset), worth_sharing(_rows(dataset))) as workers:
        yield _read(dataset, workers)


class _Opened:
    """An opened dataset; another process opens it anew."""

    def __init__(self, dataset: OffsideDataset) -> None:
        self.dataset = dataset

    def __reduce__(self) -> tuple[Callable[[Path], _Opened], tuple[Path]]:
        return _open_anew, (self.dataset.path,)


def _open_anew(folder: Path) -> _Opened:
    return _Opened(OffsideDataset(folder, Card.load(folder)))


def _rows(dataset: OffsideDataset) -> int:
    rows = 0
    for part in dataset.record_parts():
        with contextlib.suppress(DatasetError):
            rows += sum(open_parquet(file).metadata.num_rows for file in dataset.files(part))
    return rows


def _map(
    dataset: OffsideDataset, workers: Workers[_Opened], parts: Sequence[str], work: Work, *args: Any
) -> Iterator[tuple[str, Any]]:
    """What `work` gives for each file of some parts, with the part."""
    return workers.map(_of_file, ((part, file, work, args) for part in parts for file in dataset.files(part)))


def _of_file(opened: _Opened, job: tuple[str, Path, Work, tuple[Any, ...]]) -> tuple[str, Any]:
    part, file, work, args = job
    return part, work(opened.dataset, part, file, *args)


def _of_files(opened: _Opened, job: tuple[Files, Work, tuple[Any, ...]]) -> Any:
    files, work, args = job
    return work(opened.dataset, files, *args)


def batches_of(dataset: OffsideDataset, files: Files, columns: Sequence[str], size: int) -> Iterator[pl.DataFrame]:
    """Rows of files in their order, those of several in one frame where they are few.

    Args:
        dataset: Whose files they are.
        files: They.
        columns: Which columns; `file`, its number in `files`, and `row`, the number in the file, are added.
        size: Rows of a frame, at least, but for the last.

    Raises:
        DatasetError: If a file is unreadable.
    """
    import polars as pl

    waiting: list[pl.DataFrame] = []
    for number, (part, file, _) in enumerate(files):
        start = 0
        for batch in dataset.batches(part, columns, [file], size):
            waiting.append(batch.with_row_index("row", start).with_columns(file=pl.lit(number, pl.UInt32)))
            start += len(batch)
            if sum(map(len, waiting)) >= size:
                yield pl.concat(waiting)
                waiting.clear()
    if waiting:
        yield pl.concat(waiting)


# ---------------------------------------------------------------------------------------------
# Reading


@dataclass(kw_only=True)
class _Look:
    """What was read of a part, a file or a batch; see `CheckedDataset`.

    Args:
        size: How many rows it has.
        rows: What is kept of those that can be read.
        leaves: `name` and `leaf` of each row.
        rehashed: As there.
        pictures: As there, with the `problem` of those that can't be decoded.
        issues: What can't be read.
        failed: Whether all of it can't.
    """

    size: int
    rows: pl.DataFrame
    leaves: pl.DataFrame
    rehashed: pl.DataFrame
    pictures: pl.DataFrame
    issues: list[Issue]
    failed: bool = False


def _joined(looks: Sequence[_Look]) -> _Look:
    import polars as pl

    starts = itertools.accumulate((look.size for look in looks), initial=0)
    moved = [look.rows.with_columns(pl.col("row") + start) for look, start in zip(looks, starts, strict=False)]
    frames = ("leaves", "rehashed", "pictures")
    return _Look(
        size=sum(look.size for look in looks),
        rows=pl.concat(moved),
        **{name: pl.concat([getattr(look, name) for look in looks]) for name in frames},
        issues=[issue for look in looks for issue in look.issues],
        failed=any(look.failed for look in looks),
    )


def _read(dataset: OffsideDataset, workers: Workers[_Opened]) -> CheckedDataset:
    import polars as pl

    parts, problems, store = [], [], _verified_folder(dataset)
    for part in dataset.parts():
        try:
            dataset.files(part)
            parts.append(part)
        except DatasetError as error:
            problems.append(Issue("error", "file-unreadable", part, str(error)))
    looks = {part: _nothing(part) for part in ("multimodal", *TABLES)}
    roots = {"taxonomy": digests.taxonomy_digest(dataset.taxonomy)}
    files: list[tuple[str, Path, int]] = []
    for part, found in itertools.groupby(_map(dataset, workers, parts, _look, store), key=lambda pair: pair[0]):
        read = [look for _, look in found]
        look = _joined(read)
        problems += look.issues
        if not look.failed:
            roots[part] = digests.frame_root(look.leaves["name"], look.leaves["leaf"])
            looks[part] = dataclasses.replace(look, leaves=look.leaves.clear())
            if part not in TABLES:
                files += ((part, file, of.size) for file, of in zip(dataset.files(part), read, strict=True))
    pictures = pl.concat([look.pictures for look in looks.values()]).unique("picture_sha256", maintain_order=True)
    _remember(store, pictures)
    records = [look for part, look in looks.items() if part not in TABLES]
    return CheckedDataset(
        dataset=dataset,
        records=pl.concat([look.rows for look in records]),
        tables={table: looks[table].rows for table in TABLES},
        sizes={part: len(looks[part].rows) for part in parts if part in roots},
        files=files,
        roots=roots,
        rehashed=pl.concat([look.rehashed for look in records]),
        pictures=pictures.drop("problem"),
        unreadable=dict(pictures.drop_nulls("problem").select("picture_sha256", "problem").rows()),
        problems=problems,
        workers=workers,
    )


def _nothing(part: str) -> _Look:
    """What an empty part looks like."""
    return dataclasses.replace(_empty(part), issues=[])


@functools.lru_cache(maxsize=64)
def _empty(part: str) -> _Look:
    """The same, made once: it costs as much as to look at a few rows."""
    import polars as pl

    batch = pl.DataFrame(schema=frame_schema(config_of(part)))
    hashes = pl.Series("picture_sha256", [], pl.String)
    return _look_of(part, batch, hashes, _distinct({}))


def _look(dataset: OffsideDataset, part: str, file: Path, store: Path) -> _Look:
    """Read a file."""
    looks = [_nothing(part)]
    verified = _verified(store, store.stat().st_mtime_ns) if store.is_dir() else {}
    try:
        looks += (_look_at(dataset, part, batch, verified) for batch in dataset.batches(part, files=[file]))
    except DatasetError as error:
        looks[0].issues.append(Issue("error", "file-unreadable", part, str(error)))
        looks[0].failed = True
    return _joined(looks)


def _look_at(dataset: OffsideDataset, part: str, batch: pl.DataFrame, verified: Mapping[str, list[float]]) -> _Look:
    return _look_of(part, batch, *_shown(dataset, batch, verified))


def _look_of(part: str, batch: pl.DataFrame, hashes: pl.Series, pictures: pl.DataFrame) -> _Look:
    """What is kept of rows, given the SHA-256 of each one's picture and the distinct pictures."""
    import polars as pl

    leaves, issues = _leaves(batch, hashes, id_column(part))
    key = pl.col(id_column(part))
    found = batch.with_row_index("row").with_columns(hashes, leaves, key.alias("name"))
    found = found.drop_nulls("leaf").with_columns(key.replace("", None).fill_null(NO_ID))
    if part in TABLES:
        rows = found.drop("name", "leaf", "image", strict=False)
    else:
        words = [pl.col(name).cast(pl.Categorical) if name in _WORDS else pl.col(name) for name in _COLUMNS]
        tiers = pl.col("sources").list.eval(pl.element().struct.field("tier"))
        official = tiers.list.contains("official").fill_null(False).alias("official")
        rows = found.select(pl.lit(part, pl.Categorical).alias("part"), "row", *words, official, "picture_sha256")
    stated = "content_hash" if part not in TABLES else "leaf"
    return _Look(
        size=len(batch),
        rows=rows,
        leaves=found.select("name", "leaf"),
        rehashed=found.filter(pl.col(stated).ne_missing(pl.col("leaf"))).select(
            pl.col(id_column(part)).alias("name"), pl.col(stated).alias("content_hash"), "leaf"
        ),
        pictures=pictures,
        issues=issues,
    )


def _leaves(batch: pl.DataFrame, hashes: pl.Series, key: str) -> tuple[pl.Series, list[Issue]]:
    """The leaves of rows, null where a row can't have one."""
    import polars as pl

    try:
        return digests.leaves(batch, hashes), []
    except RecordError:
        found: list[str | None] = []
        issues = []
    for place, name in enumerate(batch[key]):
        try:
            found.append(digests.leaves(batch[place : place + 1], hashes[place : place + 1])[0])
        except RecordError as error:
            found.append(None)
            issues.append(Issue("error", "record-invalid", name or NO_ID, str(error)))
    return pl.Series("leaf", found, pl.String), issues


def _shown(
    dataset: OffsideDataset, batch: pl.DataFrame, verified: Mapping[str, list[float]]
) -> tuple[pl.Series, pl.DataFrame]:
    """SHA-256 of the picture of each row; and each distinct picture, where it lies and what is wrong with it."""
    import polars as pl

    hashes = [pl.Series(dtype=pl.String)]
    found: dict[str, _Place] = {}
    for few in batch.iter_slices(_ROWS_OF_PICTURES) if "image" in batch.columns else ():
        places = few["image"].struct.unnest()
        pictures = dataset.pictures.take(places)
        hashes.append(digests.sha256_of(pictures))
        for at, sha256 in enumerate(hashes[-1]):
            if sha256 is not None and sha256 not in found:
                file, group, row, _ = places.row(at)
                looked = (None, verified[sha256]) if sha256 in verified else _look_over(pictures[at].as_py())
                found[sha256] = (str(dataset.pictures.files[file]), group, row, *looked)
    columns = (
        pl.concat(hashes) if "image" in batch.columns else pl.repeat(None, len(batch), dtype=pl.String, eager=True)
    )
    return columns.alias("picture_sha256"), _distinct(found)


def _distinct(found: Mapping[str, _Place]) -> pl.DataFrame:
    """Distinct pictures by SHA-256, as a table."""
    import polars as pl

    kinds: dict[str, pl.DataType | type[pl.DataType]] = {
        **{"picture_sha256": pl.String, "path": pl.String, "group": pl.UInt32, "row": pl.UInt32},
        **{"problem": pl.String, "quality": pl.List(pl.Float64)},
    }
    return pl.DataFrame([(sha256, *place) for sha256, place in found.items()], kinds, orient="row")


# ---------------------------------------------------------------------------------------------
# Pictures that were decoded before


def _look_over(data: bytes) -> tuple[str | None, list[float] | None]:
    """Why a picture can't be decoded, or its measures if it can."""
    try:
        return None, measure(data, "").to_row()
    except PictureError as error:
        return error.reason, None


def _verified_folder(dataset: OffsideDataset) -> Path:
    """Where the pictures stand that these versions could decode, and their measures; no release takes it along."""
    versions = (f"{name}-{importlib.metadata.version(name)}" for name in ("offside-data", "pillow"))
    return work_folder(dataset.path, "measured", "-".join(versions))


@functools.lru_cache(maxsize=1)
def _verified(store: Path, changed: int) -> Mapping[str, list[float]]:
    """What a folder of verified pictures holds; `changed` tells a folder from what it was before."""
    return {row["sha256"]: row["quality"] for row in read_parts(store)}


def _remember(store: Path, pictures: pl.DataFrame) -> None:
    """Keep which pictures could be decoded, so that the next check needn't."""
    import polars as pl

    known = frozenset(row["sha256"] for row in read_parts(store))
    fine = pictures.filter(pl.col("problem").is_null()).select("picture_sha256", "quality")
    new = [{"sha256": sha256, "quality": quality} for sha256, quality in fine.iter_rows() if sha256 not in known]
    if len(new) >= _PICTURES_WORTH_KEEPING:
        with contextlib.suppress(OSError):  # A dataset that may only be read is decoded anew each time.
            add_part(store, new)
