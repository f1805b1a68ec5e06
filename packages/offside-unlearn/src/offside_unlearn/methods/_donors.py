"""Donors: of whom the frozen model is asked what it would say about a claim that it was never told.

Each forget picture has one retained picture of another subject for all of its claims, in both forms, such that none of
its private values is the donor's as well. A shared fact has donors among the same subject's other retained pictures.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from offside_data.dataset.folder import OffsideDataset
from offside_data.errors import UsageError
from offside_data.schema import CONFIGS, ClaimValue
from offside_data.tagging.comparing import same_value
from offside_data.taxonomy import Taxonomy
from offside_unlearn.sides import RequestRecords

_COLUMNS = ("record_id", "subject_id", "image_id", "attribute", "scope", "question", "answer", "value")

DONOR_SPLIT = "retain"


@dataclass(frozen=True)
class DonorClaim:
    """What a record of a picture asks, and where it lies: form, and number in its part."""

    record_id: str
    form: str
    row: int
    question: str
    answer: str
    value: ClaimValue | None
    is_private: bool


@dataclass
class DonorPicture:
    """A picture with what is asked about it; a text record that names none counts as one of its own.

    Args:
        key: The picture's id, or the record's.
        subject_id: Who it is of.
        image_id: Null for a text record that names no picture.
        claims: By form and attribute.
    """

    key: str
    subject_id: str
    image_id: str | None
    claims: dict[tuple[str, str], DonorClaim] = field(default_factory=dict)

    @functools.cached_property
    def shown(self) -> DonorClaim | None:
        """Some record that shows the picture; null if none does."""
        shown = [claim for (form, _), claim in self.claims.items() if form == "multimodal"]
        return min(shown, key=lambda claim: claim.row, default=None)


@dataclass(frozen=True)
class Donor:
    """A picture that lends an answer, and its record of the attribute if it has one."""

    picture: DonorPicture
    claim: DonorClaim | None


def picture_key(row: Mapping[str, Any]) -> str:
    """What stands for a record's picture."""
    return str(row["image_id"] or f"record {row['record_id']}")


def pictures_of(dataset: OffsideDataset, split: str) -> dict[str, DonorPicture]:
    """All pictures of a split with their claims in both forms, whatever order the records lie in."""
    found: dict[str, DonorPicture] = {}
    for form in CONFIGS:
        if not dataset.has(form, split):
            continue
        rows = list(dataset.records(form, split).select_columns(list(_COLUMNS)))
        for number in sorted(range(len(rows)), key=lambda n: str(rows[n]["record_id"])):
            row = rows[number]
            picture = found.setdefault(
                picture_key(row), DonorPicture(picture_key(row), row["subject_id"], row["image_id"])
            )
            value = row["value"]
            claim = DonorClaim(
                row["record_id"],
                form,
                number,
                row["question"],
                row["answer"],
                ClaimValue(**value) if value and value["kind"] else None,
                row["scope"] == "private",
            )
            picture.claims.setdefault((form, row["attribute"]), claim)
    return found


class LentPictures:
    """Donors' pictures, each read once.

    Args:
        data: Where they are.
    """

    def __init__(self, data: RequestRecords) -> None:
        has = data.dataset.has("multimodal", DONOR_SPLIT)
        self._rows = data.dataset.records("multimodal", DONOR_SPLIT) if has else None
        self._read: dict[str, Any] = {}

    def asked(self, row: Mapping[str, Any], donor: Donor) -> dict[str, Any]:
        """What the frozen model is asked about a donor, with the forgotten answer."""
        image = None
        if row["modality"] == "multimodal":
            shown = donor.picture.shown
            assert shown is not None, "a donor of a record with a picture has one"
            assert self._rows is not None
            if donor.picture.key not in self._read:
                self._read[donor.picture.key] = self._rows[shown.row]["image"]
            image = self._read[donor.picture.key]
        question = donor.claim.question if donor.claim else row["question"]
        return {
            **{name: row[name] for name in ("record_id", "modality", "answer")},
            "question": question,
            "image": image,
        }


@dataclass
class DonorPool:
    """The retained pictures, and which of them lend to whom.

    Args:
        lenders: Retained pictures by key.
        taxonomy: Says which values are the same.
        seed: Of the order in which they are tried.
    """

    lenders: Mapping[str, DonorPicture]
    taxonomy: Taxonomy
    seed: int

    def others(self, picture: DonorPicture, *, shown: bool) -> Iterator[DonorPicture]:
        """Pictures of other subjects that share no private value with this one, in its own order.

        Args:
            picture: The forget picture.
            shown: Only such that some record shows.
        """
        for lender in self.strangers(picture, shown=shown):
            if not self._clash(picture, lender):
                yield lender

    def strangers(self, picture: DonorPicture, *, shown: bool) -> list[DonorPicture]:
        """Pictures of other subjects, whatever is claimed of them, in this one's own order.

        Args:
            picture: The forget picture; its claims don't count.
            shown: Only such that some record shows.
        """
        return self._ranked(picture, shown, lambda lender: lender.subject_id != picture.subject_id)

    def same_subject(self, picture: DonorPicture, *, shown: bool) -> Iterator[DonorPicture]:
        """Other pictures of the same subject, in this one's own order."""
        return iter(self._ranked(picture, shown, lambda lender: lender.subject_id == picture.subject_id))

    def _ranked(
        self, picture: DonorPicture, shown: bool, allowed: Callable[[DonorPicture], bool]
    ) -> list[DonorPicture]:
        """By seed and the two pictures alone: a lender more or less changes nothing among the others."""

        def rank(lender: DonorPicture) -> bytes:
            return hashlib.sha256(f"{self.seed}:{picture.key}:{lender.key}".encode()).digest()

        lenders = (lender for lender in self.lenders.values() if lender.key != picture.key and allowed(lender))
        return sorted((lender for lender in lenders if lender.shown is not None or not shown), key=rank)

    def _clash(self, one: DonorPicture, other: DonorPicture) -> bool:
        for (_, attribute), claim in one.claims.items():
            if not claim.is_private:
                continue
            for form in CONFIGS:
                lent = other.claims.get((form, attribute))
                if lent is not None and self._same(claim, lent, attribute):
                    return True
        return False

    def _same(self, a: DonorClaim, b: DonorClaim, attribute: str) -> bool:
        if a.value is None or b.value is None:
            return a.answer.casefold().split() == b.answer.casefold().split()
        return same_value(a.value, b.value, self.taxonomy[attribute])


def assign(
    keys: Sequence[str], options: Callable[[str], Iterator[DonorPicture]], *, distinct: bool
) -> dict[str, DonorPicture]:
    """A donor for each picture: its first option, or with `distinct` none that another one has, if that is possible.

    Where there are too few for all, as many as possible get one of their own, and the rest share them as evenly.

    Args:
        keys: The pictures.
        options: Of one picture, the best first; those without any get none.
        distinct: Whether donors are shared only where there are too few.
    """
    if not distinct:
        firsts = ((key, next(options(key), None)) for key in keys)
        return {key: first for key, first in firsts if first is not None}
    listed = {key: list(options(key)) for key in sorted(keys)}
    chosen: dict[str, DonorPicture] = {}
    waiting = [key for key, lenders in listed.items() if lenders]
    while waiting:
        chosen |= _matched(waiting, listed)
        waiting = [key for key in waiting if key not in chosen]
    return chosen


def _matched(keys: Sequence[str], listed: Mapping[str, Sequence[DonorPicture]]) -> dict[str, DonorPicture]:
    """As many pairs as possible, no donor twice: each key may make others take another donor."""
    owner: dict[str, str] = {}
    chosen: dict[str, DonorPicture] = {}
    for key in keys:
        reached: dict[str, tuple[str, DonorPicture]] = {}
        queue, free = [key], None
        for asking in queue:
            for lender in listed[asking]:
                if lender.key in reached:
                    continue
                reached[lender.key] = (asking, lender)
                if lender.key not in owner:
                    free = lender.key
                    break
                queue.append(owner[lender.key])
            if free is not None:
                break
        while free is not None:
            taker, lender = reached[free]
            given_up = chosen.get(taker)
            owner[free], chosen[taker] = taker, lender
            free = given_up.key if given_up is not None else None
    return chosen


@dataclass
class DonorTable:
    """Which donor each forgotten record has.

    Args:
        pool: The retained pictures.
        pictures: The pictures of the forgotten records, with all of their claims.
        chosen: The donor of each of these pictures that has one.
    """

    pool: DonorPool
    pictures: Mapping[str, DonorPicture]
    chosen: Mapping[str, DonorPicture]

    @classmethod
    def of(cls, dataset: OffsideDataset, forget: Any, *, seed: int, distinct: bool) -> DonorTable:
        """Find the donors of all records to be forgotten.

        Args:
            dataset: Where the retained pictures are.
            forget: The records, a `datasets.Dataset`.
            seed: Same seed, same donors.
            distinct: As `assign`.
        """
        columns = forget.select_columns(["record_id", "image_id", "modality", "scope", "split"])
        rows = sorted(columns, key=lambda row: str(row["record_id"]))
        splits = sorted({row["split"] for row in rows})
        known = {key: picture for split in splits for key, picture in pictures_of(dataset, split).items()}
        pool = DonorPool(pictures_of(dataset, DONOR_SPLIT), dataset.taxonomy, seed)
        private = [row for row in rows if row["scope"] == "private"]
        shown = {picture_key(row) for row in private if row["modality"] == "multimodal"}
        keys = sorted({picture_key(row) for row in private})
        return cls(
            pool,
            {picture_key(row): known[picture_key(row)] for row in rows},
            assign(keys, lambda key: pool.others(known[key], shown=key in shown), distinct=distinct),
        )

    def donors_of(self, row: Mapping[str, Any], count: int) -> list[Donor]:
        """The donors of one forgotten record, the best first.

        Raises:
            UsageError: If there are fewer than `count`.
        """
        found: list[Donor] = []
        form, attribute, is_private = row["modality"], row["attribute"], row["scope"] == "private"
        for lender in self._lenders(row, self.pictures[picture_key(row)]):
            claim = lender.claims.get((form, attribute))
            if claim is not None or form == "multimodal":
                found.append(Donor(lender, claim))
            if len(found) == count:
                return found
        what = f"text records about {attribute}" if form == "text" else "pictures"
        whose = "other subjects, none of whose private values is this picture's," if is_private else "its own subject"
        remedy = "leave the other form out with forms=asked, " if form == "text" else ""
        raise UsageError(
            f"record {row['record_id']} ({form}, {attribute}, {row['scope']}) of {row['subject_id']} needs "
            f"{count} donors and has {len(found)}: {what} of {whose} in the {DONOR_SPLIT} split. Add such records, "
            f"{remedy}narrow the request with --only, or choose another method."
        )

    def _lenders(self, row: Mapping[str, Any], picture: DonorPicture) -> Iterator[DonorPicture]:
        """In the order in which they are asked; a picture's own donor first."""
        shown = row["modality"] == "multimodal"
        if row["scope"] != "private":
            asked = (row["modality"], row["attribute"])
            lenders = self.pool.same_subject(picture, shown=shown)
            yield from sorted(lenders, key=lambda lender: asked not in lender.claims)
            return
        own = self.chosen.get(picture.key)
        if own is not None:
            yield own
        for lender in self.pool.others(picture, shown=shown):
            if own is None or lender.key != own.key:
                yield lender
