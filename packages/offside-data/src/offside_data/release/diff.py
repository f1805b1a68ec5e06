"""What differs between two datasets: records, subjects, pictures, taxonomy and card, field by field.

The law that tests hold it to: there is a change of a record, subject, picture or of the taxonomy exactly when the
digests differ. `offside_data.release.rules` says what each change asks of a version.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from offside_data.dataset import digest as digests
from offside_data.dataset.card import BLOCK, Card
from offside_data.dataset.folder import OffsideDataset, open_dataset
from offside_data.dataset.front_matter import REWRITTEN
from offside_data.dataset.storage import Row, id_column
from offside_data.errors import PictureError
from offside_data.images.decode import decode_image
from offside_data.images.hashing import pixels_sha256
from offside_data.schema import ClaimValue
from offside_data.tagging.values import answer_states, same_value
from offside_data.tagging.words import contains, folded_words
from offside_data.taxonomy import Attribute, Taxonomy

Kind = Literal["schema", "attribute", "taxonomy", "subject", "image", "record", "card", "takedown"]
Action = Literal["added", "removed", "changed"]

_TABLE_KINDS: dict[str, Kind] = {"subjects": "subject", "images": "image"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs.

    Args:
        field: Its name.
        before: What it was, as plain values; a picture by its hashes.
        after: What it is.
        alike: Whether only the form differs: the same value in other words, the same pixels in another encoding.
    """

    field: str
    before: Any
    after: Any
    alike: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that differs.

    Args:
        kind: What sort of thing.
        action: What happened to it.
        name: Its id, or name.
        where: Where a record lies, or lay if it was removed: `config/split`.
        fields: What differs in it, where it was changed.
        count: How many things it stands for (takedowns are counted, never listed).
    """

    kind: Kind
    action: Action
    name: str
    where: str = ""
    fields: tuple[FieldChange, ...] = ()
    count: int = 1

    def to_json(self) -> dict[str, Any]:
        """The change as plain values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class State:
    """What a dataset says: rows by kind and id, pictures by hash.

    Args:
        dataset: The dataset.
        rows: By kind, then by id; a row's `image` is `{"sha256", "path"}` or null.
        leaves: Digest of each row.
        parts: Where each record lies.
        digest: Of the whole, as computed now.
    """

    dataset: OffsideDataset
    rows: dict[Kind, dict[str, Row]]
    leaves: dict[Kind, dict[str, bytes]]
    parts: dict[str, str]
    digest: str

    @classmethod
    def read(cls, dataset: OffsideDataset) -> State:
        """Read a dataset, without its pictures.

        Raises:
            DatasetError: If a file can't be read.
        """
        rows: dict[Kind, dict[str, Row]] = {"record": {}, "subject": {}, "image": {}}
        leaves: dict[Kind, dict[str, bytes]] = {"record": {}, "subject": {}, "image": {}}
        parts: dict[str, str] = {}
        roots: dict[str, str] = {"taxonomy": digests.taxonomy_digest(dataset.taxonomy)}
        for part in dataset.parts():
            kind = _TABLE_KINDS.get(part, "record")
            found = []
            for row in digests.hashed_rows(dataset.read(part)):
                name, leaf = str(row[id_column(part)] or ""), digests.hashed_row_leaf(row)
                found.append((name, leaf))
                rows[kind][name], leaves[kind][name] = row, leaf
                if kind == "record":
                    parts[name] = part
            roots[part] = digests.table_root(found)
        return cls(dataset, rows, leaves, parts, digests.dataset_digest(roots))


def diff_datasets(a: str | Path, b: str | Path) -> list[Change]:
    """What differs between two datasets, given as references.

    Raises:
        DatasetReferenceError: If a reference is malformed or stands for nothing.
        CardError: If a card is missing or malformed.
        DatasetError: If a file can't be read.
    """
    return diff_states(State.read(open_dataset(a)), State.read(open_dataset(b)))


def diff_states(a: State, b: State) -> list[Change]:
    """What differs from `a` to `b`: taxonomy, subjects, pictures, records, then the card."""
    changes = [*_taxonomy_changes(a.dataset.taxonomy, b.dataset.taxonomy)]
    pixels = _pixels(a, b)
    kinds: tuple[Kind, ...] = ("subject", "image", "record")
    for kind in kinds:
        before, after = a.leaves[kind], b.leaves[kind]
        for name in sorted(before.keys() | after.keys()):
            if name not in after:
                changes.append(Change(kind=kind, action="removed", name=name, where=a.parts.get(name, "")))
            elif name not in before:
                changes.append(Change(kind=kind, action="added", name=name, where=b.parts.get(name, "")))
            elif before[name] != after[name]:
                fields = tuple(_field_changes(a.rows[kind][name], b.rows[kind][name], b.dataset.taxonomy, pixels))
                where = b.parts.get(name, "")
                changes.append(Change(kind=kind, action="changed", name=name, where=where, fields=fields))
    return [*changes, *_card_changes(a.dataset.card, b.dataset.card)]


# ---------------------------------------------------------------------------------------------
# Rows


def _field_changes(before: Row, after: Row, taxonomy: Taxonomy, pixels: Mapping[str, str]) -> Iterator[FieldChange]:
    attribute = taxonomy[after["attribute"]] if after.get("attribute") in taxonomy else None
    for field in after:
        old, new = before[field], after[field]
        if field == "content_hash" or (old == new and type(old) is type(new)):
            continue
        if field == "image":
            old, new = _sha256(before), _sha256(after)
            if old != new:
                alike = None not in (old, new) and pixels.get(str(old)) == pixels.get(str(new), "")
                yield FieldChange(field=field, before=_hashes(old, pixels), after=_hashes(new, pixels), alike=alike)
        # As a leaf sees it: a struct of nulls is null, 2 is 2.0, other forms of a letter are the letter.
        elif digests.row_leaf({field: old}, None) != digests.row_leaf({field: new}, None):
            alike = _alike(field, before, after, attribute)
            yield FieldChange(field=field, before=old, after=new, alike=alike)


def _alike(field: str, before: Row, after: Row, attribute: Attribute | None) -> bool:
    """Whether value or answer of a record says the same in another form."""
    if field not in ("value", "answer") or "question" not in after:
        return False
    old, new = (ClaimValue(**row["value"]) if row["value"] else None for row in (before, after))
    if field == "value":
        return old is not None and new is not None and _same(old, new, attribute)
    if new is None:
        return folded_words(before["answer"]) == folded_words(after["answer"])
    return _states(after["answer"], new, attribute) or not _states(before["answer"], new, attribute)


def _same(a: ClaimValue, b: ClaimValue, attribute: Attribute | None) -> bool:
    """Whether two values are the same without any tolerance: only how they are written may differ."""
    if dataclasses.replace(a, text=b.text) != b:
        return False
    if b.number is not None or b.date is not None or b.unit is not None:
        return True
    if attribute is not None and attribute.kind == b.kind and b.kind != "place":
        return same_value(a, b, attribute)
    return folded_words(a.text) == folded_words(b.text)  # A less precise place is another value.


def _states(answer: str, value: ClaimValue, attribute: Attribute | None) -> bool:
    if attribute is not None and attribute.kind == value.kind:
        return answer_states(answer, value, attribute)
    return contains(folded_words(answer), folded_words(value.text))


# ---------------------------------------------------------------------------------------------
# Pictures


def _sha256(row: Row) -> str | None:
    image: dict[str, str | None] | None = row.get("image")
    return image["sha256"] if image else None


def _pixels(a: State, b: State) -> dict[str, str]:
    """Pixel hashes of the pictures that one of the two shows where the other shows another, by SHA-256."""
    shown = [
        (_sha256(rows[name]), _sha256(b.rows[kind][name]))
        for kind, rows in a.rows.items()
        for name in rows.keys() & b.rows[kind].keys()
    ]
    wanted = {sha256 for pair in shown if pair[0] != pair[1] for sha256 in pair} - {None}
    pixels: dict[str, str] = {}
    for dataset in (a.dataset, b.dataset):
        for part in dataset.parts() if wanted else ():
            pictures = digests.distinct_pictures(dataset.read(part))
            for sha256 in pictures.keys() & wanted - pixels.keys():
                # An unreadable picture has no pixels to compare; `check` finds it.
                with contextlib.suppress(PictureError):
                    pixels[sha256] = pixels_sha256(decode_image(pictures[sha256]))
    return pixels


def _hashes(sha256: str | None, pixels: Mapping[str, str]) -> dict[str, str | None] | None:
    return None if sha256 is None else {"sha256": sha256, "pixels_sha256": pixels.get(sha256)}


# ---------------------------------------------------------------------------------------------
# Taxonomy and card


def _taxonomy_changes(a: Taxonomy, b: Taxonomy) -> Iterator[Change]:
    before, after = ({attribute.name: attribute for attribute in taxonomy.attributes} for taxonomy in (a, b))
    for name in dict.fromkeys([*a.names(), *b.names()]):
        if name not in after or name not in before:
            yield Change(kind="attribute", action="added" if name in after else "removed", name=name)
        elif before[name] != after[name]:
            fields = tuple(_differing(dataclasses.asdict(before[name]), dataclasses.asdict(after[name])))
            yield Change(kind="attribute", action="changed", name=name, fields=fields)
    heads = [{"name": t.name, "subject_noun": t.subject_noun, "order": t.names()} for t in (a, b)]
    if before.keys() != after.keys():
        del heads[0]["order"], heads[1]["order"]  # It says no more than that attributes came or went.
    if heads[0] != heads[1]:
        yield Change(kind="taxonomy", action="changed", name=b.name, fields=tuple(_differing(*heads)))


def _card_changes(a: Card, b: Card) -> Iterator[Change]:
    """What people wrote in the card: front matter and prose, but not what commands write."""
    heads = [
        {
            "name": card.name,
            **{key: value for key, value in card.data.items() if key not in (*REWRITTEN, BLOCK)},
            "prose": _prose(card),
        }
        for card in (a, b)
    ]
    if heads[0] != heads[1]:
        yield Change(kind="card", action="changed", name=b.name, fields=tuple(_differing(*heads)))


def _prose(card: Card) -> str:
    own = copy.deepcopy(card)
    own.replace_sections(dict.fromkeys(own.section_names(), ""))
    return own.body.strip()


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for field in dict.fromkeys([*before, *after]):
        if before.get(field) != after.get(field):
            yield FieldChange(field=field, before=before.get(field), after=after.get(field))
