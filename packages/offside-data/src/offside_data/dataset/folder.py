"""Open a dataset folder: its card, rows, pictures, digests, and the requests that a setting makes of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offside_data.dataset import digest as digests
from offside_data.dataset.arrow_rows import dataset_of, decoded, undecoded
from offside_data.dataset.card import Card
from offside_data.dataset.journal import finish_replacement, state_of
from offside_data.dataset.pictures import PictureStore, require_embedded
from offside_data.dataset.reference import ResolvedReference, local_folder, parse_reference
from offside_data.dataset.rows import records_of, rows_of
from offside_data.dataset.storage import (
    ROWS_PER_BATCH,
    TABLE_SPLIT,
    TABLES,
    Row,
    config_of,
    frame_schema,
    id_column,
    read_batches,
    read_table,
    shard_paths,
)
from offside_data.errors import DatasetChangedError, DatasetError, DigestMismatchError
from offside_data.hub.cache import cached_dataset, note_verified
from offside_data.notebook import html_form, short
from offside_data.plugins import unknown_name_message
from offside_data.progress import log
from offside_data.request import Request, make_request
from offside_data.schema import RECORD_PARTS, SPLITS, VISUAL_CHANNELS, Record, features_of
from offside_data.settings import Slice, slices_of
from offside_data.taxonomy import load_taxonomy

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa

__all__ = ["OffsideDataset", "Request", "load", "open_dataset"]


class OffsideDataset:
    """A dataset folder. Opening reads the card and the taxonomy; records are read when asked for.

    Args:
        path: The folder.
        card: Its card.
        commit: The commit it was fetched from, if it was.

    What is read later is what lay there when it was opened: once it was changed, reading raises
    `DatasetChangedError`, so that no two states are ever mixed.

    Raises:
        TaxonomyError: If the taxonomy is missing or malformed.
    """

    def __init__(self, path: Path, card: Card, commit: str | None = None) -> None:
        self.path = path
        self.card = card
        self._state = state_of(path)
        self.taxonomy = load_taxonomy(path / card.block.taxonomy.file)
        self.ref = ResolvedReference(path, card.name, card.version, commit, card.digest)
        self.pictures = PictureStore(guard=self.require_unchanged)
        self._rows: dict[str, datasets.Dataset] = {}

    def __repr__(self) -> str:
        return short("OffsideDataset", [*self.card.facts(), ("folder", str(self.path))])

    def _repr_html_(self) -> str:
        return html_form("OffsideDataset", [*self.card.facts(), ("folder", str(self.path))], *self.card.part_table())

    @property
    def name(self) -> str:
        """Name of the dataset."""
        return self.card.name

    @property
    def version(self) -> str:
        """Semantic version of the dataset."""
        return self.card.version

    @property
    def digest(self) -> str:
        """Digest that the card states; `verify` recomputes it."""
        return self.card.digest

    def require_unchanged(self) -> None:
        """Make sure that what was read so far belongs together.

        Raises:
            DatasetChangedError: If the dataset was changed since it was opened.
        """
        if state_of(self.path) != self._state:
            raise DatasetChangedError(
                f"{self.path} was changed by another command while it was read. Run the command again, or open the "
                "dataset again."
            )

    def record_parts(self) -> list[str]:
        """The `config/split`s that there are records of, in the order of `CONFIGS` and `SPLITS`."""
        return [part for part in RECORD_PARTS if self.has(*part.split("/"))]

    def has(self, config: str, split: str) -> bool:
        """Whether there are records of this config and split."""
        return any((self.path / "data" / config).glob(f"{split}-*.parquet"))

    def parts(self) -> list[str]:
        """Everything that is stored as Parquet: `record_parts()`, then the tables that have rows."""
        return [*self.record_parts(), *(table for table in TABLES if shard_paths(self.path, table))]

    def files(self, part: str) -> list[Path]:
        """The Parquet files of a part, in order.

        Raises:
            DatasetError: If there are none, naming what is there, or some are missing.
        """
        found = shard_paths(self.path, part)
        if not found:
            raise DatasetError(f"{self.path}: {unknown_name_message('part', part, self.parts())}")
        return found

    def require_parts(self) -> None:
        """Refuse a folder that lacks a whole part: written anew, its card would no longer tell that one was lost.

        Raises:
            DatasetError: If there is no file of a part that the card says has rows; names all of them.
        """
        lost = [
            part for part, said in self.card.block.splits.items() if said.records and not self.has(*part.split("/"))
        ]
        sizes = self.card.stated_sizes()
        lost += [table for table in TABLES if sizes.get((table, TABLE_SPLIT)) and not shard_paths(self.path, table)]
        if lost:
            raise DatasetError(
                f"{self.path}: the files of {', '.join(lost)} are missing, though the card lists them. "
                "Put them back, or fetch the dataset again."
            )

    # -----------------------------------------------------------------------------------------
    # By columns

    def batches(
        self,
        part: str,
        columns: Sequence[str] | None = None,
        files: Sequence[Path] | None = None,
        size: int = ROWS_PER_BATCH,
    ) -> Iterator[pl.DataFrame]:
        """A part in frames of some rows, in the order of its files, never cutting a row group.

        `image` is the place of a picture (`dataset.pictures`), null where there is none; no picture is read.

        Args:
            part: `config/split`, `subjects` or `images`.
            columns: Which columns; all if null. Fewer columns are read faster.
            files: Which of its files; all if null.
            size: Rows of a frame, at least, but for the last of a file.

        Raises:
            DatasetError: If it is missing or unreadable.
        """
        for path in self.files(part) if files is None else files:
            for batch in read_batches(path, config_of(part), self.pictures, columns, size):
                self.require_unchanged()
                yield batch

    def frame(self, part: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """A part as one frame, as `batches`; empty for a table without rows.

        Raises:
            DatasetError: If it is missing or unreadable.
        """
        import polars as pl

        schema = frame_schema(config_of(part))
        wanted = [name for name in schema if columns is None or name in columns]
        empty = pl.DataFrame(schema={name: schema[name] for name in wanted})
        if part in TABLES and not shard_paths(self.path, part):
            return empty
        return pl.concat([empty, *self.batches(part, columns)])

    def claims(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """All records of all parts as one frame, with a further column `part`.

        A million records take about 1 GB with all columns, some 100 MB with a few short ones.

        Raises:
            DatasetError: If a file is unreadable, or a part is missing.
        """
        import polars as pl

        self.require_parts()
        frames = [
            self.frame(part, columns).with_columns(pl.lit(part).cast(pl.Categorical).alias("part"))
            for part in self.record_parts()
        ]
        return pl.concat(frames)

    def iter_records(self, columns: Sequence[str] | None = None, part: str | None = None) -> Iterator[Record]:
        """Records, one after the other; their pictures are read when asked for.

        Args:
            columns: Fields that are read; the others have their defaults. All if null.
            part: `config/split`; all if null.
        """
        for chosen in self.record_parts() if part is None else [part]:
            for batch in self.batches(chosen, columns):
                yield from records_of(batch, self.pictures)

    def table_rows(self, table: str) -> list[Row]:
        """The rows of a table as plain mappings; `image` is a picture or null."""
        return rows_of(self.frame(table), self.pictures)

    def hashed_batches(
        self, part: str, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        """As `batches`, each with the hex SHA-256 of the encoded picture of every row, null where there is none."""
        import polars as pl

        asked = columns if columns is None or "image" in columns else [*columns, "image"]
        for batch in self.batches(part, asked):
            if "image" in batch.columns:
                yield batch, self.pictures.hashes(batch["image"].struct.unnest())
            else:
                yield batch, pl.repeat(None, len(batch), dtype=pl.String, eager=True).alias("sha256")

    def picture_places(self, *, tables: bool = False) -> pl.DataFrame:
        """Where each picture lies, once, though many records may share it: image_id, file, group and row.

        Args:
            tables: Also those of the table of pictures, which no record shows: the twins of visual rumours.

        Raises:
            DatasetError: If a file isn't readable.
        """
        import polars as pl

        columns = ["image_id", "image"]
        parts = [part for part in self.record_parts() if part.startswith("multimodal/")]
        frames = [self.frame(part, columns).select(columns) for part in (*parts, *(["images"] if tables else []))]
        empty = pl.DataFrame(schema={name: frame_schema("multimodal")[name] for name in columns})
        first = pl.concat([empty, *frames]).drop_nulls().unique("image_id", keep="first", maintain_order=True)
        return first.select("image_id", pl.col("image").struct.unnest()).drop("path").sort("file", "group", "row")

    def encoded_pictures(
        self, image_ids: Collection[str] | None = None, *, tables: bool = False
    ) -> Iterator[tuple[str, bytes]]:
        """Id and encoded bytes of pictures, each once, in the order of the files; few are in memory at a time.

        Args:
            image_ids: Which pictures; all if null.
            tables: As `picture_places`.
        """
        places = self.picture_places(tables=tables)
        if image_ids is not None:
            wanted = set(image_ids)
            places = places.filter(places["image_id"].is_in(wanted))
        for image_id, *place in places.iter_rows():
            data = self.pictures.bytes_at(*place)
            if data is not None:
                yield image_id, data

    # -----------------------------------------------------------------------------------------
    # As `datasets` gives them

    def read(self, part: str) -> pa.Table:
        """A part as one Arrow table that holds each distinct picture about once (`storage.read_table`).

        Raises:
            DatasetError: If it is missing or unreadable.
        """
        table = read_table(self.files(part), features_of(config_of(part)))
        self.require_unchanged()
        return table

    def rows(self, part: str) -> datasets.Dataset:
        """A part as `datasets` gives it, pictures undecoded: `row["image"]` is `{"bytes", "path"}` or null.

        Raises:
            DatasetError: If it is missing or unreadable.
        """
        if part not in self._rows:
            rows = dataset_of(self.files(part), features_of(config_of(part)))
            self.require_unchanged()
            self._rows[part] = rows
        return self._rows[part]

    def records(self, config: str, split: str) -> datasets.Dataset:
        """The records of a split, pictures undecoded.

        Raises:
            DatasetError: If there are none; names what there is.
        """
        return self.rows(f"{config}/{split}")

    def subjects(self) -> datasets.Dataset:
        """The table of subjects; empty if there is none."""
        return self._table("subjects")

    def images(self) -> datasets.Dataset:
        """The table of pictures, undecoded; empty if there is none."""
        return self._table("images")

    def _table(self, table: str) -> datasets.Dataset:
        if table in self.parts():
            return self.rows(table)
        from datasets import Dataset

        return undecoded(Dataset.from_dict({name: [] for name in features_of(table)}, features_of(table)))

    def slice(self, part: Slice) -> datasets.Dataset:
        """The records of a slice.

        Raises:
            DatasetError: If its config and split aren't there.
        """
        rows = self.records(part.config, part.split)
        keep = list(range(len(rows)))
        if part.scope is not None:
            scopes = list(rows["scope"])
            keep = [i for i in keep if scopes[i] == part.scope]
        if part.visual is not None:
            pictures = list(rows["image_id"])
            visual = self.visual_pictures(part.split)
            keep = [i for i in keep if (pictures[i] in visual) == part.visual]
        return rows if len(keep) == len(rows) else rows.select(keep)

    def visual_pictures(self, split: str) -> set[str]:
        """Ids of the pictures of a split in which a rumour is readable."""
        if not self.has("multimodal", split):
            return set()
        rows = self.records("multimodal", split)
        channels = zip(rows["image_id"], rows["rumor_channel"], strict=True)
        return {picture for picture, channel in channels if channel in VISUAL_CHANNELS}

    def settings(self) -> list[str]:
        """The unlearning settings that the card offers."""
        return list(self.card.block.settings)

    def slices(self) -> set[str]:
        """Names of the slices that aren't empty; see `settings.slices_of`."""
        pairs = {part: self.frame(part, ["scope", "rumor_channel"]).unique().rows() for part in self.record_parts()}
        return slices_of(pairs)

    def request(self, setting: str, only: Sequence[str] = ()) -> Request:
        """What `setting`, narrowed by `only`, asks to forget and to keep.

        Args:
            setting: Name of a setting that the card offers.
            only: `subject=ID`, `attribute=NAME` or `file=PATH`; see `request.make_request`.

        Raises:
            UsageError: If the setting isn't offered, or an item of `only` fits no record.
        """
        return make_request(self, setting, only)

    def leaves(self, part: str) -> pl.DataFrame:
        """Name and leaf of each row of a part, recomputed from the files: columns `name` and `leaf`.

        Raises:
            DatasetError: If a file isn't readable, or of a picture only a path is stored.
        """
        import polars as pl

        found = [pl.DataFrame(schema={"name": pl.String, "leaf": pl.String})]
        for batch, pictures in self.hashed_batches(part):
            if "image" in batch.columns:
                lost = batch.filter(batch["image"].is_not_null() & pictures.is_null())
                require_embedded(f"{self.path}: {part}", lost["image"].struct.field("path").to_list())
            found.append(pl.DataFrame({"name": batch[id_column(part)], "leaf": digests.leaves(batch, pictures)}))
        return pl.concat(found)

    def roots(self) -> dict[str, str]:
        """The digest of each part and of the taxonomy, recomputed from the files."""
        leaves = {part: self.leaves(part) for part in self.parts()}
        roots = {part: digests.frame_root(found["name"], found["leaf"]) for part, found in leaves.items()}
        return {**roots, "taxonomy": digests.taxonomy_digest(self.taxonomy)}

    def verify(self) -> str:
        """Recompute the dataset's digest from its files and return it.

        Raises:
            DigestMismatchError: If it isn't what the card says; names the parts that differ.
        """
        roots = self.roots()
        self.require_digest(roots)
        return digests.dataset_digest(roots)

    def require_digest(self, roots: Mapping[str, str]) -> None:
        """Compare recomputed roots with the card.

        Raises:
            DigestMismatchError: If the card's digest is another; names the parts that differ.
        """
        found = digests.dataset_digest(roots)
        if found == self.digest:
            return
        # The card states no digest of its own for the tables: when nothing else differs, it is one of them.
        stated = {part: root for part, root in roots.items() if part in TABLES}
        stated |= {part: facts.digest for part, facts in self.card.block.splits.items()}
        stated["taxonomy"] = self.card.block.taxonomy.digest
        differ = sorted(p for p in stated.keys() | roots.keys() if stated.get(p) != roots.get(p))
        raise DigestMismatchError(
            f"{self.path}: the card says {self.digest}, the data has {found} (differs: "
            f"{', '.join(differ) or ' or '.join(TABLES)}). Data and card were not changed together."
        )


def folder_of(dataset: str | Path | OffsideDataset) -> Path:
    """The folder of a dataset, to be read: of one that is open, or that a reference stands for.

    Raises:
        DatasetReferenceError: If the reference is malformed or stands for nothing.
        HubError: If it is one to the Hub, and that can't be had.
        DigestMismatchError: If what came from the Hub isn't what its card says.
    """
    return dataset.path if isinstance(dataset, OffsideDataset) else _found(dataset)[0]


def own_folder(dataset: str | Path | OffsideDataset) -> Path:
    """The folder of a dataset, to be changed.

    Raises:
        DatasetReferenceError: If the reference is malformed, stands for nothing, or is one to the Hub.
    """
    return dataset.path if isinstance(dataset, OffsideDataset) else local_folder(parse_reference(dataset))


def _found(ref: str | Path) -> tuple[Path, str | None]:
    """The folder that a reference stands for, and the commit if it is one of the Hub."""
    reference = parse_reference(ref)
    if reference.kind == "folder":
        return local_folder(reference), None
    cached = cached_dataset(reference)
    if not cached.verified:
        log(f"{reference.repo} {cached.version}: verifying its digest …")
        note_verified(reference, cached, OffsideDataset(cached.path, Card.load(cached.path)).verify())
    return cached.path, cached.commit


def open_dataset(ref: str | Path) -> OffsideDataset:
    """Open a dataset, as it was before a change of it or as it is after, never between.

    Raises:
        DatasetReferenceError: If the reference is malformed or stands for nothing.
        CardError: If the folder has no card or a malformed one.
        DatasetError: If a change of it was interrupted and can't be finished.
    """
    path, commit = _found(ref)
    while True:
        finish_replacement(path)
        before = state_of(path)
        dataset = OffsideDataset(path, Card.load(path), commit)
        if before is not None and before == state_of(path):
            return dataset


def load(
    ref: str | Path, config: str = "multimodal", split: str | None = None
) -> datasets.Dataset | datasets.DatasetDict:
    """Plain `datasets` rows with decoded pictures, as `datasets.load_dataset` gives them.

    Args:
        ref: A dataset reference.
        config: `multimodal`, `text`, `subjects` or `images`.
        split: A split; null gives all of them as a `DatasetDict`.

    Raises:
        DatasetError: If there is no such config or split.
    """
    import datasets

    dataset = open_dataset(ref)
    if config in TABLES:
        parts = {TABLE_SPLIT: config} if config in dataset.parts() else {}
    else:
        parts = {s: f"{config}/{s}" for s in SPLITS if dataset.has(config, s)}
    if not parts or (split is not None and split not in parts):
        asked = f"{config}/{split}" if split else config
        known = [part if "/" in part else f"{part}/{TABLE_SPLIT}" for part in dataset.parts()]
        raise DatasetError(f"{dataset.path}: {unknown_name_message('config/split', asked, known)}")
    if split is not None:
        return decoded(dataset.rows(parts[split]))
    return datasets.DatasetDict({name: decoded(dataset.rows(part)) for name, part in parts.items()})
