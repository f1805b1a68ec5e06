"""A dataset as plain objects, all of it in memory: for tests, which look at small ones and break them by hand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offside_data.dataset.card import Card
from offside_data.dataset.folder import open_dataset
from offside_data.dataset.journal import replaced_content
from offside_data.dataset.replacing import dataset_files
from offside_data.dataset.transaction import change_dataset, transaction_of
from offside_data.schema import EncodedImage, Record, RecordImage


@dataclass(kw_only=True)
class WholeDataset:
    """Change the fields, then `save`; pictures are read, equal ones are one object."""

    home: Path
    card: Card
    taxonomy_text: str
    records: list[Record]
    subjects: list[dict[str, Any]]
    images: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    changelog: str | None

    @classmethod
    def read(cls, folder: str | Path) -> WholeDataset:
        known: dict[tuple[bytes, str | None], EncodedImage] = {}

        def held(picture: RecordImage | None) -> EncodedImage | None:
            if picture is None:
                return None
            made = EncodedImage(bytes=picture.bytes, path=picture.path)
            return known.setdefault((made.bytes, made.path), made)

        dataset = open_dataset(folder)
        with change_dataset(dataset) as change:  # It asks for nothing, so nothing is written.
            return cls(
                home=Path(folder),
                card=change.card,
                taxonomy_text=change.taxonomy_text,
                records=[dataclasses.replace(r, image=held(r.image)) for r in dataset.iter_records()],
                subjects=dataset.table_rows("subjects"),
                images=[{**row, "image": held(row["image"])} for row in dataset.table_rows("images")],
                decisions=change.decisions,
                changelog=change.changelog,
            )

    def save(self, folder: str | Path) -> None:
        """In place."""
        with replaced_content(Path(folder), dataset_files) as staged:
            self.write_into(staged, folder)

    def write(self, out: str | Path) -> None:
        """As a new folder."""
        Path(out).mkdir()
        self.write_into(Path(out))

    def write_into(self, staged: Path, folder: str | Path | None = None) -> None:
        dataset = open_dataset(folder or self.home)
        change = transaction_of(dataset)
        change.remove_records(r.record_id for r in dataset.iter_records(["record_id"]))
        change.card, change.changelog = self.card, self.changelog
        change.set_taxonomy(self.taxonomy_text)
        change.add_records(self.records)
        change.set_table("subjects", self.subjects)
        change.set_table("images", self.images)
        change.decisions = self.decisions
        change.write_into(staged)
