"""Take metadata out of the pictures of a dataset in memory: EXIF, GPS positions, captions, comments."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

from offside_data.dataset.contents import Contents
from offside_data.images.strip import strip_metadata
from offside_data.progress import track
from offside_data.schema import EncodedImage


def strip_pictures(contents: Contents, wanted: Callable[[bytes], bool] = lambda data: True) -> int:
    """Strip pictures, in place, and bring the hashes of their bytes in the images table up to date.

    Args:
        contents: The dataset.
        wanted: Which pictures, by their encoded bytes; all if not given.

    Returns:
        How many different pictures had metadata.

    Raises:
        PictureError: If one isn't readable.
    """
    found = {r.image.bytes: str(r.image_id) for r in contents.records if r.image is not None and r.image.bytes}
    found |= {row["image"]["bytes"]: row["image_id"] for row in contents.images if row["image"]}
    bare: dict[bytes, bytes] = {}
    for data, name in track(found.items(), "stripping", total=len(found)):
        if wanted(data):
            stripped = strip_metadata(data, f"picture {name}")
            if stripped is not data:
                bare[data] = stripped
    if not bare:
        return 0
    hashes = {hashlib.sha256(old).hexdigest(): hashlib.sha256(new).hexdigest() for old, new in bare.items()}
    for place, record in enumerate(contents.records):
        if record.image is not None and record.image.bytes in bare:
            image = EncodedImage(bytes=bare[record.image.bytes], path=record.image.path)
            contents.records[place] = dataclasses.replace(record, image=image)
    for row in contents.images:
        row["sha256"] = hashes.get(row["sha256"], row["sha256"])
        if row["image"] and row["image"]["bytes"] in bare:
            row["image"] = {**row["image"], "bytes": bare[row["image"]["bytes"]]}
    return len(bare)
