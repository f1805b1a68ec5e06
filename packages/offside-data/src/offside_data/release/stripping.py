"""Take metadata out of the pictures of a dataset: EXIF, GPS positions, captions, comments."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from offside_data.dataset.pictures import StoredImage
from offside_data.dataset.storage import frame_schema
from offside_data.dataset.transaction import Transaction
from offside_data.images.strip import has_metadata, strip_metadata
from offside_data.progress import track
from offside_data.schema import EncodedImage

if TYPE_CHECKING:
    import polars as pl


def strip_pictures(change: Transaction, wanted: Callable[[bytes], bool] = lambda data: True) -> int:
    """Strip pictures, and bring the hashes of their bytes in the images table up to date.

    Pictures are read row group by row group, each distinct one of a group once.

    Args:
        change: The dataset.
        wanted: Which pictures, by their encoded bytes; all if not given.

    Returns:
        How many different pictures had metadata.

    Raises:
        PictureError: If one that seems to have some isn't readable.
    """
    import polars as pl

    stripper, base, bare = _Stripper(change, wanted), change.base, []
    for part in track(base.record_parts() if base is not None else [], "stripping"):
        assert base is not None
        for batch in base.batches(part, ["record_id", "image_id", "image"]):
            kept = batch.filter(~pl.col("record_id").is_in(change.removed)) if change.removed else batch
            bare.append(stripper.bare(kept, "record_id"))
    images = change.tables["images"]
    listed = stripper.bare(images, "image_id")
    if stripper.hashes:
        change.update(pl.concat(bare))
        hashes = pl.col("sha256").replace(stripper.hashes)
        change.set_table("images", images.update(listed, on="image_id").with_columns(hashes))
    return len(stripper.hashes)


class _Stripper:
    """Strips pictures wherever they stand.

    Args:
        change: Whose store holds them, and takes in what is put in their place.
        wanted: Which pictures, by their encoded bytes.
    """

    def __init__(self, change: Transaction, wanted: Callable[[bytes], bool]) -> None:
        self.hashes: dict[str, str] = {}  # Of a picture that had metadata: of what is put in its place.
        self._store, self._wanted = change.store, wanted

    def bare(self, frame: pl.DataFrame, key: str) -> pl.DataFrame:
        """Of the rows whose pictures had metadata: columns `key` and `image`, what is put in their place."""
        import polars as pl

        columns = (pl.col(key).alias("name"), pl.col("image_id").alias("picture"), pl.col("image").struct.unnest())
        shown = frame.drop_nulls("image").select(columns)
        found = []
        for (file, group), rows in shown.group_by("file", "group", maintain_order=True):
            pictures = self._store.images(int(str(file)), int(str(group)))
            indices = pictures.indices.to_pylist()
            bare: dict[int | None, StoredImage | None] = {None: None}
            for name, picture, row, path in rows.select("name", "picture", "row", "path").iter_rows():
                index = indices[row]
                if index not in bare:
                    bare[index] = self._stripped(pictures.dictionary[index].as_py(), picture)
                new = bare[index]
                if new is not None:
                    found.append({key: name, "image": dataclasses.replace(new, path=path).place()})
        return pl.DataFrame(found, schema={key: pl.String, "image": frame_schema("multimodal")["image"]})

    def _stripped(self, data: bytes, picture: str) -> StoredImage | None:
        """What is put in the place of a picture; null if it stays."""
        if not has_metadata(data) or not self._wanted(data):
            return None
        stripped = strip_metadata(data, f"picture {picture}")
        if stripped is data:
            return None
        self.hashes[hashlib.sha256(data).hexdigest()] = hashlib.sha256(stripped).hexdigest()
        return self._store.hold(EncodedImage(bytes=stripped, path=""))
