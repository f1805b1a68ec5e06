"""What belongs to a subject in a dataset: records, pictures and what looks like them, names, ids, hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from offside_data.dataset.contents import Contents
from offside_data.schema import Record
from offside_data.takedown.looks import RADIUS, LookAlike, Shown, hashes_of, look_alikes, pictures_of
from offside_data.takedown.traces import Traces, id_traces, name_traces, picture_traces

NAME_ATTRIBUTE = "name"
"""The attribute whose values are a subject's names, in any taxonomy that has it."""


@dataclass
class Belongings:
    """What belongs to one subject, in all the datasets that were looked at.

    Args:
        subject_id: The subject.
        names: What it is called.
        records: Ids of the records about it or about its pictures, and of others' records that name it.
        pictures: Ids of the pictures that show it.
        shown: Those pictures that are listed as the subject's.
        look_alikes: The others.
    """

    subject_id: str
    names: set[str] = field(default_factory=set)
    records: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    shown: list[Shown] = field(default_factory=list)
    look_alikes: list[LookAlike] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.pictures or self.names)

    def owns(self, record: Record) -> bool:
        """Whether a record goes with the subject."""
        return (
            record.subject_id == self.subject_id
            or record.record_id in self.records
            or record.image_id in self.pictures
            or record.derived_from in self.pictures
        )

    def traces(self) -> set[str]:
        """Everything that would give the subject away."""
        found = id_traces(self.subject_id)
        for name in self.names:
            found |= name_traces(name)
        for name in self.records | self.pictures:
            found |= id_traces(name)
        for shown in [*self.shown, *(alike.shown for alike in self.look_alikes)]:
            hashes = hashes_of(shown.data)
            found |= picture_traces(hashlib.sha256(shown.data).hexdigest(), hashes.pixels_sha256 if hashes else None)
        return found


def collect(
    subject_id: str, datasets: Sequence[Contents], *, aliases: Collection[str] = (), radius: int = RADIUS
) -> Belongings:
    """Find what belongs to a subject in several states of a dataset; nothing if they don't know it.

    Args:
        subject_id: The subject.
        datasets: The dataset as it is, and as it was released.
        aliases: Other names of the subject.
        radius: How far pictures may differ that are looked at a second time, in bits of the perceptual hash.
    """
    found = Belongings(subject_id)
    for contents in datasets:
        found.names |= set(_names(contents, subject_id))
        found.pictures |= {str(r.image_id) for r in contents.records if r.subject_id == subject_id and r.image_id}
        found.pictures |= {row["image_id"] for row in contents.images if row["subject_id"] == subject_id}
        found.records |= {r.record_id for r in contents.records if r.subject_id == subject_id}
    if not found:
        return found
    found.names |= set(aliases)
    _add_relatives(datasets, found)
    pictures = pictures_of(datasets)
    found.shown = [shown for shown in pictures if shown.image_id in found.pictures]
    others = [shown for shown in pictures if shown.image_id not in found.pictures]
    found.look_alikes = list(look_alikes(found.shown, others, radius))
    found.pictures |= {alike.shown.image_id for alike in found.look_alikes}
    _add_relatives(datasets, found)
    naming = Traces.of({trace for name in found.names for trace in name_traces(name)})
    for contents in datasets:
        spared = naming.sparing(others_names(contents, subject_id))
        for record in contents.records:
            if found.owns(record) or any(map(spared.names_in, _said(record))):
                found.records.add(record.record_id)
    return found


def others_names(contents: Contents, subject_id: str) -> list[str]:
    """Names of the other subjects of a dataset."""
    return [row["name"] for row in contents.subjects if row["name"] and row["subject_id"] != subject_id]


def _names(contents: Contents, subject_id: str) -> Iterator[str]:
    yield from (row["name"] for row in contents.subjects if row["subject_id"] == subject_id and row["name"])
    for record in contents.records:
        if (record.subject_id, record.attribute) == (subject_id, NAME_ATTRIBUTE) and record.value is not None:
            yield record.value.text


def _said(record: Record) -> Iterator[str]:
    """What a record says; with a name in it, the record is about who is called so."""
    yield from (record.question, record.answer, record.cloze or "", record.agreed_value or "")
    yield record.value.text if record.value is not None else ""


def _add_relatives(datasets: Sequence[Contents], found: Belongings) -> None:
    """Add the pictures that were made from the subject's: augmented copies and twins."""
    origins: set[tuple[str, str]] = set()
    for contents in datasets:
        origins |= {(row["image_id"], row["derived_from"]) for row in contents.images if row["derived_from"]}
        origins |= {(row["image_id"], row["twin_of"]) for row in contents.images if row["twin_of"]}
        origins |= {(str(r.image_id), r.derived_from) for r in contents.records if r.derived_from}
    size = -1
    while size < len(found.pictures):
        size = len(found.pictures)
        found.pictures |= {picture for picture, origin in origins if origin in found.pictures}
