"""What an adapter is, and what it hands over.

An adapter is a module with a docstring (its first line says what the format is) that defines

* `TAXONOMY`: name of a shipped taxonomy, or the path of one;
* `recognises(source) -> bool`: whether a file or folder is in this format; cheap, never raises;
* `read(source, options) -> Imported`: the records, pictures still as paths;
* `example(folder) -> Path`: writes a tiny source with invented content into `folder` and returns it. The
  contract tests import it, and it shows a reader what the format looks like.

It may define `Options`, a frozen dataclass of options of its own; `--set key=value` fills it in, and `read` finds it
as `options.adapter`. It may define `GENERAL = True` if its format is so general that a source in it may be in a more
particular one too, which is taken then.

`offside_data.ingest` does the rest for all formats: values, pictures, suspects, accounts, writing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from offside_data.config import build
from offside_data.errors import SourceError, UsageError
from offside_data.plugins import Registry
from offside_data.schema import Record
from offside_data.tagging.suspects import add_suspect
from offside_data.taxonomy import Taxonomy

ADAPTERS = Registry(
    "offside_data.adapters",
    "format",
    needs={"__doc__": str, "TAXONOMY": str | Path, "recognises": Callable, "read": Callable, "example": Callable},
    contract=__name__,
)
"""All adapters, ours and third parties'."""

RemarkKind = Literal["rejected", "duplicate", "merged", "suspect", "unparsed", "note"]
LEFT_OUT: tuple[RemarkKind, ...] = ("rejected", "duplicate", "merged")
"""Remarks on source rows that became no record of their own; every such row has exactly one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that a person should know about a source row, a record or a file.

    Args:
        kind: `rejected` (unusable), `duplicate` (the same as another row), `merged` (became part of another
            row's record), `suspect` (a record that looks odd), `unparsed` (its value isn't readable) or
            `note` (about a file).
        file: The source file.
        index: The row's position in the file, from 0; null for a whole file.
        why: The reason, in words.
        record_id: The record that came of it, if one did.
    """

    kind: RemarkKind
    file: str
    index: int | None
    why: str
    record_id: str | None = None

    def __str__(self) -> str:
        place = self.file if self.index is None else f"{self.file}: record {self.index}"
        return f"{place}: {self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that records refer to by `image_id`.

    Args:
        image_id: As `schema.make_image_id` makes it.
        key: The source key that the id is made of.
        subject_id: Whom it shows.
        split: The split of its records.
        derived_from: The picture it is an augmented copy of.
        paths: Where it may lie, the likeliest place first.
        data: Its encoded bytes, for formats that embed pictures.
        occasion: What it was taken or published for.
        license: Its licence.
    """

    image_id: str
    key: str
    subject_id: str | None
    split: str
    derived_from: str | None = None
    paths: tuple[Path, ...] = ()
    data: bytes | None = None
    occasion: str | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What the user asked for.

    Args:
        taxonomy: The attributes that records may have.
        image_dirs: Folders to look for pictures in, besides the usual places.
        repair_text: Mend artefacts of the published text (`Name.'s`); `source_record` keeps the original.
        adapter: The adapter's own `Options`; null if it has none.
    """

    taxonomy: Taxonomy
    image_dirs: tuple[Path, ...] = ()
    repair_text: bool = True
    adapter: Any = None


@dataclass(kw_only=True)
class Imported:
    """What an adapter read. Records have no image yet, and no value unless the format states it.

    Args:
        rows: How many source rows there were, usable or not.
        records: In source order.
        pictures: One a picture that a record refers to.
        subjects: Rows of the subjects table; `facts` are filled in later.
        remarks: Everything worth knowing.
    """

    rows: int = 0
    records: list[Record] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    subjects: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def leave_out(self, reasons: Mapping[str, str], *, pictures: Collection[str] = ()) -> None:
        """Take records out; each becomes a `rejected` remark, so that none is lost.

        What referred to them is mended: a correction loses its link, a copy is flagged. Subjects that nothing refers
        to any more go, too.

        Args:
            reasons: By record_id, why.
            pictures: Ids of pictures that go as well, unless a record that stays refers to them.
        """
        kept = [record for record in self.records if record.record_id not in reasons]
        rejected = [record for record in self.records if record.record_id in reasons]
        for record in rejected:
            place = record.source_record
            file, index = (place.file, place.index) if place else ("", None)
            self.remarks.append(Remark(kind="rejected", file=file, index=index, why=reasons[record.record_id]))
        self.records = [_relinked(record, reasons.keys(), pictures) for record in kept]
        shown, subjects = {record.image_id for record in kept}, {record.subject_id for record in kept}
        self.pictures = [p for p in self.pictures if p.image_id not in pictures or p.image_id in shown]
        lost = {record.subject_id for record in rejected} - subjects
        self.subjects = [row for row in self.subjects if row["subject_id"] not in lost]

    def check_accounts(self) -> None:
        """Make sure that no source row was lost: each became a record or stands in a remark.

        Raises:
            SourceError: If the numbers don't add up, which is a fault of the adapter.
        """
        left_out = sum(remark.kind in LEFT_OUT for remark in self.remarks)
        if self.rows != len(self.records) + left_out:
            raise SourceError(
                f"the adapter read {self.rows} rows but accounts for {len(self.records)} records and "
                f"{left_out} rows left out. This is a fault of the adapter: please report it with the "
                "source's layout."
            )


def _relinked(record: Record, gone: Collection[str], pictures: Collection[str]) -> Record:
    if record.corrects in gone:
        record = add_suspect(record, "the record that it corrects was left out")
        record = dataclasses.replace(record, corrects=None)
    if record.derived_from in pictures:
        record = add_suspect(record, "the picture that its own was made from was left out")
    return record


def adapter_options(name: str, settings: Mapping[str, str]) -> Any:
    """An adapter's own options, filled in from `--set key=value`; null if it has none.

    Raises:
        UsageError: If a key is unknown to the adapter or a value doesn't fit.
    """
    kind = getattr(ADAPTERS.load(name), "Options", None)
    if kind is None:
        if settings:
            raise UsageError(f"format {name!r} has no options of its own, got {', '.join(settings)}.")
        return None
    return build(kind, settings)


def recognise(source: Path) -> str:
    """Name of the adapter whose format `source` is in.

    Raises:
        UsageError: If none or several recognise it; lists what is known.
    """
    names = ADAPTERS.names()
    fitting = [name for name in names if ADAPTERS.load(name).recognises(source)]
    fitting = [name for name in fitting if not getattr(ADAPTERS.load(name), "GENERAL", False)] or fitting
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(f"{source} looks like several formats: {', '.join(fitting)}. Choose one with --format.")
    raise UsageError(
        f"{source} is in no format that is known here. Known: {', '.join(names)}. "
        "Choose one with --format to see what is wrong with the source."
    )
