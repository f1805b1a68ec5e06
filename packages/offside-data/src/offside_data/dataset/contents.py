"""Everything that a dataset folder holds, in memory: for commands that change a dataset.

```python
contents = Contents.read(folder)
contents.records = [better(record) for record in contents.records]
contents.save(folder)  # in place: all or nothing; prose of the card, unknown files and earlier decisions stay
```
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offside_data.dataset import digest as digests
from offside_data.dataset.card import Card
from offside_data.dataset.decisions import read_decisions
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.storage import TABLES, Row
from offside_data.dataset.writer import CHANGELOG_FILE, DatasetWriter
from offside_data.files import whole_folder
from offside_data.schema import Record
from offside_data.taxonomy import Taxonomy, parse_taxonomy


@dataclass(kw_only=True)
class Contents:
    """A dataset's content. Change the fields, then `save` or `write`.

    Pictures that several records share are one object, so holding all records costs each picture once.

    Args:
        card: The card; name, version, licence, `parent` and the prose are taken from it.
        taxonomy_text: `taxonomy.yaml`.
        records: All records of all configs and splits.
        subjects: Rows of the table of subjects.
        images: Rows of the table of pictures; `image` is `{"bytes", "path"}` or null.
        decisions: Lines of `decisions.jsonl`.
        changelog: `CHANGELOG.md`; null writes a first one.
    """

    card: Card
    taxonomy_text: str
    records: list[Record] = field(default_factory=list)
    subjects: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)
    decisions: list[Row] = field(default_factory=list)
    changelog: str | None = None

    @classmethod
    def read(cls, folder: str | Path) -> Contents:
        """Read a dataset folder whole.

        Raises:
            DatasetReferenceError: If it is no folder.
            CardError: If it has no card or a malformed one.
            DatasetError: If a file is missing or unreadable.
        """
        dataset = open_dataset(folder)
        records = [Record.from_row(row) for part in dataset.files() for row in _rows(dataset, part)]
        tables = {table: list(_rows(dataset, table)) if table in dataset.parts() else [] for table in TABLES}
        changelog = dataset.path / CHANGELOG_FILE
        return cls(
            card=dataset.card,
            taxonomy_text=(dataset.path / dataset.card.block["taxonomy"]["file"]).read_text(encoding="utf-8"),
            records=records,
            subjects=tables["subjects"],
            images=tables["images"],
            decisions=read_decisions(dataset.path),
            changelog=changelog.read_text(encoding="utf-8") if changelog.is_file() else None,
        )

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy that `taxonomy_text` describes."""
        return parse_taxonomy(self.taxonomy_text, where="taxonomy.yaml")

    def save(self, folder: Path) -> None:
        """Replace the content of the dataset `folder`, all or nothing; see `offside_data.dataset.journal`.

        Raises:
            RecordError: If a record breaks the data model. Nothing is changed then.
        """
        with replaced_content(folder) as staged:
            self.write_into(staged)

    def write(self, out: Path, *, force: bool = False) -> None:
        """Write the content as a new dataset folder.

        Raises:
            RecordError: If a record breaks the data model.
            OutputExistsError: If `out` holds something and `force` is off.
        """
        with whole_folder(out, force=force) as folder:
            self.write_into(folder)

    def write_into(self, folder: Path) -> None:
        """Write the content into an existing folder, for callers that see to it that it appears whole.

        Raises:
            RecordError: If a record breaks the data model.
            DatasetError: If there are no records.
        """
        block = self.card.block
        writer = DatasetWriter(
            folder,
            name=self.card.name,
            taxonomy=self.taxonomy_text,
            version=self.card.version,
            license=str(self.card.data.get("license") or "unknown"),
            pretty_name=str(self.card.data.get("pretty_name") or ""),
            created_with={k: v for k, v in block["created_with"].items() if k != "offside-data"},
            card=self.card,
            changelog=self.changelog,
        )
        writer.add_records(self.records)
        writer.add_subjects(self.subjects)
        writer.add_images(self.images)
        writer.add_decisions(self.decisions)
        writer.write_to(folder)


def _rows(dataset: OffsideDataset, part: str) -> Iterator[dict[str, Any]]:
    """Rows of a part whose `image` is `{"bytes", "path"}`, equal pictures being one object."""
    table = dataset.read(part)
    pictures = digests.distinct_pictures(table)
    known: dict[tuple[str | None, str | None], Row] = {}
    for row in digests.hashed_rows(table):
        image = row.get("image")
        if image is not None:
            key = (image["sha256"], image["path"])
            known.setdefault(key, {"bytes": pictures.get(image["sha256"]), "path": image["path"]})
            row["image"] = known[key]
        row.pop("content_hash", None)
        yield row
