"""The pictures of a dataset, for de-duplication: their hashes from its table or made anew, their bytes as a stream."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offside_data.dedup.clusters import Picture
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


def list_pictures(dataset: OffsideDataset, algorithm: str, store: Path, *, home: str = "") -> list[Picture]:
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
                Picture(
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


def stored_pictures(dataset: OffsideDataset, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Encoded bytes of the pictures of the given ids, as they lie in the files; few are in memory at a time."""
    import pyarrow.parquet as pq

    left = set(keys)
    for path in _picture_files(dataset):
        with pq.ParquetFile(path, read_dictionary=["image.bytes"]) as file:
            for group in range(file.num_row_groups if left else 0):
                if left.isdisjoint(file.read_row_group(group, ["image_id"]).column("image_id").to_pylist()):
                    continue
                for batch in file.read_row_group(group, ["image_id", "image"]).to_batches():
                    pictures = batch.column("image").flatten()[0]
                    for place, key in enumerate(batch.column("image_id").to_pylist()):
                        if key in left and pictures[place].is_valid:
                            left.remove(key)
                            yield key, pictures[place].as_py()


def _picture_files(dataset: OffsideDataset) -> list[Path]:
    parts = [part for part in dataset.files() if part.startswith("multimodal/")]
    return [path for part in parts for path in dataset.paths(part)]


def _table(dataset: OffsideDataset) -> dict[str, dict[str, Any]]:
    """Rows of the table of pictures by id, without what twins show."""
    import pyarrow.parquet as pq

    paths = dataset.paths("images") if "images" in dataset.parts() else []
    columns = [name for name in image_features() if name not in ("image", "shown")]
    tables = [pq.read_table(path, columns=columns, partitioning=None) for path in paths]
    return {row["image_id"]: row for table in tables for row in table.to_pylist()}


def _uses(dataset: OffsideDataset) -> dict[str, _Use]:
    import pyarrow.parquet as pq

    found: dict[str, _Use] = defaultdict(_Use)
    for path in _picture_files(dataset):
        columns = ["image_id", "split", "subject_id", "derived_from"]
        for row in pq.read_table(path, columns=columns, partitioning=None).to_pylist():
            use = found[row["image_id"]]
            use.splits.add(row["split"])
            use.subjects |= {row["subject_id"]} - {None}
            use.origin = use.origin or row["derived_from"]
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
    for key, data in track(stored_pictures(dataset, keys), "hashing", total=len(keys)) if keys else ():
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
