"""The one way to write a dataset: changes that appear together or not at all, and new datasets.

```python
with change_dataset(folder) as change:
    change.update(frame)  # record_id and the columns that change
    change.decide(decision)

with new_dataset(out, name="league", taxonomy=load_taxonomy("football"), license="cc0-1.0") as new:
    new.add_records(records)
```

Rows are written part by part and batch by batch, so a dataset may be larger than memory; a part that nothing
changes keeps its files. Prose of the card, files that aren't ours and earlier decisions stay.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from offside_data.dataset.card import Card
from offside_data.dataset.card_block import CardBlock, TaxonomyFile, is_name, is_version
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.digest import dataset_digest, taxonomy_digest
from offside_data.dataset.folder import OffsideDataset, open_dataset, own_folder
from offside_data.dataset.journal import changing, replaced_content
from offside_data.dataset.pictures import PictureStore
from offside_data.dataset.replacing import dataset_files, ensure_place, keep_texts, replaced_files, tombstones_in
from offside_data.dataset.rows import frame_of, rows_of
from offside_data.dataset.storage import TABLES, Row, frame_schema, id_column
from offside_data.dataset.writer import CHANGELOG_FILE, TAXONOMY_FILE, TEXT_FILES, Content, Late, Rewrite, write_content
from offside_data.errors import DatasetChangedError, RecordError, TaxonomyError, UsageError
from offside_data.files import read_text
from offside_data.limits import CARD
from offside_data.outputs import taken_folder
from offside_data.reading import read_small
from offside_data.schema import SCHEMA_VERSION, Record
from offside_data.taxonomy import Taxonomy, parse_taxonomy

if TYPE_CHECKING:
    import polars as pl

Extra = Callable[[Path], None]
"""Writes further files into the folder that takes the dataset's place, its working area included."""


class NothingToDo(Exception):  # noqa: N818 - no error: it ends a transaction that turned out to change nothing.
    """Leaves the folder as it is."""


@dataclasses.dataclass(kw_only=True)
class Transaction(Content):
    """What a dataset will hold; see `writer.Content` for the fields. Nothing is written before its block ends.

    Args:
        extras: What else is to be written with it.
        changed: Whether anything was asked for.
        texts: What tells that somebody wrote into a text of the dataset since its transaction began.
    """

    extras: list[Extra] = dataclasses.field(default_factory=list)
    changed: bool = False
    texts: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    _ids: set[str] = dataclasses.field(default_factory=set)

    # -----------------------------------------------------------------------------------------
    # Records

    def add_records(self, records: Iterable[Record]) -> None:
        """Add records of any config and split, in any order; whether they are sound is looked at when they are written.

        Raises:
            RecordError: If the id of one was added before.
        """
        new = []
        for record in records:
            if record.record_id in self._ids:
                raise RecordError(f"record {record.record_id} was added before; every record needs an id of its own.")
            self._ids.add(record.record_id)
            new.append(record)
        if new:
            self.add_frame(frame_of(new, "multimodal", self.store))

    def add_frame(self, frame: pl.DataFrame) -> None:
        """Add records as a frame of all their columns; its pictures lie in files that `store` knows."""
        self.added.append(frame.select(list(frame_schema("multimodal"))))
        self.changed = True

    def update(self, frame: pl.DataFrame) -> None:
        """Change fields of records that are there.

        Args:
            frame: `record_id` and the columns that change, nulls included; every id once.

        Raises:
            RecordError: If an id stands twice: which of its rows is meant, nobody could say.
        """
        twice = frame["record_id"].filter(frame["record_id"].is_duplicated())
        if len(twice):
            raise RecordError(f"record {min(twice.to_list())} is to be changed twice; every id may stand once.")
        if len(frame):
            self.updates.append(frame)
            self.changed = True

    def update_records(self, records: Iterable[Record], fields: Collection[str]) -> None:
        """Change some fields of records that are there to what these records say."""
        self.update(frame_of(records, "multimodal", self.store, ["record_id", *fields]))

    def remove_records(self, record_ids: Iterable[str]) -> None:
        """Take records out."""
        self.removed.update(record_ids)
        self.changed = self.changed or bool(self.removed)

    def rewrite_records(self, rewrite: Rewrite) -> None:
        """Make all records anew, batch by batch, while they are written."""
        self.rewrite, self.changed = rewrite, True

    # -----------------------------------------------------------------------------------------
    # Tables, texts and decisions

    def set_table(self, name: str, rows: pl.DataFrame | Iterable[Row]) -> None:
        """Replace the table `subjects` or `images`."""
        import polars as pl

        self.tables[name] = rows if isinstance(rows, pl.DataFrame) else frame_of(rows, name, self.store)
        self.changed = True

    def table_rows(self, name: str) -> list[Row]:
        """The rows of a table as it will be, as plain mappings."""
        return rows_of(self.tables[name], self.store)

    def add_subjects(self, rows: Iterable[Row]) -> None:
        """Add rows of `tables/subjects.parquet` (`schema.columns_of`); keys left out are null.

        Raises:
            RecordError: If a row has unknown keys, or no `subject_id` or one that was added before.
        """
        self._add_rows("subjects", rows)

    def add_images(self, rows: Iterable[Row]) -> None:
        """Add rows of `tables/images.parquet` (`schema.columns_of`); keys left out are null.

        Raises:
            RecordError: If a row has unknown keys, or no `image_id` or one that was added before.
        """
        self._add_rows("images", rows)

    def _add_rows(self, table: str, rows: Iterable[Row]) -> None:
        import polars as pl

        columns, key, rows = list(frame_schema(table)), id_column(table), list(rows)
        names = set(self.tables[table][key].to_list())
        for row in rows:
            unknown = sorted(row.keys() - set(columns))
            if unknown:
                raise RecordError(f"table {table}: unknown columns {unknown}; allowed: {', '.join(columns)}.")
            name = row.get(key)
            if not name or name in names:
                raise RecordError(f"table {table}: every row needs a {key} of its own, got {name!r}.")
            names.add(name)
        self.set_table(table, pl.concat([self.tables[table], frame_of(rows, table, self.store)]))

    def set_taxonomy(self, text: str) -> None:
        """Replace `taxonomy.yaml`."""
        self.changed = self.changed or text != self.taxonomy_text
        self.taxonomy_text = text

    def decide(self, decisions: Iterable[Row]) -> None:
        """Add lines of `decisions.jsonl`."""
        before = len(self.decisions)
        self.decisions += decisions
        self.changed = self.changed or len(self.decisions) > before

    def decide_late(self, late: Late) -> None:
        """Add decisions that can be told only once all records are written; it may raise `NothingToDo`."""
        self.late.append(late)

    def also_write(self, extra: Extra) -> None:
        """Write further files together with the change."""
        self.extras.append(extra)

    def write_into(self, folder: Path) -> Card:
        """Write everything into an existing folder, for callers that see to it that it appears whole.

        Raises:
            DatasetError: If there are no records.
            RecordError: If a record breaks the data model.
            DatasetChangedError: If somebody wrote into a text of the dataset meanwhile, by hand for example.
        """
        card = write_content(self, folder)
        for extra in self.extras:
            extra(folder)
        if self.base is not None:
            self._require_texts(self.base.path)
        return card

    def _require_texts(self, folder: Path) -> None:
        now = _texts_of(folder)
        for name in sorted(now.keys() | self.texts.keys()):
            if now.get(name) != self.texts.get(name):
                raise DatasetChangedError(
                    f"{folder / name} was changed while the command was at work, so nothing was written: what stands "
                    "in it now would be lost. Run the command again."
                )


# ---------------------------------------------------------------------------------------------
# Beginning one


@contextlib.contextmanager
def change_dataset(dataset: str | Path | OffsideDataset) -> Iterator[Transaction]:
    """Change a dataset folder in place, all or nothing; see `dataset.journal`.

    A block that asks for nothing leaves the folder as it is. Nobody else can change it meanwhile.

    Args:
        dataset: The folder, or the dataset opened.

    Raises:
        DatasetReferenceError: If there is no such folder.
        CardError: If it has no card or a malformed one.
        RecordError: If a record would break the data model. Nothing is changed then.
        FolderInUseError: If another process changes it.
        DatasetChangedError: If it was changed since it was opened.
    """
    with changing(own_folder(dataset)):
        base = dataset if isinstance(dataset, OffsideDataset) else open_dataset(dataset)
        base.require_unchanged()
        change = transaction_of(base)
        yield change
        if change.changed:
            with contextlib.suppress(NothingToDo), replaced_content(base.path, dataset_files) as staged:
                change.write_into(staged)


def transaction_of(base: OffsideDataset) -> Transaction:
    """What `base` holds, to be changed, and written by the caller.

    Raises:
        DatasetError: If a part that its card lists is missing.
    """
    base.require_parts()
    texts, changelog = _texts_of(base.path), base.path / CHANGELOG_FILE
    return Transaction(
        card=copy.deepcopy(base.card),
        taxonomy_text=read_small(base.path / base.card.block.taxonomy.file, error=TaxonomyError, limit=CARD),
        changelog=read_text(changelog) if changelog.is_file() else None,
        decisions=read_decisions(base.path),
        base=base,
        texts=texts,
        store=base.pictures,
        tables={name: base.frame(name) for name in TABLES},
    )


def _texts_of(folder: Path) -> dict[str, tuple[int, ...]]:
    stats = {name: (folder / name).stat() for name in TEXT_FILES if (folder / name).is_file()}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


@contextlib.contextmanager
def new_dataset(
    out: Path,
    *,
    name: str,
    taxonomy: Taxonomy | str,
    version: str = "0.1.0",
    license: str = "unknown",
    pretty_name: str = "",
    description: str = "",
    force: bool = False,
    rows_per_shard: int | None = None,
    created_with: Mapping[str, str] | None = None,
) -> Iterator[Transaction]:
    """Make a dataset folder; it appears whole when the block ends without an error.

    Args:
        out: The folder to make.
        name: Name of the dataset.
        taxonomy: What the records' attributes mean, as an object or as YAML text (kept with its comments).
        version: Its semantic version.
        license: A Hub licence identifier, e.g. `cc-by-4.0`.
        pretty_name: Title of the card; the name if empty.
        description: First paragraph of the card.
        force: Replace a dataset that `out` holds; see `dataset.replacing`.
        rows_per_shard: Rows of a Parquet file, about; a picture's records stay together.
        created_with: Versions of what the content depends on, besides offside-data's own.

    Raises:
        UsageError: If name or version can't be one.
        OutputExistsError: If `out` already holds something that may not be replaced.
        FolderInUseError: If another process fills or changes it.
        DatasetError: If no record was added.
        RecordError: If a record breaks the data model.
    """
    if not is_name(name):
        raise UsageError(f"dataset name {name!r}: use letters, digits, dots, dashes and underscores only.")
    if not is_version(version):
        raise UsageError(f"dataset version {version!r}: write MAJOR.MINOR.PATCH, e.g. 1.2.0.")
    title = pretty_name or name
    text = taxonomy if isinstance(taxonomy, str) else _taxonomy_yaml(taxonomy)
    parsed = parse_taxonomy(text, where=TAXONOMY_FILE)  # Now, so that a malformed one is refused before any work.
    block = CardBlock(
        schema_version=SCHEMA_VERSION,
        name=name,
        version=version,
        digest=dataset_digest({}),
        taxonomy=TaxonomyFile(file=TAXONOMY_FILE, digest=taxonomy_digest(parsed)),
        splits={},
        settings=(),
        created_with=created_with or {},
    )
    front = {"pretty_name": title, "license": license}
    out = Path(out)
    with taken_folder(out, lambda: ensure_place(out, name=name, force=force)):
        new = Transaction(
            card=Card(block, front, f"# {title}\n\n{description}".strip() + "\n"),
            taxonomy_text=text,
            decisions=tombstones_in(out),
            rows_per_shard=rows_per_shard,
            store=PictureStore(),
            tables=_no_tables(),
        )
        yield new
        with replaced_content(out, replaced_files) as staged:
            keep_texts(out, staged)
            new.write_into(staged)


def _no_tables() -> dict[str, pl.DataFrame]:
    import polars as pl

    return {name: pl.DataFrame(schema=frame_schema(name)) for name in TABLES}


def _taxonomy_yaml(taxonomy: Taxonomy) -> str:
    plain = dataclasses.asdict(taxonomy)
    plain["attributes"] = [{key: value for key, value in a.items() if value} for a in plain["attributes"]]
    tuples_as_lists = json.loads(json.dumps(plain))
    return yaml.safe_dump(tuples_as_lists, sort_keys=False, allow_unicode=True, width=110)
