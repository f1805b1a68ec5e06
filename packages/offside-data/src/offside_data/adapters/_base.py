"""What an adapter is, and what it hands over.

An adapter is a module with a docstring (its first line says what the format is) that defines

* `TAXONOMY`: name of a shipped taxonomy, or the path of one;
* `recognises(source) -> bool`: whether a file or folder is in this format; cheap, never raises;
* `read(source, options) -> Imported`: the records, pictures still as paths;
* `example(folder) -> Path`: writes a tiny source with invented content into `folder` and returns it. The
  contract tests import it, and it shows a reader what the format looks like.

It may define `Options`, a frozen dataclass of options of its own; `--set key=value` fills it in, and `read` finds it
as `options.adapter`. It may define `lacking(source) -> str | None`: what a source lacks that is nearly in its format.
It may define `GENERAL = True` if its format is so general that a source in it may be in a more
particular one too, which is taken then.

`offside_data.ingest` does the rest for all formats: values, pictures, suspects, accounts, writing.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offside_data.adapters._chunked import Chunked
from offside_data.config import build
from offside_data.errors import SourceError, UsageError
from offside_data.plugins import Registry
from offside_data.schema import Record, make_image_id, make_record_id
from offside_data.tagging.suspects import add_suspect
from offside_data.taxonomy import Taxonomy

ADAPTERS = Registry(
    "offside_data.adapters",
    "format",
    needs={"__doc__": str, "TAXONOMY": str | Path, "recognises": Callable, "read": Callable, "example": Callable},
    contract=__name__,
)
"""All adapters, ours and third parties'."""

RemarkKind = Literal["rejected", "duplicate", "merged", "empty", "suspect", "unparsed", "note"]
LEFT_OUT: tuple[RemarkKind, ...] = ("duplicate", "merged", "empty", "rejected")
"""Remarks on source rows that became no record of their own; every such row has exactly one of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something that a person should know about a source row, a record or a file.

    Args:
        kind: `rejected` (unusable), `duplicate` (the same as another row), `merged` (became part of another
            row's record), `empty` (a published question without words), `suspect` (a record that looks odd),
            `unparsed` (its value isn't readable) or `note` (about a file).
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
        expect: May be told where a picture may lie, the likeliest place first, as soon as that is known, so that it is
            looked at while the rest is read; null if nobody waits for that.
    """

    taxonomy: Taxonomy
    image_dirs: tuple[Path, ...] = ()
    repair_text: bool = True
    adapter: Any = None
    expect: Callable[[Sequence[Path]], None] | None = None


class Imported:
    """What an adapter read. Records have no image yet, and no value unless the format states it.

    Args:
        rows: How many source rows there were, usable or not.
        records: In source order; kept as columns, so that a million of them fit.
        pictures: One a picture that a record refers to.
        subjects: Rows of the subjects table; `facts` are filled in later.
        remarks: Everything worth knowing.
    """

    def __init__(
        self,
        *,
        rows: int = 0,
        records: Iterable[Record] = (),
        pictures: Iterable[Picture] = (),
        subjects: Iterable[dict[str, Any]] = (),
        remarks: Iterable[Remark] = (),
    ) -> None:
        self.rows = rows
        self.records = records
        self.pictures = list(pictures)
        self.subjects = list(subjects)
        self.remarks = list(remarks)

    @property
    def records(self) -> Chunked[Record]:
        """The records in source order; whatever is put in their place is kept as columns too."""
        return self._records

    @records.setter
    def records(self, records: Iterable[Record]) -> None:
        if not isinstance(records, Chunked):
            records = Chunked(Record, records, without=("image",))
        self._records: Chunked[Record] = records

    def leave_out(self, reasons: Mapping[str, str], *, pictures: Collection[str] = ()) -> None:
        """Take records out; each becomes a `rejected` remark, so that none is lost.

        What referred to them is mended: a correction loses its link, a copy is flagged. Subjects that nothing refers
        to any more go, too.

        Args:
            reasons: By record_id, why.
            pictures: Ids of pictures that go as well, unless a record that stays refers to them.
        """
        if not reasons and not pictures:
            return
        lost, subjects, shown = set(), set(), set()

        def change(record: Record) -> Record | None:
            if record.record_id not in reasons:
                shown.add(record.image_id)
                subjects.add(record.subject_id)
                return _relinked(record, reasons.keys(), pictures)
            place = record.source_record
            file, index = (place.file, place.index) if place else ("", None)
            self.remarks.append(Remark(kind="rejected", file=file, index=index, why=reasons[record.record_id]))
            lost.add(record.subject_id)
            return None

        self.records = self.records.rewritten(change)
        self.pictures = [p for p in self.pictures if p.image_id not in pictures or p.image_id in shown]
        self.subjects = [row for row in self.subjects if row["subject_id"] not in lost - subjects]

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


class Accumulator:
    """Collects what an adapter reads of a source; `close` gives it back, every row accounted for.

    Args:
        dataset: Part of every id: the same published record has the same id, whatever the dataset is called.
        options: What the user asked for.

    Attributes:
        names: Names of subjects, as far as they are known.
    """

    def __init__(self, dataset: str, options: ReadOptions) -> None:
        self.dataset = dataset
        self.options = options
        self.names: dict[str, str] = {}
        self._imported = Imported()
        self._notes: Counter[tuple[str, str]] = Counter()
        self._pictures: dict[str, Picture] = {}
        self._shown: set[str | None] = set()
        self._splits: dict[str, set[str]] = {}
        self._ids: Counter[str] = Counter()

    @property
    def taxonomy(self) -> Taxonomy:
        """The attributes that records may have."""
        return self.options.taxonomy

    def remark(
        self, kind: RemarkKind, file: str, why: str, index: int | None = None, record_id: str | None = None
    ) -> None:
        """Say something about a file, or about a row that is counted already."""
        self._imported.remarks.append(Remark(kind=kind, file=file, index=index, why=why, record_id=record_id))

    def note(self, file: str, why: str) -> None:
        """Say something about a file, once, however often it happens there; says how often."""
        self._notes[file, why] += 1

    def leave_out(
        self, kind: RemarkKind, file: str, why: str, index: int | None = None, record_id: str | None = None
    ) -> None:
        """Count a row that becomes no record of its own."""
        self._imported.rows += 1
        self.remark(kind, file, why, index, record_id)

    def picture(self, key: str, **fields: Any) -> Picture:
        """The picture under a source key; `fields` are those of `Picture` if it isn't there yet."""
        if key not in self._pictures:
            self._pictures[key] = Picture(image_id=make_image_id(self.dataset, key), key=key, **fields)
        return self._pictures[key]

    def record_id(self, subject: str | None, picture: str | None, attribute: str | None, modality: str) -> str:
        """The id of a further record with this source key."""
        first = make_record_id(self.dataset, subject, picture, attribute, modality)
        ordinal = self._ids[first]
        self._ids[first] += 1
        return make_record_id(self.dataset, subject, picture, attribute, modality, ordinal) if ordinal else first

    def add_record(self, record: Record) -> None:
        """Take a record, and count its row."""
        self._imported.rows += 1
        self._imported.records.append(record)
        self._shown.add(record.image_id)
        if record.subject_id is not None:
            self._splits.setdefault(record.subject_id, set()).add(record.split)

    def close(self) -> Imported:
        """Everything that was read: pictures and subjects that a record refers to, and one remark for equal notes."""
        imported = self._imported
        imported.pictures = [picture for picture in self._pictures.values() if picture.image_id in self._shown]
        imported.subjects = [
            {
                "subject_id": subject,
                "name": self.names.get(subject),
                "cohort": "holdout" if splits == {"holdout"} else "member",
                "source": self.dataset,
            }
            for subject, splits in sorted(self._splits.items())
        ]
        for (file, why), count in self._notes.items():
            self.remark("note", file, f"{why} ({count} times)" if count > 1 else why)
        return imported


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
    near = (getattr(ADAPTERS.load(name), "lacking", lambda _: None)(source) for name in names)
    raise UsageError(
        f"{source} is in no format that is known here. Known: {', '.join(names)}. "
        + (next(filter(None, near), None) or "Choose one with --format to see what is wrong with the source.")
    )
