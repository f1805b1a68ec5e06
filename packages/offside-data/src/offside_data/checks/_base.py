"""Everything that a dataset holds, read once for all checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from offside_data.dataset import digest as digests
from offside_data.dataset.folder import OffsideDataset
from offside_data.dataset.storage import TABLES, Row, id_column
from offside_data.errors import DatasetError, RecordError
from offside_data.issues import Issue, Severity


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a dataset.

    Args:
        file: `config/split`, or the table's name.
        name: Its record_id, subject_id or image_id.
        row: Its fields; `image` is `{"sha256", "path"}` or null.
        leaf: Its digest, as computed now.
    """

    file: str
    name: str
    row: Row
    leaf: bytes

    @property
    def picture(self) -> str | None:
        """What tells a record's picture from others: hash of its bytes, else its id, else null."""
        image: dict[str, str | None] | None = self.row["image"]
        return (image and image["sha256"]) or self.row["image_id"]

    @property
    def severity(self) -> Severity:
        """Of a contradiction: a warning once the record is flagged `suspect`, else an error."""
        return "warning" if self.row["suspect"] else "error"


@dataclass(frozen=True)
class Inspection:
    """What the checks look at.

    Args:
        dataset: The dataset.
        items: All rows by `config/split` or table.
        pictures: Encoded bytes of each distinct picture by SHA-256.
        problems: Files that couldn't be read.
    """

    dataset: OffsideDataset
    items: dict[str, list[Item]]
    pictures: dict[str, bytes]
    problems: list[Issue]

    @cached_property
    def records(self) -> list[Item]:
        """All records."""
        return [item for file, items in self.items.items() if file not in TABLES for item in items]

    @cached_property
    def roots(self) -> dict[str, str]:
        """The digest of each part, as computed now."""
        roots = {file: digests.table_root((i.name, i.leaf) for i in items) for file, items in self.items.items()}
        return {**roots, "taxonomy": digests.taxonomy_digest(self.dataset.taxonomy)}

    def of(self, config: str) -> Iterator[Item]:
        """The records of one config."""
        for file, items in self.items.items():
            if file.startswith(f"{config}/"):
                yield from items


def inspect(dataset: OffsideDataset) -> Inspection:
    """Read a dataset whole; what can't be read becomes an issue."""
    found = Inspection(dataset, {}, {}, [])
    for part in dataset.parts():
        try:
            table = dataset.read(part)
        except DatasetError as error:
            found.problems.append(Issue("error", "file-unreadable", part, str(error)))
            continue
        found.pictures.update(digests.distinct_pictures(table))
        found.items[part] = []
        for row in digests.hashed_rows(table):
            name = row[id_column(part)] or "(no id)"
            try:
                found.items[part].append(Item(part, name, row, digests.hashed_row_leaf(row)))
            except RecordError as error:
                found.problems.append(Issue("error", "record-invalid", name, str(error)))
    return found
