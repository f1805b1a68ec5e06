"""Write a dataset folder: Parquet shards, tables, card, taxonomy, changelog and decisions."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from offside_data.dataset import digest as digests
from offside_data.dataset.card import BLOCK, FILE_NAME, Card, is_name, is_version
from offside_data.dataset.card_text import write_sections
from offside_data.dataset.decisions import DECISIONS_FILE, decisions_text
from offside_data.dataset.front_matter import REWRITTEN, Part, hub_metadata
from offside_data.dataset.storage import TABLES, Row, id_column, read_table, write_file, write_shards
from offside_data.errors import DatasetError, RecordError, UsageError
from offside_data.files import ensure_free, whole_folder
from offside_data.request import settings_of, slices_of
from offside_data.schema import CONFIGS, SCHEMA_VERSION, SPLITS, Record, features_of
from offside_data.taxonomy import Taxonomy, parse_taxonomy
from offside_data.validation import validate_record

TAXONOMY_FILE = "taxonomy.yaml"
CHANGELOG_FILE = "CHANGELOG.md"


class DatasetWriter:
    """Collects records and tables, and writes the whole folder when its block ends without an error.

    ```python
    with DatasetWriter(out, name="league", taxonomy=load_taxonomy("football"), license="cc0-1.0") as writer:
        writer.add_records(records)
    ```

    Args:
        out: The folder to make.
        name: Name of the dataset.
        taxonomy: What the records' attributes mean, as an object or as YAML text (kept with its comments).
        version: Its semantic version.
        license: A Hub licence identifier, e.g. `cc-by-4.0`.
        pretty_name: Title of the card; the name if empty.
        description: First paragraph of the card.
        force: Replace what `out` holds.
        rows_per_shard: Rows of a Parquet file, about; a picture's records stay together.
        created_with: Versions of what the content depends on, besides offside-data's own.
        card: An earlier card: its prose and the front matter that people write (license, tags, …) win.
        changelog: Text of `CHANGELOG.md`; null writes a first one.

    Raises:
        UsageError: If name or version can't be one.
        OutputExistsError: On entering, if `out` already holds something.
    """

    def __init__(
        self,
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
        card: Card | None = None,
        changelog: str | None = None,
    ) -> None:
        if not is_name(name):
            raise UsageError(f"dataset name {name!r}: use letters, digits, dots, dashes and underscores only.")
        if not is_version(version):
            raise UsageError(f"dataset version {version!r}: write MAJOR.MINOR.PATCH, e.g. 1.2.0.")
        self.out = Path(out)
        self._force = force
        self._rows_per_shard = rows_per_shard
        self._taxonomy_text = taxonomy if isinstance(taxonomy, str) else _taxonomy_yaml(taxonomy)
        self.taxonomy = parse_taxonomy(self._taxonomy_text, where=TAXONOMY_FILE)
        self._name, self._version, self._license = name, version, license
        self._title, self._description = pretty_name or name, description
        self._created_with = {"offside-data": installed_version("offside-data"), **(created_with or {})}
        self._card = card
        self._changelog = changelog
        self._records: dict[str, list[Row]] = {}
        self._ids: set[str] = set()
        self._tables: dict[str, list[Row]] = {table: [] for table in TABLES}
        self._decisions: list[Row] = []

    def __enter__(self) -> Self:
        ensure_free(self.out, force=self._force)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._require_records()
            with whole_folder(self.out, force=self._force) as folder:
                self.write_to(folder)

    def _require_records(self) -> None:
        if not self._records:
            raise DatasetError(f"{self.out}: no record was added; a dataset needs at least one.")

    def add_records(self, records: Iterable[Record]) -> None:
        """Add records of any config and split, in any order.

        Raises:
            RecordError: If one breaks the data model or its id was added before.
        """
        for record in records:
            validate_record(record, self.taxonomy)
            if record.record_id in self._ids:
                raise RecordError(f"record {record.record_id} was added before; every record needs an id of its own.")
            self._ids.add(record.record_id)
            self._records.setdefault(f"{record.modality}/{record.split}", []).append(record.to_row())

    def add_subjects(self, rows: Iterable[Row]) -> None:
        """Add rows of `tables/subjects.parquet` (`schema.subject_features`); keys left out are null.

        Raises:
            RecordError: If a row has unknown keys, or no `subject_id` or one that was added before.
        """
        self._add_rows("subjects", rows)

    def add_images(self, rows: Iterable[Row]) -> None:
        """Add rows of `tables/images.parquet` (`schema.image_features`); keys left out are null.

        Raises:
            RecordError: If a row has unknown keys, or no `image_id` or one that was added before.
        """
        self._add_rows("images", rows)

    def add_decisions(self, rows: Iterable[Row]) -> None:
        """Add lines of `decisions.jsonl`."""
        self._decisions += rows

    def _add_rows(self, table: str, rows: Iterable[Row]) -> None:
        columns = list(features_of(table))
        ids = {row[id_column(table)] for row in self._tables[table]}
        for row in rows:
            unknown = sorted(row.keys() - set(columns))
            if unknown:
                raise RecordError(f"table {table}: unknown columns {unknown}; allowed: {', '.join(columns)}.")
            name = row.get(id_column(table))
            if not name or name in ids:
                raise RecordError(f"table {table}: every row needs a {id_column(table)} of its own, got {name!r}.")
            ids.add(name)
            self._tables[table].append({column: row.get(column) for column in columns})

    def write_to(self, folder: Path) -> None:
        """Write everything into an existing folder, for callers that see to it that it appears whole.

        Raises:
            DatasetError: If no record was added.
        """
        self._require_records()
        parts = [self._write_records(folder, name) for name in sorted(self._records, key=_rank)]
        # `datasets` can't load a file without rows.
        parts += [self._write_table(folder, name) for name in TABLES if self._tables[name]]
        for file, text in {
            TAXONOMY_FILE: self._taxonomy_text,
            DECISIONS_FILE: decisions_text(self._decisions),
            CHANGELOG_FILE: self._changelog or f"# Changelog\n\n## {self._version}\n\nFirst version.\n",
            FILE_NAME: self._make_card(parts).text,
        }.items():
            (folder / file).write_text(text, encoding="utf-8", newline="\n")

    def _write_records(self, folder: Path, name: str) -> Part:
        config, split = name.split("/")
        attributes = {attribute: place for place, attribute in enumerate(self.taxonomy.names())}
        rows = sorted(self._records[name], key=functools.partial(_place, attributes))
        files, size = write_shards(folder / "data" / config, split, rows, features_of(config), self._rows_per_shard)
        root = digests.table_root((row["record_id"], bytes.fromhex(row["content_hash"])) for row in rows)
        return Part(name=name, rows=len(rows), digest=root, files=files, size=size)

    def _write_table(self, folder: Path, name: str) -> Part:
        rows = sorted(self._tables[name], key=lambda row: str(row[id_column(name)]))
        file = folder / "tables" / f"{name}.parquet"
        size = write_file(file, rows, features_of(name))
        written = read_table([file], features_of(name))  # Rows may be loosely typed; files aren't.
        root = digests.rows_root(digests.hashed_rows(written), id_column(name))
        return Part(name=name, rows=len(rows), digest=root, files=[file], size=size)

    def _make_card(self, parts: list[Part]) -> Card:
        earlier = self._card or Card(body=f"# {self._title}\n\n{self._description}".strip() + "\n")
        roots = {part.name: part.digest for part in parts}
        roots["taxonomy"] = digests.taxonomy_digest(self.taxonomy)
        block = {
            "schema_version": SCHEMA_VERSION,
            "name": self._name,
            "version": self._version,
            "digest": digests.dataset_digest(roots),
            "parent": earlier.block.get("parent"),
            "taxonomy": {"file": TAXONOMY_FILE, "digest": roots["taxonomy"]},
            "splits": {part.name: self._facts(part) for part in parts if part.name in self._records},
            "settings": settings_of(slices_of(self._records)),
            "created_with": self._created_with,
        }
        front = hub_metadata(parts, license=self._license, title=self._title)
        written = {key: value for key, value in earlier.data.items() if key not in (*REWRITTEN, BLOCK)}
        card = Card({**front, **written, BLOCK: block}, earlier.body)
        write_sections(card)
        return card

    def _facts(self, part: Part) -> dict[str, Any]:
        rows = self._records[part.name]
        return {
            "records": part.rows,
            "subjects": len({row["subject_id"] for row in rows} - {None}),
            "images": len({row["image_id"] for row in rows} - {None}),
            "digest": part.digest,
        }


def _rank(part: str) -> tuple[int, int]:
    config, split = part.split("/")
    return CONFIGS.index(config), SPLITS.index(split)


def _place(attributes: Mapping[str, int], row: Row) -> tuple[str, str, int, str]:
    """By picture, then by attribute as the taxonomy lists them, whatever order records were added in."""
    attribute = attributes.get(row["attribute"], -1)
    return row["image_id"] or "", row["subject_id"] or "", attribute, row["record_id"]


def _taxonomy_yaml(taxonomy: Taxonomy) -> str:
    plain = dataclasses.asdict(taxonomy)
    plain["attributes"] = [{key: value for key, value in a.items() if value} for a in plain["attributes"]]
    tuples_as_lists = json.loads(json.dumps(plain))
    return yaml.safe_dump(tuples_as_lists, sort_keys=False, allow_unicode=True, width=110)
