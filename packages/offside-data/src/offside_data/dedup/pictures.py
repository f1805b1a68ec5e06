"""The pictures of a dataset, for de-duplication: their hashes, from its table or made anew."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dedup.clusters import HashedPicture
from offside_data.schema import SPLITS, image_features

if TYPE_CHECKING:
    from offside_data.dataset.folder import OffsideDataset

_PART = 1_000
"""New hashes that are kept at a time: so many at most are made again after an interruption."""


@dataclass(slots=True)
class _Use:
    """What the records about a picture say of it."""

    splits: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    origin: str | None = None


def list_pictures(dataset: OffsideDataset, algorithm: str, store: Path, *, home: str = "") -> list[HashedPicture]:
    """The pictures that picture records are about, by id. Twins of visual rumours aren't among them.

    Args:
        dataset: The dataset.
        algorithm: Name of the perceptual hash. What `tables/images.parquet` doesn't state is made from the pixels.
        store: A folder that keeps what was made, so that an interrupted call goes on where it was.
        home: What `Picture.home` is to be.

    Raises:
        PluginError: If there is no such hash.
        PictureError: If a picture that has to be hashed can't be decoded.
    """
    from offside_data.images.hashing import HASHES

    HASHES.load(algorithm)
    table, uses = _table(dataset), _uses(dataset)
    stated = {key: _stated(table[key], algorithm) for key in uses if key in table}
    made = _make_hashes(dataset, algorithm, store, [key for key in uses if stated.get(key) is None])
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
                )
            )
    return pictures


def _table(dataset: OffsideDataset) -> dict[str, dict[str, Any]]:
    """Rows of the table of pictures by id, without what twins show."""
    columns = [name for name in image_features() if name not in ("image", "shown")]
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
    dataset: OffsideDataset, algorithm: str, store: Path, keys: Collection[str]
) -> dict[str, dict[str, Any]]:
    """As `_stated` by image_id, from the pixels; what `store` holds isn't made again."""
    from offside_data.images.decode import decode_image
    from offside_data.images.hashing import perceptual_hash, pixels_sha256
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
                "hashes": perceptual_hash(algorithm, pixels),
            }
            new.append(known[sha256])
        found[key] = _fields(**{name: value for name, value in known[sha256].items() if name != "sha256"})
        if len(new) == _PART:
            add_part(store, new)
            new = []
    if new:
        add_part(store, new)
    return found
