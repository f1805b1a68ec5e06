"""What an exporter is, and what it hands back.

An exporter is a module with a docstring (its first line says what the format is, the rest what its readers expect)
that defines

* `HOLDS`: the fields of a record that a reader of the format gets back, from its rows or from the names of its files;
* `write(selection, folder) -> Exported`: writes the records of `selection` into the empty `folder`, and says which
  record went into which file and what the format can't hold.

`offside_data.export` does the rest for all formats: choosing records, accounts, a README, whole or not at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from offside_data.dataset.card import Card
from offside_data.dataset.storage import Row
from offside_data.errors import DatasetError
from offside_data.plugins import Registry
from offside_data.schema import Record

EXPORTERS = Registry(
    "offside_data.exporters",
    "export format",
    needs={"__doc__": str, "HOLDS": tuple, "write": Callable},
    contract=__name__,
)
"""All exporters, ours and third parties'."""

NEUTRAL = (None, (), "none")
"""Field values that say nothing, so that nothing is lost with them."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is to be exported of a dataset.

    Args:
        card: The dataset's card.
        records: The chosen records, in the order of its files; a picture is read when its bytes are asked for.
        subjects: Rows of its table of subjects.
    """

    card: Card
    records: list[Record]
    subjects: list[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Something about one record that the format can't hold.

    Args:
        record_id: The record.
        why: The reason, in words that fit every record with this loss, so that they can be counted.
        field: The field that is lost although the format has a place for it; null for the whole record.
    """

    record_id: str
    why: str
    field: str | None = None


@dataclass(kw_only=True)
class Exported:
    """What an exporter wrote.

    Args:
        files: By path in the export's folder, the ids of the records in it, in its order. A record may be in several
            files.
        losses: What the format can't hold of single records.
        front_matter: YAML front matter for the export's README, for formats whose readers want it.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    front_matter: dict[str, Any] = field(default_factory=dict)

    @property
    def written(self) -> set[str]:
        """Ids of the records that are in the export."""
        return {record_id for ids in self.files.values() for record_id in ids}

    @property
    def left_out(self) -> list[Loss]:
        """The records that aren't."""
        return [loss for loss in self.losses if loss.field is None]

    def check_accounts(self, records: Iterable[Record]) -> None:
        """Make sure that no record was lost in silence: each is in a file or stands in a loss, and never both.

        Raises:
            DatasetError: If the accounts don't add up, which is a fault of the exporter.
        """
        given = {record.record_id for record in records}
        left_out = Counter(loss.record_id for loss in self.left_out)
        silent, strange = given - self.written - left_out.keys(), (self.written | left_out.keys()) - given
        double = (self.written & left_out.keys()) | {name for name, times in left_out.items() if times > 1}
        for names, what in ((silent, "lost in silence"), (strange, "that nobody gave it"), (double, "accounted twice")):
            if names:
                raise DatasetError(
                    f"the exporter has {len(names)} records {what}, e.g. {min(names)}. This is a fault of the "
                    "exporter: please report it with the format's name."
                )
