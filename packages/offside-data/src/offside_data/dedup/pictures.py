"""The pictures of a dataset, for de-duplication: their hashes, from its table or made anew."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dataset.picture_names import file_of
from offside_data.dedup.clusters import HashedPicture
from offside_data.schema import SPLITS, columns_of

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

_PART = 1_000
"""New hashes that are kept at a time: so many at most are made again after an interruption."""


class PictureReader:
    """Encoded pictures of a dataset by id, again and again; where they lie is looked up once."""

    def __init__(self, dataset: OffsideDataset) -> None:
        self._dataset = dataset
        self._places: dict[str, tuple[int, ...]] | None = None

    def __call__(self, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Id and bytes of some pictures, in the order of the files."""
        if self._places is None:
            self._places = {key: tuple(place) for key, *place in self._dataset.picture_places().rows()}
        found = sorted((place, key) for key in keys if (place := self._places.get(key)) is not None)
        for place, key in found:
            data = self._dataset.pictures.bytes_at(*place)
            if data is not None:
                yield key, data


def read_by_position(
    dataset: OffsideDataset, pictures: Sequence[HashedPicture]
) -> Callable[[Collection[int]], Iterator[tuple[int, bytes]]]:
    """Reads encoded pictures of a dataset by their positions in a list, as `find_duplicates` wants it."""
    reader = PictureReader(dataset)

    def read(positions: Collection[int]) -> Iterator[tuple[int, bytes]]:
        places = {pictures[position].key: position for position in positions}
        yield from ((places[key], data) for key, data in reader(places))

    return read


@dataclass(slots=True)
class _Use:
    """What the records about a picture say of it."""

    splits: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    origin: str | None = None


def list_pictures(
    dataset: OffsideDataset, algorithm: str, store: Path, *, home: str = "", turned: bool = False
) -> list[HashedPicture]:
    """The pictures that picture records are about, by id. Twins of visual rumours aren't among them.

    Args:
        dataset: The dataset.
        algorithm: Name of the perceptual hash. What `tables/images.parquet` doesn't state is made from the pixels.
        store: A folder that keeps what was made, so that an interrupted call goes on where it was.
        home: What `HashedPicture.home` is to be.
        turned: Hash each picture turned and mirrored in all ways, too; the table doesn't state that.

    Raises:
        PluginError: If there is no such hash.
        PictureError: If a picture that has to be hashed can't be decoded.
    """
    from offside_data.images.hashing import HASHES, perceptual_hash, turned_hash

    HASHES.load(algorithm)
    table, uses = _table(dataset), _uses(dataset)
    stated = {} if turned else {key: _stated(table[key], algorithm) for key in uses if key in table}
    lacking = [key for key in uses if stated.get(key) is None]
    made = _make_hashes(dataset, turned_hash if turned else perceptual_hash, algorithm, store, lacking)
    pictures = []
    for key, use in sorted(uses.items()):
        hashes = stated.get(key) or made.get(key)
        row: Mapping[str, Any] = table.get(key, {})
        if hashes is not None:  # Else only its id is stored.
            pictures.append(
                HashedPicture(
                    key=key,
                    **hashes,
                    license=row.get("license") or dataset.card.data.get("license"),
                    origin=use.origin or row.get("derived_from"),
                    home=home,
                    splits=tuple(split for split in SPLITS if split in use.splits),
                    subjects=tuple(sorted(use.subjects)),
                    file=file_of(row.get("source")),
                )
            )
    return pictures


def claims_about(dataset: OffsideDataset, keys: Collection[str]) -> dict[str, dict[str, frozenset[str]]]:
    """What the records about some pictures state: values by attribute, of each picture."""
    import polars as pl

    columns = ["image_id", "attribute", "answer", "value"]
    stated = pl.coalesce(pl.col("value").struct.field("text"), "answer").str.strip_chars().str.to_lowercase()
    found: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for part in dataset.record_parts():
        rows = dataset.frame(part, columns).lazy().filter(pl.col("image_id").is_in(list(keys)))
        groups = rows.drop_nulls("attribute").group_by("image_id", "attribute").agg(stated.alias("stated"))
        for image_id, attribute, values in groups.collect().iter_rows():
            found[image_id][attribute] = found[image_id].get(attribute, frozenset()) | frozenset(values)
    return dict(found)


def _table(dataset: OffsideDataset) -> dict[str, dict[str, Any]]:
    """Rows of the table of pictures by id, without what twins show."""
    columns = [name for name in columns_of("images") if name not in ("image", "shown")]
    return {row["image_id"]: row for row in dataset.frame("images", columns).iter_rows(named=True)}


def _uses(dataset: OffsideDataset) -> dict[str, _Use]:
    found: dict[str, _Use] = defaultdict(_Use)
    columns = ["image_id", "split", "subject_id", "derived_from"]
    for part in dataset.record_parts():
        if part.startswith("multimodal/"):
            said = dataset.frame(part, columns).select(columns).unique(maintain_order=True)
            for image_id, split, subject, origin in said.iter_rows():
                use = found[image_id]
                use.splits.add(split)
                use.subjects |= {subject} - {None}
                use.origin = use.origin or origin
    return dict(found)


def _stated(row: Mapping[str, Any], algorithm: str) -> dict[str, Any] | None:
    """The fields of a `Picture` that the table of pictures states; null unless it states all."""
    values: list[Any] = [row.get(column) for column in ("pixels_sha256", "width", "height", algorithm)]
    return None if None in values else _fields(*values)


def _fields(content: str, width: int, height: int, hashes: str) -> dict[str, Any]:
    return {"content": content, "width": width, "height": height, "hashes": tuple(hashes.split(","))}


def _make_hashes(
    dataset: OffsideDataset, make: Callable[..., str], algorithm: str, store: Path, keys: Collection[str]
) -> dict[str, dict[str, Any]]:
    """As `_stated` by image_id, from the pixels; what `store` holds isn't made again."""
    from offside_data.images.decode import decode_image
    from offside_data.images.hashing import pixels_sha256
    from offside_data.images.parts import add_part, read_parts
    from offside_data.progress import track

    known = {row["sha256"]: row for row in read_parts(store)} if keys else {}
    found: dict[str, dict[str, Any]] = {}
    new: list[dict[str, Any]] = []
    for key, data in track(dataset.encoded_pictures(keys), "hashing", total=len(keys)) if keys else ():
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known:
            pixels = decode_image(data, f"picture {key}")
            known[sha256] = {
                "sha256": sha256,
                "content": pixels_sha256(pixels),
                "width": pixels.width,
                "height": pixels.height,
                "hashes": make(algorithm, pixels),
            }
            new.append(known[sha256])
        found[key] = _fields(**{name: value for name, value in known[sha256].items() if name != "sha256"})
        if len(new) == _PART:
            add_part(store, new)
            new = []
    if new:
        add_part(store, new)
    return found
